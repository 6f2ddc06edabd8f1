//! Ways out that are the same for several things: reported once for all of them.

use crate::event::{Event, Reporter};

/// A way out that many things may share: a sentence whose commands take the names of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The sentence, with commands in backticks. `{}` stands for the names.
    pub text: String,
    /// A sentence that is only for some of them, and follows once.
    pub note: Option<String>,
    /// The name of this thing.
    pub subject: String,
}

/// Reports each way out once, with all the names that it is for.
pub(crate) fn report(remedies: &[Remedy], reporter: &dyn Reporter) {
    for hint in merged(remedies) {
        let commands = commands(&hint);
        reporter.report(Event::Remedy { hint, commands });
    }
}

/// One sentence a way out, in the order in which they first came.
fn merged(remedies: &[Remedy]) -> Vec<String> {
    let mut texts: Vec<&str> = Vec::new();
    for remedy in remedies {
        add(&mut texts, &remedy.text);
    }
    texts
        .into_iter()
        .map(|text| {
            let (mut subjects, mut notes) = (Vec::new(), Vec::new());
            for remedy in remedies.iter().filter(|remedy| remedy.text == text) {
                add(&mut subjects, &remedy.subject);
                if let Some(note) = &remedy.note {
                    add(&mut notes, note);
                }
            }
            notes.insert(0, text);
            notes.join(" ").replace("{}", &subjects.join(" "))
        })
        .collect()
}

fn add<'a>(known: &mut Vec<&'a str>, one: &'a str) {
    if !known.contains(&one) {
        known.push(one);
    }
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
            note: (subject != "a").then(|| "Or go.".to_owned()),
            subject: subject.to_owned(),
        };
        let remedies = merged(&[
            remedy("Run `renew {}`.", "a"),
            remedy("Ask with `request {}`, and `install`.", "b"),
            remedy("Run `renew {}`.", "c"),
            remedy("Run `renew {}`.", "a"),
        ]);
        assert_eq!(
            remedies,
            [
                "Run `renew a c`. Or go.",
                "Ask with `request b`, and `install`. Or go."
            ]
        );
        assert_eq!(commands(&remedies[1]), ["request b", "install"]);
    }
}
