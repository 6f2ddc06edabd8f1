//! Tables in `docs/` against rinit's own code: exit codes, phases, events.
//!
//! `RINIT_BLESS=1 cargo test -p xtask docs` writes the generated part of `docs/phases.md`
//! anew. The other tables are written by hand and only compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use rinit_diag::ExitCode;
use rinit_facts::{Facts, Role};
use rinit_plan::{Action, Gate, Plan, Resource};
use rinit_workflow::{
    Body, Event, JoinCommands, Outcome, Phase, Reach, Report, RunOutcome, Selection, Severity,
    leaves, plans,
};

use crate::scenarios::checkout;

/// The registry of the program itself, so that the order is the one in which phases run.
#[path = "../../../crates/rinit/src/registry.rs"]
mod registry;

const BEGIN: &str = "<!-- generated: begin -->\n";
const END: &str = "<!-- generated: end -->\n";

fn document(name: &str) -> PathBuf {
    checkout().join("docs").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(document(name)).unwrap()
}

/// The cells of the tables in a text, without heads.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with('|') && !line.contains("|---"))
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

/// What is not in both, with a sign that says where it is.
fn differences(documented: &[String], real: &[String]) -> Vec<String> {
    let lacking = real.iter().filter(|row| !documented.contains(row));
    let wrong = documented.iter().filter(|row| !real.contains(row));
    lacking
        .map(|row| format!("lacks: {row}"))
        .chain(wrong.map(|row| format!("wrong: {row}")))
        .collect()
}

fn exit_code_differences(text: &str) -> Vec<String> {
    let documented: Vec<String> = rows(text)
        .iter()
        .skip(1)
        .map(|cells| cells.join(" | "))
        .collect();
    let real: Vec<String> = ExitCode::ALL
        .iter()
        .map(|(code, meaning)| format!("{} | {code:?} | {meaning}", *code as u8))
        .collect();
    differences(&documented, &real)
}

#[test]
fn every_exit_code_is_documented() {
    let found = exit_code_differences(&read("exit-codes.md"));
    assert!(found.is_empty(), "docs/exit-codes.md: {found:#?}");
}

#[test]
fn an_exit_code_that_is_wrong_or_lacking_is_found() {
    let text = read("exit-codes.md");
    let with_wrong = text.replace("| 2 | Usage", "| 7 | Usage");
    assert_eq!(exit_code_differences(&with_wrong).len(), 2);
    let lacking: String = text
        .lines()
        .filter(|line| !line.starts_with("| 5 "))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(exit_code_differences(&lacking).len(), 1);
}

/// The part of `docs/phases.md` that is made from the phase trees and the plans of
/// `testdata/configs/minimal.yaml`.
fn phases(init: &[Phase<Facts>]) -> String {
    let of_join = rinit_testkit::join_facts("minimal", Role::ControlPlane);
    format!(
        "\n## `rinit init`\n{}\n## `rinit join --control-plane`\n{}",
        of_command(init, &rinit_testkit::facts("minimal")),
        of_command(&registry::join(), &of_join)
    )
}

fn of_command(tree: &[Phase<Facts>], facts: &Facts) -> String {
    let all = Selection::default();
    let steps = leaves(tree, &all).unwrap();
    let plans = plans(tree, facts, &all).unwrap();
    let mut text = String::new();
    for phase in tree {
        let aliases = match phase.aliases {
            [] => String::new(),
            aliases => format!(" (also `{}`)", aliases.join("`, `")),
        };
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n### `{}`{aliases}\n\n{}.\n\n| leaf | acts on | makes hold |\n|---|---|---|\n",
            phase.name, phase.about
        );
        let inner = format!("{}/", phase.name);
        for (step, plan) in steps.iter().zip(&plans) {
            let below = matches!(phase.body, Body::Group(_)) && step.name.starts_with(&inner);
            if below || step.name == phase.name {
                let _ = writeln!(
                    text,
                    "| `{}` | {} | {} |",
                    step.name,
                    reach(step.reach),
                    makes(plan)
                );
            }
        }
    }
    text
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Files => "files",
        Reach::Host => "the running host",
        Reach::Cluster => "the API server",
    }
}

