//! Against a real etcd and a real kube-apiserver, started as processes on loopback.
//!
//! `RINIT_TEST_COMPONENTS` names the folder with the two executables, or the folder above its
//! `bin`. Without it the test says so and passes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails so, and says so where it is skipped"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the test starts servers and writes their certificates"
)]

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rinit_cluster::{
    Client, Desired, Outcome, Patience, Standing, Timeouts, TokenStanding, Written,
    ensure_cluster_admins, ensure_token, inspect_cluster_admins, inspect_node_mark, inspect_token,
    list_tokens, live_drawn_token, mark_node,
};
use rinit_diag::Hint;
use rinit_plan::{
    BootstrapTokenSpec, NodeMark, ObjectId, Secret, Taint, WriteStyle, constants, groups,
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn against_a_real_api_server() {
    let Some(folder) = components() else {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no folder with etcd and kube-apiserver");
        return;
    };
    let server = Server::start(&folder);
    let admin = server
        .client("kubernetes-admin", groups::CLUSTER_ADMINS)
        .await;
    let super_admin = server
        .client("kubernetes-super-admin", groups::MASTERS)
        .await;
    let patience = Patience::of(Duration::from_mins(2));

    rights_come_from_super_admin(&admin, &super_admin, &patience).await;
    let patience = Patience::default();
    admin.wait_until_well("/livez", &patience).await.unwrap();
    admin.probe("/livez").await.unwrap();
    objects_are_written_as_their_style_says(&admin, &patience).await;
    a_service_keeps_its_address(&admin, &patience).await;
    server_defaults_are_no_difference(&admin, &patience).await;
    a_field_that_cannot_change_is_told_at_once(&admin, &patience).await;
    writers_at_the_same_time_both_succeed(&admin, &patience).await;
    a_node_is_marked_once_it_has_registered(&admin, &patience).await;
    tokens_live_on(&admin, &patience).await;
    strangers_are_refused(&server).await;
}

async fn rights_come_from_super_admin(admin: &Client, super_admin: &Client, patience: &Patience) {
    // The server is still starting: this waits for it.
    assert_eq!(
        inspect_cluster_admins(admin, patience).await.unwrap(),
        Standing::Absent
    );
    let error = ensure_cluster_admins(admin, None, patience)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no super-admin.conf"), "{error}");
    ensure_cluster_admins(admin, Some(super_admin), patience)
        .await
        .unwrap();
    // Loading the new binding takes the server a moment, which the tries outlast.
    let id = object_id("v1", "ConfigMap", Some("kube-system"), "none");
    assert_eq!(admin.get_patiently(&id, patience).await.unwrap(), None);
    assert_eq!(
        inspect_cluster_admins(admin, patience).await.unwrap(),
        Standing::Holds
    );
    ensure_cluster_admins(admin, None, patience).await.unwrap();
}

async fn objects_are_written_as_their_style_says(admin: &Client, patience: &Patience) {
    let id = object_id("v1", "ConfigMap", Some("kube-public"), "cluster-info");
    let body = |text: &str| manifest(&id, json!({"data": {"kubeconfig": text}}));
    let (first, second) = (body("first"), body("second"));
    let write = async |body: &Value, style| write(admin, &id, body, style, patience).await;

    assert_eq!(
        write(&first, WriteStyle::Replace).await.outcome,
        Outcome::Created
    );
    assert_eq!(
        write(&first, WriteStyle::Replace).await.outcome,
        Outcome::Unchanged
    );
    // The bootstrap signer adds its signatures.
    let mut signed = admin.get(&id).await.unwrap().unwrap();
    signed["data"]["jws-kubeconfig-abcdef"] = "signature".into();
    admin.replace(&id, &signed).await.unwrap();
    assert_eq!(
        write(&first, WriteStyle::Replace).await.outcome,
        Outcome::Unchanged
    );
    assert_eq!(
        write(&second, WriteStyle::Retain).await.outcome,
        Outcome::Unchanged
    );
    let Outcome::Refused(differences) = write(&second, WriteStyle::Verify).await.outcome else {
        panic!("a difference was not refused");
    };
    assert_eq!(differences[0].pointer, "/data/kubeconfig");
    assert_eq!(
        admin.get(&id).await.unwrap().unwrap()["data"]["kubeconfig"],
        "first"
    );
    let written = write(&second, WriteStyle::Replace).await;
    assert!(matches!(written.outcome, Outcome::Replaced(_)));
    assert_eq!(written.live["data"]["kubeconfig"], "second");
    assert_eq!(written.live["data"]["jws-kubeconfig-abcdef"], "signature");
    assert_eq!(written.uid(), signed["metadata"]["uid"].as_str());
    assert!(admin.delete(&id).await.unwrap());
    assert!(!admin.delete(&id).await.unwrap());
}

async fn a_service_keeps_its_address(admin: &Client, patience: &Patience) {
    let id = object_id("v1", "Service", Some("kube-system"), "kube-dns");
    let body = |name: &str| {
        manifest(
            &id,
            json!({"spec": {
                "clusterIP": "10.96.0.10",
                "selector": {"k8s-app": "kube-dns"},
                "ports": [{"name": name, "port": 53, "protocol": "UDP", "targetPort": 53}],
            }}),
        )
    };
    let style = WriteStyle::Replace;
    let created = write(admin, &id, &body("dns"), style, patience).await;
    assert_eq!(created.outcome, Outcome::Created);
    let again = write(admin, &id, &body("dns"), style, patience).await;
    assert_eq!(again.outcome, Outcome::Unchanged);
    let changed = write(admin, &id, &body("other"), style, patience).await;
    assert!(matches!(changed.outcome, Outcome::Replaced(_)));
    assert_eq!(changed.live["spec"]["clusterIPs"], json!(["10.96.0.10"]));
}

async fn server_defaults_are_no_difference(admin: &Client, patience: &Patience) {
    let id = object_id("apps/v1", "Deployment", Some("kube-system"), "coredns");
    let labels = json!({"k8s-app": "kube-dns"});
    let body = manifest(
        &id,
        json!({"spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels, "creationTimestamp": null},
                "spec": {
                    "containers": [{
                        "name": "coredns",
                        "image": "registry.k8s.io/coredns/coredns:v1.12.0",
                        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m"}},
                        "ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"}],
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": true}],
                        "env": [],
                    }],
                    "volumes": [{"name": "config", "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}}],
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                },
            },
        }}),
    );
    let created = write(admin, &id, &body, WriteStyle::Replace, patience).await;
    assert_eq!(created.outcome, Outcome::Created);
    let desired = Desired {
        id: &id,
        body: &body,
        style: WriteStyle::Replace,
        unmanaged: &["/spec/replicas"],
    };
    assert_eq!(
        admin.inspect(&desired, patience).await.unwrap(),
        Standing::Holds
    );
    let mut scaled = created.live;
    scaled["spec"]["replicas"] = 5.into();
    admin.replace(&id, &scaled).await.unwrap();
    assert_eq!(
        admin.inspect(&desired, patience).await.unwrap(),
        Standing::Holds
    );
}

