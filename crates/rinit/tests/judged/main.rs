//! What `rinit init` finds in the folder of certificates and in kubeconfigs: its verdicts, the
//! commands in its hints, authorities of all kinds, and bundles of several.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test runs programs, looks at what they left behind, and says what it left out"
)]

mod authorities;
mod bundles;
mod external;
mod support;
mod told;
mod unfit;
