//! What the program wrote, given to those who must take it: OpenSSL, webpki, and the real servers
//! and clients, for each algorithm and each kind of authority.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::control_plane::{ADDRESS, ControlPlane, Ports, embedded, wait};
use crate::openssl::{
    KeyForm, make_authority, make_intermediate, make_key, openssl, sign, try_openssl,
};
use crate::tls::{Identity, Request, webpki_refuses};
use crate::{programs, rinit, said};

struct Case {
    name: &'static str,
    algorithm: &'static str,
    /// What lies in the folder of the certificates before.
    prepare: fn(&Path),
    /// The keys of the authorities are elsewhere.
    external: bool,
}

const PLAIN: Case = Case {
    name: "",
    algorithm: "ECDSA-P256",
    prepare: |_| {},
    external: false,
};

const CASES: &[Case] = &[
    Case {
        name: "RSA-4096",
        algorithm: "RSA-4096",
        ..PLAIN
    },
    Case {
        name: "RSA-2048",
        algorithm: "RSA-2048",
        ..PLAIN
    },
    Case {
        name: "ECDSA-P256",
        algorithm: "ECDSA-P256",
        ..PLAIN
    },
    Case {
        name: "own keys in PKCS#8",
        prepare: own_authorities,
        ..PLAIN
    },
    Case {
        name: "intermediate authorities, keys in SEC1",
        prepare: intermediates,
        ..PLAIN
    },
    Case {
        name: "external authorities",
        external: true,
        ..PLAIN
    },
];

#[test]
fn servers_and_clients_take_what_was_written() {
    let Some(programs) = programs() else {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no folder with bin/kube-apiserver");
        return;
    };
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            check(case, &programs);
            eprintln!("{:.1} s: {}", start.elapsed().as_secs_f32(), case.name);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

fn check(case: &Case, programs: &Path) {
    eprintln!("begun: {}", case.name);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let pki = root.join("etc/kubernetes/pki");
    std::fs::create_dir_all(&pki).unwrap();
    (case.prepare)(&pki);
    let ports = Ports::free();
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, configuration(case, &ports)).unwrap();
    let output = rinit(&root, &config);
    assert!(output.status.success(), "{}", said(&output));
    if case.external {
        signed_elsewhere(folder.path(), &root, &config);
    }

    let mut servers = ControlPlane::new(programs, &root, ports);
    for leaf in LEAVES {
        take(&servers, leaf, &servers.pair(leaf.place).certificate);
    }
    for (name, leaf) in KUBECONFIGS {
        take(&servers, leaf, &embedded(&servers.read(name)).certificate);
        servers.redirect(name);
    }

    servers.start("etcd");
    servers.start("kube-apiserver");
    serves_by_every_name(&servers);
    servers.start("kube-controller-manager");
    servers.start("kube-scheduler");
    etcd_takes_its_clients(&servers);
    users_are_who_they_should_be(&servers);
    front_proxy_speaks_for_users(&servers);
    kubelets_take_the_api_server(&mut servers);
    service_accounts_are_signed(&servers);
    if !case.external {
        requests_are_signed(&servers);
    }
}

/// The configuration of a plain control plane on these ports.
pub(crate) fn configuration_for(ports: &Ports) -> String {
    configuration(&PLAIN, ports)
}

