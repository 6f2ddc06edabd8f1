//! The kubeconfig of `cluster-info`, which tells joining nodes where the control plane is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rinit_plan::CertificateBundle;
use serde_json::json;

use crate::yaml;

/// A kubeconfig with one cluster without a name, and nothing else: what kubeadm puts into the
/// ConfigMap `cluster-info`, which anybody may read.
pub fn kubeconfig(server: &str, ca_certificates: &CertificateBundle) -> String {
    yaml::to_string(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "",
            "cluster": {
                "certificate-authority-data": STANDARD.encode(ca_certificates),
                "server": server,
            },
        }],
        "contexts": null,
        "current-context": "",
        "users": null,
    }))
}

#[cfg(test)]
mod tests {
    use rinit_plan::CertificateBundle;

    #[test]
    fn it_has_the_layout_of_kubeadm() {
        let authority = CertificateBundle::from_der([b"CA".as_slice()]);
        assert_eq!(
            super::kubeconfig("https://10.0.0.1:6443", &authority),
            "apiVersion: v1\n\
             clusters:\n\
             - cluster:\n    \
                 certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClEwRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n    \
                 server: https://10.0.0.1:6443\n  \
               name: \"\"\n\
             contexts: null\n\
             current-context: \"\"\n\
             kind: Config\n\
             users: null\n"
        );
    }
}
