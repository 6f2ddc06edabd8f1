//! Against real etcd processes on loopback, with TLS.
//!
//! `RINIT_TEST_COMPONENTS` names the directory with the executable, or the one above its `bin`.
//! Without it the tests say so and pass.
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
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rinit_diag::Hint;
use rinit_etcd::{Etcd, EtcdError, Member, Promotion, retry};
use rinit_plan::Secret;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go() {
    let Some(program) = program() else { return };
    let ca = Ca::new();
    let mut first = Server::start(&program, &ca, "first", &[]);
    let alone = ca.client(&[&first]);
    let [only] = &retry(LIMIT, async || alone.members().await).await.unwrap()[..] else {
        panic!("one member");
    };
    assert!(only.is_started() && !only.is_learner && only.has_peer_url(&first.peer()));
    assert_eq!(only.client_urls, [first.client()]);
    let status = alone.status(&first.client()).await.unwrap();
    assert_eq!((status.member, status.leader), (only.id, Some(only.id)));
    assert!(status.errors.is_empty() && !status.is_learner, "{status:?}");

    // A second one: added once, however often it is asked for.
    let mut second = Server::new(&ca, "second");
    let add = async |server: &Server| {
        let url = server.peer();
        retry(LIMIT, async || alone.add_learner(&url).await).await
    };
    let added = add(&second).await.unwrap();
    assert!(added.is_learner && !added.is_started(), "{added:?}");
    assert_eq!(add(&second).await.unwrap(), added);
    assert_eq!(
        alone.promote(added.id).await.unwrap(),
        Promotion::NotCaughtUp
    );
    // A third has to wait until the second votes.
    let third = Server::new(&ca, "third");
    let busy = alone.add_learner(&third.peer()).await.unwrap_err();
    assert!(busy.may_pass() && !busy.is_unreachable(), "{busy}");
    assert!(busy.to_string().contains("too many learner"), "{busy}");
    assert!(busy.hint().unwrap().contains("joining"));

    let both = tokio::join!(add(&third), async {
        second.join(&program, &[&first]);
        promote(&alone, added.id).await;
    });
    let added = both.0.unwrap();
    let mut third = third;
    third.join(&program, &[&first, &second]);
    promote(&alone, added.id).await;
    assert_eq!(alone.promote(added.id).await.unwrap(), Promotion::Voting);
    let members = alone.members().await.unwrap();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|it| it.is_started() && !it.is_learner));

    // The leader leaves: it hands over, and a removal may be asked for again.
    let all = ca.client(&[&first, &second, &third]);
    let leader = alone.status(&first.client()).await.unwrap().leader;
    assert_eq!(leader, Some(only.id));
    let others = ca.client(&[&second, &third]);
    retry(LIMIT, async || others.remove(only.id).await)
        .await
        .unwrap();
    first.kill();
    all.remove(only.id).await.unwrap();
    let left = retry(LIMIT, async || all.members().await).await.unwrap();
    assert_eq!(names(&left), ["second", "third"]);
    let status = all.status(&second.client()).await.unwrap();
    assert!(
        left.iter().any(|it| Some(it.id) == status.leader),
        "{status:?}"
    );

    // Without a quorum nothing is answered from memory.
    third.kill();
    let error = ca.client(&[&second]).members().await.unwrap_err();
    assert!(error.may_pass(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_taken_for_silence() {
    let Some(program) = program() else { return };
    let (ca, other) = (Ca::new(), Ca::new());
    let server = Server::start(&program, &ca, "first", &[]);
    let etcd = ca.client(&[&server]);
    retry(LIMIT, async || etcd.members().await).await.unwrap();

    // The server is not trusted.
    let error = other.client(&[&server]).members().await.unwrap_err();
    assert!(matches!(error, EtcdError::Untrusted { .. }), "{error:?}");
    assert!(!error.may_pass() && error.hint().unwrap().contains("openssl"));
    // The client is not trusted.
    let (certificate, key) = other.issue("stranger", ExtendedKeyUsagePurpose::ClientAuth);
    let endpoint = [server.client()];
    let stranger = Etcd::connect(
        &endpoint,
        ca.pem.as_bytes(),
        certificate.as_bytes(),
        &Secret::new(key),
    );
    // With TLS 1.3 the refusal may come after the handshake, and its reason be lost with the connection.
    let error = stranger.unwrap().members().await.unwrap_err();
    assert!(
        matches!(error, EtcdError::Untrusted { .. }) || error.is_unreachable(),
        "{error:?}"
    );

    // Nobody is there.
    let nobody = Server::new(&ca, "nobody");
    let error = ca.client(&[&nobody]).members().await.unwrap_err();
    assert!(error.is_unreachable() && error.may_pass(), "{error:?}");
    let client = ca.client(&[&nobody]);
    let error = retry(Duration::ZERO, async || client.members().await).await;
    assert!(matches!(error, Err(EtcdError::GaveUp { .. })), "{error:?}");
    // A dead endpoint does not hide a live one.
    assert_eq!(
        ca.client(&[&nobody, &server])
            .members()
            .await
            .unwrap()
            .len(),
        1
    );

    let none = Etcd::connect::<&str>(&[], b"", b"", &Secret::new(String::new()));
    assert!(matches!(none, Err(EtcdError::NoEndpoint)));
    let plain = Etcd::connect(
        &["http://127.0.0.1:1"],
        b"",
        b"",
        &Secret::new(String::new()),
    );
    assert!(matches!(plain, Err(EtcdError::Endpoint { .. })));
    let shown = format!("{etcd:?}");
    assert!(
        shown.contains("127.0.0.1") && !shown.contains("PRIVATE"),
        "{shown}"
    );
}

async fn promote(etcd: &Etcd, id: u64) {
    for _ in 0..120 {
        match etcd.promote(id).await {
            Ok(Promotion::Voting) => return,
            Ok(Promotion::NotCaughtUp) => {}
            Err(error) => assert!(error.may_pass(), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the learner never caught up");
}

fn names(members: &[Member]) -> Vec<&str> {
    let mut names: Vec<&str> = members.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn program() -> Option<PathBuf> {
    let found = std::env::var_os("RINIT_TEST_COMPONENTS").and_then(|directory| {
        let directory = PathBuf::from(directory);
        [directory.join("bin/etcd"), directory.join("etcd")]
            .into_iter()
            .find(|path| path.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: RINIT_TEST_COMPONENTS names no directory with etcd");
    }
    found
}

/// A member, killed when dropped.
struct Server {
    name: &'static str,
    client_port: u16,
    peer_port: u16,
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log =
                std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(8)..].join("\n");
            eprintln!("end of the log of {}:\n{end}", self.name);
        }
    }
}

impl Server {
    /// A member that does not run yet.
    fn new(ca: &Ca, name: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        let (certificate, key) = ca.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        write("server.crt", &certificate).unwrap();
        write("server.key", &key).unwrap();
        write("ca.crt", &ca.pem).unwrap();
        Self {
            name,
            client_port: free_port(),
            peer_port: free_port(),
            directory,
            process: None,
        }
    }

    fn start(program: &Path, ca: &Ca, name: &'static str, others: &[&Self]) -> Self {
        let mut server = Self::new(ca, name);
        server.run(program, "new", others);
        server
    }

    fn join(&mut self, program: &Path, others: &[&Self]) {
        self.run(program, "existing", others);
    }

    fn run(&mut self, program: &Path, state: &str, others: &[&Self]) {
        let directory = self.directory.path();
        let file = |name: &str| directory.join(name).display().to_string();
        let mut cluster = vec![format!("{}={}", self.name, self.peer())];
        cluster.extend(others.iter().map(|it| format!("{}={}", it.name, it.peer())));
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let process = Command::new(program)
            .args([
                format!("--name={}", self.name),
                format!("--data-dir={}", file("data")),
                format!("--listen-client-urls={}", self.client()),
                format!("--advertise-client-urls={}", self.client()),
                format!("--listen-peer-urls={}", self.peer()),
                format!("--initial-advertise-peer-urls={}", self.peer()),
                format!("--initial-cluster={}", cluster.join(",")),
                format!("--initial-cluster-state={state}"),
                format!("--cert-file={}", file("server.crt")),
                format!("--key-file={}", file("server.key")),
                format!("--peer-cert-file={}", file("server.crt")),
                format!("--peer-key-file={}", file("server.key")),
                format!("--trusted-ca-file={}", file("ca.crt")),
                format!("--peer-trusted-ca-file={}", file("ca.crt")),
                "--client-cert-auth=true".to_owned(),
                "--peer-client-cert-auth=true".to_owned(),
                "--unsafe-no-fsync=true".to_owned(),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn client(&self) -> String {
        format!("https://127.0.0.1:{}", self.client_port)
    }

    fn peer(&self) -> String {
        format!("https://127.0.0.1:{}", self.peer_port)
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "etcd-ca");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for loopback and its key. Servers of etcd are clients of each other.
    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.extended_key_usages = vec![usage, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn client(&self, servers: &[&Server]) -> Etcd {
        let (certificate, key) = self.issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        let endpoints: Vec<String> = servers.iter().map(|it| it.client()).collect();
        Etcd::connect(
            &endpoints,
            self.pem.as_bytes(),
            certificate.as_bytes(),
            &Secret::new(key),
        )
        .unwrap()
    }
}
