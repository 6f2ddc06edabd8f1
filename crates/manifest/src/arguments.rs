//! Command lines of the components: what rinit sets, and what the user adds or sets otherwise.

use rinit_facts::{Argument, Paths};
use rinit_plan::component::{Component, KUBECONFIG_FLAGS};

/// The arguments of a component as `--name=value`.
///
/// What rinit sets comes first, sorted by name, without those that the user names. The user's
/// arguments follow in the user's order, each as often as it was given.
pub fn command_line(
    base: impl IntoIterator<Item = (&'static str, String)>,
    extra: &[Argument],
) -> Vec<String> {
    let mut arguments: Vec<(&str, String)> = base
        .into_iter()
        .filter(|(name, _)| extra.iter().all(|argument| argument.name != *name))
        .collect();
    arguments.sort();
    arguments.extend(
        extra
            .iter()
            .map(|argument| (argument.name.as_str(), argument.value.clone())),
    );
    arguments
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

/// The arguments that name files which every node of kubeadm's has: certificates, keys and the
/// component's kubeconfig.
pub fn of_files(component: &Component, paths: &Paths) -> Vec<(&'static str, String)> {
    let kubeconfigs = component
        .kubeconfig
        .into_iter()
        .flat_map(|file| KUBECONFIG_FLAGS.map(|flag| (flag, paths.kubeconfig(file).to_string())));
    component
        .files
        .iter()
        .map(|(flag, file)| (*flag, paths.certificate_file(file).to_string()))
        .chain(kubeconfigs)
        .collect()
}

/// The value that the user gave for an argument: the last, which is the one that counts.
pub fn last_value<'a>(extra: &'a [Argument], name: &str) -> Option<&'a str> {
    extra
        .iter()
        .rev()
        .find(|argument| argument.name == name)
        .map(|argument| argument.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_arguments_replace_ours_and_follow_them() {
        let extra =
            [("v", "4"), ("b", "2"), ("audit", "x"), ("b", "1")].map(|(name, value)| Argument {
                name: name.into(),
                value: value.into(),
            });
        let base = [("c", "0"), ("b", "0"), ("a", "0")].map(|(name, value)| (name, value.into()));
        assert_eq!(
            command_line(base, &extra),
            ["--a=0", "--c=0", "--v=4", "--b=2", "--audit=x", "--b=1"]
        );
        assert_eq!(last_value(&extra, "b"), Some("1"));
        assert_eq!(last_value(&extra, "c"), None);
    }
}
