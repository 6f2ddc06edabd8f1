//! Replaces every certificate that the authorities of a control plane signed by one that they
//! could have signed so many days ago for a year, so that a test finds a node that was forgotten.
//!
//!     aged 400

#![expect(
    clippy::disallowed_methods,
    reason = "a tool of the tests, which looks at the node that it runs on"
)]

use std::error::Error;
use std::fs;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rinit_manifest::kubeconfig::{CurrentContext, Source};
use rinit_manifest::yaml;
use rinit_pki::{Authority, Certificate, Leaf, PrivateKey, Usage};
use rinit_plan::{ExtendedKeyUsage, KeyAlgorithm, Subject, Validity};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PKI: &str = "/etc/kubernetes/pki";
const KUBELET: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";

const PAIRS: [(&str, &str); 7] = [
    ("apiserver", "ca"),
    ("apiserver-kubelet-client", "ca"),
    ("front-proxy-client", "front-proxy-ca"),
    ("etcd/server", "etcd/ca"),
    ("etcd/peer", "etcd/ca"),
    ("etcd/healthcheck-client", "etcd/ca"),
    ("apiserver-etcd-client", "etcd/ca"),
];

const KUBECONFIGS: [&str; 5] = [
    "admin",
    "super-admin",
    "kubelet",
    "controller-manager",
    "scheduler",
];

fn main() -> Outcome<()> {
    let days: i32 = std::env::args().nth(1).ok_or("name the days")?.parse()?;
    let now = Timestamp::now();
    let validity = Validity {
        not_before: now - SignedDuration::from_hours(24) * days,
        not_after: now - SignedDuration::from_hours(24) * (days - 365),
    };
    for (name, authority) in PAIRS {
        let certificate = format!("{PKI}/{name}.crt");
        let (new, key) = aged(&fs::read(&certificate)?, authority, validity)?;
        fs::write(certificate, new)?;
        fs::write(format!("{PKI}/{name}.key"), key.pem().expose())?;
    }
    for name in KUBECONFIGS {
        let path = format!("/etc/kubernetes/{name}.conf");
        let text = fs::read_to_string(&path)?;
        let context = CurrentContext::parse(&text)?;
        // What the kubelet's points at comes below.
        let Some(Source::Data(old)) = context.client_certificate else {
            continue;
        };
        let (new, key) = aged(old.expose(), "ca", validity)?;
        let mut document = yaml::parse_documents(&text)?.pop().ok_or("no document")?;
        let user = &mut document["users"][0]["user"];
        user["client-certificate-data"] = STANDARD.encode(new).into();
        user["client-key-data"] = STANDARD.encode(key.pem().expose()).into();
        fs::write(path, yaml::to_string(&document))?;
    }
    if let Ok(old) = fs::read(KUBELET) {
        let (new, key) = aged(&old, "ca", validity)?;
        // Through the link.
        fs::write(KUBELET, format!("{new}{}", key.pem().expose()))?;
    }
    Ok(())
}

/// A certificate that says what the old one says, with a new key.
fn aged(old: &[u8], authority: &str, validity: Validity) -> Outcome<(String, PrivateKey)> {
    let old = Certificate::read_all(old)?.remove(0);
    let authority = Authority::load(
        &fs::read(format!("{PKI}/{authority}.crt"))?,
        &fs::read(format!("{PKI}/{authority}.key"))?,
        Timestamp::now(),
    )?;
    let usages: Vec<ExtendedKeyUsage> = old
        .extended_key_usages
        .iter()
        .filter_map(|usage| match usage {
            Usage::Known(usage) => Some(*usage),
            Usage::Other(_) => None,
        })
        .collect();
    let dns_names: Vec<String> = old.dns_names().map(str::to_owned).collect();
    let ip_addresses: Vec<IpAddr> = old.ip_addresses().collect();
    let subject = Subject {
        common_name: old.subject.common_name().unwrap_or_default().to_owned(),
        organizations: old.subject.organizations().map(str::to_owned).collect(),
    };
    let leaf = Leaf {
        subject: &subject,
        usages: &usages,
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        validity,
    };
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
    Ok((authority.issue(leaf, &key)?.into(), key))
}