async fn a_field_that_cannot_change_is_told_at_once(admin: &Client, patience: &Patience) {
    let api = "rbac.authorization.k8s.io/v1";
    let id = object_id(api, "ClusterRoleBinding", None, "kubeadm:get-nodes");
    let body = |role: &str| {
        manifest(
            &id,
            json!({
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "a"}],
            }),
        )
    };
    write(admin, &id, &body("view"), WriteStyle::Replace, patience).await;
    let begun = Instant::now();
    let error = admin
        .write(&desired(&id, &body("edit"), WriteStyle::Replace), patience)
        .await
        .unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10));
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("`kubectl delete ClusterRoleBinding kubeadm:get-nodes`"),
        "{error}: {hint}"
    );
}

async fn writers_at_the_same_time_both_succeed(admin: &Client, patience: &Patience) {
    let id = object_id("v1", "ConfigMap", Some("kube-system"), "shared");
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let (admin, id, patience) = (admin.clone(), id.clone(), *patience);
            tokio::spawn(async move {
                let body = manifest(&id, json!({"data": {format!("key-{number}"): "x"}}));
                admin
                    .write(&desired(&id, &body, WriteStyle::Replace), &patience)
                    .await
                    .unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let live = admin.get(&id).await.unwrap().unwrap();
    assert_eq!(live["data"].as_object().unwrap().len(), 8, "{live}");
}

async fn a_node_is_marked_once_it_has_registered(admin: &Client, patience: &Patience) {
    let mark = NodeMark {
        node: "node-1".into(),
        labels: vec![
            constants::CONTROL_PLANE,
            constants::EXCLUDE_FROM_LOAD_BALANCERS,
        ],
        taints: vec![Taint {
            key: constants::CONTROL_PLANE.into(),
            value: None,
            effect: "NoSchedule".into(),
        }],
        annotations: vec![(
            constants::CRI_SOCKET_ANNOTATION,
            "unix:///run/a.sock".into(),
        )],
        limit_seconds: 30,
    };
    assert_eq!(
        inspect_node_mark(admin, &mark, patience).await.unwrap(),
        Standing::Absent
    );
    let id = object_id("v1", "Node", None, "node-1");
    let registered = {
        let (admin, id) = (admin.clone(), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let bare = manifest(&id, json!({}));
            let mut live = admin.create(&id, &bare).await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(700)).await;
            live["metadata"]["labels"]["kubernetes.io/hostname"] = "node-1".into();
            live["spec"]["taints"] = json!([{"key": "other", "effect": "NoExecute"}]);
            admin.replace(&id, &live).await.unwrap();
        })
    };
    let lacked = mark_node(admin, &mark, patience).await.unwrap();
    registered.await.unwrap();
    assert_eq!(lacked.len(), 4, "{lacked:?}");
    assert_eq!(
        inspect_node_mark(admin, &mark, patience).await.unwrap(),
        Standing::Holds
    );
    let live = admin.get(&id).await.unwrap().unwrap();
    assert_eq!(live["metadata"]["labels"][constants::CONTROL_PLANE], "");
    let taints = live["spec"]["taints"].as_array().unwrap();
    let keys: Vec<&str> = taints
        .iter()
        .filter_map(|taint| taint["key"].as_str())
        .collect();
    assert!(
        keys.contains(&"other") && keys.contains(&constants::CONTROL_PLANE),
        "{keys:?}"
    );
    assert_eq!(mark_node(admin, &mark, patience).await.unwrap(), []);
}

