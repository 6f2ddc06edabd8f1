//! Command lines of the components: what rinit sets, and what the user adds or sets otherwise.

use rinit_facts::Argument;
use rinit_versions::MinorTable;

/// The arguments of a component as `--name=value`.
///
/// What rinit sets comes first, sorted by name, without those that the user names. The user's
/// arguments follow, each as often as it was given: in the user's order from Kubernetes 1.36 on,
/// before that sorted among the others.
pub fn command_line(
    base: impl IntoIterator<Item = (&'static str, String)>,
    extra: &[Argument],
    table: &MinorTable,
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
    if !table.ordered_extra_args {
        arguments.sort();
    }
    arguments
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
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
    use rinit_versions::MINORS;

    fn check(minor: u32, expected: &[&str]) {
        let table = MINORS.iter().find(|row| row.minor == minor).unwrap();
        let extra =
            [("v", "4"), ("b", "2"), ("audit", "x"), ("b", "1")].map(|(name, value)| Argument {
                name: name.into(),
                value: value.into(),
            });
        let base = [("c", "0"), ("b", "0"), ("a", "0")].map(|(name, value)| (name, value.into()));
        assert_eq!(command_line(base, &extra, table), expected, "1.{minor}");
        assert_eq!(last_value(&extra, "b"), Some("1"));
        assert_eq!(last_value(&extra, "c"), None);
    }

    #[test]
    fn the_users_arguments_replace_ours_and_follow_them() {
        check(
            37,
            &["--a=0", "--c=0", "--v=4", "--b=2", "--audit=x", "--b=1"],
        );
        check(
            36,
            &["--a=0", "--c=0", "--v=4", "--b=2", "--audit=x", "--b=1"],
        );
        check(
            35,
            &["--a=0", "--audit=x", "--b=1", "--b=2", "--c=0", "--v=4"],
        );
    }
}
