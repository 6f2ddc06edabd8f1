//! What the example files cover: every field of every kind in a valid one, every rule in an
//! invalid one. `cargo test -p rinit-config coverage -- --nocapture` prints both.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout"
)]
#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its examples fails"
)]

use std::path::{Path, PathBuf};

use rinit_config::schema::{ObjectSchema, Shape};
use rinit_config::{
    ClusterConfiguration, Documents, InitConfiguration, JoinConfiguration, ReadOptions,
    ResetConfiguration, UpgradeConfiguration, parse,
};

const KINDS: [(&str, &ObjectSchema); 5] = [
    ("InitConfiguration", InitConfiguration::SCHEMA),
    ("ClusterConfiguration", ClusterConfiguration::SCHEMA),
    ("JoinConfiguration", JoinConfiguration::SCHEMA),
    ("ResetConfiguration", ResetConfiguration::SCHEMA),
    ("UpgradeConfiguration", UpgradeConfiguration::SCHEMA),
];
/// Fields that no valid file can have, because kubeadm refuses each file that has them.
const NEVER_VALID: [&str; 1] = ["InitConfiguration.bootstrapTokens[].expires"];
/// Of each list this many items are looked at.
const ITEMS: usize = 8;

/// The rules by a part of what they say.
const RULES: [(&str, &str); 58] = [
    ("YAML that is none", "not valid YAML"),
    ("tabs", "indent with spaces"),
    ("duplicate key", "duplicate key"),
    ("key that is no text", "a key must be a string"),
    ("alias without anchor", "no anchor"),
    (
        "alias of itself",
        "an alias cannot stand inside what it names",
    ),
    ("document that is no map", "a document must be a map"),
    ("no kind or version", "must be set in each document"),
    ("kind twice", "stands in the file twice"),
    ("unknown kind", "has no kind"),
    ("older version", "is too old to be read"),
    ("unknown version", "is not a version of kubeadm's documents"),
    ("foreign kind without group", "is not for kubeadm"),
    ("unknown field", "has no field"),
    ("field of a newer version", "it came with v1beta4"),
    ("map of v1beta3", "wants a map in v1beta3"),
    ("text", "wants a string"),
    ("boolean", "wants true or false"),
    ("list", "wants a list"),
    ("map", "wants a map"),
    ("empty item", "must not be empty"),
    ("duration", "is not a duration"),
    ("point in time", "is not a point in time"),
    ("choice", "is not one of"),
    ("range of a number", "is not within"),
    ("flag without name", "extraArgs[0].name"),
    ("bootstrap token", "bootstrapTokens[0].token"),
    ("token of a join", "discovery.bootstrapToken.token"),
    ("certificate key", "certificateKey"),
    ("token with ttl and expires", "exclude each other"),
    ("token with expires alone", "no kubeadm takes it"),
    ("token without authentication", "cannot have groups"),
    ("token's usages", "usages[0]"),
    ("token's groups", "groups[0]"),
    ("node name", "nodeRegistration.name"),
    ("socket of the runtime", "is not a scheme for the socket"),
    (
        "all beside single checks",
        "leaves no place for single checks",
    ),
    ("advertise address", "is not an IP address"),
    (
        "advertise address that nobody reaches",
        "no address that other nodes can reach",
    ),
    ("endpoint", "controlPlaneEndpoint"),
    ("version of Kubernetes", "kubernetesVersion"),
    ("certificates folder", "is not an absolute path"),
    ("image repository", "imageRepository"),
    ("service network", "networking.serviceSubnet"),
    ("pod network", "networking.podSubnet"),
    ("pod network smaller than a node's", "is smaller than the"),
    ("pod network for too many nodes", "has room for more than"),
    ("DNS domain", "networking.dnsDomain"),
    ("alternative names", "apiServer.certSANs"),
    (
        "both kinds of etcd",
        "`etcd.local` and `etcd.external` exclude",
    ),
    (
        "external etcd without members",
        "must name at least one member",
    ),
    ("external etcd's certificate", "is set without"),
    (
        "external etcd without TLS",
        "must be an `https://` URL, because",
    ),
    ("CA certificate of a join", "must end in `.crt`"),
    (
        "join without discovery",
        "there is no way to find the cluster",
    ),
    ("join without hashes", "must be set to trust the cluster"),
    ("discovery file by HTTP", "a URL must be an `https://` one"),
    ("patches of an upgrade", "must be an absolute path"),
];

fn examples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(folder);
    std::fs::read_dir(folder)
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect()
}

/// The path of every field, `[]` standing for the items of a list.
fn fields(schema: &ObjectSchema, path: &str, all: &mut Vec<String>) {
    for field in schema.all_fields() {
        let path = format!("{path}.{}", field.name);
        all.push(path.clone());
        match field.shape {
            Shape::Object(inner) => fields(inner, &path, all),
            Shape::List(Shape::Object(inner)) => fields(inner, &format!("{path}[]"), all),
            _ => {}
        }
    }
}

/// Whether a document has the field, with any index in place of `[]`.
fn has(documents: &Documents, kind: &str, path: &str) -> bool {
    match path.split_once("[]") {
        None => documents.source.place_in(kind, path).is_some(),
        Some((list, rest)) => (0..ITEMS).any(|index| {
            let item = format!("{list}[{index}]");
            documents.source.place_in(kind, &item).is_some()
                && has(documents, kind, &format!("{item}{rest}"))
        }),
    }
}

#[test]
fn coverage_of_fields() {
    let documents: Vec<Documents> = examples("valid")
        .iter()
        .map(|path| {
            let text = std::fs::read(path).expect("an example");
            parse("example.yaml", &text, ReadOptions::default()).expect("a good file")
        })
        .collect();
    assert!(
        documents.len() >= 60,
        "only {} valid files",
        documents.len()
    );
    let mut all = Vec::new();
    for (kind, schema) in KINDS {
        fields(schema, kind, &mut all);
    }
    let missing: Vec<&String> = all
        .iter()
        .filter(|field| {
            let (kind, path) = field.split_once('.').expect("a kind");
            !documents.iter().any(|documents| has(documents, kind, path))
        })
        .collect();
    println!(
        "{} valid files have {} of {} fields",
        documents.len(),
        all.len() - missing.len(),
        all.len()
    );
    assert_eq!(missing, NEVER_VALID, "fields in no valid file");
}

#[test]
fn coverage_of_rules() {
    let reports: Vec<String> = examples("invalid")
        .iter()
        .map(|path| {
            let text = std::fs::read(path).expect("an example");
            parse("example.yaml", &text, ReadOptions::default())
                .expect_err("a bad file")
                .to_string()
        })
        .collect();
    assert!(reports.len() >= 80, "only {} invalid files", reports.len());
    let missing: Vec<&str> = RULES
        .iter()
        .filter(|(_, said)| !reports.iter().any(|report| report.contains(said)))
        .map(|(rule, _)| *rule)
        .collect();
    println!(
        "{} invalid files break {} of {} rules",
        reports.len(),
        RULES.len() - missing.len(),
        RULES.len()
    );
    assert!(
        missing.is_empty(),
        "rules that no invalid file breaks: {missing:?}"
    );
}
