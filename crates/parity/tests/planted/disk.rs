//! Differences on the disk: the tree, certificates, keys, kubeconfigs, manifests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SerialNumber,
};
use rinit_parity::{Content, Disk, Entry, Init, Snapshot};
use time::{Duration, OffsetDateTime};

use crate::titles;

const MANIFEST: &str = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - command:\n    - etcd\n    \
    - --a=1\n    - --b=2\n    name: etcd\n";

const SERVER: &str = "/etc/kubernetes/pki/server.crt";
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// What a test may change before files are made of it.
struct Plan {
    authority: CertificateParams,
    server: CertificateParams,
    server_algorithm: &'static rcgen::SignatureAlgorithm,
    admin: CertificateParams,
    manifest: String,
}

fn params(name: &str, hours: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now() - Duration::minutes(5);
    params.not_after = now() + Duration::hours(hours);
    params.serial_number = Some(SerialNumber::from(42));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()
}

fn names(names: &[&str]) -> Vec<rcgen::SanType> {
    let dns = |name: &&str| rcgen::SanType::DnsName((*name).try_into().unwrap());
    names.iter().map(dns).collect()
}

impl Plan {
    fn new() -> Self {
        let mut authority = params("kubernetes", 87_600);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages.push(KeyUsagePurpose::KeyCertSign);
        authority.use_authority_key_identifier_extension = false;
        let mut server = params("kube-apiserver", 8760);
        server.subject_alt_names = names(&["cp", "kubernetes"]);
        server.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Self {
            authority,
            server,
            server_algorithm: &PKCS_ECDSA_P256_SHA256,
            admin: params("kubernetes-admin", 8760),
            manifest: MANIFEST.to_owned(),
        }
    }

    /// The files, with the modes that kubeadm gives them.
    fn disk(self) -> Disk {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let authority = CertifiedIssuer::self_signed(self.authority, key()).unwrap();
        let server_key = KeyPair::generate_for(self.server_algorithm).unwrap();
        let server = self.server.signed_by(&server_key, &authority).unwrap();
        let admin_key = key();
        let admin = self.admin.signed_by(&admin_key, &authority).unwrap();
        let encode = |text: String| STANDARD.encode(text.replace("\r\n", "\n"));
        let kubeconfig = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {}\n    \
            server: https://10.123.0.2:6443\n  name: kubernetes\nkind: Config\nusers:\n\
            - name: kubernetes-admin\n  user:\n    client-certificate-data: {}\n    \
            client-key-data: {}\n",
            encode(authority.pem()),
            encode(admin.pem()),
            encode(admin_key.serialize_pem())
        );
        let mut disk = Disk::default();
        add(
            &mut disk,
            "/etc/kubernetes/pki/ca.crt",
            0o644,
            &authority.pem(),
        );
        add(&mut disk, SERVER, 0o644, &server.pem());
        let server_key = server_key.serialize_pem();
        add(
            &mut disk,
            "/etc/kubernetes/pki/server.key",
            0o600,
            &server_key,
        );
        add(&mut disk, ADMIN, 0o600, &kubeconfig);
        add(
            &mut disk,
            "/etc/kubernetes/manifests/etcd.yaml",
            0o600,
            &self.manifest,
        );
        disk
    }

    fn snapshot(self) -> Snapshot {
        take(&self.disk())
    }
}

fn add(disk: &mut Disk, path: &str, mode: u32, text: &str) {
    let entry = Entry {
        mode,
        owner: Some((0, 0)),
        content: Content::File(text.replace("\r\n", "\n").into_bytes()),
    };
    disk.entries.insert(path.to_owned(), entry);
}

fn take(disk: &Disk) -> Snapshot {
    let started = now().unix_timestamp();
    let started = jiff::Timestamp::from_second(started).unwrap();
    Snapshot::take(disk, &[], Init { started }).unwrap()
}

/// The titles after one change of the plan.
fn after(change: impl FnOnce(&mut Plan)) -> Vec<String> {
    let mut plan = Plan::new();
    change(&mut plan);
    titles(&Plan::new().snapshot(), &plan.snapshot())
}

/// The titles after one change of the disk.
fn after_on_disk(change: impl FnOnce(&mut Disk)) -> Vec<String> {
    let mut disk = Plan::new().disk();
    change(&mut disk);
    titles(&Plan::new().snapshot(), &take(&disk))
}

fn of_server(what: &str) -> String {
    format!("certificate {SERVER}: {what}")
}

