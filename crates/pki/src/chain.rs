//! Whether a certificate leads to an authority, apart from whether it is still valid.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rinit_plan::ExtendedKeyUsage;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyPurposeIdIter, VerifiedPath};

use crate::Certificate;
use crate::limits::{Limit, limit};
use crate::view::{OverTrueBytes, View};

/// Why a certificate does not lead to an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// No certificate of the authority, and none beside the leaf, bears the issuer's name.
    UnknownIssuer,
    /// A certificate of the authority bears the issuer's name, written in other bytes.
    OtherEncoding,
    /// The issuer's name is right, but another key has signed.
    OtherKey,
    /// The issuer's RSA key is so short, in bits, that no signature of it is checked.
    ShortKey(usize),
    /// It is a certificate of the wrong kind, or one on the way is.
    Forbidden(&'static str),
    /// It is signed, and the authority is not allowed to sign such a one.
    Limited(Limit),
    /// A certificate on the way is signed in a manner that is not checked.
    UnsupportedSignature,
    /// The certificates on the way are at no moment valid together.
    NeverValidTogether,
    /// It, or a certificate beside it on the way, has a critical extension that TLS libraries do
    /// not know: its dotted OID.
    UnknownExtension(String),
    /// A certificate on the way cannot be read by TLS libraries.
    Unreadable(String),
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("no certificate of the authority has that name"),
            Self::OtherEncoding => f.write_str(
                "a certificate of the authority has the same name in another encoding, and names \
                 are compared byte for byte",
            ),
            Self::OtherKey => {
                f.write_str("another key than that of the authority of the same name signed it")
            }
            Self::ShortKey(bits) => write!(
                f,
                "the RSA key of the authority of that name has {bits} bits, too few for a signature \
                 to be checked"
            ),
            Self::Forbidden(what) => f.write_str(what),
            Self::Limited(limit) => limit.fmt(f),
            Self::UnsupportedSignature => {
                f.write_str("its signature algorithm is too weak or unknown")
            }
            Self::NeverValidTogether => {
                f.write_str("it and its authority are at no moment valid together")
            }
            Self::UnknownExtension(oid) => write!(
                f,
                "a certificate on the way has the critical extension {oid}, which TLS libraries do \
                 not know"
            ),
            Self::Unreadable(what) => write!(f, "TLS libraries cannot read it: {what}"),
        }
    }
}

/// Which certificate of an authority's file has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Its position in the file, from 1.
    pub position: usize,
    /// How many the file has.
    pub of: usize,
    /// Whom it names.
    pub subject: String,
    /// Its last second.
    pub not_after: Timestamp,
}

impl SignedBy {
    pub(crate) fn new(authority: &[Certificate], index: usize) -> Self {
        let certificate = &authority[index];
        Self {
            position: index + 1,
            of: authority.len(),
            subject: certificate.subject.to_string(),
            not_after: certificate.validity.not_after,
        }
    }

    /// What there is to say where it ends before something that it signs would. `name` is that of
    /// the authority.
    pub fn ends_before(&self, name: impl fmt::Display, not_after: Timestamp) -> Option<String> {
        (self.not_after < not_after).then(|| {
            format!(
                "{name} ({self}) expires at {}, and with it all that it signs",
                self.not_after
            )
        })
    }

    /// The same for two PEM files; none where the one did not sign the other.
    pub fn find(leaf: &[u8], authority: &[u8]) -> Option<Self> {
        let leaf = Certificate::read_all(leaf).ok()?;
        Self::among(&leaf, &Certificate::read_all(authority).ok()?, &[]).ok()
    }

    /// The same for certificates that are read already; see [`chain`].
    pub fn among(
        leaf: &[Certificate],
        authority: &[Certificate],
        usages: &[ExtendedKeyUsage],
    ) -> Result<Self, ChainFault> {
        chain(leaf, authority, usages).map(|index| Self::new(authority, index))
    }
}

impl fmt::Display for SignedBy {
    /// `CN=kubernetes`, and which of them it is where the file has several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        if self.of > 1 {
            write!(f, ", certificate {} of {}", self.position, self.of)?;
        }
        Ok(())
    }
}

/// Checks that the first certificate of `leaf` is signed, by way of the others in the file, by one
/// of the certificates of an authority, and says by which (its index).
///
/// Any of the authority's certificates is trusted, also an intermediate one, as Kubernetes trusts
/// them. Expiry is left aside: there must be a moment at which the path is valid. All authorities
/// on the way, the trusted one too, must allow the usages; whether the leaf has them is judged
/// apart, so that a wrong one is not told as a broken chain.
pub fn chain(
    leaf: &[Certificate],
    authority: &[Certificate],
    usages: &[ExtendedKeyUsage],
) -> Result<usize, ChainFault> {
    path(leaf, authority, usages, None)
}

