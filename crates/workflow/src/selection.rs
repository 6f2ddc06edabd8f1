//! Which leaves of the tree run: those asked for, without those to be skipped.

use rinit_diag::{Hint, probable};
use rinit_plan::Plan;

use crate::phase::{Body, Phase, Reach};

/// What the user selects, by full names such as `certs` or `certs/ca`; names cover their subtree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; everything, if empty.
    pub only: Vec<String>,
    /// None of these. Skipping wins over asking.
    pub skip: Vec<String>,
}

/// A name that no phase has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no phase \"{name}\"")]
pub struct SelectionError {
    /// What was asked for.
    pub name: String,
    /// The known name that was probably meant.
    pub meant: Option<String>,
}

impl Hint for SelectionError {
    fn hint(&self) -> Option<String> {
        let all = "`rinit init phase --help` lists all of them";
        Some(match &self.meant {
            Some(name) => format!("did you mean `{name}`? {all}"),
            None => all.to_owned(),
        })
    }
}

/// A leaf with its full name.
pub struct Step<'a, I> {
    /// The full name, such as `certs/ca`.
    pub name: String,
    /// What it acts on.
    pub reach: Reach,
    /// Whether it runs.
    pub selected: bool,
    pub(crate) plan: &'a (dyn Fn(&I) -> Plan + Send + Sync),
}

/// All leaves in order, with those marked that run.
pub fn leaves<'a, I>(
    tree: &'a [Phase<I>],
    selection: &Selection,
) -> Result<Vec<Step<'a, I>>, SelectionError> {
    let only = canonical(tree, &selection.only)?;
    let skip = canonical(tree, &selection.skip)?;
    let mut steps = Vec::new();
    collect(tree, "", &mut steps);
    for step in &mut steps {
        step.selected = (only.is_empty() || only.iter().any(|name| covers(name, &step.name)))
            && !skip.iter().any(|name| covers(name, &step.name));
    }
    Ok(steps)
}

/// Whether a name means a leaf: its own, or that of a group around it. `cert` is not `certs`.
fn covers(name: &str, leaf: &str) -> bool {
    leaf == name
        || leaf
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn collect<'a, I>(phases: &'a [Phase<I>], prefix: &str, steps: &mut Vec<Step<'a, I>>) {
    for phase in phases {
        let name = format!("{prefix}{}", phase.name);
        match &phase.body {
            Body::Group(children) => collect(children, &format!("{name}/"), steps),
            Body::Leaf { reach, plan } => {
                steps.push(Step {
                    name,
                    reach: *reach,
                    selected: false,
                    plan: plan.as_ref(),
                });
            }
        }
    }
}

/// The canonical full names of what was asked for, or the first that is unknown.
fn canonical<I>(tree: &[Phase<I>], names: &[String]) -> Result<Vec<String>, SelectionError> {
    names
        .iter()
        .map(|name| find(tree, name).ok_or_else(|| unknown(tree, name)))
        .collect()
}

fn find<I>(tree: &[Phase<I>], name: &str) -> Option<String> {
    let mut phases = tree;
    let mut found = String::new();
    for part in name.split('/') {
        // `certs/all` is a way to say `certs`.
        if !found.is_empty() && part.eq_ignore_ascii_case("all") {
            return Some(found);
        }
        let phase = phases.iter().find(|phase| phase.is_called(part))?;
        if !found.is_empty() {
            found.push('/');
        }
        found.push_str(phase.name);
        phases = match &phase.body {
            Body::Group(children) => children,
            Body::Leaf { .. } => &[],
        };
    }
    Some(found)
}

fn unknown<I>(tree: &[Phase<I>], name: &str) -> SelectionError {
    let mut names = Vec::new();
    all_names(tree, "", &mut names);
    SelectionError {
        name: name.to_owned(),
        meant: probable(name, names.iter().map(String::as_str)).map(str::to_owned),
    }
}

fn all_names<I>(phases: &[Phase<I>], prefix: &str, names: &mut Vec<String>) {
    for phase in phases {
        let name = format!("{prefix}{}", phase.name);
        if let Body::Group(children) = &phase.body {
            all_names(children, &format!("{name}/"), names);
        }
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Vec<Phase<()>> {
        let leaf = |name| Phase::leaf(name, "", Reach::Files, |()| Plan::default());
        vec![
            Phase::group("certs", "", [leaf("ca"), leaf("apiserver")]),
            leaf("certs-like"),
            leaf("wait-control-plane").with_aliases(&["wait"]),
        ]
    }

    fn selected(only: &[&str], skip: &[&str]) -> Result<Vec<String>, SelectionError> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let tree = tree();
        let steps = leaves(
            &tree,
            &Selection {
                only: names(only),
                skip: names(skip),
            },
        )?;
        Ok(steps
            .into_iter()
            .filter(|step| step.selected)
            .map(|step| step.name)
            .collect())
    }

    #[test]
    fn names_cover_their_subtree_and_nothing_else() {
        let all = [
            "certs/ca",
            "certs/apiserver",
            "certs-like",
            "wait-control-plane",
        ];
        assert_eq!(selected(&[], &[]).unwrap(), all);
        assert_eq!(
            selected(&["certs"], &[]).unwrap(),
            ["certs/ca", "certs/apiserver"]
        );
        assert_eq!(
            selected(&["certs/all"], &[]).unwrap(),
            ["certs/ca", "certs/apiserver"]
        );
        assert_eq!(
            selected(&[], &["certs"]).unwrap(),
            ["certs-like", "wait-control-plane"]
        );
        assert_eq!(
            selected(&["certs"], &["certs/ca"]).unwrap(),
            ["certs/apiserver"]
        );
        assert_eq!(selected(&["CERTS/CA"], &[]).unwrap(), ["certs/ca"]);
        assert_eq!(selected(&["wait"], &[]).unwrap(), ["wait-control-plane"]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_what_was_meant() {
        let error = selected(&["cert"], &[]).unwrap_err();
        assert_eq!(error.to_string(), "there is no phase \"cert\"");
        assert_eq!(error.meant.as_deref(), Some("certs"));
        let error = selected(&[], &["certs/apiservr"]).unwrap_err();
        assert_eq!(error.meant.as_deref(), Some("certs/apiserver"));
        assert!(selected(&["certs/ca/deeper"], &[]).is_err());
        assert_eq!(selected(&["nonsense"], &[]).unwrap_err().meant, None);
    }
}