fn configuration(case: &Case, ports: &Ports) -> String {
    format!(
        "apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {ADDRESS}, bindPort: {}}}
nodeRegistration: {{name: cp, criSocket: unix:///run/rinit-test/none.sock}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
encryptionAlgorithm: {}
networking: {{podSubnet: 10.244.0.0/16}}
apiServer:
  certSANs: [api.example.com, '*.apps.example.com', 198.51.100.7, '2001:db8::7']
  extraArgs: [{{name: bind-address, value: 127.0.0.1}}]
controllerManager:
  extraArgs: [{{name: secure-port, value: '{}'}}]
scheduler:
  extraArgs: [{{name: secure-port, value: '{}'}}]
etcd:
  local:
    extraArgs: [{{name: unsafe-no-fsync, value: 'true'}}]
",
        ports.api_server, case.algorithm, ports.controller_manager, ports.scheduler
    )
}

/// CAs with keys as OpenSSL makes them by default.
fn own_authorities(pki: &Path) {
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let subject = format!("/O=Acme/OU=own/CN={}", name.replace('/', "-"));
        make_authority(pki, name, &subject, KeyForm::Pkcs8Rsa);
    }
    make_key(pki, "sa", KeyForm::Pkcs8Rsa);
    openssl(pki, "pkey -in sa.key -pubout -out sa.pub");
}

fn intermediates(pki: &Path) {
    make_authority(pki, "root", "/O=Acme/CN=root", KeyForm::Pkcs8Rsa);
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let subject = format!("/O=Acme/CN=issuing-{}", name.replace('/', "-"));
        make_intermediate(pki, name, &subject, KeyForm::Sec1, "root");
    }
    std::fs::remove_file(pki.join("root.key")).unwrap();
    make_key(pki, "sa", KeyForm::Sec1);
    openssl(pki, "pkey -in sa.key -pubout -out sa.pub");
}

/// Has every leaf made anew by requests that OpenSSL signs with keys that lie elsewhere.
fn signed_elsewhere(folder: &Path, root: &Path, config: &Path) {
    let kubernetes = root.join("etc/kubernetes");
    let pki = kubernetes.join("pki");
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("etcd")).unwrap();
    for name in ["ca", "front-proxy-ca", "etcd/ca"] {
        let file = |end: &str| format!("{name}.{end}");
        std::fs::copy(pki.join(file("crt")), elsewhere.join(file("crt"))).unwrap();
        std::fs::rename(pki.join(file("key")), elsewhere.join(file("key"))).unwrap();
    }
    for leaf in LEAVES {
        for end in ["crt", "key"] {
            std::fs::remove_file(pki.join(format!("{}.{end}", leaf.place))).unwrap();
        }
    }
    for (name, _) in KUBECONFIGS {
        std::fs::remove_file(kubernetes.join(name)).unwrap();
    }
    let rinit = |words: &[&str]| {
        let output = Command::new(rinit_testkit::program())
            .args(words)
            .arg("--config")
            .arg(config)
            .arg("--root")
            .arg(root)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    };
    rinit(&["certs", "generate-csr"]);
    let requests = LEAVES
        .iter()
        .map(|leaf| (pki.join(format!("{}.csr", leaf.place)), leaf.place, leaf))
        .chain(
            KUBECONFIGS
                .iter()
                .map(|(name, leaf)| (kubernetes.join(format!("{name}.csr")), *name, *leaf)),
        );
    for (request, name, leaf) in requests {
        std::fs::rename(request, elsewhere.join(format!("{name}.csr"))).unwrap();
        // Names come from the request, usages from who signs.
        let extensions = format!(
            "basicConstraints=critical,CA:FALSE\n\
             keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage={}\n",
            leaf.usage()
        );
        let into = format!("{name}.crt -copy_extensions copyall");
        sign(&elsewhere, name, Some(leaf.authority), &extensions, &into);
    }
    rinit(&["certs", "install-signed", &elsewhere.display().to_string()]);
    // Init finds all of it good, and has nothing to make.
    rinit(&["init", "phase", "certs", "all"]);
    rinit(&["init", "phase", "kubeconfig", "all"]);
    // The controller manager has no key to sign with any more.
    rinit(&["init", "phase", "control-plane", "all"]);
    assert!(!pki.join("ca.key").exists());
}

/// A certificate that must be there.
struct Leaf {
    /// The pair below the folder of the certificates; nothing if it is in a kubeconfig.
    place: &'static str,
    authority: &'static str,
    serves: bool,
    calls: bool,
    /// Names that it must be good for.
    names: &'static [&'static str],
}

impl Leaf {
    fn usage(&self) -> &'static str {
        match (self.serves, self.calls) {
            (true, true) => "serverAuth,clientAuth",
            (true, false) => "serverAuth",
            _ => "clientAuth",
        }
    }
}