/// The same for the certificates that a server shows, as they are at that moment.
pub(crate) fn chain_of_server(
    shown: &[Certificate],
    trusted: &[Certificate],
    now: UnixTime,
) -> Result<usize, ChainFault> {
    path(shown, trusted, &[ExtendedKeyUsage::ServerAuth], Some(now))
}

fn path(
    leaf: &[Certificate],
    authority: &[Certificate],
    usages: &[ExtendedKeyUsage],
    now: Option<UnixTime>,
) -> Result<usize, ChainFault> {
    let Some((first, others)) = leaf.split_first() else {
        return Err(ChainFault::UnknownIssuer);
    };
    if let Some(oid) = &first.unknown_extension {
        return Err(ChainFault::UnknownExtension(oid.clone()));
    }
    let view_of_leaf = match now {
        Some(_) => View::of_server(&first.der),
        None => View::of(first),
    };
    let below: Vec<View<'_>> = std::iter::once(view_of_leaf)
        .chain(others.iter().map(View::of))
        .collect();
    let above: Vec<View<'_>> = authority.iter().map(View::of).collect();
    let end_entity = EndEntityCert::try_from(&below[0].der).map_err(|error| fault(&error))?;
    let mut anchors = Vec::new();
    let mut indices = Vec::new();
    for (index, view) in above.iter().enumerate() {
        // One certificate that cannot be used must not hide another that can.
        let is_over = now.is_some_and(|now| !is_valid_at(&authority[index], now));
        let may_sign = authority[index].is_authority || authority[index].is_old;
        if !may_sign || is_over {
            continue;
        }
        if let Ok(anchor) = webpki::anchor_from_trusted_cert(&view.der) {
            anchors.push(anchor);
            indices.push(index);
        }
    }
    let intermediates: Vec<CertificateDer<'_>> =
        below[1..].iter().map(|view| view.der.clone()).collect();
    let algorithms = OverTrueBytes::all(&below);
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> = algorithms
        .iter()
        .map(|one| one as &dyn SignatureVerificationAlgorithm)
        .collect();

    let trusted = |path: &VerifiedPath<'_>| {
        // Two certificates of one authority may differ in nothing that an anchor has.
        let position = anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()));
        position.map(|position| indices[position])
    };
    let refused = RefCell::new(None);
    let allowed = |path: &VerifiedPath<'_>| {
        let between: Vec<&Certificate> = path
            .intermediate_certificates()
            .filter_map(|one| intermediates.iter().position(|der| *der == one.der()))
            .map(|position| &others[position])
            .collect();
        let Some(index) = trusted(path) else {
            return Ok(());
        };
        // webpki does not ask for the usage to sign certificates.
        let is_no_authority = between.iter().any(|one| !one.is_authority);
        let fault = is_no_authority
            .then_some(ChainFault::Forbidden(NO_AUTHORITY))
            .or_else(|| {
                let mut unknown = between.iter().map(|one| one.unknown_extension.clone());
                unknown.find_map(|oid| oid.map(ChainFault::UnknownExtension))
            })
            .or_else(|| policy_fault(first, &between))
            .or_else(|| limit(&between, &authority[index], usages).map(ChainFault::Limited));
        match fault {
            None => Ok(()),
            Some(fault) => {
                refused.replace(Some(fault));
                // Another path may do; this error gives way to any other.
                Err(webpki::Error::UnknownIssuer)
            }
        }
    };

    // If the validities overlap at all, they overlap where the last of them begins.
    let mut moments: Vec<i64> = std::iter::once(first)
        .chain(others)
        .map(|certificate| certificate.validity.not_before.as_second())
        .collect();
    moments.sort_unstable();
    moments.reverse();
    let moments = moments.into_iter().map(|moment| {
        UnixTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(moment).unwrap_or_default(),
        ))
    });
    let moments: Vec<UnixTime> = now.map_or_else(|| moments.collect(), |now| vec![now]);
    let mut outcome = Err(ChainFault::NeverValidTogether);
    for time in moments {
        let path = end_entity.verify_for_usage(
            &algorithms,
            &anchors,
            &intermediates,
            time,
            AnyUsage,
            None,
            Some(&allowed),
        );
        match path {
            Ok(path) => {
                return trusted(&path)
                    .map(|index| lasting(authority, index))
                    .ok_or(ChainFault::UnknownIssuer);
            }
            Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => {}
            Err(error) => outcome = Err(fault(&error)),
        }
    }
    // A path that is whole and not allowed says more than why others are not whole.
    if let Some(fault) = refused.into_inner() {
        return Err(fault);
    }
    let is_named_alike = || {
        leaf.iter().any(|below| {
            authority.iter().any(|above| {
                above.subject != below.issuer && above.subject.attributes == below.issuer.attributes
            })
        })
    };
    if outcome == Err(ChainFault::UnknownIssuer) && is_named_alike() {
        return Err(ChainFault::OtherEncoding);
    }
    if outcome == Err(ChainFault::OtherKey) {
        let short = authority
            .iter()
            .filter(|above| leaf.iter().any(|below| below.issuer == above.subject))
            .find_map(|above| above.public_key.short_rsa());
        return Err(short.map_or(ChainFault::OtherKey, ChainFault::ShortKey));
    }
    outcome
}

