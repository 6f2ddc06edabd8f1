//! The write styles of plans: replace, retain, verify.

use rinit_plan::{ObjectId, WriteStyle};
use serde_json::Value;

use crate::retry::retry;
use crate::{Client, Difference, Patience, Result, compare, overlay};

/// An object that must stand, with every gap filled.
#[derive(Clone, Copy)]
pub struct Desired<'a> {
    /// Its name.
    pub id: &'a ObjectId,
    /// Its manifest.
    pub body: &'a Value,
    /// What happens where it stands already.
    pub style: WriteStyle,
    /// JSON pointers of fields that others may have changed.
    pub unmanaged: &'a [&'static str],
}

/// How something in the cluster stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It does not exist.
    Absent,
    /// It is as we would write it, or is left alone.
    Holds,
    /// It exists and is otherwise.
    Differs(Vec<Difference>),
}

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The object did not exist.
    Created,
    /// It stood as we would write it, or the style leaves it alone.
    Unchanged,
    /// It was otherwise, and was overwritten.
    Replaced(Vec<Difference>),
    /// It is otherwise, and the style is to verify: nothing was written.
    Refused(Vec<Difference>),
}

/// The outcome of a write.
#[derive(Clone, PartialEq)]
pub struct Written {
    /// What was done.
    pub outcome: Outcome,
    /// The object as it stands now, with its UID. Of a Secret, this holds the values.
    pub live: Value,
}

/// Shows the outcome only: the object may be a Secret.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl Written {
    /// The UID that the API server gave to the object.
    pub fn uid(&self) -> Option<&str> {
        self.live["metadata"]["uid"].as_str()
    }
}

impl Client {
    /// How an object stands. Writes nothing.
    pub async fn inspect(&self, desired: &Desired<'_>, patience: &Patience) -> Result<Standing> {
        let Some(live) = self.get_patiently(desired.id, patience).await? else {
            return Ok(Standing::Absent);
        };
        Ok(match desired.style {
            WriteStyle::Retain => Standing::Holds,
            WriteStyle::Replace | WriteStyle::Verify => {
                Standing::from_differences(compare(desired.body, &live, desired.unmanaged))
            }
        })
    }

    /// Reads an object, with tries; none if it does not exist.
    pub async fn get_patiently(&self, id: &ObjectId, patience: &Patience) -> Result<Option<Value>> {
        retry(patience, || self.get(id)).await
    }

    /// Makes an object stand as its style says. On a new cluster this is one call.
    pub async fn write(&self, desired: &Desired<'_>, patience: &Patience) -> Result<Written> {
        retry(patience, || self.write_once(desired)).await
    }

    async fn write_once(&self, desired: &Desired<'_>) -> Result<Written> {
        let Desired { id, body, .. } = *desired;
        let refused = match self.create(id, body).await {
            Ok(Some(live)) => {
                return Ok(Written {
                    outcome: Outcome::Created,
                    live,
                });
            }
            Ok(None) => None,
            // A Service that asks for an address which its older self holds is called invalid
            // before it is called existing.
            Err(error) if error.is_invalid() => Some(error),
            Err(error) => return Err(error),
        };
        let Some(live) = self.get(id).await? else {
            // Deleted in between: the next try makes it. An invalid one stays invalid.
            return Err(refused.unwrap_or_else(|| crate::ClusterError::Rejected {
                verb: "read",
                object: id.to_string(),
                code: 404,
                reason: "NotFound".to_owned(),
                message: String::new(),
            }));
        };
        let differences = compare(body, &live, desired.unmanaged);
        let outcome = match desired.style {
            WriteStyle::Retain => Outcome::Unchanged,
            _ if differences.is_empty() => Outcome::Unchanged,
            WriteStyle::Verify => Outcome::Refused(differences),
            WriteStyle::Replace => {
                // The resource version of what was read goes along, so that a change in between is
                // a conflict, and the next try starts from it.
                let merged = overlay(body, &live, desired.unmanaged);
                return Ok(Written {
                    live: self.replace(id, &merged).await?,
                    outcome: Outcome::Replaced(differences),
                });
            }
        };
        Ok(Written { outcome, live })
    }
}

impl Standing {
    pub(crate) fn from_differences(differences: Vec<Difference>) -> Self {
        if differences.is_empty() {
            Self::Holds
        } else {
            Self::Differs(differences)
        }
    }
}