async fn tokens_live_on(admin: &Client, patience: &Patience) {
    let now = Timestamp::now();
    let token = BootstrapTokenSpec {
        id: "abcdef".into(),
        secret: Secret::new("0123456789abcdef".into()),
        description: Some(constants::DEFAULT_TOKEN_DESCRIPTION.into()),
        expires: Some(now + SignedDuration::from_hours(24)),
        usages: vec!["signing".into(), "authentication".into()],
        groups: vec![groups::BOOTSTRAPPERS.into()],
        drawn: true,
        alike: 0,
    };
    let standing = async || inspect_token(admin, &token, now, patience).await.unwrap();
    assert_eq!(standing().await, TokenStanding::Absent);
    let found = live_drawn_token(admin, &token, now, patience)
        .await
        .unwrap();
    assert!(found.is_none());
    let (uid, written) = ensure_token(admin, &token, now, patience).await.unwrap();
    assert!(written);
    assert_eq!(standing().await, TokenStanding::Holds);
    let again = ensure_token(admin, &token, now, patience).await.unwrap();
    assert_eq!(again, (uid.clone(), false));
    let found = live_drawn_token(admin, &token, now, patience)
        .await
        .unwrap();
    assert_eq!(found.map(|found| found.id), Some("abcdef".to_owned()));

    // Of two that look alike, the second finds a token of its own or none.
    let second = BootstrapTokenSpec {
        id: "ghijkl".into(),
        expires: Some(now + SignedDuration::from_hours(12)),
        alike: 1,
        ..token.clone()
    };
    let own = async || {
        let found = live_drawn_token(admin, &second, now, patience).await;
        found.unwrap().map(|found| found.id)
    };
    assert_eq!(own().await, None);
    ensure_token(admin, &second, now, patience).await.unwrap();
    assert_eq!(own().await, Some("ghijkl".to_owned()));
    admin.delete(&second.object_id()).await.unwrap();

    let mut eternal = token.clone();
    eternal.expires = None;
    eternal.usages.pop();
    let (same, written) = ensure_token(admin, &eternal, now, patience).await.unwrap();
    assert_eq!((same, written), (uid, true));
    let listed = list_tokens(admin, patience).await.unwrap().tokens;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].expires, None, "the old end must not stay");
    assert_eq!(listed[0].usages, ["signing"]);
    assert!(!format!("{listed:?}").contains("0123456789abcdef"));
}

async fn strangers_are_refused(server: &Server) {
    let id = object_id("v1", "ConfigMap", Some("kube-system"), "none");
    let brief = Patience {
        limit: Duration::from_mins(1),
        rights_limit: Duration::from_millis(600),
    };
    let begun = Instant::now();
    let nobody = server.client("nobody", "nothing").await;
    let error = nobody.get_patiently(&id, &brief).await.unwrap_err();
    assert!(error.is_forbidden(), "{error:?}");
    assert!(error.hint().unwrap().contains("auth whoami"));

    let foreign = Authority::new();
    let (certificate, key) = foreign.client("kubernetes-admin", groups::MASTERS);
    let text = kubeconfig(&server.url, &foreign.pem, &certificate, &key);
    let stranger = Client::from_kubeconfig(&text, None, Timeouts::default())
        .await
        .unwrap();
    let error = stranger.get_patiently(&id, &brief).await.unwrap_err();
    assert!(error.is_unreachable());
    assert!(
        error.hint().unwrap().contains("different authorities"),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
}

async fn write(
    client: &Client,
    id: &ObjectId,
    body: &Value,
    style: WriteStyle,
    patience: &Patience,
) -> Written {
    client
        .write(&desired(id, body, style), patience)
        .await
        .unwrap()
}

fn desired<'a>(id: &'a ObjectId, body: &'a Value, style: WriteStyle) -> Desired<'a> {
    Desired {
        id,
        body,
        style,
        unmanaged: &[],
    }
}

fn object_id(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.map(str::to_owned),
        name: name.into(),
    }
}

