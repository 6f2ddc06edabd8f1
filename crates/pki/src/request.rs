//! Requests for certificates (PKCS#10, RFC 2986) that another authority is to sign, as Go's
//! `crypto/x509` lays them out.

use rcgen::{CertificateParams, DistinguishedName};

use crate::der;
use crate::issue::extension;
use crate::{Leaf, PkiError, PrivateKey, name, pem_text};

/// A request for a certificate, as PEM. It asks for the subject and the alternative names; usages
/// and validity are the authority's to set, and kubeadm asks for none.
pub fn request<'a>(leaf: impl Into<Leaf<'a>>, key: &PrivateKey) -> Result<String, PkiError> {
    let leaf = leaf.into();
    let failed = |reason: String| PkiError::Sign {
        subject: leaf.subject.to_string(),
        reason,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !leaf.dns_names.is_empty() || !leaf.ip_addresses.is_empty() {
        params.custom_extensions = vec![extension::alternative_names(
            leaf.dns_names,
            leaf.ip_addresses,
        )];
    }
    let layout = params
        .serialize_request(key.pair())
        .map_err(|error| failed(error.to_string()))?;
    let (info, algorithm) = put_subject(layout.der(), &name::write(leaf.subject))
        .ok_or_else(|| failed("its layout is not that of RFC 2986".to_owned()))?;
    let signature = key.sign(&info).map_err(|error| failed(error.to_string()))?;
    let request = der::sequence([
        info.as_slice(),
        algorithm.as_slice(),
        der::bit_string(&signature).as_slice(),
    ]);
    Ok(pem_text("CERTIFICATE REQUEST", &request))
}

/// The CertificationRequestInfo of a request with its empty subject filled, and the algorithm of
/// its signature.
fn put_subject(request: &[u8], subject: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let [info, algorithm, _signature] = der::elements_of(request)?.try_into().ok()?;
    let [version, _subject, public_key, attributes] = der::elements_of(info)?.try_into().ok()?;
    let info = der::sequence([version, subject, public_key, attributes]);
    Some((info, algorithm.to_vec()))
}
