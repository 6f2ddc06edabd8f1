//! The end of a successful init: how the cluster is used, and how other nodes join it.

use std::fmt::Write as _;

use rinit_workflow::JoinCommands;

use crate::name;

/// What the user does next. The join commands are laid out as kubeadm does, and the sentences that
/// scripts look for are kubeadm's.
pub(super) fn text(join: &JoinCommands) -> String {
    let mut text = format!(
        "\nYour Kubernetes control-plane has initialized successfully!\n\n\
         To use it as an ordinary user:\n\n  \
         mkdir -p $HOME/.kube\n  \
         sudo cp -i {kubeconfig} $HOME/.kube/config\n  \
         sudo chown $(id -u):$(id -g) $HOME/.kube/config\n\n\
         Or as root:\n\n  \
         export KUBECONFIG={kubeconfig}\n\n\
         Pods need a network add-on before they can talk across nodes:\n  \
         https://kubernetes.io/docs/concepts/cluster-administration/addons/\n",
        kubeconfig = join.kubeconfig,
    );
    if let Some(control_plane) = &join.control_plane {
        let (how, remark) = if join.certificates_uploaded {
            (
                "running the following command on each as root",
                "\nThe certificate key gives access to the cluster's keys: keep it secret. The \
                 uploaded certificates\nare deleted in two hours; \
                 `rinit init phase upload-certs --upload-certs` uploads them again.\n",
            )
        } else {
            (
                "by copying certificate authorities\nand service account keys on each node and \
                 then running the following as root",
                "",
            )
        };
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\nYou can now join any number of control-plane nodes {how}:\n\n  {}\n{}",
            folded(control_plane),
            name::as_typed(remark),
        );
    }
    let _ = write!(
        text,
        "\nThen you can join any number of worker nodes by running the following on each as \
         root:\n\n{}\n",
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
