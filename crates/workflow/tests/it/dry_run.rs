//! A dry run looks at everything, says what would be done, and writes nothing.

use rinit_diag::{ExitCode, Problem};
use rinit_plan::{Action, Check, CheckKind, Gate, Severity};
use rinit_workflow::{Event, Mode, Outcome, RunOutcome, Selection, State};

use crate::support::{Double, End, World, directory, file, go, go_all, init, leaf, object};

async fn dry(
    tree: &[rinit_workflow::Phase<rinit_facts::Facts>],
    double: &Double,
) -> crate::support::Ran {
    go(tree, &Selection::default(), Mode::DryRun, double).await
}

#[tokio::test]
async fn it_tells_what_a_run_then_does() {
    let tree = init();
    // From nothing, from what a run that stopped has left, and from what is complete.
    let mut worlds = vec![World::default()];
    for call in [3, 20, 40] {
        let double = Double::ending(World::default(), call, End::Halfway);
        go_all(&tree, &double).await;
        worlds.push(double.world());
    }
    let double = Double::default();
    go_all(&tree, &double).await;
    worlds.push(double.world());
    for world in worlds {
        let double = Double::over(world.clone());
        let told = dry(&tree, &double).await;
        assert_eq!(told.outcome(), RunOutcome::DryRun);
        assert_eq!(double.world(), world, "a dry run wrote");
        let log = double.log.lock().unwrap().clone();
        assert!(
            log.iter().all(|line| line.starts_with("inspect ")),
            "{log:?}"
        );

        let double = Double::over(world);
        let done = go_all(&tree, &double).await;
        assert_eq!(
            told.result.unwrap().changed,
            done.result.unwrap().changed,
            "the count that is foretold"
        );
    }
}

#[tokio::test]
async fn it_says_how_everything_stands() {
    let tree = [leaf(
        "one",
        vec![
            file("/held"),
            file("/absent"),
            file("/differs"),
            file("/unknown"),
            directory("/warned"),
        ],
    )];
    let double = Double::default()
        .answering("file /held", State::HOLDS)
        .answering(
            "file /differs",
            State::Differs {
                diff: "- a\n+ b".to_owned(),
            },
        )
        .answering(
            "file /unknown",
            State::Unknown {
                reason: "only root may look".to_owned(),
            },
        )
        .answering(
            "directory /warned",
            State::held_with(vec![Problem::new("it is old")]),
        );
    let ran = dry(&tree, &double).await;
    let told: Vec<(String, Outcome, Option<String>)> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepFinished {
                action,
                outcome,
                detail,
                ..
            } => Some((action.clone(), *outcome, detail.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            ("file /held".to_owned(), Outcome::Held, None),
            ("file /absent".to_owned(), Outcome::WouldCreate, None),
            (
                "file /differs".to_owned(),
                Outcome::WouldChange,
                Some("- a\n+ b".to_owned())
            ),
            (
                "file /unknown".to_owned(),
                Outcome::Unknown,
                Some("only root may look".to_owned())
            ),
            ("directory /warned".to_owned(), Outcome::Held, None),
        ]
    );
    assert_eq!(
        ran.events
            .iter()
            .filter(
                |event| matches!(event, Event::Warning { message, .. } if message == "it is old")
            )
            .count(),
        1
    );
}

#[tokio::test]
async fn not_being_root_is_no_refusal_but_everything_else_still_is() {
    let check = |name: &str, kind| {
        Action::Gate(Gate::Check(Check {
            name: name.to_owned(),
            severity: Severity::Error,
            ignored: false,
            kind,
        }))
    };
    let blocked = |message: &str| State::Blocked {
        problems: vec![Problem::new(message)],
        conflict: false,
    };
    let tree = [leaf(
        "preflight",
        vec![
            check("IsPrivilegedUser", CheckKind::Privileged),
            check("Swap", CheckKind::Swap),
        ],
    )];
    let double = Double::default().answering("check IsPrivilegedUser", blocked("not root"));
    let ran = dry(&tree, &double).await;
    assert_eq!(ran.outcome(), RunOutcome::DryRun);
    assert!(
        ran.events
            .iter()
            .any(|event| matches!(event, Event::Note { message, .. } if message == "not root"))
    );
    // A run that writes is refused.
    let ran = go_all(&tree, &double).await;
    assert_eq!(ran.result.unwrap_err().exit_code(), ExitCode::Blocked);

    let double = double.answering("check Swap", blocked("swap is on"));
    let ran = dry(&tree, &double).await;
    assert_eq!(
        ran.problems(),
        [("preflight: swap is on".to_owned(), String::new())]
    );
}

#[tokio::test]
async fn it_reports_what_is_missing_as_a_run_would() {
    let tree = [leaf("objects", vec![object("a", &[])])];
    let double = Double::default();
    let dry = dry(&tree, &double).await.problems();
    assert_eq!(dry.len(), 2, "{dry:?}");
    assert_eq!(dry, go_all(&tree, &double).await.problems());
}
