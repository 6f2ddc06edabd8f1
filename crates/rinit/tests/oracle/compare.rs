//! How a dry run of kubeadm and what rinit would make differ.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rinit_parity::{Init, Snapshot};
use rinit_plan::{BootstrapTokenSpec, NodeMark};
use serde_json::{Value, json};

use crate::kubeadm::DryRun;
use crate::ours::{Ours, host_facts};

/// What rinit says of a field that the kubeadm of a minor does not know.
pub(crate) const NEWER_FIELD: &str = "does not know it; it came with";

/// How far two moments may be apart that mean the same, in seconds.
const SLACK: i64 = 600;

/// The minor that a file asks for; the newest if it names none.
pub(crate) fn minor_of(config: &str) -> u32 {
    config
        .split("kubernetesVersion")
        .skip(1)
        .find_map(|rest| {
            let version = rest.trim_start_matches(['"', ':', ' ', 'v']);
            version.strip_prefix("1.")?.split('.').next()?.parse().ok()
        })
        .unwrap_or(rinit_versions::KubernetesVersion::newest().minor().0)
}

/// The same configuration for another version.
pub(crate) fn for_version(config: &str, version: &str) -> String {
    let mut parts = config.split("kubernetesVersion");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        let begin = rest.find(|c: char| c == 'v' || c.is_ascii_digit());
        let begin = begin.unwrap_or(rest.len());
        let is_end = |c: char| c.is_whitespace() || ",\"'}#".contains(c);
        let end = rest[begin..]
            .find(is_end)
            .map_or(rest.len(), |end| begin + end);
        text += "kubernetesVersion";
        text += &rest[..begin];
        text += version;
        text += &rest[end..];
    }
    text
}

/// Every difference, in words.
pub(crate) fn compare(
    (theirs, their_start): (&DryRun, Init),
    (ours, our_start): (&Ours, Init),
) -> Vec<String> {
    let take = |disk, start| Snapshot::take(disk, &[], start).expect("files can be read");
    let found = rinit_parity::compare(
        &take(&theirs.disk, their_start),
        &take(&ours.disk, our_start),
    );
    let mut differences: Vec<String> = found.iter().map(ToString::to_string).collect();
    objects(theirs, ours, &mut differences);
    tokens(theirs, ours, &mut differences);
    node(theirs, &ours.marks, &mut differences);
    let folders = theirs.said.lines().filter_map(|line| {
        line.strip_prefix("[etcd] Would ensure that \"")?
            .strip_suffix("\" directory is present")
    });
    for folder in folders {
        if !ours.folders.iter().any(|ours| ours == folder) {
            differences.push(format!("folder {folder}: kubeadm alone makes it"));
        }
    }
    let endpoint = theirs.said.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix("kubeadm join ")?;
        Some(rest.split(' ').next().unwrap_or(rest).to_owned())
    });
    if endpoint != ours.endpoint {
        differences.push(format!("join at {endpoint:?}, ours {:?}", ours.endpoint));
    }
    differences
}

