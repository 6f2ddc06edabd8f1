//! How certificates are issued, and the names in those of the API server and etcd.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use rinit_config::v1beta4::ClusterConfiguration;
use rinit_config::{GoDuration, Rule};
use rinit_diag::Problem;
use rinit_plan::{KeyAlgorithm, Validity};

use super::Resolver;
use super::components::{arguments, environment};
use crate::facts::{
    AlternativeNames, Api, CertificateNames, Certificates, Endpoint, Etcd, ExternalEtcd, LocalEtcd,
    Network,
};
use crate::gates;

/// How long a certificate is valid before it is made, for clocks that are slow (kubeadm 1.28).
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

impl Resolver<'_> {
    pub(super) fn etcd(&mut self, cluster: &ClusterConfiguration) -> Etcd {
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
                    external.http_endpoints
                },
                endpoints: external.endpoints,
            });
        }
        let local = cluster.etcd.local.clone().unwrap_or_default();
        let data_dir = local.data_dir.unwrap_or_default();
        Etcd::Local(LocalEtcd {
            data_dir: self.path("etcd.local.dataDir", &data_dir),
            extra_args: arguments(&local.extra_args),
            extra_envs: environment(&local.extra_envs),
        })
    }

    pub(super) fn certificates(
        &mut self,
        cluster: &ClusterConfiguration,
        now: Timestamp,
    ) -> Certificates {
        let configured = cluster.encryption_algorithm.map_or("", |it| it.as_str());
        let algorithm =
            gates::algorithm(|name| cluster.feature_gates.get(name).copied()).unwrap_or(configured);
        let mut validity = |field: &str, period: Option<GoDuration>| {
            let period = period.unwrap_or(GoDuration::from_seconds(0));
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
        let leaf_validity = validity(
            "certificateValidityPeriod",
            cluster.certificate_validity_period,
        );
        let ca_validity = validity(
            "caCertificateValidityPeriod",
            cluster.ca_certificate_validity_period,
        );
        Certificates {
            algorithm: KeyAlgorithm::from_name(algorithm).unwrap_or_default(),
            ca_validity,
            leaf_validity,
        }
    }
}

/// Returns the names in the certificates of a node's servers.
pub(super) fn certificate_names(
    cluster: &ClusterConfiguration,
    node_name: &str,
    api: &Api,
    endpoint: Option<&Endpoint>,
    network: &Network,
) -> CertificateNames {
    let own_names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        .into_iter()
        .map(str::to_owned)
        .chain([
            node_name.to_owned(),
            format!("kubernetes.default.svc.{}", network.dns_domain),
        ]);
    let extra: Vec<String> = endpoint
        .map(|endpoint| &endpoint.host)
        .into_iter()
        .chain(&cluster.api_server.cert_sans)
        .cloned()
        .collect();
    let api_server = alternative_names(
        own_names,
        [network.api_service_ip, api.advertise_address],
        &extra,
    );
    let of_etcd = |extra: &[String]| {
        let own = [node_name.to_owned(), "localhost".to_owned()];
        let addresses = [
            api.advertise_address,
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        alternative_names(own, addresses, extra)
    };
    let (etcd_server, etcd_peer) = match (&cluster.etcd.external, &cluster.etcd.local) {
        (None, Some(local)) => (
            of_etcd(&local.server_cert_sans),
            of_etcd(&local.peer_cert_sans),
        ),
        _ => <_>::default(),
    };
    CertificateNames {
        api_server,
        etcd_server,
        etcd_peer,
    }
}

/// Names and addresses of a certificate by kubeadm's rule: names sorted, each once; addresses each
/// once, in order.
fn alternative_names(
    names: impl IntoIterator<Item = String>,
    addresses: impl IntoIterator<Item = IpAddr>,
    extra: &[String],
) -> AlternativeNames {
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
    AlternativeNames {
        dns_names: dns,
        ip_addresses: ips,
    }
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
        let names = alternative_names(
            ["c".to_owned(), "b.example".to_owned()],
            [],
            &extra.map(str::to_owned),
        );
        assert_eq!(names.dns_names, ["b.example", "c"]);
        let addresses: Vec<String> = names.ip_addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1", "198.51.100.7"]);
    }
}
