//! A certificate as webpki is to see it, so that it judges what Go's `crypto/x509` judges.
//!
//! webpki refuses extensions that Go knows, such as critical certificate policies, and every
//! certificate below a constraint on directory names, which Go passes over unless it is critical. So
//! it gets each certificate with only those extensions that both of them look at. What Go refuses
//! beyond them is [`Certificate::unknown_extension`], and what the path around it asks (`chain.rs`).
//! Signatures are checked over the true bytes.

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
};

use crate::{Certificate, der};

/// The object identifiers in DER of the extensions that both look at.
mod oid {
    pub(super) const NAME_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 30];
    const KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 15];
    const ALTERNATIVE_NAMES: &[u8] = &[6, 3, 0x55, 0x1d, 17];
    const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 19];
    const CRL_DISTRIBUTION_POINTS: &[u8] = &[6, 3, 0x55, 0x1d, 31];
    const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 37];
    pub(super) const SEEN: [&[u8]; 6] = [
        KEY_USAGE,
        ALTERNATIVE_NAMES,
        BASIC_CONSTRAINTS,
        NAME_CONSTRAINTS,
        CRL_DISTRIBUTION_POINTS,
        EXTENDED_KEY_USAGE,
    ];
    pub(super) const SEEN_OF_SERVERS: [&[u8]; 4] = [
        KEY_USAGE,
        ALTERNATIVE_NAMES,
        CRL_DISTRIBUTION_POINTS,
        EXTENDED_KEY_USAGE,
    ];
}

/// The version of a certificate with extensions, which stands first (RFC 5280, section 4.1).
const VERSION_3: &[u8] = &[0xa0, 3, 2, 1, 2];
/// The tag of the extensions in a certificate (RFC 5280, section 4.1).
const EXTENSIONS: u8 = der::tag::context_constructed(3);

/// The constraints on names that Go knows: on email addresses, DNS names, URIs and IP addresses
/// (RFC 5280, section 4.2.1.6; `parseNameConstraintsExtension` of Go 1.26).
const KNOWN_NAMES: [u8; 4] = [
    der::tag::context(1),
    der::tag::context(2),
    der::tag::context(6),
    der::tag::context(7),
];

/// A certificate as webpki is to see it.
pub(crate) struct View<'a> {
    /// The whole certificate in DER. The signature is that of the true one.
    pub(crate) der: CertificateDer<'a>,
    /// The signed part as it is seen, and as it is; none where they are the same.
    signed: Option<(Vec<u8>, &'a [u8])>,
}

impl<'a> View<'a> {
    pub(crate) fn of(certificate: &'a Certificate) -> Self {
        Self::with(&certificate.der, &oid::SEEN)
    }

    /// The certificate of a server. Go does not ask whether it is one of an authority too.
    pub(crate) fn of_server(certificate: &'a [u8]) -> Self {
        Self::with(certificate, &oid::SEEN_OF_SERVERS)
    }

    fn with(certificate: &'a [u8], extensions: &[&[u8]]) -> Self {
        let true_one = Self {
            der: CertificateDer::from(certificate),
            signed: None,
        };
        let Some([signed, algorithm, signature]) =
            der::elements_of(certificate).and_then(|parts| <[&[u8]; 3]>::try_from(parts).ok())
        else {
            return true_one;
        };
        match seen(signed, extensions) {
            Some(seen) if seen != signed => Self {
                der: der::sequence([seen.as_slice(), algorithm, signature]).into(),
                signed: Some((seen, signed)),
            },
            // What cannot be read is left to webpki to refuse.
            _ => true_one,
        }
    }
}