fn objects(theirs: &DryRun, ours: &Ours, differences: &mut Vec<String>) {
    let name = |object: &Value| {
        format!(
            "{} {}/{}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["namespace"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        )
    };
    let mut left: Vec<&Value> = theirs
        .objects
        .iter()
        .filter(|object| !is_token(object))
        .collect();
    for spec in &ours.objects {
        let title = name(&spec.body);
        let Some(index) = left.iter().position(|object| name(object) == title) else {
            differences.push(format!("object {title}: rinit alone makes it"));
            continue;
        };
        let mut theirs = left.remove(index).clone();
        let mut ours = spec.body.clone();
        // What only a running host can fill in.
        for fill in &spec.fills {
            for object in [&mut theirs, &mut ours] {
                if let Some(value) = object.pointer_mut(&fill.pointer) {
                    *value = json!("");
                }
            }
        }
        let (theirs, ours) = (normalised(&theirs), normalised(&ours));
        if theirs != ours {
            differences.push(format!("object {title}:\n{}", difference(&theirs, &ours)));
        }
    }
    for object in left {
        differences.push(format!("object {}: kubeadm alone makes it", name(object)));
    }
}

fn difference(theirs: &Value, ours: &Value) -> String {
    use rinit_manifest::yaml;
    let (theirs, ours) = (yaml::to_string(theirs), yaml::to_string(ours));
    let alone = |one: &str, other: &str, sign: &str| {
        one.lines()
            .filter(|line| !other.lines().any(|other| other == *line))
            .fold(String::new(), |all, line| {
                all + "    " + sign + " " + line + "\n"
            })
    };
    alone(&theirs, &ours, "-") + &alone(&ours, &theirs, "+")
}

fn is_token(object: &Value) -> bool {
    object["type"] == "bootstrap.kubernetes.io/token"
}

fn tokens(theirs: &DryRun, ours: &Ours, differences: &mut Vec<String>) {
    let theirs: Vec<&Value> = theirs
        .objects
        .iter()
        .filter(|object| is_token(object))
        .collect();
    if theirs.len() != ours.tokens.len() {
        differences.push(format!(
            "kubeadm makes {} tokens, rinit {}",
            theirs.len(),
            ours.tokens.len()
        ));
        return;
    }
    for (theirs, ours) in theirs.into_iter().zip(&ours.tokens) {
        token(theirs, ours, differences);
    }
}

fn token(theirs: &Value, ours: &BootstrapTokenSpec, differences: &mut Vec<String>) {
    let field = |key: &str| {
        let encoded = theirs["data"][key].as_str()?;
        let bytes = BASE64_STANDARD.decode(encoded).expect("base64");
        Some(String::from_utf8(bytes).expect("text"))
    };
    let id = field("token-id").unwrap_or_default();
    let mut check = |what: &str, theirs: String, ours: String| {
        if theirs != ours {
            differences.push(format!("token's {what}: kubeadm {theirs}, rinit {ours}"));
        }
    };
    if !ours.drawn {
        check("id", id, ours.id.clone());
    }
    let mut usages: Vec<String> = ["authentication", "signing"]
        .into_iter()
        .filter(|usage| field(&format!("usage-bootstrap-{usage}")).as_deref() == Some("true"))
        .map(str::to_owned)
        .collect();
    usages.sort();
    let mut our_usages = ours.usages.clone();
    our_usages.sort();
    check("usages", usages.join(","), our_usages.join(","));
    let groups = field("auth-extra-groups").unwrap_or_default();
    check("groups", groups, ours.groups.join(","));
    check(
        "description",
        format!("{:?}", field("description")),
        format!("{:?}", ours.description),
    );
    let life = field("expiration").map(|end| {
        let end: jiff::Timestamp = end.parse().expect("a moment");
        end.as_second() - jiff::Timestamp::now().as_second()
    });
    let our_life = ours
        .expires
        .map(|end| end.as_second() - host_facts().now.as_second());
    let alike = match (life, our_life) {
        (Some(one), Some(other)) => (one - other).abs() < SLACK,
        (one, other) => one == other,
    };
    if !alike {
        differences.push(format!(
            "token's life: kubeadm {life:?}, rinit {our_life:?} seconds"
        ));
    }
}

/// kubeadm tells of the node's labels and taints in words alone.
fn node(theirs: &DryRun, marks: &[NodeMark], differences: &mut Vec<String>) {
    let words = |begin: &str| -> Vec<String> {
        let lists = theirs.said.lines().filter_map(|line| {
            let (_, rest) = line
                .starts_with("[mark-control-plane] Marking the node ")
                .then(|| line.split_once(begin))??;
            rest.trim_start_matches('[').strip_suffix(']')
        });
        let mut words: Vec<String> = lists
            .flat_map(|list| list.split_whitespace().map(str::to_owned))
            .collect();
        words.sort();
        words
    };
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    let labels = marks.iter().flat_map(|mark| &mark.labels);
    let labels = sorted(labels.map(|label| (*label).to_owned()).collect());
    let taints = marks.iter().flat_map(|mark| &mark.taints);
    let taints = sorted(
        taints
            .map(|taint| {
                let value = taint.value.as_deref().filter(|value| !value.is_empty());
                let value = value.map(|value| format!("={value}")).unwrap_or_default();
                format!("{}{value}:{}", taint.key, taint.effect)
            })
            .collect(),
    );
    for (what, theirs, ours) in [
        ("labels", words("adding the labels: "), labels),
        ("taints", words("adding the taints "), taints),
    ] {
        if theirs != ours {
            differences.push(format!("node's {what}: kubeadm {theirs:?}, rinit {ours:?}"));
        }
    }
}

/// The object as the API server would keep it: without status, without what is empty, and with the
/// documents in its data read.
fn normalised(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    without_empty(object)
}

fn without_empty(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, without_empty(value)))
            .filter(|(_, value)| !is_empty(value))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        other => other,
    }
}
