//! The strategic merge of Kubernetes: like a JSON merge, but lists of named things are merged
//! item by item, and a patch may hold directives.
//!
//! Directives: `$patch: replace` in a map, or in an item of a list that the other items of the
//! patch replace; `$patch: delete`, which empties a map and takes an item out of its list;
//! `$patch: merge`, which says what happens anyway; `$deleteFromPrimitiveList/<field>`,
//! `$setElementOrder/<field>` and `$retainKeys`.

use serde_json::{Map, Value};

/// How lists of the target are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeKeys {
    /// By the keys of pods and what contains pods: Deployments, DaemonSets.
    Workload,
    /// Every list is replaced, as in component configurations.
    None,
}

/// The field that tells the items of a list apart, by the name of the list (Kubernetes core/v1,
/// apps/v1). A list that does not stand here is replaced.
static WORKLOAD_KEYS: &[(&str, &str)] = &[
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("env", "name"),
    ("ports", "containerPort"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ownerReferences", "uid"),
    ("conditions", "type"),
];

/// Lists of plain values that are merged (Kubernetes meta/v1).
static WORKLOAD_SETS: &[&str] = &["finalizers"];

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Where a patch does not fit, and why.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) path: String,
    pub(super) reason: String,
}

/// How one list is merged.
#[derive(Clone, Copy)]
enum ListKind {
    Atomic,
    Keyed(&'static str),
    Set,
}

impl MergeKeys {
    fn of(self, field: &str) -> ListKind {
        if self == Self::None {
            return ListKind::Atomic;
        }
        match WORKLOAD_KEYS.iter().find(|(name, _)| *name == field) {
            Some((_, key)) => ListKind::Keyed(key),
            None if WORKLOAD_SETS.contains(&field) => ListKind::Set,
            None => ListKind::Atomic,
        }
    }
}

/// Merges a patch into a value.
pub(super) fn merge(value: Value, patch: Value, keys: MergeKeys) -> Result<Value, Misfit> {
    match (value, patch) {
        (Value::Object(map), Value::Object(patch)) => {
            Ok(Value::Object(merge_map(map, patch, keys, "")?))
        }
        _ => Err(misfit("", "a strategic merge patch is a mapping")),
    }
}

fn merge_map(
    mut map: Map<String, Value>,
    mut patch: Map<String, Value>,
    keys: MergeKeys,
    path: &str,
) -> Result<Map<String, Value>, Misfit> {
    match directive(&patch, path)? {
        Some(Directive::Replace) => {
            patch.remove(PATCH);
            return Ok(clean(patch));
        }
        Some(Directive::Delete) => return Ok(Map::new()),
        Some(Directive::Merge) => {
            patch.remove(PATCH);
        }
        None => {}
    }
    if let Some(retained) = patch.remove(RETAIN_KEYS) {
        let retained = retained.as_array().cloned().unwrap_or_default();
        map.retain(|key, _| retained.iter().any(|name| name == key));
    }
    let mut orders = Vec::new();
    let mut fields = Vec::new();
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix(DELETE_FROM) {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (map.get_mut(field), &value) {
                items.retain(|item| !gone.contains(item));
            }
        } else if let Some(field) = name.strip_prefix(SET_ORDER) {
            let Value::Array(order) = value else {
                return Err(misfit(&join(path, &name), "an order is a list"));
            };
            orders.push((field.to_owned(), order));
        } else {
            fields.push((name, value));
        }
    }
    for (name, value) in fields {
        let path = join(path, &name);
        match (map.remove(&name), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                map.insert(name, Value::Object(merge_map(old, new, keys, &path)?));
            }
            (Some(Value::Array(old)), Value::Array(new)) => {
                let kind = keys.of(&name);
                let server = old.clone();
                let mut merged = merge_list(old, new, kind, keys, &path)?;
                if let Some(at) = orders.iter().position(|(field, _)| *field == name) {
                    let (_, order) = orders.remove(at);
                    merged = arrange(merged, &order, &server, kind);
                }
                map.insert(name, Value::Array(merged));
            }
            (_, value) => {
                let new = match value {
                    Value::Object(new) => Value::Object(clean(new)),
                    Value::Array(new) => Value::Array(clean_list(new)),
                    other => other,
                };
                map.insert(name, new);
            }
        }
    }
    for (field, order) in orders {
        let kind = keys.of(&field);
        if let Some(Value::Array(items)) = map.get_mut(&field) {
            let server = items.clone();
            *items = arrange(std::mem::take(items), &order, &server, kind);
        }
    }
    Ok(map)
}

