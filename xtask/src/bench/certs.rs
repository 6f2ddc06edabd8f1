//! `init phase certs all` into an empty folder, and `certs check-expiration` of a full one. Both
//! programs read the same configuration and write to the same place.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Bench;
use super::measure::{Side, compare};

/// Everything that would otherwise be asked of the host or the network is written down.
fn configuration(pki: &Path, algorithm: &str) -> String {
    format!(
        "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 10.123.0.2
nodeRegistration:
  name: node-1
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
certificatesDir: {}
encryptionAlgorithm: {algorithm}
",
        pki.display()
    )
}

pub(super) fn run(bench: &Bench) -> Result<()> {
    let pki = bench.folder.join("pki");
    let config = bench.folder.join("config.yaml");
    let command = |program: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).arg("--config").arg(&config);
        command
    };
    let empty = || match fs::remove_dir_all(&pki) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    };
    for algorithm in ["RSA-2048", "ECDSA-P256"] {
        fs::write(&config, configuration(&pki, algorithm))?;
        let words = ["init", "phase", "certs", "all"];
        compare(
            &format!("init phase certs all, {algorithm}"),
            bench.rounds,
            &Side {
                before: &empty,
                command: &|| command(&bench.kubeadm, &words),
            },
            &Side {
                before: &empty,
                command: &|| command(&bench.rinit, &words),
            },
        )?;
    }
    let words = ["certs", "check-expiration"];
    compare(
        "certs check-expiration",
        bench.rounds,
        &Side {
            before: &|| Ok(()),
            command: &|| command(&bench.kubeadm, &words),
        },
        &Side {
            before: &|| Ok(()),
            command: &|| command(&bench.rinit, &words),
        },
    )
}
