//! The way out where the certificate of an authority ends or cannot be read: another for the same key.

use rinit_plan::{LogicalPath, Signer};

use crate::{Authority, Certificate};

/// How an authority gets a certificate of another period for the same key, where it is not known
/// what its file holds.
pub(crate) fn prolong(signer: &Signer) -> String {
    let file = &signer.certificate;
    format!(
        "{} That is for a file with one certificate, signed by its own key. One that another \
         authority has signed is issued anew by that one, for the same key and name. Of several \
         certificates in {file}, put the one of the key into a file of its own for this, and its \
         successor in its place.",
        prolong_alone(signer)
    )
}

impl Authority {
    /// How this authority gets a certificate of another period for the same key.
    pub fn prolong(&self, signer: &Signer) -> String {
        prolong_one(signer, self.certificate(), &self.certificates)
    }
}

/// The same for one of the certificates of its file.
pub(crate) fn prolong_one(
    signer: &Signer,
    certificate: &Certificate,
    all: &[Certificate],
) -> String {
    let Signer {
        certificate: file,
        key,
        ..
    } = signer;
    if !certificate.is_self_issued() {
        return format!(
            "Have {} issue it anew for the same key and the same name, byte for byte, and put that \
             in the place of the old one in {file}. What the authority has signed stays good.",
            certificate.issuer
        );
    }
    let Some(position) = all
        .iter()
        .position(|one| one.der == certificate.der)
        .filter(|_| all.len() > 1)
    else {
        return prolong_alone(signer);
    };
    // OpenSSL reads the first certificate of a file, and writes no other.
    let position = position + 1;
    format!(
        "Where the key is, make a certificate for it with the same name, byte for byte, and keep \
         the others of the file: `awk '/BEGIN CERT/{{n++}} n=={position}' {file} >{file}.old`, \
         `openssl x509 -in {file}.old -signkey {key} -days 3650 -out {file}.new`, `awk '/BEGIN \
         CERT/{{n++}} n!={position}' {file} >>{file}.new`, then `mv {file}.new {file}`. What the \
         authority has signed stays good."
    )
}

/// How one of several certificates is taken out of a file; `position` counts from 1.
pub(crate) fn take_out(file: &LogicalPath, position: usize) -> String {
    format!(
        "`awk '/BEGIN CERT/{{n++}} n!={position}' {file} >{file}.new`, then `mv {file}.new {file}`"
    )
}

/// The same where it is the only one, and signed by its own key. OpenSSL keeps name and identifiers
/// so; `openssl req -x509` writes the name in another encoding, which does not match that in what
/// was signed before.
fn prolong_alone(signer: &Signer) -> String {
    let Signer {
        certificate, key, ..
    } = signer;
    format!(
        "Where the key is, make a certificate for it with the same name, byte for byte: `openssl \
         x509 -in {certificate} -signkey {key} -days 3650 -out {certificate}.new`, then `mv \
         {certificate}.new {certificate}`. What the authority has signed stays good."
    )
}