/// The actions of a plan in a cell; checks and images are counted, for they are many.
fn makes(plan: &Plan) -> String {
    let count = |is: fn(&Action) -> bool| plan.actions.iter().filter(|one| is(one)).count();
    let checks = count(|action| matches!(action, Action::Gate(Gate::Check(_))));
    let images = count(|action| matches!(action, Action::Ensure(Resource::Image(_))));
    let mut parts = Vec::new();
    if checks > 0 {
        parts.push(format!("{checks} checks"));
    }
    if images > 0 {
        parts.push(format!("{images} images"));
    }
    parts.extend(
        plan.actions
            .iter()
            .filter(|action| {
                !matches!(
                    action,
                    Action::Gate(Gate::Check(_)) | Action::Ensure(Resource::Image(_))
                )
            })
            .map(ToString::to_string),
    );
    if parts.is_empty() {
        parts.extend(plan.notes.iter().map(|note| format!("nothing: {note}")));
    }
    parts.join("<br>")
}

/// The text with another generated part; nothing if it has no place for one.
fn with_generated(text: &str, generated: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{generated}\n{END}{after}"))
}

#[test]
fn every_phase_is_documented() {
    let text = read("phases.md");
    let current = with_generated(&text, &phases(&registry::init()))
        .expect("docs/phases.md has the marks of its generated part");
    if std::env::var_os("RINIT_BLESS").is_some() {
        fs::write(document("phases.md"), &current).unwrap();
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let found = differences(&lines(&text), &lines(&current));
    assert!(
        text == current,
        "docs/phases.md is old; `RINIT_BLESS=1 cargo test -p xtask docs` mends it: {found:#?}"
    );
}

#[test]
fn a_phase_that_is_added_changes_the_document() {
    let mut tree = registry::init();
    let before = phases(&tree);
    tree.push(Phase::leaf("planted", "Do something", Reach::Files, |_| {
        Plan::nothing("a test")
    }));
    let after = phases(&tree);
    assert_eq!(before.matches("`planted`").count(), 0);
    assert!(after.contains("| `planted` | files | nothing: a test |"));
}

/// One event of every kind, with every field.
fn events() -> Vec<Event> {
    let text = || "x".to_owned();
    let all = vec![
        Event::RunStarted {
            command: "init",
            kubernetes_version: Some(text()),
            dry_run: false,
            phases: vec![text()],
        },
        Event::Note {
            phase: None,
            message: text(),
        },
        Event::Warning {
            phase: None,
            message: text(),
            hint: None,
        },
        Event::Problem {
            phase: None,
            message: text(),
            hint: None,
        },
        Event::Remedy {
            hint: text(),
            commands: vec![text()],
        },
        Event::Finding {
            severity: Severity::Error,
            rule: text(),
            file: text(),
            line: 1,
            column: 1,
            path: text(),
            message: text(),
            hint: None,
        },
        Event::PhaseStarted { phase: text() },
        Event::StepStarted {
            phase: text(),
            step: text(),
            action: text(),
        },
        Event::StepProgress {
            phase: text(),
            step: text(),
            message: text(),
        },
        Event::StepFinished {
            phase: text(),
            step: text(),
            action: text(),
            outcome: Outcome::Held,
            detail: Some(text()),
            milliseconds: 0,
        },
        Event::PhaseFinished {
            phase: text(),
            changed: 0,
            milliseconds: 0,
        },
        Event::Output {
            phase: text(),
            report: Report::Join(JoinCommands {
                worker: text(),
                control_plane: Some(text()),
                endpoint: text(),
                ca_certificate_hashes: vec![text()],
                certificates_uploaded: false,
                kubeconfig: text(),
            }),
        },
        Event::Output {
            phase: text(),
            report: Report::CertificateKey(text()),
        },
        Event::RunFinished {
            outcome: RunOutcome::Completed,
            changed: 0,
            milliseconds: 0,
        },
    ];
    // A new kind of event fails to compile here, and then belongs into the list.
    for event in &all {
        match event {
            Event::RunStarted { .. }
            | Event::Note { .. }
            | Event::Warning { .. }
            | Event::Problem { .. }
            | Event::Remedy { .. }
            | Event::Finding { .. }
            | Event::PhaseStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepProgress { .. }
            | Event::StepFinished { .. }
            | Event::PhaseFinished { .. }
            | Event::Output { .. }
            | Event::RunFinished { .. } => {}
        }
    }
    all
}

/// Fields of the events as `event | field`, `join | field` for those of the join commands.
fn event_fields() -> Vec<String> {
    let mut fields = Vec::new();
    for event in events() {
        let value = serde_json::to_value(&event).unwrap();
        let name = value["event"].as_str().unwrap().to_owned();
        let names = |value: &serde_json::Value, prefix: &str| -> Vec<String> {
            value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| *key != "event")
                .map(|(key, _)| format!("{prefix} | {key}"))
                .collect()
        };
        fields.extend(names(&value, &name));
        fields.extend(names(&value["join"], "join"));
    }
    // Each report is an event of its own, of the same kind.
    let mut known = BTreeSet::new();
    fields.retain(|field| known.insert(field.clone()));
    fields
}

