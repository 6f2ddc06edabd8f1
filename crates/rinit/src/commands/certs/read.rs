//! Files of the node for operations, which name the path themselves: an error is why, without it.

use std::cell::RefCell;

use rinit_diag::Hint as _;
use rinit_host::{Host, HostError};
use rinit_plan::LogicalPath;

use crate::printer;

/// That it is not known where the certificates of this host's control plane are: what is not in
/// the usual directory is not missing.
pub(crate) struct UnknownDirectory {
    /// The directory that is looked at.
    pub(crate) usual: LogicalPath,
    /// Why no other is known.
    pub(crate) reason: String,
}

/// Reads files, and keeps the way out if this user may not read one.
pub(crate) struct Reader<'run> {
    host: &'run Host,
    unknown: Option<&'run UnknownDirectory>,
    hint: RefCell<Option<String>>,
}

impl<'run> Reader<'run> {
    pub(crate) fn new(host: &'run Host, unknown: Option<&'run UnknownDirectory>) -> Self {
        Self {
            host,
            unknown,
            hint: RefCell::new(None),
        }
    }

    /// The content of a file; none if there is no such file.
    pub(crate) fn read(&self, path: &LogicalPath) -> Result<Option<Vec<u8>>, String> {
        match (self.host.read(path), self.unknown) {
            // It may well be elsewhere.
            (Ok(None), Some(unknown)) if path.is_within(&unknown.usual) => {
                Err(unknown.reason.clone())
            }
            (found, _) => found.map_err(|error| self.why(&error)),
        }
    }

    /// Whether there is such a file, as empty content.
    pub(crate) fn find(&self, path: &LogicalPath) -> Result<Option<Vec<u8>>, String> {
        let found = self.host.exists(path).map_err(|error| self.why(&error))?;
        Ok(found.then(Vec::new))
    }

    fn why(&self, error: &HostError) -> String {
        match error {
            HostError::PermissionDenied {
                operation, source, ..
            } => {
                *self.hint.borrow_mut() = error.hint();
                format!("cannot {operation} it: {source}")
            }
            HostError::File {
                operation, source, ..
            } => format!("cannot {operation} it: {source}"),
            other => rinit_diag::chain(other),
        }
    }

    /// Says what helps, once for all that could not be read.
    pub(crate) fn tell(&self) {
        if let Some(hint) = self.hint.borrow().as_deref() {
            printer::hint(hint);
        }
    }
}
