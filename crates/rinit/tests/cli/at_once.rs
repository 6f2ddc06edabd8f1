//! Everything that is wrong is told in one run, whatever else is wrong, and nothing besides that only
//! comes of it.

use crate::support::{HOST_PHASES, Place};

/// Mistakes of form, of single values and of the whole, in every document.
const MANY: &str = "\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint:
  advertisAddress: 10.123.0.2
nodeRegistration:
  name: node-1
  name: node-2
skipPhases: [certts]
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.37.1
encryptionAlgoritm: ECDSA-P256
clusterName: 5
networking:
  serviceSubnet: 10.96.0.0/33
  podSubnet: 192.0.2.0/24
featureGates:
  Nope: true
  RootlessControlPlane: true
apiServer:
  extraArgs:
    - name: bogus-flag
      value: x
certificateValidityPeriod: -5h
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDomain: example.org
clusterDNS: [10.9.8.7]
";

/// The first lines of all that was said: places or `error` or `warning`, without hints.
fn told(stderr: &str) -> Vec<String> {
    stderr
        .lines()
        .filter(|line| line.contains("error: ") || line.contains("warning: "))
        .map(|line| line.split_once(" `").map_or(line, |(before, _)| before))
        .map(|line| line.strip_prefix("many.yaml:").unwrap_or(line).to_owned())
        .collect()
}

const SKIPPED: &str = "8:14: error: skipPhases[0]: there is no phase \"certts\"";
const OF_THE_FILE: [&str; 12] = [
    "4:3: error: localAPIEndpoint.advertisAddress: ApiEndpoint has no field",
    "7:3: error: duplicate key",
    SKIPPED,
    "13:1: error: encryptionAlgoritm: ClusterConfiguration has no field",
    "14:14: error: clusterName: wants a string, found a number",
    "16:18: error: networking.serviceSubnet:",
    "19:9: error: featureGates.Nope: there is no feature gate \"Nope\" in kubeadm",
    "20:25: warning: featureGates.RootlessControlPlane: rinit does not do what the feature gate \
     RootlessControlPlane is for: the components of the control plane run as root",
    "23:13: warning: apiServer.extraArgs[0].name: kube-apiserver of Kubernetes 1.37 shows no flag",
    "25:28: warning: certificateValidityPeriod: certificates would never be valid",
    "25:28: error: certificateValidityPeriod: -5h0m0s is no period for which a certificate can be valid",
    "29:16: warning: clusterDomain: KubeletConfiguration has \"example.org\"; kubeadm recommends \"cluster.local\"",
];

#[test]
fn mistakes_of_form_hide_no_others_and_bring_none_about() {
    let place = Place::new();
    place.write("many.yaml", MANY);
    let said = place.run("config validate --config many.yaml");
    assert_eq!(said.code, Some(3), "{}", said.shown());
    let expected = OF_THE_FILE;
    assert_eq!(told(&said.stderr), expected);

    let strict = place.run("config validate --config many.yaml --strict");
    assert_eq!(strict.code, Some(3));
    let expected: Vec<String> = expected
        .iter()
        .map(|line| line.replace("warning: ", "error: "))
        .collect();
    assert_eq!(told(&strict.stderr), expected);
}

#[test]
fn mistakes_in_flags_and_names_of_phases_hide_no_others() {
    let place = Place::new();
    place.write("many.yaml", MANY);
    let flags = "--feature-gates EtcdLearnerMode=maybe,Nonsense=true --pod-network-cidr 1/2 \
                 --apiserver-advertise-address nowhere";
    let said = place.run(&format!("init --config many.yaml --root root {flags}"));
    let of_flags = [
        "error: --feature-gates: EtcdLearnerMode is \"maybe\"",
        "error: --pod-network-cidr:",
        "error: --feature-gates: there is no feature gate \"Nonsense\" in kubeadm",
        "error: --apiserver-advertise-address: \"nowhere\" is no IP address",
    ];
    assert_eq!(said.code, Some(3), "{}", said.shown());
    let expected: Vec<&str> = OF_THE_FILE.into_iter().chain(of_flags).collect();
    assert_eq!(told(&said.stderr), expected);
    assert!(!place.at("root").exists());

    // With the names of phases by flag, those of the file are none; and a good file hides nothing.
    for (file, of_file) in [("many.yaml", &OF_THE_FILE[..]), ("config.yaml", &[])] {
        let said = place.run(&format!(
            "init --config {file} --root root --skip-phases {HOST_PHASES},etdc {flags} -o json"
        ));
        assert_eq!(said.code, Some(2), "{}", said.shown());
        let found = told(&said.stderr);
        for expected in of_file
            .iter()
            .filter(|line| **line != SKIPPED)
            .chain(&of_flags)
            .chain(&["error: there is no phase \"etdc\""])
        {
            assert!(found.iter().any(|line| line == expected), "{expected}");
        }
        assert!(!said.stderr.contains("certts"));
        let events = said.stdout.lines().count();
        assert_eq!(events, found.len() + 1, "{}", said.stdout);
        assert!(!place.at("root").exists());
    }
}

