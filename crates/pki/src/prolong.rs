//! The way out where the certificate of an authority ends or cannot be read: another for the same key.

use rinit_diag::shell_word;
use rinit_plan::{CaId, LogicalPath, Signer};

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
        prolong_alone(signer, false)
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
        certificate: file_of,
        key,
        ..
    } = signer;
    let file = file_of;
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
        return prolong_alone(signer, true);
    };
    // OpenSSL reads the first certificate of a file, and writes no other.
    let (position, of) = (position + 1, all.len());
    let (file, key) = (shell_word(file.as_str()), shell_word(key.as_str()));
    let (old, new) = (beside(file_of, "old"), beside(file_of, "new"));
    let is_its_key = is_its_key(&old, &key, &beside(file_of, "pub"));
    format!(
        "Where the key is, make a certificate for it with the same name, byte for byte, and keep \
         the others of the file: `awk '{COUNT} n=={position}; END{{exit n!={of}}}' {file} >{old} && \
         {is_its_key} && openssl x509 -in {old} -signkey {key} -days 3650 -out {new} && awk '{COUNT} \
         n!={position}' {file} >>{new} && mv {new} {file}`. What the authority has signed stays good. \
         {ELSEWHERE}"
    )
}

/// Compares the public key of a certificate with that of a key: OpenSSL would put the latter into the
/// new certificate without a word. All three are files, for a shell.
fn is_its_key(certificate: &str, key: &str, public_key: &str) -> String {
    format!(
        "openssl x509 -in {certificate} -noout -pubkey >{public_key} && openssl pkey -in {key} \
         -pubout | cmp - {public_key}"
    )
}

/// What is to be done where the comparison fails.
const ELSEWHERE: &str = "If it says that the keys differ, the key is not here, and nothing was done: what the \
                         authority has signed can be made anew, signed by the one whose key is here.";

/// What stands behind `rinit certs renew …` where an authority was made for a new cluster, so that
/// nobody has to trust the one before. Kubeconfigs trust that of the cluster alone.
pub fn renewal_in_a_new_cluster(authority: CaId) -> &'static str {
    match authority {
        CaId::Cluster => " --prune-authorities",
        CaId::Etcd | CaId::FrontProxy => "",
    }
}

/// Counts the certificates of a file.
const COUNT: &str = "/BEGIN CERTIFICATE--/{n++}";

/// How one of several certificates is taken out of a file; `position` counts from 1, and `of` is
/// how many there are. With another number the command does nothing: pasted once more, or behind
/// another of its kind, it would take out another one.
pub(crate) fn take_out(file: &LogicalPath, position: usize, of: usize) -> String {
    let new = beside(file, "new");
    let file = shell_word(file.as_str());
    format!("`awk '{COUNT} n!={position}; END{{exit n!={of}}}' {file} >{new} && mv {new} {file}`")
}

/// How private keys are taken out of a file that has so many certificates. The command does nothing
/// where the block of a key has no end, or where a certificate would go with it.
pub(crate) fn take_out_keys(file: &LogicalPath, of: usize) -> String {
    let new = beside(file, "new");
    let file = shell_word(file.as_str());
    format!(
        "`awk '/BEGIN .*PRIVATE KEY--/{{k=1}} !k; !k && {COUNT} /END .*PRIVATE KEY--/{{k=0}} \
         END{{exit k||n!={of}}}' {file} >{new} && mv {new} {file}`"
    )
}

/// A file beside another, for a shell.
fn beside(file: &LogicalPath, end: &str) -> String {
    shell_word(&format!("{file}.{end}"))
}

/// The same where it is the only one, and signed by its own key. OpenSSL keeps name and identifiers
/// so; `openssl req -x509` writes the name in another encoding, which does not match that in what
/// was signed before.
///
/// `compares` says whether the keys are compared before, which OpenSSL cannot do where a certificate
/// does not name its curve.
fn prolong_alone(signer: &Signer, compares: bool) -> String {
    let new = beside(&signer.certificate, "new");
    let certificate = shell_word(signer.certificate.as_str());
    let key = shell_word(signer.key.as_str());
    let (comparison, elsewhere) = if compares {
        let comparison = is_its_key(&certificate, &key, &beside(&signer.certificate, "pub"));
        (format!("{comparison} && "), format!(" {ELSEWHERE}"))
    } else {
        (String::new(), String::new())
    };
    format!(
        "Where the key is, make a certificate for it with the same name, byte for byte: \
         `{comparison}openssl x509 -in {certificate} -signkey {key} -days 3650 -out {new} && mv {new} \
         {certificate}`. What the authority has signed stays good.{elsewhere}"
    )
}
