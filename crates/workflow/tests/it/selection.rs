//! What runs, what is skipped, and what is refused for its name or its reach.

use rinit_diag::{ExitCode, Hint};
use rinit_workflow::{Event, Mode, RunOptions, RunOutcome, Selection, WorkflowError, run};

use crate::support::{Double, Recorder, facts, file, go, go_all, init, leaf, only, without};

#[tokio::test]
async fn all_of_init_makes_everything_that_it_needs() {
    let double = Double::default();
    let ran = go_all(&init(), &double).await;
    let summary = ran.result.unwrap();
    assert_eq!(summary.outcome, RunOutcome::Completed);
    assert!(summary.changed > 50, "{} changes", summary.changed);
    assert_eq!(
        summary.changed,
        double.world().writes,
        "a change is a write, and looking is none"
    );
}

#[tokio::test]
async fn only_what_is_selected_acts() {
    let tree = [
        leaf("one", vec![file("/one")]),
        leaf("two", vec![file("/two")]),
        leaf("three", vec![file("/three")]),
    ];
    for (selection, expected) in [
        (only(&["two"]), vec!["file /two"]),
        (only(&["three", "one"]), vec!["file /one", "file /three"]),
        (without(&["two"]), vec!["file /one", "file /three"]),
        (
            Selection {
                only: vec!["one".to_owned(), "two".to_owned()],
                skip: vec!["one".to_owned()],
            },
            vec!["file /two"],
        ),
        (without(&["one", "two", "three"]), vec![]),
    ] {
        let double = Double::default();
        let ran = go(&tree, &selection, Mode::Apply, &double).await;
        assert_eq!(double.ensured(), expected, "{selection:?}");
        let Some(Event::RunStarted { phases, .. }) = ran.events.first() else {
            panic!("no start: {:?}", ran.events);
        };
        assert_eq!(phases.len(), expected.len());
    }
}

#[tokio::test]
async fn an_unknown_name_is_told_and_nothing_is_looked_at() {
    for selection in [only(&["kubeconfg"]), without(&["kubeconfg"])] {
        let double = Double::default();
        let ran = go(&init(), &selection, Mode::Apply, &double).await;
        let error = ran.result.unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Usage);
        assert!(error.hint().unwrap().contains("`kubeconfig`"));
        assert!(double.log.lock().unwrap().is_empty());
        let [
            Event::Problem { message, .. },
            Event::RunFinished { outcome, .. },
        ] = ran.events.as_slice()
        else {
            panic!("{:?}", ran.events);
        };
        assert_eq!(message, "there is no phase \"kubeconfg\"");
        assert_eq!(*outcome, RunOutcome::Refused);
    }
}

/// Runs against a folder.
async fn rooted(selection: &Selection, double: &Double) -> Result<(), WorkflowError> {
    let options = RunOptions {
        rooted: true,
        ..crate::support::options(Mode::Apply)
    };
    run(
        &init(),
        &facts(),
        selection,
        &options,
        double,
        &Recorder::default(),
    )
    .await
    .map(drop)
}

#[tokio::test]
async fn a_folder_has_no_host_and_the_hint_says_what_to_skip() {
    let double = Double::default();
    let error = rooted(&Selection::default(), &double).await.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Usage);
    let skip = "preflight,kubelet-start,wait-control-plane,upload-config,upload-certs,\
                mark-control-plane,bootstrap-token,kubelet-finalize,addon,show-join-command";
    assert_eq!(
        error.hint().unwrap(),
        format!("leave them out with `--skip-phases={skip}`")
    );
    assert!(double.log.lock().unwrap().is_empty());

    // What the hint says is enough.
    let names: Vec<&str> = skip.split(',').collect();
    rooted(&without(&names), &double).await.unwrap();
    assert!(!double.ensured().is_empty());

    // One phase alone is named in full, and so is a leaf whose group is asked for in part.
    let error = rooted(&only(&["addon/coredns", "certs"]), &Double::default())
        .await
        .unwrap_err();
    let WorkflowError::NeedsHost { phases, skip } = &error else {
        panic!("{error}");
    };
    assert_eq!(phases, &["addon/coredns"]);
    assert_eq!(skip, "addon");
}