const CLIENT: Leaf = Leaf {
    place: "",
    authority: "ca",
    serves: false,
    calls: true,
    names: &[],
};

const API_SERVER_NAMES: &[&str] = &[
    "cp",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "api.example.com",
    "some.apps.example.com",
    "10.96.0.1",
    ADDRESS,
    "198.51.100.7",
    "2001:db8::7",
];

const ETCD_NAMES: &[&str] = &["cp", "localhost", ADDRESS, "127.0.0.1", "::1"];

const LEAVES: &[Leaf] = &[
    Leaf {
        place: "apiserver",
        serves: true,
        calls: false,
        names: API_SERVER_NAMES,
        ..CLIENT
    },
    Leaf {
        place: "apiserver-kubelet-client",
        ..CLIENT
    },
    Leaf {
        place: "front-proxy-client",
        authority: "front-proxy-ca",
        ..CLIENT
    },
    Leaf {
        place: "etcd/server",
        authority: "etcd/ca",
        serves: true,
        names: ETCD_NAMES,
        ..CLIENT
    },
    Leaf {
        place: "etcd/peer",
        authority: "etcd/ca",
        serves: true,
        names: ETCD_NAMES,
        ..CLIENT
    },
    Leaf {
        place: "etcd/healthcheck-client",
        authority: "etcd/ca",
        ..CLIENT
    },
    Leaf {
        place: "apiserver-etcd-client",
        authority: "etcd/ca",
        ..CLIENT
    },
];

const KUBECONFIGS: &[(&str, &Leaf)] = &[
    ("super-admin.conf", &CLIENT),
    ("admin.conf", &CLIENT),
    ("kubelet.conf", &CLIENT),
    ("controller-manager.conf", &CLIENT),
    ("scheduler.conf", &CLIENT),
];

/// OpenSSL and webpki take a certificate for what it is for, and for nothing else.
fn take(servers: &ControlPlane<'_>, leaf: &Leaf, certificate: &[u8]) {
    let pki = servers.path("pki");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("leaf.crt"), certificate).unwrap();
    let authority = pki.join(format!("{}.crt", leaf.authority));
    let verify = format!("verify -x509_strict -CAfile {}", authority.display());
    let verify = |words: &str| try_openssl(folder.path(), &format!("{verify} {words} leaf.crt"));
    let authority = std::fs::read(&authority).unwrap();
    let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();

    for (purpose, usage, allowed) in [
        ("sslserver", webpki::KeyUsage::server_auth(), leaf.serves),
        ("sslclient", webpki::KeyUsage::client_auth(), leaf.calls),
    ] {
        let (good, text) = verify(&format!("-purpose {purpose}"));
        assert_eq!(good, allowed, "{} as {purpose}: {text}", leaf.place);
        let refusal = webpki_refuses(certificate, &authority, usage, &names);
        assert_eq!(
            refusal.is_none(),
            allowed,
            "{} as {purpose}: {refusal:?}",
            leaf.place
        );
    }
    let named = |name: &str| match name.parse::<IpAddr>() {
        Ok(_) => verify(&format!("-verify_ip {name}")),
        Err(_) => verify(&format!("-verify_hostname {name}")),
    };
    for name in leaf.names {
        let (good, text) = named(name);
        assert!(good, "{} as {name}: {text}", leaf.place);
    }
    for name in ["example.com", "apps.example.com", "192.0.2.11"] {
        assert!(!named(name).0, "{} is good for {name}", leaf.place);
    }
}

