//! Keys and kubeconfigs that more than root may read.

use rinit_diag::Problem;
use rinit_plan::{FileMode, LogicalPath};
use rinit_workflow::State;

use crate::{Apply, ApplyError};

/// The permission of everybody to read.
const OTHERS_READ: u32 = 0o004;

impl Apply {
    /// Adds a word on a file with a key that every user of the host may read. A group that reads it
    /// may be meant.
    pub(crate) fn with_readers(
        &self,
        mut state: State,
        path: &LogicalPath,
    ) -> Result<State, ApplyError> {
        let State::Holds { warnings, .. } = &mut state else {
            return Ok(state);
        };
        let mode = self.host.info(path)?.map(|info| info.mode);
        if let Some(FileMode(mode)) = mode.filter(|mode| mode.0 & OTHERS_READ != 0) {
            warnings.push(
                Problem::new(format!(
                    "{path} has a private key, and every user of this host may read it (mode \
                     {mode:04o})"
                ))
                .with_hint(format!("Let only root: `chmod 0600 {path}`.")),
            );
        }
        Ok(state)
    }
}
