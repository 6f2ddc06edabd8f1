//! A command that the crates under test know nothing of: it has two phases, one of which ensures
//! something and one of which removes something, and everything else is there already.

use rinit_diag::ExitCode;
use rinit_plan::{FileMode, FileSpec, LogicalPath, Plan, Removal, Resource};
use rinit_workflow::{Event, Mode, Outcome, Phase, Reach, RunOutcome};

use crate::support::Node;

/// What the command is planned from.
struct Move {
    old: LogicalPath,
    new: LogicalPath,
    text: String,
}

fn tree() -> Vec<Phase<Move>> {
    vec![
        Phase::leaf(
            "write",
            "Write the new file",
            Reach::Files,
            |input: &Move| {
                Plan::of([Resource::File(FileSpec {
                    path: input.new.clone(),
                    mode: FileMode::PUBLIC,
                    text: input.text.clone(),
                })])
            },
        ),
        Phase::leaf(
            "clean-up",
            "Remove the old file",
            Reach::Files,
            |input: &Move| {
                Plan::of([Removal::File {
                    after: Vec::new(),
                    path: input.old.clone(),
                }])
            },
        ),
    ]
}

fn input() -> Move {
    let path = |text: &str| LogicalPath::parse(text).unwrap();
    Move {
        old: path("/etc/old.conf"),
        new: path("/etc/new.conf"),
        text: "a: 2\n".to_owned(),
    }
}

#[tokio::test]
async fn a_command_of_two_phases_has_everything_that_init_has() {
    let node = Node::new();
    std::fs::create_dir(node.at("etc")).unwrap();
    node.write("etc/old.conf", "a: 1\n");
    node.write("etc/new.conf", "a: 1\n");
    let before = node.snapshot();
    let run = async |mode| node.run_tree("move", &tree(), &input(), mode).await;

    // Dry run, with a diff.
    let dry = run(Mode::DryRun).await;
    assert_eq!(dry.outcome(), RunOutcome::DryRun);
    let outcomes: Vec<Outcome> = dry.told().iter().map(|(_, outcome, _)| *outcome).collect();
    assert_eq!(outcomes, [Outcome::WouldChange, Outcome::WouldChange]);
    let diff = dry.told()[0].2.clone().unwrap();
    assert!(diff.contains("+a: 2"), "{diff}");
    assert!(node.snapshot() == before);

    // A failure has its exit code, and what is done stays done.
    node.remove("etc/old.conf");
    std::fs::create_dir(node.at("etc/old.conf")).unwrap();
    let failed = run(Mode::Apply).await;
    assert_eq!(failed.outcome(), RunOutcome::Failed);
    assert_eq!(failed.result.unwrap_err().exit_code(), ExitCode::Failure);
    assert_eq!(node.read("etc/new.conf"), b"a: 2\n");

    // The next run resumes.
    std::fs::remove_dir(node.at("etc/old.conf")).unwrap();
    node.write("etc/old.conf", "a: 1\n");
    let resumed = run(Mode::Apply).await;
    assert_eq!(resumed.outcome(), RunOutcome::Completed);
    assert_eq!(resumed.told().len(), 1, "{:?}", resumed.told());
    assert!(!node.at("etc/old.conf").exists());
    assert_eq!(run(Mode::Apply).await.outcome(), RunOutcome::Unchanged);

    // Events with the name of the command.
    let first = resumed.events.first();
    assert!(
        matches!(
            first,
            Some(Event::RunStarted {
                command: "move",
                ..
            })
        ),
        "{first:?}"
    );
    let steps = resumed.events.iter().filter_map(|event| match event {
        Event::StepFinished { step, .. } => Some(step.as_str()),
        _ => None,
    });
    let mut steps: Vec<&str> = steps.collect();
    steps.sort_unstable();
    assert_eq!(
        steps,
        [
            "clean-up/removal of file /etc/old.conf",
            "write/file /etc/new.conf"
        ]
    );
}
