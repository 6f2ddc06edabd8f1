//! Keys, authorities and certificates that OpenSSL makes: what users bring with them.

use std::path::Path;
use std::process::{Command, Stdio};

/// The forms in which the keys of authorities come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// `BEGIN RSA PRIVATE KEY`.
    Pkcs1,
    /// `BEGIN EC PRIVATE KEY`.
    Sec1,
    /// `BEGIN PRIVATE KEY` with an RSA key.
    Pkcs8Rsa,
    /// `BEGIN PRIVATE KEY` with an ECDSA key.
    Pkcs8Ecdsa,
    /// `BEGIN EC PARAMETERS` in front of the key, as OpenSSL writes unless told otherwise.
    EcParameters,
}

/// What an authority's certificate says of it; `-x509_strict` asks for no less.
const OF_AUTHORITIES: &str = "basicConstraints=critical,CA:TRUE\n\
    keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign\nsubjectKeyIdentifier=hash\n";

/// Runs OpenSSL in a folder with words that have no space in them.
pub(crate) fn openssl(folder: &Path, words: &str) -> String {
    let (success, text) = try_openssl(folder, words);
    assert!(success, "openssl {words}: {text}");
    text
}

pub(crate) fn try_openssl(folder: &Path, words: &str) -> (bool, String) {
    let output = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Makes the private key `<name>.key`.
pub(crate) fn make_key(folder: &Path, name: &str, form: KeyForm) {
    if let Some(above) = folder.join(name).parent() {
        std::fs::create_dir_all(above).unwrap();
    }
    let (command, first_line) = match form {
        KeyForm::Pkcs1 => (
            "genrsa -traditional -out KEY 2048",
            "-----BEGIN RSA PRIVATE KEY-----",
        ),
        KeyForm::Sec1 => (
            "ecparam -name prime256v1 -genkey -noout -out KEY",
            "-----BEGIN EC PRIVATE KEY-----",
        ),
        KeyForm::Pkcs8Rsa => (
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out KEY",
            "-----BEGIN PRIVATE KEY-----",
        ),
        KeyForm::Pkcs8Ecdsa => (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp384r1 -out KEY",
            "-----BEGIN PRIVATE KEY-----",
        ),
        KeyForm::EcParameters => (
            "ecparam -name prime256v1 -genkey -out KEY",
            "-----BEGIN EC PARAMETERS-----",
        ),
    };
    openssl(folder, &command.replace("KEY", &format!("{name}.key")));
    let text = std::fs::read_to_string(folder.join(format!("{name}.key"))).unwrap();
    assert!(text.starts_with(first_line), "{form:?}");
}

/// Makes an authority that nobody signed: `<name>.key` and `<name>.crt`.
pub(crate) fn make_authority(folder: &Path, name: &str, subject: &str, form: KeyForm) {
    make_key(folder, name, form);
    request(folder, name, subject);
    sign(folder, name, None, OF_AUTHORITIES, &format!("{name}.crt"));
}

/// Makes an authority that another signed. Its file has the chain up to the root.
pub(crate) fn make_intermediate(folder: &Path, name: &str, subject: &str, form: KeyForm, by: &str) {
    make_key(folder, name, form);
    request(folder, name, subject);
    let certificate = format!("{name}.crt");
    sign(folder, name, Some(by), OF_AUTHORITIES, &certificate);
    let own = std::fs::read(folder.join(&certificate)).unwrap();
    let above = std::fs::read(folder.join(format!("{by}.crt"))).unwrap();
    std::fs::write(folder.join(&certificate), [own, above].concat()).unwrap();
}

/// Makes a leaf with its key, for `usage` (as OpenSSL names it) and `names` (`DNS:a,IP:b`).
pub(crate) fn make_leaf(
    folder: &Path,
    name: &str,
    subject: &str,
    by: &str,
    usage: &str,
    names: &str,
) {
    make_key(folder, name, KeyForm::Sec1);
    request(folder, name, subject);
    let names = match names {
        "" => String::new(),
        names => format!("subjectAltName={names}\n"),
    };
    let extensions = format!(
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n\
         extendedKeyUsage={usage}\n{names}"
    );
    sign(folder, name, Some(by), &extensions, &format!("{name}.crt"));
}

fn request(folder: &Path, name: &str, subject: &str) {
    openssl(
        folder,
        &format!("req -new -key {name}.key -subj {subject} -multivalue-rdn -out {name}.csr"),
    );
}

/// Signs `<name>.csr` with an authority of the folder, or with its own key.
pub(crate) fn sign(folder: &Path, name: &str, by: Option<&str>, extensions: &str, into: &str) {
    let file = folder.join("extensions");
    let by = match by {
        // One that signs for itself names no other key.
        None => format!("-key {name}.key"),
        Some(by) => format!("-CA {by}.crt -CAkey {by}.key -CAcreateserial"),
    };
    std::fs::write(&file, format!("{extensions}authorityKeyIdentifier=keyid\n")).unwrap();
    openssl(
        folder,
        &format!("x509 -req -in {name}.csr {by} -days 300 -extfile extensions -out {into}"),
    );
    for left in [file, folder.join(format!("{name}.csr"))] {
        std::fs::remove_file(left).unwrap();
    }
}
