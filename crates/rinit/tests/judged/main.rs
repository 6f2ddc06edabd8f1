//! What `rinit init` finds in the folder of certificates and in kubeconfigs: its verdicts, the
//! commands in its hints, authorities of all kinds, and bundles of several.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test runs programs and looks at what they left behind"
)]

mod authorities;
mod bundles;
mod external;
mod support;
mod unfit;
