//! Ways out that are the same for several things: told once for all of them.

use crate::event::{Event, Reporter};

/// A way out that many things may share: a sentence whose commands take the names of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The sentence, with commands in backticks. `{}` stands for the names.
    pub text: String,
    /// The name of this thing.
    pub subject: String,
}

/// Tells each way out once, with all the names that it is for.
pub(crate) fn report(remedies: &[Remedy], reporter: &dyn Reporter) {
    for hint in merged(remedies) {
        let commands = commands(&hint);
        reporter.report(Event::Remedy { hint, commands });
    }
}

/// One sentence a way out, in the order in which they first came.
fn merged(remedies: &[Remedy]) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for Remedy { text, subject } in remedies {
        match found.iter_mut().find(|(known, _)| known == text) {
            None => found.push((text, vec![subject])),
            Some((_, subjects)) if subjects.contains(&subject.as_str()) => {}
            Some((_, subjects)) => subjects.push(subject),
        }
    }
    found
        .into_iter()
        .map(|(text, subjects)| text.replace("{}", &subjects.join(" ")))
        .collect()
}

/// What stands in backticks.
fn commands(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_way_out_is_named_in_one_command() {
        let remedy = |text: &str, subject: &str| Remedy {
            text: text.to_owned(),
            subject: subject.to_owned(),
        };
        let told = merged(&[
            remedy("Run `renew {}`.", "a"),
            remedy("Ask with `request {}`, and `install`.", "b"),
            remedy("Run `renew {}`.", "c"),
            remedy("Run `renew {}`.", "a"),
        ]);
        assert_eq!(
            told,
            ["Run `renew a c`.", "Ask with `request b`, and `install`."]
        );
        assert_eq!(commands(&told[1]), ["request b", "install"]);
    }
}
