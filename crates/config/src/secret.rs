//! Tokens and keys, which no output of rinit may show by accident.
//!
//! They print as a placeholder, in `Debug` and when written; only `expose` gives the text.

use std::fmt;

use rinit_diag::REDACTED;
use rinit_plan::Secret;
use serde_json::Value;

use crate::format::Format;
use crate::schema::{Mismatch, Shape, Typed};
use crate::tree::Node;

macro_rules! secrets {
    ($( $(#[doc = $about:literal])+ $name:ident, $format:expr; )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Secret<String>);

        impl $name {
            /// The secret, unless the text does not have its form.
            pub fn new(text: impl Into<String>) -> Option<Self> {
                let text = text.into();
                $format.check(&text).is_ok().then(|| Self(Secret::new(text)))
            }

            /// The text itself. Callers answer for where it goes.
            pub fn expose(&self) -> &str {
                self.0.expose()
            }

            /// The same as a secret without a form.
            pub fn into_secret(self) -> Secret<String> {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({REDACTED})", stringify!($name))
            }
        }

        impl Typed for $name {
            const SHAPE: Shape = Shape::Secret($format);
            fn read(node: &Node) -> Result<Self, Mismatch> {
                node.text().and_then(Self::new).ok_or(Mismatch("secret"))
            }
            fn absent() -> Result<Self, Mismatch> {
                Err(Mismatch("secret"))
            }
            fn write(&self) -> Value {
                Value::from(REDACTED)
            }
            fn zero() -> Value {
                Value::from("")
            }
        }
    )+};
}

secrets! {
    /// A bootstrap token: six characters, a point, sixteen characters, all of `a-z0-9`.
    BootstrapToken, Format::BootstrapToken;
    /// The key of the uploaded certificates: 32 bytes as 64 hexadecimal digits.
    CertificateKey, Format::CertificateKey;
}

impl BootstrapToken {
    /// The part before the point, which is no secret: it names the token's Secret object.
    pub fn id(&self) -> &str {
        self.expose().split_once('.').map_or("", |(id, _)| id)
    }
}