fn merge_list(
    mut items: Vec<Value>,
    patch: Vec<Value>,
    kind: ListKind,
    keys: MergeKeys,
    path: &str,
) -> Result<Vec<Value>, Misfit> {
    let server = items.clone();
    let (added, key) = match kind {
        ListKind::Atomic => return Ok(clean_list(patch)),
        ListKind::Set => {
            let fresh: Vec<Value> = patch
                .iter()
                .filter(|item| !items.contains(item))
                .cloned()
                .collect();
            items.extend(fresh);
            return Ok(arrange(items, &patch, &server, kind));
        }
        ListKind::Keyed(key) => (patch, key),
    };
    let mut order = Vec::new();
    let mut replaced = false;
    for item in added {
        let Value::Object(mut item) = item else {
            return Err(misfit(path, "an item of this list is a mapping"));
        };
        let directive = directive(&item, path)?;
        item.remove(PATCH);
        if directive == Some(Directive::Replace) {
            replaced = true;
            continue;
        }
        let Some(name) = item.get(key).cloned() else {
            return Err(misfit(path, &format!("an item has no `{key}`")));
        };
        let old = items.iter().position(|old| old.get(key) == Some(&name));
        match (directive, old) {
            (Some(Directive::Delete), _) => {
                items.retain(|old| old.get(key) != Some(&name));
                continue;
            }
            (_, Some(at)) => {
                let Value::Object(old) = std::mem::take(&mut items[at]) else {
                    continue;
                };
                items[at] = Value::Object(merge_map(old, item.clone(), keys, path)?);
            }
            (_, None) => items.push(Value::Object(clean(item.clone()))),
        }
        order.push(Value::Object(item));
    }
    if replaced {
        return Ok(clean_list(order));
    }
    Ok(arrange(items, &order, &server, kind))
}

/// Puts items that the patch names in the patch's order, and the others in the order they had. An
/// item that the patch does not name comes before one that it names only if it did so before.
fn arrange(items: Vec<Value>, order: &[Value], server: &[Value], kind: ListKind) -> Vec<Value> {
    let position =
        |list: &[Value], item: &Value| list.iter().position(|other| is_same(other, item, kind));
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = items
        .into_iter()
        .partition(|item| position(order, item).is_some());
    named.sort_by_key(|item| position(order, item));
    others.sort_by_key(|item| position(server, item));
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) = others.next_if(|other| {
            matches!((position(server, other), position(server, &item)),
                (Some(other), Some(item)) if other < item)
        }) {
            arranged.push(other);
        }
        arranged.push(item);
    }
    arranged.extend(others);
    arranged
}

fn is_same(left: &Value, right: &Value, kind: ListKind) -> bool {
    match kind {
        ListKind::Keyed(key) => left.get(key).is_some() && left.get(key) == right.get(key),
        ListKind::Set | ListKind::Atomic => left == right,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Replace,
    Delete,
    Merge,
}

fn directive(patch: &Map<String, Value>, path: &str) -> Result<Option<Directive>, Misfit> {
    match patch.get(PATCH).map(Value::as_str) {
        None => Ok(None),
        Some(Some("replace")) => Ok(Some(Directive::Replace)),
        Some(Some("delete")) => Ok(Some(Directive::Delete)),
        Some(Some("merge")) => Ok(Some(Directive::Merge)),
        Some(_) => Err(misfit(path, "`$patch` is `replace`, `delete` or `merge`")),
    }
}

/// A new part of the target, without what only speaks to the merge: nulls and directives.
fn clean(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(name, value)| {
            !value.is_null()
                && name != PATCH
                && name != RETAIN_KEYS
                && !name.starts_with(DELETE_FROM)
                && !name.starts_with(SET_ORDER)
        })
        .map(|(name, value)| {
            let value = match value {
                Value::Object(map) => Value::Object(clean(map)),
                Value::Array(items) => Value::Array(clean_list(items)),
                other => other,
            };
            (name, value)
        })
        .collect()
}

fn clean_list(items: Vec<Value>) -> Vec<Value> {
    items
        .into_iter()
        .filter(|item| item.get(PATCH).and_then(Value::as_str) != Some("delete"))
        .filter_map(|item| match item {
            // A lone directive, such as the first item of a list that replaces another.
            Value::Object(map) if map.len() == 1 && map.contains_key(PATCH) => None,
            Value::Object(map) => Some(Value::Object(clean(map))),
            Value::Array(items) => Some(Value::Array(clean_list(items))),
            other => Some(other),
        })
        .collect()
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

fn misfit(path: &str, reason: &str) -> Misfit {
    Misfit {
        path: if path.is_empty() {
            "the top".to_owned()
        } else {
            path.to_owned()
        },
        reason: reason.to_owned(),
    }
}