/// The same of a text: under each heading `### \`name\``, the first cells of its table.
fn documented_fields(text: &str) -> Vec<String> {
    text.split("\n### `")
        .skip(1)
        .flat_map(|section| {
            let name = section.split('`').next().unwrap_or_default().to_owned();
            let section = section.split("\n## ").next().unwrap_or_default();
            rows(section)
                .into_iter()
                .skip(1)
                .map(move |cells| format!("{name} | {}", cells[0].trim_matches('`')))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_field_of_the_events_is_documented() {
    let text = read("events.md");
    let found = differences(&documented_fields(&text), &event_fields());
    assert!(found.is_empty(), "docs/events.md: {found:#?}");

    // The printer puts the version on, and keeps it to itself.
    let printer = fs::read_to_string(checkout().join("crates/rinit/src/printer/mod.rs")).unwrap();
    let version = printer
        .split("\"rinit.events/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("the printer names the version of the event stream");
    assert!(text.contains(&format!("`rinit.events/{version}`")));
}

#[test]
fn a_field_that_is_lacking_or_too_much_is_found() {
    let text = read("events.md");
    let lacking = text.replace("| `dryRun` |", "| `dry_run` |");
    assert_eq!(
        differences(&documented_fields(&lacking), &event_fields()),
        [
            "lacks: run-started | dryRun",
            "wrong: run-started | dry_run"
        ]
    );
}

/// The words that an outcome may be, as written.
fn words<T: serde::Serialize>(outcomes: &[T]) -> Vec<String> {
    outcomes
        .iter()
        .map(|outcome| serde_json::to_value(outcome).unwrap())
        .map(|value| format!("`{}`", value.as_str().unwrap()))
        .collect()
}

#[test]
fn every_outcome_is_documented() {
    let text = read("events.md");
    let mut all = words(&[
        Outcome::Held,
        Outcome::Created,
        Outcome::Changed,
        Outcome::Done,
        Outcome::WouldCreate,
        Outcome::WouldChange,
        Outcome::Unknown,
        Outcome::Failed,
    ]);
    all.extend(words(&[
        RunOutcome::Unchanged,
        RunOutcome::Completed,
        RunOutcome::DryRun,
        RunOutcome::Refused,
        RunOutcome::Failed,
    ]));
    let documented: Vec<String> = rows(&text)
        .into_iter()
        .map(|cells| cells[0].clone())
        .collect();
    for word in all {
        assert!(documented.contains(&word), "docs/events.md lacks {word}");
    }
}
