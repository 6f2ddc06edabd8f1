//! What the example files cover: every field of every kind in a valid one, and every rule, and
//! every field that has a rule of its own, in one that breaks it.
//! `cargo test -p rinit-facts --test coverage -- --nocapture` prints it.
//!
//! `valid` is taken, perhaps with warnings; `invalid` cannot be read; `refused` is read, but no
//! cluster can be made of it. What is said of a file of `refused` stands beside it as
//! `<name>.findings`; `RINIT_BLESS=1` writes it anew.

#![expect(
    clippy::disallowed_methods,
    reason = "the examples are files of the checkout"
)]
#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its examples fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rinit_config::schema::{ObjectSchema, Shape};
use rinit_config::{
    ClusterConfiguration, Documents, Findings, Format, Ground, InitConfiguration,
    JoinConfiguration, ReadOptions, ResetConfiguration, Rule, UpgradeConfiguration, parse,
};
use rinit_facts::{HostFacts, Overrides, advise, resolve};

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

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/configs")
        .join(name)
}

fn examples(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder(name))
        .expect("the folder of examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Documents, Findings> {
    let text = std::fs::read(path).expect("an example");
    let name = path.file_name().expect("a name").to_string_lossy();
    parse(&name, &text, ReadOptions::default())
}

fn no_host(documents: &Documents) -> HostFacts {
    HostFacts::of_no_host(documents, jiff::Timestamp::UNIX_EPOCH)
}

/// A field with the kind that it belongs to.
struct Field {
    /// The kind and the path, `[]` standing for the items of a list.
    path: String,
    format: Format,
}

/// Every field of an object and of those below it.
fn fields(schema: &ObjectSchema, path: &str, all: &mut Vec<Field>) {
    for field in schema.all_fields() {
        let path = format!("{path}.{}", field.name);
        all.push(Field {
            path: path.clone(),
            format: match field.shape {
                Shape::Secret(format) | Shape::List(Shape::Secret(format)) => *format,
                _ => field.format,
            },
        });
        match field.shape {
            Shape::Object(inner) => fields(inner, &path, all),
            Shape::List(Shape::Object(inner)) => fields(inner, &format!("{path}[]"), all),
            _ => {}
        }
    }
}

fn all_fields() -> Vec<Field> {
    let mut all = Vec::new();
    for (kind, schema) in KINDS {
        fields(schema, kind, &mut all);
    }
    all
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
        .map(|path| read(path).expect("a good file"))
        .collect();
    assert!(
        documents.len() >= 60,
        "only {} valid files",
        documents.len()
    );
    let all = all_fields();
    let missing: Vec<&String> = all
        .iter()
        .map(|field| &field.path)
        .filter(|path| {
            let (kind, path) = path.split_once('.').expect("a kind");
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

/// Everything that is found about the examples.
fn all_findings() -> (usize, Vec<Findings>) {
    let mut all = Vec::new();
    let mut broken = 0;
    for path in examples("invalid") {
        all.push(read(&path).expect_err("a bad file"));
        broken += 1;
    }
    for path in examples("refused") {
        let documents = read(&path).expect("a file that can be read");
        let error = resolve(&documents, &Overrides::default(), &no_host(&documents))
            .expect_err("a cluster that cannot be made");
        all.push(error.findings);
        all.push(documents.findings);
        broken += 1;
    }
    for path in examples("valid") {
        let documents = read(&path).expect("a good file");
        let overrides = Overrides::default();
        if documents.init.is_some() || documents.cluster.is_some() {
            let host = no_host(&documents);
            let facts = resolve(&documents, &overrides, &host)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let advice = advise(&documents, &overrides, &host, &facts);
            all.push(advice.findings);
        }
        all.push(documents.findings);
    }
    // A file of four MiB and more is made here rather than kept.
    let large = vec![b'#'; (4 << 20) + 1];
    all.push(parse("large.yaml", &large, ReadOptions::default()).expect_err("a bad file"));
    (broken, all)
}

#[test]
fn coverage_of_rules() {
    let (files, all) = all_findings();
    assert!(files >= 80, "only {files} invalid files");
    let broken: BTreeSet<Rule> = all.iter().flatten().map(|finding| finding.rule).collect();
    let of_files = || {
        Rule::ALL
            .iter()
            .filter(|rule| rule.ground() == Ground::File)
    };
    let missing: Vec<&str> = of_files()
        .filter(|rule| !broken.contains(rule))
        .map(|rule| rule.name())
        .collect();
    println!(
        "{files} invalid files, and the warnings of valid ones, break {} of {} rules",
        of_files().count() - missing.len(),
        of_files().count()
    );
    assert!(missing.is_empty(), "rules that no file breaks: {missing:?}");
    let others: Vec<&str> = Rule::ALL
        .iter()
        .filter(|rule| rule.ground() != Ground::File && broken.contains(rule))
        .map(|rule| rule.name())
        .collect();
    assert!(others.is_empty(), "rules that files do break: {others:?}");
}

/// A path with `[]` for each item of a list.
fn without_indices(path: &str) -> String {
    path.split('[')
        .enumerate()
        .map(|(part, text)| match text.split_once(']') {
            Some((_, after)) if part > 0 => format!("[]{after}"),
            _ => text.to_owned(),
        })
        .collect()
}

#[test]
fn coverage_of_fields_with_a_rule_of_their_own() {
    let (_, all) = all_findings();
    let mut broken = BTreeSet::new();
    for findings in &all {
        for finding in findings {
            let parent = finding
                .path
                .rsplit_once('.')
                .map_or("", |(parent, _)| parent);
            for (kind, _) in KINDS {
                let in_kind = |path| findings.source().place_in(kind, path).is_some();
                if in_kind(&finding.path) || in_kind(parent) {
                    broken.insert(format!("{kind}.{}", without_indices(&finding.path)));
                }
            }
        }
    }
    let judged: Vec<String> = all_fields()
        .into_iter()
        .filter(|field| !matches!(field.format, Format::Free | Format::Confidential))
        .map(|field| field.path)
        .collect();
    let missing: Vec<&String> = judged
        .iter()
        .filter(|field| !broken.contains(*field) && !broken.contains(&format!("{field}[]")))
        .collect();
    println!(
        "of {} fields with a rule of their own {} are broken",
        judged.len(),
        judged.len() - missing.len()
    );
    assert!(
        missing.is_empty(),
        "fields that no file breaks: {missing:?}"
    );
}

#[test]
fn names_of_rules_are_unique() {
    let names: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(names.len(), Rule::ALL.len());
    for name in names {
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{name}"
        );
    }
}

#[test]
fn refused_files_are_refused_with_all_that_is_wrong() {
    let mut mistakes = Vec::new();
    for path in examples("refused") {
        let documents = read(&path).expect("a file that can be read");
        let error = resolve(&documents, &Overrides::default(), &no_host(&documents))
            .expect_err("a cluster that cannot be made");
        let report = error.to_string();
        let kept_in = path.with_extension("findings");
        if std::env::var_os("RINIT_BLESS").is_some() {
            std::fs::write(&kept_in, &report).expect("the report");
            continue;
        }
        let kept = std::fs::read_to_string(&kept_in).unwrap_or_default();
        if kept != report {
            let name = path.display();
            mistakes.push(format!("{name}: expected\n{kept}found\n{report}"));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