fn manifest(id: &ObjectId, mut rest: Value) -> Value {
    rest["apiVersion"] = id.api_version.as_str().into();
    rest["kind"] = id.kind.as_str().into();
    rest["metadata"] = json!({"name": id.name, "namespace": id.namespace});
    rest
}

/// The folder with the executables.
fn components() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("RINIT_TEST_COMPONENTS")?);
    [folder.join("bin"), folder]
        .into_iter()
        .find(|folder| folder.join("etcd").is_file() && folder.join("kube-apiserver").is_file())
}

/// An etcd and an API server, killed when dropped.
struct Server {
    url: String,
    authority: Authority,
    processes: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            for name in ["etcd", "kube-apiserver"] {
                let log = std::fs::read_to_string(self.folder.path().join(format!("{name}.log")))
                    .unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(15)..].join("\n");
                eprintln!("end of the log of {name}:\n{end}");
            }
        }
    }
}

impl Server {
    fn start(components: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (certificate, key) = authority.server();
        let account_key = KeyPair::generate().unwrap();
        let (etcd_port, peer_port, port) = (free_port(), free_port(), free_port());
        let etcd_url = format!("http://127.0.0.1:{etcd_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let etcd = [
            ("data-dir", folder.path().join("etcd").display().to_string()),
            ("listen-client-urls", etcd_url.clone()),
            ("advertise-client-urls", etcd_url.clone()),
            ("listen-peer-urls", peer_url.clone()),
            ("initial-advertise-peer-urls", peer_url.clone()),
            ("initial-cluster", format!("default={peer_url}")),
            ("unsafe-no-fsync", "true".into()),
        ];
        let api_server = [
            ("etcd-servers", etcd_url.clone()),
            ("bind-address", "127.0.0.1".into()),
            ("advertise-address", "192.0.2.1".into()),
            ("endpoint-reconciler-type", "none".into()),
            ("secure-port", port.to_string()),
            ("tls-cert-file", file("server.crt", &certificate)),
            ("tls-private-key-file", file("server.key", &key)),
            ("client-ca-file", file("ca.crt", &authority.pem)),
            (
                "service-account-issuer",
                "https://kubernetes.default.svc".into(),
            ),
            (
                "service-account-key-file",
                file("sa.pub", &account_key.public_key_pem()),
            ),
            (
                "service-account-signing-key-file",
                file("sa.key", &account_key.serialize_pem()),
            ),
            ("service-cluster-ip-range", "10.96.0.0/16".into()),
            ("authorization-mode", "Node,RBAC".into()),
            ("enable-bootstrap-token-auth", "true".into()),
        ];
        let processes = vec![
            start(components, "etcd", &etcd, folder.path()),
            start(components, "kube-apiserver", &api_server, folder.path()),
        ];
        Self {
            url: format!("https://127.0.0.1:{port}"),
            authority,
            processes,
            folder,
        }
    }

    async fn client(&self, name: &str, group: &str) -> Client {
        let (certificate, key) = self.authority.client(name, group);
        let text = kubeconfig(
            "https://load-balancer.example:6443",
            &self.authority.pem,
            &certificate,
            &key,
        );
        Client::from_kubeconfig(&text, Some(&self.url), Timeouts::default())
            .await
            .unwrap()
    }
}

fn start(components: &Path, name: &str, arguments: &[(&str, String)], folder: &Path) -> Child {
    let log = std::fs::File::create(folder.join(format!("{name}.log"))).unwrap();
    Command::new(components.join(name))
        .args(
            arguments
                .iter()
                .map(|(name, value)| format!("--{name}={value}")),
        )
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

fn kubeconfig(server: &str, authority: &str, certificate: &str, key: &str) -> String {
    use base64::Engine;
    let encoded = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "admin",
        "contexts": [{"name": "admin", "context": {"cluster": "kubernetes", "user": "admin"}}],
        "clusters": [{"name": "kubernetes", "cluster": {
            "server": server,
            "certificate-authority-data": encoded(authority),
        }}],
        "users": [{"name": "admin", "user": {
            "client-certificate-data": encoded(certificate),
            "client-key-data": encoded(key),
        }}],
    })
    .to_string()
}

/// A certificate authority for one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "kubernetes");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn client(&self, name: &str, group: &str) -> (String, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn server(&self) -> (String, String) {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.clone().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}