/// An empty name among others is a mistake; an empty list is none.
#[test]
fn an_empty_name_in_a_list_of_a_flag_is_refused() {
    let place = Place::new();
    place.write(
        "config.yaml",
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n",
    );
    let init = "init phase certs all --config config.yaml --root root --node-name n \
                --apiserver-advertise-address 10.0.0.1 --dry-run";
    for (names, code) in [("=a,,b", 3), ("=a,", 3), ("=", 0), ("=a,b", 0)] {
        let said = place.run(&format!("{init} --apiserver-cert-extra-sans{names}"));
        assert_eq!(said.code, Some(code), "{names}: {}", said.shown());
        let told = "error: --apiserver-cert-extra-sans: an item of this list must not be empty";
        assert_eq!(said.stderr.contains(told), code == 3, "{}", said.shown());
    }
}

/// A file that has one thing wrong, with what could be held against its other values, or against
/// those that stand in.
const ONE: &[(&str, &str)] = &[
    (
        "a network that cannot be read overlaps none",
        "networking: {serviceSubnet: 10.96.0.0/99, podSubnet: 10.96.0.0/16}",
    ),
    (
        "by a version that cannot be read nothing is too new or too old",
        "kubernetesVersion: newest\nencryptionAlgorithm: ECDSA-P384\n\
         featureGates: {EtcdLearnerMode: true}\n\
         apiServer: {extraArgs: [{name: bogus, value: x}]}",
    ),
    (
        "nor by one that is not known",
        "kubernetesVersion: v1.99.0\nencryptionAlgorithm: ECDSA-P384\n\
         featureGates: {EtcdLearnerMode: true}\n\
         apiServer: {extraArgs: [{name: bogus, value: x}]}",
    ),
    (
        "a file whose path cannot be read is set",
        "etcd: {external: {endpoints: ['https://192.0.2.1:2379'], caFile: /a, certFile: 5, keyFile: /b}}",
    ),
    (
        "members that cannot be read are not missing",
        "etcd: {external: {endpoints: 'https://192.0.2.1:2379'}}",
    ),
    (
        "a value that stands twice is not judged by either",
        "kubernetesVersion: v1.32.0\nkubernetesVersion: v1.37.1\nencryptionAlgorithm: ECDSA-P384\n\
         featureGates: {EtcdLearnerMode: true}",
    ),
    (
        "an alias that leads nowhere is a value",
        "kubernetesVersion: *nowhere\nfeatureGates: {EtcdLearnerMode: true}",
    ),
    (
        "a misspelt field is not missing",
        "kubernetesVersions: v1.32.0\nfeatureGates: {EtcdLearnerMode: true}",
    ),
];

#[test]
fn what_only_comes_of_one_mistake_is_not_told() {
    let place = Place::new();
    for (name, fields) in ONE {
        let text =
            format!("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n{fields}\n");
        place.write("many.yaml", &text);
        let said = place.run("config validate --config many.yaml");
        assert_eq!(said.code, Some(3), "{name}: {}", said.shown());
        assert_eq!(told(&said.stderr).len(), 1, "{name}: {}", said.stderr);
    }
}

#[test]
fn a_document_that_cannot_be_read_hides_nothing_in_the_others() {
    let place = Place::new();
    // What the first document says is not known: neither that there is no version nor that there
    // is no address.
    let text = MANY.replacen("kind: InitConfiguration", "kind: [", 1);
    place.write("many.yaml", &text);
    let said = place.run("config validate --config many.yaml");
    assert_eq!(said.code, Some(3), "{}", said.shown());
    let told = told(&said.stderr);
    assert!(told[0].contains("error: not valid YAML"), "{told:?}");
    let expected: Vec<&str> = OF_THE_FILE[3..].to_vec();
    assert_eq!(&told[1..], expected);
}
