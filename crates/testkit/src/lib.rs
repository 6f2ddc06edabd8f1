//! Fixtures for tests: configuration cases on one fixed host, and the program.
//!
//! Only tests depend on this crate. It never talks to a cluster and never writes.

#![expect(
    clippy::disallowed_methods,
    reason = "fixtures are read from the checkout, and the program is named by the environment"
)]
#![expect(clippy::missing_panics_doc, reason = "a broken fixture ends the test")]

use std::path::{Path, PathBuf};

use rinit_config::{Documents, ReadOptions};
use rinit_facts::{
    ClusterCa, DefaultRoute, Facts, HostFacts, Join, Look, Missing, Overrides, Role,
};
use rinit_plan::{CertificateBundle, DiscoveryAccess, Secret};

/// The directory `testdata` of the checkout.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// The program that tests of the command line run: the one that `RINIT_TEST_PROGRAM` names, which in
/// CI is optimised as users get it, or else the one that cargo built beside the tests.
pub fn program() -> PathBuf {
    let program =
        std::env::var_os("RINIT_TEST_PROGRAM").or_else(|| std::env::var_os("CARGO_BIN_EXE_rinit"));
    let Some(program) = program else {
        panic!("run the tests by cargo, or set RINIT_TEST_PROGRAM");
    };
    PathBuf::from(program)
}

/// The documents of `testdata/configs/<case>.yaml`.
pub fn documents(case: &str) -> Documents {
    let name = format!("{case}.yaml");
    let path = testdata().join("configs").join(&name);
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    rinit_config::parse(&name, &text, ReadOptions::default())
        .unwrap_or_else(|findings| panic!("{findings}"))
}

/// A host that is the same in every test: name, address, clock, and random values.
pub fn host_facts() -> HostFacts {
    HostFacts {
        hostname: "node-1".to_owned(),
        ipv4_default_route: Some(DefaultRoute {
            address: [10, 123, 0, 2].into(),
            interface: Some("eth0".to_owned()),
        }),
        ipv6_default_route: None,
        stand_in_addresses: false,
        loopback_global_address: None,
        cri_sockets: vec!["/var/run/containerd/containerd.sock".to_owned()],
        ca_folders: Vec::new(),
        proxy_environment: Vec::new(),
        systemd_resolved: false,
        cluster_ca: ClusterCa::Absent,
        existing_version: Look::Absent,
        patch_files: Vec::new(),
        missing: Missing::default(),
        unseen: Vec::new(),
        now: "2026-11-22T01:00:00Z"
            .parse()
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        drawn_tokens: vec![Secret::new("abcdef.0123456789abcdef".to_owned())],
        drawn_ttl_token: Secret::new("fedcba.fedcba9876543210".to_owned()),
        drawn_certificate_key: Secret::new("0123456789abcdef".repeat(4)),
    }
}

/// The facts of `testdata/configs/<case>.yaml` on [`host_facts`], without any flag.
pub fn facts(case: &str) -> Facts {
    facts_with(case, &Overrides::default(), &host_facts())
}

/// The facts of a case with flags, on a host of the test's own.
pub fn facts_with(case: &str, overrides: &Overrides, host: &HostFacts) -> Facts {
    rinit_facts::resolve(&documents(case), overrides, host)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The facts of a node that joins the cluster of `testdata/configs/<case>.yaml`, as `discover` would
/// have found it behind `https://10.123.0.1:6443`.
pub fn join_facts(case: &str, role: Role) -> Facts {
    let server = "https://10.123.0.1:6443".to_owned();
    let join = Join {
        access: DiscoveryAccess {
            server: server.clone(),
            kubeconfig: Secret::new("kubeconfig".to_owned()),
        },
        server,
        certificates: CertificateBundle::from_der([b"CA".as_slice()]),
        user: Secret::new(r#"{"token":"abcdef.0123456789abcdef"}"#.to_owned()),
        certificate_key: Some(Secret::new("0123456789abcdef".repeat(4))),
        tls_bootstrap_seconds: 300,
    };
    let mut documents = documents(case);
    documents.init = Some(rinit_facts::node_document(None));
    rinit_facts::resolve_join(role, join, &documents, &Overrides::default(), &host_facts())
        .unwrap_or_else(|error| panic!("{error}"))
}
