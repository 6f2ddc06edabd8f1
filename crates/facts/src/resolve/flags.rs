//! The flags, put over the document of the cluster.

use rinit_config::Format;
use rinit_config::v1beta4::{self, ClusterConfiguration};
use rinit_diag::Problem;

use super::Resolver;

/// The pairs of a flag and the field that they replace.
type ArgumentFlags<'a> = (&'a [(String, String)], &'a mut Vec<v1beta4::Argument>);

impl Resolver<'_> {
    /// Checks the value of a flag by the rule of its field.
    pub(super) fn check_flag(&mut self, flag: &'static str, format: Format, value: &str) {
        if let Some(problem) = format.refuse(value) {
            self.wrong_flag(flag, problem);
            self.misformed.insert(flag);
        }
    }

    /// Puts the flags over the document of the cluster.
    pub(super) fn apply_flags(&mut self, cluster: &mut ClusterConfiguration) {
        let flags = self.overrides;
        let texts: [(&'static str, Format, &Option<String>, &mut Option<String>); 7] = [
            (
                "cert-dir",
                Format::AbsolutePath,
                &flags.cert_dir,
                &mut cluster.certificates_dir,
            ),
            (
                "control-plane-endpoint",
                Format::HostPort,
                &flags.control_plane_endpoint,
                &mut cluster.control_plane_endpoint,
            ),
            (
                "image-repository",
                Format::ImageRepository,
                &flags.image_repository,
                &mut cluster.image_repository,
            ),
            (
                "kubernetes-version",
                Format::KubernetesVersion,
                &flags.kubernetes_version,
                &mut cluster.kubernetes_version,
            ),
            (
                "pod-network-cidr",
                Format::PodSubnet,
                &flags.pod_network_cidr,
                &mut cluster.networking.pod_subnet,
            ),
            (
                "service-cidr",
                Format::ServiceSubnet,
                &flags.service_cidr,
                &mut cluster.networking.service_subnet,
            ),
            (
                "service-dns-domain",
                Format::DnsSubdomain,
                &flags.service_dns_domain,
                &mut cluster.networking.dns_domain,
            ),
        ];
        for (flag, format, value, field) in texts {
            if let Some(value) = value {
                self.check_flag(flag, format, value);
                *field = Some(value.clone());
            }
        }
        if !flags.apiserver_cert_extra_sans.is_empty() {
            const FLAG: &str = "apiserver-cert-extra-sans";
            for name in &flags.apiserver_cert_extra_sans {
                if name.is_empty() {
                    let problem = Problem::new("an item of this list must not be empty")
                        .with_hint("take the comma beside it out");
                    self.wrong_flag(FLAG, problem);
                    self.misformed.insert(FLAG);
                } else {
                    self.check_flag(FLAG, Format::SubjectAlternativeName, name);
                }
            }
            cluster
                .api_server
                .cert_sans
                .clone_from(&flags.apiserver_cert_extra_sans);
        }
        for (gate, value) in &flags.feature_gates {
            cluster.feature_gates.insert(gate.clone(), *value);
        }
        let arguments: [ArgumentFlags<'_>; 3] = [
            (
                &flags.apiserver_extra_args,
                &mut cluster.api_server.component.extra_args,
            ),
            (
                &flags.controller_manager_extra_args,
                &mut cluster.controller_manager.extra_args,
            ),
            (
                &flags.scheduler_extra_args,
                &mut cluster.scheduler.extra_args,
            ),
        ];
        for (pairs, field) in arguments {
            if !pairs.is_empty() {
                *field = pairs
                    .iter()
                    .map(|(name, value)| v1beta4::Argument {
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect();
            }
        }
    }
}
