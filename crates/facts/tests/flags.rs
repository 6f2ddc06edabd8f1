//! Flags and file together: whose value counts, whose mistake a wrong one is, and where what decides
//! came from.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rinit_config::schema::{ObjectSchema, Shape};
use rinit_config::{ClusterConfiguration, Documents, InitConfiguration, ReadOptions};
use rinit_facts::{Advice, Facts, HostFacts, Origin, Overrides, ResolveError, advise, resolve};
use rinit_plan::Secret;
use rinit_testkit::{host_facts, testdata};

const INIT: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n";
const CLUSTER: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";

/// A file as a run with these flags reads it.
fn read(text: &str, overrides: &Overrides) -> Documents {
    if text.is_empty() {
        return Documents::none("no file");
    }
    let mut documents = rinit_config::read("cfg.yaml", text.as_bytes(), ReadOptions::default());
    documents.leave_out(&|path| overrides.replaces(path));
    documents
}

fn run(text: &str, overrides: &Overrides) -> Result<(Facts, Advice), Box<ResolveError>> {
    let documents = read(text, overrides);
    let facts = resolve(&documents, overrides, &host_facts())?;
    let advice = advise(&documents, overrides, &host_facts(), &facts);
    Ok((facts, advice))
}

/// All that is said, of the file and of flags.
fn said(text: &str, overrides: &Overrides) -> String {
    let documents = read(text, overrides);
    let own = documents.findings.to_string();
    match resolve(&documents, overrides, &host_facts()) {
        Ok(facts) => {
            let advice = advise(&documents, overrides, &host_facts(), &facts);
            let problems = advice.problems.iter().chain(&facts.warnings);
            let problems = problems.map(|problem| format!("warning: {problem}\n"));
            format!("{own}{}{}", advice.findings, problems.collect::<String>())
        }
        Err(error) => {
            let warnings = error.warnings.iter();
            let warnings = warnings.map(|problem| format!("warning: {problem}\n"));
            format!("{own}{error}{}", warnings.collect::<String>())
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a flag is an option")]
fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// Every flag, with a value that no default is.
fn every_flag() -> Overrides {
    let pair = |name: &str| vec![(name.to_owned(), "1".to_owned())];
    Overrides {
        apiserver_advertise_address: text("192.0.2.7"),
        apiserver_bind_port: Some(7443),
        apiserver_cert_extra_sans: vec!["a.example".to_owned()],
        cert_dir: text("/pki"),
        certificate_key: Some(Secret::new("a1".repeat(32))),
        control_plane_endpoint: text("api.example:6443"),
        cri_socket: text("unix:///own.sock"),
        feature_gates: vec![("PublicKeysECDSA".to_owned(), true)],
        ignore_preflight_errors: vec!["Swap".to_owned()],
        image_repository: text("registry.example/k8s"),
        kubernetes_version: text("v1.36.3"),
        node_name: text("flagged"),
        pod_network_cidr: text("10.7.0.0/16"),
        service_cidr: text("10.8.0.0/16"),
        service_dns_domain: text("flag.local"),
        skip_certificate_key_print: true,
        skip_token_print: true,
        dry_run: true,
        skipped_phases: vec!["addon".to_owned()],
        skip_phases: vec!["addon".to_owned()],
        token: Some(Secret::new("fedcba.fedcba9876543210".to_owned())),
        token_ttl: text("2h"),
        upload_certs: true,
        control_plane: true,
        discovery_file: text("/discovery.conf"),
        discovery_token: Some(Secret::new("fedcba.fedcba9876543210".to_owned())),
        discovery_token_ca_cert_hash: vec![format!("sha256:{}", "b2".repeat(32))],
        discovery_token_unsafe_skip_ca_verification: true,
        tls_bootstrap_token: Some(Secret::new("fedcba.fedcba9876543210".to_owned())),
        patches: text("/patches"),
        kubeconfig: text("/own.conf"),
        kubeconfig_dir: text("/kubeconfigs"),
        apiserver_extra_args: pair("v"),
        controller_manager_extra_args: pair("v"),
        scheduler_extra_args: pair("v"),
        problems: Vec::new(),
    }
}

/// A file that says each of them otherwise, and wrongly.
const WRONG: &str = "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
dryRun: perhaps
certificateKey: short
skipPhases: ['']
localAPIEndpoint: {advertiseAddress: 224.0.0.1, bindPort: 70000}
nodeRegistration: {name: Not_Good, criSocket: http://x}
bootstrapTokens: [{token: short, usages: [none]}]
patches: {directory: 5}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
certificatesDir: pki
controlPlaneEndpoint: 'https://x'
imageRepository: ' '
kubernetesVersion: 1.37
featureGates: {PublicKeysECDSA: 7}
networking: {podSubnet: 10.0.0.0/25, serviceSubnet: 10.0.0.0/99, dnsDomain: _}
apiServer: {certSANs: [''], extraArgs: [null]}
controllerManager: {extraArgs: 5}
scheduler: {extraArgs: [{value: x}]}
";

/// An argument that only the replaced networks give a meaning to does not count either.
#[test]
fn a_mask_of_a_family_that_no_network_has_is_not_judged() {
    const FILE: &str = "apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: {podSubnet: 10.0.0.0/16}
controllerManager: {extraArgs: [{name: node-cidr-mask-size-ipv4, value: x}]}
";
    let flags = Overrides {
        pod_network_cidr: Some("fd00:5::/56".to_owned()),
        service_cidr: Some("fd01::/112".to_owned()),
        apiserver_advertise_address: Some("fd00::1".to_owned()),
        ..Overrides::default()
    };
    assert_eq!(said(FILE, &flags), "");
    let told = said(FILE, &Overrides::default());
    assert!(told.contains("`x` is not a whole number"), "{told}");
}

/// What the file says of a field that a flag replaces does not count, be it wrong or not.
#[test]
fn a_file_that_flags_make_good_is_taken() {
    let none = rinit_config::read("cfg.yaml", WRONG.as_bytes(), ReadOptions::default());
    let wrong = none.findings.iter().count();
    assert_eq!(wrong, 22, "{}", none.findings);

    let flags = every_flag();
    let (facts, advice) = run(WRONG, &flags).unwrap();
    assert_eq!(said(WRONG, &flags), "");
    assert!(advice.findings.is_empty());
    assert_eq!(facts.node.name, "flagged");
    assert_eq!(facts.cluster.network.pod_subnet, "10.7.0.0/16");

    // Without one of them the file is wrong where that one is missing, and nowhere else.
    let flags = Overrides {
        service_cidr: None,
        ..flags
    };
    let error = run(WRONG, &flags).unwrap_err();
    assert!(
        error.findings.is_empty() && error.problems.is_empty(),
        "{error}"
    );
    let told = said(WRONG, &flags);
    assert!(
        told.starts_with("cfg.yaml:18:53: error: networking.serviceSubnet: "),
        "{told}"
    );
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
}

/// What nobody can know the meaning of stays wrong, and so does what a flag only adds to.
#[test]
fn what_flags_do_not_replace_stays_wrong() {
    let flags = every_flag();
    let reset = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ResetConfiguration\n";
    for file in [
        format!("{CLUSTER}apiServer: {{extraArgs: [{{nam: v, value: x, name: v}}]}}\n"),
        format!("{CLUSTER}kubernetesVersion: v1.37.1\nkubernetesVersion: v1.36.3\n"),
        format!("{CLUSTER}featureGates: {{EtcdLearnerMode: 5}}\n"),
        format!("{CLUSTER}---\n{reset}certificatesDir: pki\n"),
        format!("{INIT}nodeRegistration: {{ignorePreflightErrors: [all, Swap]}}\n"),
    ] {
        let told = said(&file, &flags);
        let errors = told.lines().filter(|line| line.contains("error: "));
        let errors: Vec<&str> = errors.collect();
        assert_eq!(errors.len(), 1, "{file}: {told}");
        assert!(errors[0].starts_with("cfg.yaml:"), "{told}");
    }
}

/// A flag is judged by the rules of the file, those over several fields among them, and told as
/// the flag.
#[test]
fn what_is_wrong_with_a_flag_is_told_of_the_flag() {
    let good = format!("{CLUSTER}networking: {{podSubnet: 10.244.0.0/16}}\n");
    let arguments = |value: &str| {
        format!(
            "{good}controllerManager: {{extraArgs: [{{name: node-cidr-mask-size-ipv4, value: '{value}'}}]}}\n"
        )
    };
    let pods = |network: &str| Overrides {
        pod_network_cidr: text(network),
        ..Overrides::default()
    };
    let mask = |value: &str| Overrides {
        controller_manager_extra_args: vec![(
            "node-cidr-mask-size-ipv4".to_owned(),
            value.to_owned(),
        )],
        ..Overrides::default()
    };
    let pod_flag = "error: --pod-network-cidr: ";
    for (file, flags, start) in [
        (String::new(), pods("10.0.0.0/25"), pod_flag),
        (good.clone(), pods("10.0.0.0/25"), pod_flag),
        (good.clone(), pods("10.0.0.0/7"), pod_flag),
        (good.clone(), pods("fd00::/65"), pod_flag),
        (arguments("26"), pods("10.0.0.0/27"), pod_flag),
        (arguments("26"), pods("10.0.0.0/25"), ""),
        // The file's network is good, but not beside this argument of the flag.
        (
            good.clone(),
            mask("8"),
            "cfg.yaml:3:25: error: networking.podSubnet: ",
        ),
        (
            good.clone(),
            mask("x"),
            "error: --controller-manager-extra-args: `x` is not",
        ),
        // And it is bad by the argument of the file only, which does not count.
        (arguments("8"), mask("24"), ""),
        (arguments("x"), mask("24"), ""),
        (
            good.clone(),
            pods("fec0::/56"),
            "warning: --pod-network-cidr: `fec0::/56` is of the site",
        ),
        (
            good.clone(),
            Overrides {
                service_cidr: text("10.244.0.0/20"),
                ..Overrides::default()
            },
            "warning: --service-cidr: the pod network 10.244.0.0/16 overlaps",
        ),
        (
            good.clone(),
            Overrides {
                apiserver_advertise_address: text("10.244.0.1"),
                ..Overrides::default()
            },
            "warning: --apiserver-advertise-address: the pod network",
        ),
        (
            good.clone(),
            Overrides {
                feature_gates: vec![("RootlessControlPlane".to_owned(), true)],
                ..Overrides::default()
            },
            "warning: --feature-gates: rinit does not do",
        ),
    ] {
        let told = said(&file, &flags);
        assert!(told.starts_with(start), "{file}{flags:?}: {told}");
        assert_eq!(told.is_empty(), start.is_empty(), "{file}{flags:?}: {told}");
        let count = told.matches("error: ").count() + told.matches("warning: ").count();
        assert!(count <= 1, "{told}");
    }
}

/// An item of `extraArgs` without a name is told once, as that.
#[test]
fn an_argument_without_a_name_is_no_unknown_flag() {
    let file = format!(
        "{CLUSTER}kubernetesVersion: v1.37.1\napiServer: {{extraArgs: [null, {{name: '', value: x}}]}}\n"
    );
    let told = said(&file, &Overrides::default());
    assert_eq!(told.matches("error: ").count(), 2, "{told}");
    assert!(!told.contains("warning: "), "{told}");
}

fn resolved(text: &str, overrides: &Overrides) -> Facts {
    resolve(&read(text, overrides), overrides, &host_facts()).unwrap()
}

/// Of each flag that was given it is said that it decides.
#[test]
fn every_flag_is_an_origin() {
    let flags = every_flag();
    let facts = resolved("", &flags);
    for flag in Overrides::flags() {
        assert!(flags.has(flag.name), "{} was not given", flag.name);
        let mut settings = facts.settings();
        assert!(
            settings.any(|(_, sourced)| sourced.origin == Origin::Flag(flag.name)),
            "nothing came from --{}",
            flag.name
        );
    }
    let shown: Vec<String> = facts
        .settings()
        .map(|(field, sourced)| format!("{field}: {sourced}"))
        .collect();
    for secret in ["fedcba", "a1a1"] {
        assert!(!shown.concat().contains(secret), "{shown:?}");
    }
    insta::assert_snapshot!(shown.join("\n"));
}

/// v1beta4 has this field in another document.
#[test]
fn a_timeout_of_v1beta3_is_told_with_its_line() {
    let cluster = CLUSTER.replace("v1beta4", "v1beta3");
    let file = format!(
        "{cluster}kubernetesVersion: v1.37.1\napiServer: {{timeoutForControlPlane: 10m}}\n"
    );
    let facts = resolved(&file, &Overrides::default());
    let timeout = facts
        .node
        .settings
        .get("timeouts.controlPlaneComponentHealthCheck");
    let Some(Origin::File { line, column, .. }) = timeout.map(|sourced| &sourced.origin) else {
        panic!("{timeout:?}");
    };
    let line = file.lines().nth(line - 1).unwrap();
    assert!(line[column - 1..].starts_with("10m"), "{line}");
}

/// The leaves of an object, `[]` standing for the items of tokens, which are told one by one.
fn leaves(schema: &ObjectSchema, path: &str, all: &mut BTreeSet<String>) {
    for field in schema.all_fields() {
        let path = if path.is_empty() {
            field.name.to_owned()
        } else {
            format!("{path}.{}", field.name)
        };
        match field.shape {
            Shape::Object(inner) => leaves(inner, &path, all),
            Shape::List(Shape::Object(inner)) if path == "bootstrapTokens" => {
                leaves(inner, "bootstrapTokens[]", all);
            }
            _ => {
                all.insert(path);
            }
        }
    }
}

/// Of every field it is said in which line it stands.
#[test]
fn every_field_has_its_line() {
    /// What no valid file has.
    const UNTOLD: [&str; 1] = ["bootstrapTokens[].expires"];
    let mut fields = BTreeSet::new();
    leaves(InitConfiguration::SCHEMA, "", &mut fields);
    leaves(ClusterConfiguration::SCHEMA, "", &mut fields);
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(testdata().join("configs/valid")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let file = std::fs::read(&path).unwrap();
        let documents = rinit_config::read("cfg.yaml", &file, ReadOptions::default());
        if documents.init.is_none() && documents.cluster.is_none() {
            continue;
        }
        let host = HostFacts::of_no_host(&documents, host_facts().now);
        let init = documents.init.as_ref();
        let overrides = Overrides {
            skipped_phases: init
                .map(|init| init.skip_phases.clone())
                .unwrap_or_default(),
            ..Overrides::default()
        };
        let facts = resolve(&documents, &overrides, &host).unwrap();
        for (path, sourced) in facts.settings() {
            assert!(!sourced.value.is_empty(), "{path}");
            let Origin::File { line, column, .. } = sourced.origin else {
                continue;
            };
            let field = match path.split_once('[') {
                Some((list, rest)) => {
                    let (_, rest) = rest.split_once(']').unwrap();
                    format!("{list}[]{rest}")
                }
                None if path.starts_with("featureGates.") => "featureGates".to_owned(),
                None => path.clone(),
            };
            // Configurations of components have fields of their own.
            if let Some(place) = documents.source.place(path) {
                assert_eq!((place.line, place.column), (line, column), "{field}");
                found.insert(field);
            }
        }
    }
    let untold: Vec<&String> = fields.difference(&found).collect();
    assert_eq!(untold, UNTOLD);
    let invented: Vec<&String> = found.difference(&fields).collect();
    assert!(invented.is_empty(), "{invented:?}");
}

/// A flag is one row of one table: nothing else of the sources names it.
#[test]
fn a_flag_stands_in_one_place() {
    fn sources(directory: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let is_identifier = |one: char| one.is_alphanumeric() || one == '_';
                let mut words = text.split(|one| !is_identifier(one));
                if text.contains("\"service-cidr\"") || words.any(|word| word == "service_cidr") {
                    found.insert(path);
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    for parent in ["crates", "phases"] {
        for entry in std::fs::read_dir(testdata().join("..").join(parent)).unwrap() {
            let source = entry.unwrap().path().join("src");
            // The fuzzer gives flags, and defines none.
            if source.is_dir() && !source.ends_with("fuzz/src") {
                sources(&source, &mut found);
            }
        }
    }
    let row: Vec<&PathBuf> = found.iter().collect();
    assert!(
        row.len() == 1 && row[0].ends_with("facts/src/overrides.rs"),
        "{row:?}"
    );
}
