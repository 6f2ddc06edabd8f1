//! Stopped at every action of init, in every way, and run again: the end is always the same.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use rinit_facts::Facts;
use rinit_workflow::{Mode, Phase, RunOutcome, Selection, WorkflowError};

use crate::support::{Double, End, Recorder, World, check_events, facts, go_all, init};

/// Runs init until the double ends it.
async fn interrupted(tree: &[Phase<Facts>], double: &Double) {
    let facts = facts();
    let recorder = Recorder::default();
    let selection = Selection::default();
    let options = crate::support::options(Mode::Apply);
    let running = rinit_workflow::run(tree, &facts, &selection, &options, double, &recorder);
    let (_, end) = double.end.unwrap();
    match end {
        End::Before | End::Halfway | End::After => {
            let error = running.await.unwrap_err();
            assert!(matches!(error, WorkflowError::Action { .. }), "{error}");
            check_events(tree, &recorder.events());
        }
        End::Panic => {
            AssertUnwindSafe(running).catch_unwind().await.unwrap_err();
        }
        End::Silence => {
            let mut running = Box::pin(running);
            // Nothing in the double waits for a clock, so that after these rounds only the end is
            // left to wait for.
            for _ in 0..100 {
                assert!(running.as_mut().now_or_never().is_none(), "it ended");
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_anywhere_is_taken_up() {
    let tree = planned(&init());
    let whole = Double::default();
    go_all(&tree, &whole).await.result.unwrap();
    let actions = whole.ensured();
    assert!(actions.len() > 60, "{} actions", actions.len());
    let whole = whole.world();

    for end in [
        End::Before,
        End::Halfway,
        End::After,
        End::Panic,
        End::Silence,
    ] {
        for (call, name) in actions.iter().enumerate() {
            let first = Double::ending(World::default(), call, end);
            interrupted(&tree, &first).await;
            let left = first.world();
            if end != End::After || call + 1 < actions.len() {
                assert_ne!(left.held, whole.held, "{end:?} at {name} was no stop");
            }

            let second = Double::over(left.clone());
            let ran = go_all(&tree, &second).await;
            let expected = if left.writes == 0 || second.world().writes > left.writes {
                RunOutcome::Completed
            } else {
                RunOutcome::Unchanged
            };
            assert_eq!(ran.outcome(), expected, "{end:?} at {name}");
            let world = second.world();
            assert_eq!(world.artefacts, whole.artefacts, "{end:?} at {name}");
            assert_eq!(world.held, whole.held, "{end:?} at {name}");
            for held in &left.held {
                assert!(
                    !second.ensured().contains(held) || is_shown_again(held),
                    "{held} was done before {end:?} at {name}, and again"
                );
            }

            let third = Double::over(world.clone());
            let ran = go_all(&tree, &third).await;
            assert_eq!(ran.outcome(), RunOutcome::Unchanged, "{end:?} at {name}");
            assert_eq!(third.world(), world, "{end:?} at {name}");
            assert!(third.ensured().iter().all(|name| is_shown_again(name)));
        }
    }
}

/// The same leaves with plans that are made once, since hundreds of runs want them.
fn planned(tree: &[Phase<Facts>]) -> Vec<Phase<Facts>> {
    let all = Selection::default();
    let plans = rinit_workflow::plans(tree, &facts(), &all).unwrap();
    let steps = rinit_workflow::leaves(tree, &all).unwrap();
    steps
        .into_iter()
        .zip(plans)
        .map(|(step, plan)| Phase::leaf(step.name.leak(), "", step.reach, move |_| plan.clone()))
        .collect()
}

/// The join command is shown by every run.
fn is_shown_again(name: &str) -> bool {
    name == "join command"
}
