//! Keys and kubeconfigs that more than root may read.

use rinit_diag::{Problem, shell_word};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_plan::{FileMode, LogicalPath, Secret};
use rinit_workflow::State;

use crate::{Apply, ApplyError};

/// The permission of everybody to read.
const OTHERS_READ: u32 = 0o004;

impl Apply {
    /// The same of a kubeconfig, or of the file that it names for the key. One with a token alone is
    /// its user's own business.
    pub(crate) fn with_readers_of_client(
        &self,
        state: State,
        path: &LogicalPath,
    ) -> Result<State, ApplyError> {
        if !state.holds() {
            return Ok(state);
        }
        let text = self.host.read_text(path)?.map(Secret::new);
        let context = text.and_then(|text| CurrentContext::parse(text.expose()).ok());
        match context.and_then(|context| context.client_key) {
            Some(Source::Data(_)) => self.with_readers(state, path),
            Some(Source::File(file)) => match path.beside(&file) {
                Ok(file) => self.with_readers(state, &file),
                Err(_) => Ok(state),
            },
            None => Ok(state),
        }
    }

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
                    "every user of this host may read the private key in {path} (mode {mode:04o})"
                ))
                .with_hint(format!(
                    "Let only root: `chmod 0600 {}`.",
                    shell_word(&self.host.resolve(path).to_string_lossy())
                )),
            );
        }
        Ok(state)
    }
}