/// What Go says of policies (RFC 5280, section 6.1, without mappings): that one is asked for, and no
/// policy holds all the way. It does not ask the trusted certificate. `between` begins with who
/// signed the leaf.
fn policy_fault(leaf: &Certificate, between: &[&Certificate]) -> Option<ChainFault> {
    let path: Vec<&Certificate> = between.iter().rev().copied().chain([leaf]).collect();
    let last = path.len() - 1;
    // How many certificates may follow before a policy is needed, and before that for any is none.
    let (mut needed_after, mut any_until) = (u32::MAX, u32::MAX);
    // Those that hold so far; none where all of them do.
    let mut valid: Option<Vec<&String>> = None;
    for (index, one) in path.iter().copied().enumerate() {
        let is_last = index == last;
        let named = one.policies.as_deref().unwrap_or_default();
        let is_self_issued = !is_last && one.is_self_issued();
        let names_any = named.iter().any(|policy| policy == ANY_POLICY);
        if !names_any || (any_until == 0 && !is_self_issued) {
            let named = named.iter().filter(|policy| *policy != ANY_POLICY);
            let hold = |policy: &&String| valid.as_ref().is_none_or(|valid| valid.contains(policy));
            valid = Some(named.filter(hold).collect());
        }
        let is_none_left = valid.as_ref().is_some_and(Vec::is_empty);
        if needed_after == 0 && is_none_left {
            return Some(ChainFault::Forbidden(NO_POLICY));
        }
        if !is_self_issued {
            needed_after = needed_after.saturating_sub(1);
            any_until = any_until.saturating_sub(1);
        }
        let asked_after = one.explicit_policy.filter(|after| !is_last || *after == 0);
        needed_after = needed_after.min(asked_after.unwrap_or(u32::MAX));
        any_until = any_until.min(one.inhibit_any_policy.unwrap_or(u32::MAX));
        if is_last && needed_after == 0 && is_none_left {
            return Some(ChainFault::Forbidden(NO_POLICY));
        }
    }
    None
}

const NO_POLICY: &str =
    "an authority on the way asks for policies, and none holds for every certificate";
/// anyPolicy (RFC 5280, section 4.2.1.4).
const ANY_POLICY: &str = "2.5.29.32.0";

/// Of certificates that sign alike the one that ends last: what one has signed, all have.
fn lasting(authority: &[Certificate], index: usize) -> usize {
    let one = &authority[index];
    let is_alike = |other: &Certificate| {
        other.is_authority
            && other.subject == one.subject
            && other.has_same_key(one)
            && other.path_length == one.path_length
            && other.extended_key_usages == one.extended_key_usages
            && !other.has_name_constraints
            && !one.has_name_constraints
    };
    let ends_later = |other: &Certificate| other.validity.not_after > one.validity.not_after;
    authority
        .iter()
        .enumerate()
        .filter(|(_, other)| is_alike(other) && ends_later(other))
        .max_by_key(|(_, other)| other.validity.not_after)
        .map_or(index, |(later, _)| later)
}

const NO_AUTHORITY: &str = "a certificate on the way is not that of an authority";

/// Whether a certificate is valid at the moment of a connection.
pub(crate) fn is_valid_at(certificate: &Certificate, now: UnixTime) -> bool {
    i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .is_some_and(|now| certificate.is_valid_at(now))
}

/// Usages are asked of whole paths: webpki asks no trusted certificate for them.
struct AnyUsage;

impl webpki::ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn fault(error: &webpki::Error) -> ChainFault {
    use webpki::Error;
    match error {
        Error::UnknownIssuer => ChainFault::UnknownIssuer,
        // A signature of another kind than the key of that name makes is another key's.
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ChainFault::OtherKey,
        Error::CaUsedAsEndEntity => {
            ChainFault::Forbidden("it is the certificate of an authority itself")
        }
        Error::EndEntityUsedAsCa => ChainFault::Forbidden(NO_AUTHORITY),
        Error::NameConstraintViolation => ChainFault::Limited(Limit::Names(Vec::new())),
        Error::PathLenConstraintViolated => ChainFault::Limited(Limit::Depth),
        Error::UnsupportedSignatureAlgorithmContext(_) => ChainFault::UnsupportedSignature,
        other => ChainFault::Unreadable(other.to_string()),
    }
}
