//! The name that the program was started by. Tools call a program named `kubeadm`; started by that
//! name, rinit answers in kubeadm's forms and hands kubeadm what it does not do itself.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use rinit_diag::{ExitCode, Problem};

use crate::printer;

const KUBEADM: &str = "kubeadm";
/// Where packages of rinit put the kubeadm that it replaces in the PATH.
const BESIDE: &str = "/usr/libexec/rinit/kubeadm";

/// Whether the program was started as `kubeadm`.
pub(crate) fn is_kubeadm() -> bool {
    let name = std::env::args_os().next();
    name.as_deref().map(Path::new).and_then(Path::file_name) == Some(KUBEADM.as_ref())
}

/// Returns the name for scripts that are to run this program.
pub(crate) fn own() -> &'static str {
    if is_kubeadm() { KUBEADM } else { "rinit" }
}

/// Commands in a text as they are typed under this name.
pub(crate) fn as_typed(text: &str) -> Cow<'_, str> {
    if !is_kubeadm() {
        return text.into();
    }
    let text = match text.strip_prefix("rinit ") {
        Some(rest) => format!("{KUBEADM} {rest}"),
        None => text.to_owned(),
    };
    text.replace("`rinit ", &format!("`{KUBEADM} ")).into()
}

/// Runs the real kubeadm in place of this program, for a command that rinit does not have. Returns
/// only if that cannot be.
pub(crate) fn hand_over(command: &str) -> ExitCode {
    let missing = |reason: String| {
        let message = format!("rinit has no command `{command}`, and {reason}");
        let hint = format!("install the kubeadm of the cluster's version as {BESIDE}");
        printer::problem(&Problem::new(message).with_hint(hint));
        ExitCode::Usage
    };
    if let Some(path) = rinit_host::handed_to() {
        return missing(format!(
            "{}, which was to run it, is rinit too",
            path.display()
        ));
    }
    let Some(program) = rinit_host::find_other(Path::new(BESIDE), KUBEADM) else {
        return missing("there is no other kubeadm to run it".to_owned());
    };
    printer::progress(&format!(
        "rinit has no command `{command}`: running {}",
        program.display()
    ));
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Err(error) = rinit_host::hand_over(&program, KUBEADM.as_ref(), arguments);
    printer::problem(&Problem::from_error(&error));
    ExitCode::Failure
}