fn serves_by_every_name(servers: &ControlPlane<'_>) {
    let authority = servers.read("pki/ca.crt");
    let ready = servers.api(&authority, None, "/readyz");
    wait(|| match ready.send() {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    for name in API_SERVER_NAMES {
        let (status, _) = Request {
            name,
            ..servers.api(&authority, None, "/livez")
        }
        .send()
        .unwrap();
        assert_eq!(status, 200, "{name}");
    }
    let stranger = Request {
        name: "example.com",
        ..servers.api(&authority, None, "/livez")
    };
    assert!(stranger.send().unwrap_err().contains("not valid for name"));
    // Another authority's word is none.
    let other = servers.read("pki/etcd/ca.crt");
    servers.api(&other, None, "/livez").send().unwrap_err();
}

fn etcd_takes_its_clients(servers: &ControlPlane<'_>) {
    let output = servers.etcdctl(Some("etcd/healthcheck-client"), "endpoint health");
    assert!(output.status.success(), "{}", said(&output));
    let keys = "get /registry/namespaces/ --prefix --keys-only";
    let output = servers.etcdctl(Some("apiserver-etcd-client"), keys);
    assert!(
        said(&output).contains("/registry/namespaces/default"),
        "{}",
        said(&output)
    );
    // A member of the cluster asks another for the members.
    let authority = servers.read("pki/etcd/ca.crt");
    let peer = servers.pair("etcd/peer");
    let members = Request {
        port: servers.ports.etcd_peer,
        name: "cp",
        ..servers.api(&authority, Some(&peer), "/members")
    };
    let (status, body) = members.send().unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()[0]["name"],
        "cp"
    );
    let other = servers.pair("apiserver-kubelet-client");
    for port in [servers.ports.etcd, servers.ports.etcd_peer] {
        for identity in [None, Some(&other)] {
            let stranger = Request {
                port,
                identity,
                name: "cp",
                ..servers.api(&authority, None, "/health")
            };
            assert!(stranger.send().is_err(), "a stranger is let in at {port}");
        }
    }
}

fn users_are_who_they_should_be(servers: &ControlPlane<'_>) {
    let user = |kubeconfig: &str, words: &str| {
        let text = servers.kubectl(kubeconfig, &format!("auth whoami -o json {words}"));
        let review: Value = serde_json::from_str(&text).unwrap();
        let info = &review["status"]["userInfo"];
        (info["username"].clone(), info["groups"].clone())
    };
    for (kubeconfig, name, group) in [
        (
            "super-admin.conf",
            "kubernetes-super-admin",
            Some("system:masters"),
        ),
        (
            "admin.conf",
            "kubernetes-admin",
            Some("kubeadm:cluster-admins"),
        ),
        ("kubelet.conf", "system:node:cp", Some("system:nodes")),
        (
            "controller-manager.conf",
            "system:kube-controller-manager",
            None,
        ),
        ("scheduler.conf", "system:kube-scheduler", None),
    ] {
        let groups: Vec<&str> = group.into_iter().chain(["system:authenticated"]).collect();
        assert_eq!(
            user(kubeconfig, ""),
            (json!(name), json!(groups)),
            "{kubeconfig}"
        );
    }
    // The administrator has no rights but by the binding that init makes.
    let refused = servers.try_kubectl("admin.conf", "get nodes");
    assert!(said(&refused).contains("Forbidden"), "{}", said(&refused));
    servers.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kubeadm:cluster-admins"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "kubeadm:cluster-admins",
        }],
    }));
    servers.until("admin.conf", "get nodes", |_| true);
}

/// An aggregated server's proxy says for whom it asks; nobody else may.
fn front_proxy_speaks_for_users(servers: &ControlPlane<'_>) {
    let authority = servers.read("pki/ca.crt");
    let speaks = |identity: &Identity| {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "SelfSubjectReview",
        });
        let request = Request {
            method: "POST",
            headers: &[
                ("Content-Type", "application/json"),
                ("X-Remote-User", "jane"),
                ("X-Remote-Group", "system:masters"),
            ],
            body: &review.to_string(),
            ..servers.api(
                &authority,
                Some(identity),
                "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            )
        };
        let (status, body) = request.send().unwrap();
        assert_eq!(status, 201, "{body}");
        let review: Value = serde_json::from_str(&body).unwrap();
        review["status"]["userInfo"]["username"].clone()
    };
    assert_eq!(speaks(&servers.pair("front-proxy-client")), "jane");
    let other = servers.pair("apiserver-kubelet-client");
    assert_eq!(speaks(&other), "kube-apiserver-kubelet-client");
}

