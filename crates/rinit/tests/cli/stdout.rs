//! Data that does not reach stdout: an error where it is lost, none where nobody wants more of it.

use std::fs::File;

use crate::support::{HOST_PHASES, Place, Said};

/// Every command that prints data.
const PRINTING: &[&str] = &[
    "--help",
    "--version",
    "certs certificate-key",
    "certs check-expiration --root made",
    "certs check-expiration --root made -o json",
    "certs renew all --root made --dry-run -o json",
    "config images list",
    "config images list -o yaml",
    "config migrate --old-config config.yaml",
    "config print init-defaults --component-configs KubeletConfiguration",
    "config print join-defaults",
    "config schema",
    "config validate --config config.yaml",
    "init --config config.yaml --root made --dry-run -o json --skip-phases HOST",
    "init phase addon coredns --print-manifest --root made",
    "init phase certs all --help",
    "kubeconfig user --client-name jane --root made",
    "version",
    "version -o json",
];

#[test]
fn data_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.render("made").succeeded();
    for words in PRINTING {
        let words = words.replace("HOST", HOST_PHASES);
        place.run(&words).succeeded();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let said = Said::of(&place.command(&words).stdout(full).output().unwrap());
        assert_eq!(said.code, Some(1), "{words}: {}", said.shown());
        let expected =
            "error: cannot write to stdout: No space left on device (os error 28)\nhint: ";
        assert!(said.stderr.contains(expected), "{words}: {}", said.stderr);
    }
    // What failed already fails as it did.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let words = "init --config nowhere.yaml --root made -o json";
    let said = Said::of(&place.command(words).stdout(full).output().unwrap());
    assert_eq!(said.code, Some(3), "{}", said.shown());
}

#[test]
fn a_pipe_that_its_reader_has_closed_is_no_error() {
    let place = Place::new();
    place.render("made").succeeded();
    for words in PRINTING {
        let words = words.replace("HOST", HOST_PHASES);
        let expected = place.run(&words).succeeded();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = Said::of(&place.command(&words).stdout(writer).output().unwrap());
        assert_eq!(said.code, Some(0), "{words}: {}", said.shown());
        assert!(!said.stderr.contains("error"), "{words}: {}", said.stderr);
        assert_eq!(
            said.stderr.lines().count(),
            expected.stderr.lines().count(),
            "{words}"
        );
    }
}