#[test]
fn other_keys_and_serial_numbers_are_no_difference() {
    let other_serial = |plan: &mut Plan| {
        plan.server.serial_number = Some(SerialNumber::from(1 << 62));
    };
    assert_eq!(after(other_serial), [] as [&str; 0]);
}

#[test]
fn a_mode_an_owner_a_kind_and_a_missing_or_further_file_are_seen() {
    let found = after_on_disk(|disk| disk.entries.get_mut(SERVER).unwrap().mode = 0o600);
    assert_eq!(found, [format!("file {SERVER}: mode")]);
    let found = after_on_disk(|disk| disk.entries.get_mut(SERVER).unwrap().owner = Some((0, 1)));
    assert_eq!(found, [format!("file {SERVER}: owner")]);
    let found = after_on_disk(|disk| {
        let entry = disk
            .entries
            .get_mut("/etc/kubernetes/manifests/etcd.yaml")
            .unwrap();
        entry.content = Content::Link("/srv/etcd.yaml".to_owned());
    });
    assert_eq!(found, ["file /etc/kubernetes/manifests/etcd.yaml: kind"]);
    let found = after_on_disk(|disk| {
        disk.entries.remove("/etc/kubernetes/manifests/etcd.yaml");
    });
    assert_eq!(found, ["file /etc/kubernetes/manifests/etcd.yaml"]);
    let found = after_on_disk(|disk| add(disk, "/etc/kubernetes/notes", 0o644, "text\n"));
    assert_eq!(found, ["file /etc/kubernetes/notes"]);
}

