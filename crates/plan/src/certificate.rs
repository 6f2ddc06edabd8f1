//! Certificates, keys and kubeconfigs as specifications: who, for what, until when, signed by whom.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use crate::{FileMode, LogicalPath};

/// The three certificate authorities of a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaId {
    /// Signs the API server, its clients, the kubelets and the users.
    Cluster,
    /// Signs the client of aggregated API servers.
    FrontProxy,
    /// Signs the members of etcd and their clients.
    Etcd,
}

impl CaId {
    /// All three, in the order of the `certs` phase.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::FrontProxy, Self::Etcd];

    /// kubeadm's name for it: `ca`, `front-proxy-ca`, `etcd-ca`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "ca",
            Self::FrontProxy => "front-proxy-ca",
            Self::Etcd => "etcd-ca",
        }
    }
}

impl fmt::Display for CaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The algorithm of a key, by the names of `encryptionAlgorithm` (kubeadm v1beta4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub enum KeyAlgorithm {
    /// The default of kubeadm.
    #[default]
    #[serde(rename = "RSA-2048")]
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    #[serde(rename = "RSA-3072")]
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    #[serde(rename = "RSA-4096")]
    Rsa4096,
    /// ECDSA over P-256.
    #[serde(rename = "ECDSA-P256")]
    EcdsaP256,
    /// ECDSA over P-384; kubeadm 1.34 and later.
    #[serde(rename = "ECDSA-P384")]
    EcdsaP384,
}

impl KeyAlgorithm {
    /// All algorithms with their configuration names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Rsa2048, "RSA-2048"),
        (Self::Rsa3072, "RSA-3072"),
        (Self::Rsa4096, "RSA-4096"),
        (Self::EcdsaP256, "ECDSA-P256"),
        (Self::EcdsaP384, "ECDSA-P384"),
    ];

    /// The algorithm of that configuration name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(algorithm, _)| *algorithm)
    }

    /// Its configuration name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA-2048",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
            Self::EcdsaP256 => "ECDSA-P256",
            Self::EcdsaP384 => "ECDSA-P384",
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From when until when a certificate is valid (RFC 5280, section 4.1.2.5), to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// The first second in which it is valid.
    pub not_before: Timestamp,
    /// The last second in which it is valid.
    pub not_after: Timestamp,
}

/// The subject of a certificate. Organizations come before the common name, as Go writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The user, for a client certificate.
    pub common_name: String,
    /// The groups, for a client certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for organization in &self.organizations {
            write!(f, "O={organization}, ")?;
        }
        write!(f, "CN={}", self.common_name)
    }
}

/// What a leaf certificate may be used for (RFC 5280, section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedKeyUsage {
    /// TLS server authentication.
    ServerAuth,
    /// TLS client authentication.
    ClientAuth,
}

/// A self-signed certificate authority and where its pair lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateAuthoritySpec {
    /// Which of the three.
    pub id: CaId,
    /// The certificate file, mode 0644.
    pub certificate: LogicalPath,
    /// The key file, mode 0600. It may stay absent: that is an external authority.
    pub key: LogicalPath,
    /// The common name, which kubeadm also writes as the one DNS name.
    pub common_name: String,
    /// The algorithm of a new key.
    pub algorithm: KeyAlgorithm,
    /// The validity of a new certificate.
    pub validity: Validity,
}

impl CertificateAuthoritySpec {
    /// The same as who signs.
    pub fn signer(&self) -> Signer {
        Signer {
            id: self.id,
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        }
    }
}

/// Where a certificate authority lies that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// Which of the three.
    pub id: CaId,
    /// Its certificate file.
    pub certificate: LogicalPath,
    /// Its key file.
    pub key: LogicalPath,
}

/// A leaf certificate and where its pair lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateSpec {
    /// kubeadm's name for it, such as `apiserver` or `etcd-peer`.
    pub name: String,
    /// The certificate file, mode 0644.
    pub certificate: LogicalPath,
    /// The key file, mode 0600.
    pub key: LogicalPath,
    /// Who signs it.
    pub signer: Signer,
    /// Whom it names.
    pub subject: Subject,
    /// What it is for, in the order in which kubeadm writes them.
    pub usages: Vec<ExtendedKeyUsage>,
    /// DNS names, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// IP addresses, in kubeadm's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<IpAddr>,
    /// The algorithm of a new key.
    pub algorithm: KeyAlgorithm,
    /// The validity of a new certificate.
    pub validity: Validity,
}

/// A key pair without a certificate: the signer of service account tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyPairSpec {
    /// The private key file, mode 0600.
    pub private_key: LogicalPath,
    /// The public key file, mode 0600 as kubeadm writes it.
    pub public_key: LogicalPath,
    /// The algorithm of a new key.
    pub algorithm: KeyAlgorithm,
}

/// A kubeconfig with one cluster, one user by client certificate, and one context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KubeconfigSpec {
    /// kubeadm's name for it: its file name, such as `admin.conf`.
    pub name: String,
    /// The file, mode 0600.
    pub path: LogicalPath,
    /// The URL of the API server.
    pub server: String,
    /// The name of the cluster entry.
    pub cluster_name: String,
    /// Who signs the client certificate, and whose certificate it embeds.
    pub signer: Signer,
    /// The user and its groups.
    pub subject: Subject,
    /// The algorithm of a new key.
    pub algorithm: KeyAlgorithm,
    /// The validity of a new client certificate.
    pub validity: Validity,
    /// A file whose presence means that the kubelet has taken over its own client certificate, so
    /// that a kubeconfig which points at it holds too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated: Option<LogicalPath>,
}

impl KubeconfigSpec {
    /// The mode of every kubeconfig.
    pub const MODE: FileMode = FileMode::PRIVATE;
}
