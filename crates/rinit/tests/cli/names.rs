//! Names that nobody knows, and lines that are not understood.

use std::fmt::Write as _;

use crate::support::Place;

#[test]
fn an_unknown_phase_is_answered_with_what_was_meant() {
    let place = Place::new();
    let mut shown = String::new();
    for words in [
        "init phase nonsense",
        "init phase cert",
        "init phase certs apiservr",
        "init phase kubeconfig admni --config config.yaml",
        "init phase wait-control-plan",
        "init --skip-phases nope",
        "init --skip-phases certs,kubeconfig/schedluer --config config.yaml",
        "init --root root --skip-phases addons --config config.yaml",
        "init phase certs ca deeper",
        "init --no-such-flag",
        "init --apiserver-bind-port 70000",
        "init --feature-gates A",
        "nonsense",
    ] {
        let said = place.run(words);
        assert_eq!(said.code, Some(2), "{words}: {}", said.shown());
        assert_eq!(said.stdout, "", "{words}");
        writeln!(shown, "$ rinit {words}\n{}", said.stderr).unwrap();
    }
    assert!(!place.at("root").exists());
    insta::assert_snapshot!(shown);
}

#[test]
fn a_folder_cannot_be_made_a_running_host() {
    let place = Place::new();
    let said = place.run("init --config config.yaml --root root");
    insta::assert_snapshot!(said.shown());
    assert!(!place.at("root").exists(), "nothing was to be written");
}