#[test]
fn whatever_a_certificate_says_is_seen() {
    let found = after(|plan| plan.server.subject_alt_names.reverse());
    assert_eq!(found, [of_server("alternative_names: order")]);
    let found = after(|plan| plan.server.subject_alt_names.extend(names(&["more"])));
    assert_eq!(found, [of_server("alternative_names[DNS:more]")]);
    let found = after(|plan| plan.server.extended_key_usages.reverse());
    assert_eq!(found, [of_server("extended_key_usage: order")]);
    let found = after(|plan| {
        plan.server
            .key_usages
            .push(KeyUsagePurpose::KeyEncipherment);
    });
    assert_eq!(found, [of_server("key_usage[Key Encipherment]")]);
    let found = after(|plan| {
        plan.server
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters");
    });
    assert_eq!(found, [of_server("subject[O]")]);
    let found = after(|plan| {
        let name = rcgen::DnValue::PrintableString("kube-apiserver".try_into().unwrap());
        plan.server
            .distinguished_name
            .push(DnType::CommonName, name);
    });
    assert_eq!(found, [of_server("subject[CN]")]);
    let found = after(|plan| plan.server.not_after += Duration::MINUTE);
    assert_eq!(found, [of_server("validity")]);
    let found = after(|plan| {
        plan.server.not_before += Duration::minutes(5);
        plan.server.not_after += Duration::minutes(5);
    });
    assert_eq!(found, [of_server("backdated")]);
    let found = after(|plan| {
        plan.server.serial_number = Some(SerialNumber::from_slice(&[0x7f; 20]));
    });
    assert_eq!(found, [of_server("serial")]);
    let found = after(|plan| plan.server.is_ca = IsCa::ExplicitNoCa);
    assert_eq!(
        found,
        [
            of_server("basic_constraints"),
            of_server("extensions[basic constraints (critical)]"),
            // The library adds the identifier to this kind.
            of_server("extensions[subject key identifier]"),
            of_server("subject_key_id"),
        ]
    );
    let found = after(|plan| plan.server.use_authority_key_identifier_extension = false);
    assert_eq!(
        found,
        [
            of_server("authority_key_id"),
            of_server("extensions[authority key identifier]"),
            of_server("issued_by[/etc/kubernetes/pki/ca.crt]"),
        ]
    );
    let found = after(|plan| {
        plan.authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    assert_eq!(
        found,
        ["certificate /etc/kubernetes/pki/ca.crt: basic_constraints"]
    );
}

#[test]
fn the_kind_of_a_key_and_a_key_of_another_certificate_are_seen() {
    let found = after(|plan| plan.server_algorithm = &PKCS_ECDSA_P384_SHA384);
    assert_eq!(
        found,
        [
            of_server("key_algorithm"),
            "key /etc/kubernetes/pki/server.key: algorithm".to_owned(),
        ]
    );
    let found = after_on_disk(|disk| {
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let other = other.serialize_pem();
        add(disk, "/etc/kubernetes/pki/server.key", 0o600, &other);
    });
    let place = format!("belongs_to[{SERVER}]");
    assert_eq!(
        found,
        [format!("key /etc/kubernetes/pki/server.key: {place}")]
    );
}

/// Changes a text file of the disk.
fn edit(disk: &mut Disk, path: &str, from: &str, to: &str) {
    if let Content::File(bytes) = &mut disk.entries.get_mut(path).unwrap().content {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *bytes = text.replace(from, to).into_bytes();
    }
}

#[test]
fn the_label_and_the_layout_of_a_pem_file_are_seen() {
    let found = after_on_disk(|disk| edit(disk, SERVER, "-----END", "\n-----END"));
    assert_eq!(found, [of_server("layout")]);
    let key = "/etc/kubernetes/pki/server.key";
    let found = after_on_disk(|disk| {
        // The same key in the form of SEC 1.
        let Content::File(bytes) = &disk.entries[key].content else {
            panic!("it is a file");
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        let digits: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(digits).unwrap();
        let inner = der
            .windows(2)
            .position(|window| window == [0x04, 0x6d])
            .unwrap();
        let mut sec1 = der[inner + 2..].to_vec();
        // PKCS#8 tells the curve outside, so the inner form goes without; put it in.
        let public = sec1
            .windows(2)
            .position(|window| window == [0xa1, 0x44])
            .unwrap();
        let curve = [0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        sec1.splice(public..public, curve);
        sec1[1] += 12;
        let digits = STANDARD.encode(sec1);
        let lines: Vec<&str> = digits
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let text = format!(
            "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n",
            lines.join("\n")
        );
        add(disk, key, 0o600, &text);
    });
    assert_eq!(found, [format!("key {key}: label")]);
}

#[test]
fn a_kubeconfig_is_compared_with_what_it_embeds() {
    let found = after_on_disk(|disk| edit(disk, ADMIN, "10.123.0.2", "10.123.0.9"));
    assert_eq!(
        found,
        [format!(
            "document {ADMIN}: clusters[kubernetes].cluster.server"
        )]
    );
    let found = after(|plan| plan.admin.key_usages.clear());
    let field = format!("certificate {ADMIN}: client-certificate-data");
    assert_eq!(
        found,
        [
            format!("{field}: extensions[key usage (critical)]"),
            format!("{field}: key_usage[Digital Signature]"),
        ]
    );
    // Another authority than that of the cluster.
    let found = after_on_disk(|disk| {
        let Content::File(bytes) = &Plan::new().disk().entries[ADMIN].content else {
            panic!("it is a file");
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        add(disk, ADMIN, 0o600, &text);
    });
    assert!(
        found.contains(&format!(
            "document {ADMIN}: clusters[kubernetes].cluster.certificate-authority-data"
        )),
        "{found:?}"
    );
}

#[test]
fn a_manifest_is_compared_by_meaning_and_by_text() {
    let manifest = "/etc/kubernetes/manifests/etcd.yaml";
    let found = after(|plan| plan.manifest = MANIFEST.replace("--a=1", "--a=2"));
    assert_eq!(
        found,
        [format!(
            "document {manifest}: spec.containers[etcd].command[--a]"
        )]
    );
    let found = after(|plan| {
        plan.manifest =
            MANIFEST.replace("    - --a=1\n    - --b=2\n", "    - --b=2\n    - --a=1\n");
    });
    assert_eq!(
        found,
        [format!(
            "document {manifest}: spec.containers[etcd].command: order"
        )]
    );
    let found = after(|plan| plan.manifest = MANIFEST.replace("--a=1", "\"--a=1\""));
    assert_eq!(found, [format!("text {manifest}")]);
    // No YAML on one side.
    let found = after(|plan| "nothing".clone_into(&mut plan.manifest));
    assert_eq!(found, [format!("document {manifest}")]);
}

#[test]
fn a_tree_of_an_ordinary_user_has_no_owners_to_compare() {
    let found = after_on_disk(|disk| {
        for entry in disk.entries.values_mut() {
            entry.owner = None;
        }
    });
    assert_eq!(found, [] as [&str; 0]);
}

#[test]
fn a_snapshot_is_read_as_it_was_written_and_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = Plan::new().snapshot();
    snapshot.write(folder.path()).unwrap();
    assert_eq!(Snapshot::read(folder.path()).unwrap(), snapshot);

    let mut disk = Plan::new().disk();
    add(
        &mut disk,
        "/etc/notes",
        0o600,
        "token: abcdef.0123456789abcdef\n",
    );
    let started = jiff::Timestamp::UNIX_EPOCH;
    let error = Snapshot::take(&disk, &[], Init { started }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/etc/notes would keep a bootstrap token: a rule must mask it"
    );
}
