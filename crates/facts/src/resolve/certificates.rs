//! How certificates are issued, and the names in those of the API server and etcd.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::{self, ClusterConfiguration};
use rinit_config::{GoDuration, Rule};
use rinit_diag::Problem;
use rinit_plan::{KeyAlgorithm, Validity, defaults};

use super::Resolver;
use super::components::{arguments, environment};
use crate::facts::{Api, Certificates, Etcd, ExternalEtcd, LocalEtcd, Network, Node};
use crate::gates;
use crate::host_facts::ClusterCa;

/// How long a certificate is valid before it is made, for clocks that are behind (kubeadm 1.28).
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

impl Resolver<'_> {
    pub(super) fn etcd(
        &mut self,
        cluster: &mut ClusterConfiguration,
        node_name: &str,
        advertise_address: IpAddr,
    ) -> Etcd {
        if let Some(external) = &cluster.etcd.external {
            let external = external.clone();
            let mut file = |field: &str, text: &Option<String>| {
                text.as_deref()
                    .filter(|text| !text.is_empty())
                    .map(|text| self.path(&format!("etcd.external.{field}"), text))
            };
            return Etcd::External(ExternalEtcd {
                ca_file: file("caFile", &external.ca_file),
                cert_file: file("certFile", &external.cert_file),
                key_file: file("keyFile", &external.key_file),
                http_endpoints: if external.http_endpoints.is_empty() {
                    external.endpoints.clone()
                } else {
                    external.http_endpoints.clone()
                },
                endpoints: external.endpoints,
            });
        }
        let local = cluster.etcd.local.get_or_insert_default();
        let data_dir = local
            .data_dir
            .get_or_insert_with(|| defaults::ETCD_FOLDER.to_owned())
            .clone();
        let local = local.clone();
        let names = |extra: &[String]| {
            let own = [node_name.to_owned(), "localhost".to_owned()];
            let addresses = [
                advertise_address,
                IpAddr::from([127, 0, 0, 1]),
                IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            ];
            alternative_names(own, addresses, extra)
        };
        let (server_dns_names, server_ip_addresses) = names(&local.server_cert_sans);
        let (peer_dns_names, peer_ip_addresses) = names(&local.peer_cert_sans);
        Etcd::Local(Box::new(LocalEtcd {
            data_dir: self.path("etcd.local.dataDir", &data_dir),
            extra_args: arguments(&local.extra_args),
            extra_envs: environment(&local.extra_envs),
            server_dns_names,
            server_ip_addresses,
            peer_dns_names,
            peer_ip_addresses,
        }))
    }

    pub(super) fn certificates(
        &mut self,
        cluster: &mut ClusterConfiguration,
        node: &Node,
        api: &Api,
        network: &Network,
        now: Timestamp,
    ) -> Certificates {
        let configured = cluster
            .encryption_algorithm
            .get_or_insert(v1beta4::EncryptionAlgorithm::Rsa2048)
            .as_str();
        let algorithm =
            gates::algorithm(|name| cluster.feature_gates.get(name).copied()).unwrap_or(configured);
        let leaf = *cluster
            .certificate_validity_period
            .get_or_insert(GoDuration::from_seconds(defaults::CERTIFICATE_SECONDS));
        let ca = *cluster
            .ca_certificate_validity_period
            .get_or_insert(GoDuration::from_seconds(defaults::CA_CERTIFICATE_SECONDS));
        let mut validity = |field: &str, period: GoDuration| {
            let whole = SignedDuration::from_secs(period.nanoseconds() / 1_000_000_000);
            match (now.checked_sub(BACKDATE), now.checked_add(whole)) {
                (Ok(not_before), Ok(not_after)) if whole.is_positive() => Validity {
                    not_before,
                    not_after,
                },
                _ => {
                    self.wrong(
                        Rule::ValidityPeriod,
                        field,
                        Problem::new(format!(
                            "{period} is no period for which a certificate can be valid"
                        )),
                    );
                    Validity {
                        not_before: now,
                        not_after: now,
                    }
                }
            }
        };
        let leaf_validity = validity("certificateValidityPeriod", leaf);
        let ca_validity = validity("caCertificateValidityPeriod", ca);
        for name in &mut cluster.api_server.cert_sans {
            *name = name.to_lowercase();
        }
        let own_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
            .into_iter()
            .map(str::to_owned)
            .chain([
                node.name.clone(),
                format!("kubernetes.default.svc.{}", network.dns_domain),
            ]);
        let extra: Vec<String> = api
            .control_plane_host
            .iter()
            .chain(&cluster.api_server.cert_sans)
            .cloned()
            .collect();
        let (api_server_dns_names, api_server_ip_addresses) = alternative_names(
            own_names,
            [network.api_service_ip, api.advertise_address],
            &extra,
        );
        Certificates {
            algorithm: KeyAlgorithm::from_name(algorithm).unwrap_or_default(),
            ca_validity,
            leaf_validity,
            api_server_dns_names,
            api_server_ip_addresses,
            external_cluster_ca: self.host.cluster_ca == ClusterCa::External,
            cluster_ca_signer: match &self.host.cluster_ca {
                ClusterCa::Local { signer } => signer.clone(),
                ClusterCa::Absent | ClusterCa::External => None,
            },
        }
    }
}

/// Names and addresses of a certificate by kubeadm's rule: names sorted, each once; addresses each
/// once, in order.
pub(super) fn alternative_names(
    names: impl IntoIterator<Item = String>,
    addresses: impl IntoIterator<Item = IpAddr>,
    extra: &[String],
) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns: Vec<String> = names.into_iter().collect();
    let mut ips: Vec<IpAddr> = addresses.into_iter().collect();
    for name in extra {
        match rinit_config::parse_ip(name) {
            Some(address) => ips.push(address),
            None => dns.push(name.clone()),
        }
    }
    dns.sort();
    dns.dedup();
    let mut seen = Vec::new();
    ips.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    (dns, ips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_written() {
        let extra = [
            "::ffff:192.0.2.1",
            "198.051.100.007",
            "192.0.2.1",
            "b.example",
        ];
        let (names, addresses) = alternative_names(
            ["c".to_owned(), "b.example".to_owned()],
            [],
            &extra.map(str::to_owned),
        );
        assert_eq!(names, ["b.example", "c"]);
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1", "198.51.100.7"]);
    }
}