/// The signed part of a certificate without the extensions that one of the two does not look at,
/// and as one of version 3: webpki knows no other, and Go does not mind.
fn seen(signed: &[u8], seen_extensions: &[&[u8]]) -> Option<Vec<u8>> {
    let mut parts = vec![VERSION_3.to_vec()];
    for part in der::elements_of(signed)? {
        if part.first() == VERSION_3.first() {
            continue;
        }
        if part.first() != Some(&EXTENSIONS) {
            parts.push(part.to_vec());
            continue;
        }
        let mut extensions = Vec::new();
        for extension in der::elements_of(der::split_first(part)?.content)? {
            let oid = der::split_first(der::split_first(extension)?.content)?.whole;
            if oid == oid::NAME_CONSTRAINTS && seen_extensions.contains(&oid) {
                extensions.push(known_constraints(extension)?);
            } else if seen_extensions.contains(&oid) {
                extensions.push(extension.to_vec());
            }
        }
        let extensions = der::sequence(extensions.iter().map(Vec::as_slice));
        parts.push(der::element(EXTENSIONS, &extensions));
    }
    Some(der::sequence(parts.iter().map(Vec::as_slice)))
}

/// The extension of Name Constraints with those of known kinds alone; no bytes if there are none.
fn known_constraints(extension: &[u8]) -> Option<Vec<u8>> {
    let (value, before) = der::elements_of(extension)?
        .split_last()
        .map(|(value, before)| (der::split_first(value), before.concat()))?;
    let mut kept = Vec::new();
    for subtrees in der::elements_of(value?.content)? {
        let subtrees = der::split_first(subtrees)?;
        let known: Vec<u8> = subtrees_of(subtrees.content)?
            .into_iter()
            .filter(|(tag, _)| KNOWN_NAMES.contains(tag))
            .flat_map(|(_, whole)| whole)
            .copied()
            .collect();
        if !known.is_empty() {
            kept.push(der::element(subtrees.tag, &known));
        }
    }
    if kept.is_empty() {
        return Some(Vec::new());
    }
    let value = der::sequence(kept.iter().map(Vec::as_slice));
    let value = der::element(der::tag::OCTET_STRING, &value);
    Some(der::sequence([before.as_slice(), value.as_slice()]))
}

/// The subtrees one after the other: the tag of each one's name, and all of its bytes.
fn subtrees_of(mut rest: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut subtrees = Vec::new();
    while !rest.is_empty() {
        let subtree = der::split_first(rest)?;
        subtrees.push((der::split_first(subtree.content)?.tag, subtree.whole));
        rest = subtree.rest;
    }
    Some(subtrees)
}

/// Whether Name Constraints, as the value of the extension, have a kind that Go does not know. It
/// then treats the extension as unknown: refuses it if it is critical, and passes over that kind if
/// not.
pub(crate) fn has_unknown_constraints(value: &[u8]) -> bool {
    let are_known = || {
        der::elements_of(value)?
            .into_iter()
            .map(|subtrees| subtrees_of(der::split_first(subtrees)?.content))
            .collect::<Option<Vec<_>>>()
            .map(|subtrees| {
                subtrees
                    .iter()
                    .flatten()
                    .all(|(tag, _)| KNOWN_NAMES.contains(tag))
            })
    };
    are_known() != Some(true)
}

/// An algorithm that checks signatures over what was signed, where webpki has a view of it.
#[derive(Debug)]
pub(crate) struct OverTrueBytes<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    signed: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> OverTrueBytes<'a> {
    /// All algorithms, for signatures of those certificates.
    pub(crate) fn all(views: impl IntoIterator<Item = &'a View<'a>>) -> Vec<Self> {
        let signed: Vec<(&[u8], &[u8])> = views
            .into_iter()
            .filter_map(|view| view.signed.as_ref())
            .map(|(seen, signed)| (seen.as_slice(), *signed))
            .collect();
        webpki::ALL_VERIFICATION_ALGS
            .iter()
            .map(|algorithm| Self {
                algorithm: *algorithm,
                signed: signed.clone(),
            })
            .collect()
    }
}

impl SignatureVerificationAlgorithm for OverTrueBytes<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let verify = |message| {
            self.algorithm
                .verify_signature(public_key, message, signature)
        };
        // One with other bytes that looks the same was made to be taken for this one.
        match self.signed.iter().find(|(seen, _)| *seen == message) {
            None => verify(message),
            Some((_, signed)) => verify(signed),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }
}
