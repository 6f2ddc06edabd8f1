//! The end of a successful init: how the cluster is used, and how other nodes join it.

use std::fmt::Write as _;

use rinit_workflow::JoinCommands;

/// What the user does next. The join commands are laid out as kubeadm does, so that what reads
/// them there reads them here.
pub(super) fn text(join: &JoinCommands) -> String {
    let mut text = format!(
        "\nThe control plane of this node is up.\n\n\
         To use it as an ordinary user:\n\n  \
         mkdir -p $HOME/.kube\n  \
         sudo cp -i {kubeconfig} $HOME/.kube/config\n  \
         sudo chown $(id -u):$(id -g) $HOME/.kube/config\n\n\
         Or as root:\n\n  \
         export KUBECONFIG={kubeconfig}\n\n\
         Pods need a network add-on before they can talk across nodes:\n\
         https://kubernetes.io/docs/concepts/cluster-administration/addons/\n",
        kubeconfig = join.kubeconfig,
    );
    if let Some(control_plane) = &join.control_plane {
        let remark = if join.certificates_uploaded {
            "The certificate key gives access to the cluster's keys: keep it secret. The uploaded \
             certificates are removed after two hours; `rinit init phase upload-certs \
             --upload-certs` uploads them again."
        } else {
            "First copy the certificate authorities and the service account keys there, or upload \
             them with `rinit init phase upload-certs --upload-certs`."
        };
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\nAnother control plane joins by this, as root:\n\n  {}\n\n{remark}\n",
            folded(control_plane)
        );
    }
    let _ = write!(
        text,
        "\nA worker joins by this, as root:\n\n{}\n",
        folded(&join.worker)
    );
    text
}

/// A join command over several lines, broken where kubeadm breaks it.
fn folded(command: &str) -> String {
    [" --discovery-token-ca-cert-hash", " --control-plane"]
        .iter()
        .fold(command.to_owned(), |text, flag| {
            text.replacen(flag, &format!(" \\\n\t{}", flag.trim_start()), 1)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_command_is_broken_before_its_flags() {
        assert_eq!(
            folded(
                "kubeadm join a:1 --token t --discovery-token-ca-cert-hash sha256:x --control-plane"
            ),
            "kubeadm join a:1 --token t \\\n\t--discovery-token-ca-cert-hash sha256:x \\\n\t--control-plane"
        );
    }
}