/// The scheduler binds a pod, and the API server asks for its log with its certificate. At the
/// kubelet's place is OpenSSL, which wants to see a client certificate of the cluster.
fn kubelets_take_the_api_server(servers: &mut ControlPlane<'_>) {
    let port = servers.ports.kubelet;
    let path = |name: &str| servers.path(name).display().to_string();
    let words = format!(
        "s_server -accept 127.0.0.1:{port} -www -naccept 8 -Verify 2 -verify_return_error -x509_strict \
         -CAfile {} -cert {} -key {}",
        path("pki/ca.crt"),
        path("pki/apiserver.crt"),
        path("pki/apiserver.key"),
    );
    let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    servers.spawn("kubelet", Path::new("openssl"), &words);

    let resources = json!({"cpu": "1", "memory": "1Gi", "pods": "10"});
    servers.create(&json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "cp"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "capacity": resources,
            "allocatable": resources,
        },
    }));
    // The controller manager makes the account without which there is no pod.
    servers.until("admin.conf", "get serviceaccount default", |_| true);
    servers.create(&json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": "default"},
        "spec": {
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": "none"}],
        },
    }));
    let bound = "get pod pod -o jsonpath={.spec.nodeName}";
    servers.until("admin.conf", bound, |node| node == "cp");
    let log = servers.kubectl(
        "admin.conf",
        "get --raw /api/v1/namespaces/default/pods/pod/log",
    );
    // Versions of OpenSSL differ in their spaces.
    let seen = log.replace(' ', "");
    assert!(
        seen.contains("Subject:CN=kube-apiserver-kubelet-client"),
        "{log}"
    );
}

fn service_accounts_are_signed(servers: &ControlPlane<'_>) {
    let token = servers.kubectl("admin.conf", "create token default");
    let authority = servers.read("pki/ca.crt");
    let bearer = format!("Bearer {}", token.trim());
    let request = Request {
        method: "POST",
        headers: &[
            ("Content-Type", "application/json"),
            ("Authorization", &bearer),
        ],
        body: r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#,
        ..servers.api(
            &authority,
            None,
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        )
    };
    let (status, body) = request.send().unwrap();
    assert_eq!(status, 201, "{body}");
    assert!(
        body.contains("system:serviceaccount:default:default"),
        "{body}"
    );
    let strange = bearer.replace('.', "x");
    let request = Request {
        headers: &[
            ("Content-Type", "application/json"),
            ("Authorization", &strange),
        ],
        ..request
    };
    assert_eq!(request.send().unwrap().0, 401);
}

/// The controller manager signs with the key of the cluster's authority, and the API server takes
/// what it signed.
fn requests_are_signed(servers: &ControlPlane<'_>) {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    let folder = tempfile::tempdir().unwrap();
    make_key(folder.path(), "jane", KeyForm::Sec1);
    openssl(
        folder.path(),
        "req -new -key jane.key -subj /CN=jane -out jane.csr",
    );
    let request = std::fs::read(folder.path().join("jane.csr")).unwrap();
    servers.create(&json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "jane"},
        "spec": {
            "request": BASE64_STANDARD.encode(request),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }));
    servers.kubectl("admin.conf", "certificate approve jane");
    let issued = "get csr jane -o jsonpath={.status.certificate}";
    servers.until("admin.conf", issued, |certificate| !certificate.is_empty());
    let certificate = servers.kubectl("admin.conf", issued);
    let jane = Identity {
        certificate: BASE64_STANDARD.decode(certificate.trim()).unwrap(),
        key: std::fs::read(folder.path().join("jane.key")).unwrap(),
    };
    let authority = servers.read("pki/ca.crt");
    let (status, body) = servers
        .api(&authority, Some(&jane), "/api/v1/nodes")
        .send()
        .unwrap();
    assert_eq!(status, 403);
    assert!(body.contains("User \\\"jane\\\" cannot list"), "{body}");
}
