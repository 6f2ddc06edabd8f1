//! The first look: everything that blocks a run, at once and before the first write.

use rinit_diag::{ExitCode, Hint, Problem};
use rinit_plan::{Action, Gate, Resource, ResourceId, WaitSpec, WaitTarget};
use rinit_workflow::{
    Event, Mode, Outcome, Remedy, RunOutcome, Selection, State, WorkflowError, leaves,
};

use crate::support::{
    Double, Ran, World, access, directory, file, go, go_all, init, leaf, object, only, path, unit,
    without,
};

fn blocked(message: &str, conflict: bool) -> State {
    State::Blocked {
        problems: vec![Problem::new(message).with_hint("Mend it.")],
        conflict,
    }
}

/// Leaves out each leaf of init in turn: either nothing misses it, or the run is refused before
/// the first write and every problem names the phase that would have made what is missing.
#[tokio::test]
async fn a_missing_artefact_is_told_with_the_phase_that_makes_it() {
    let tree = init();
    let names: Vec<String> = leaves(&tree, &rinit_workflow::Selection::default())
        .unwrap()
        .into_iter()
        .map(|step| step.name)
        .collect();
    let mut missed = Vec::new();
    for name in &names {
        let double = Double::default();
        let ran = go(&tree, &without(&[name]), Mode::Apply, &double).await;
        let Err(error) = &ran.result else {
            continue;
        };
        assert_eq!(error.exit_code(), ExitCode::Blocked, "without {name}");
        assert_eq!(ran.outcome(), RunOutcome::Refused);
        assert_eq!(double.ensured(), Vec::<String>::new(), "without {name}");
        for (message, hint) in ran.problems() {
            assert!(message.contains(", which is missing"), "{message}");
            let phase = name.replace('/', " ");
            assert_eq!(hint, format!("`rinit init phase {phase}` makes it"));
        }
        missed.push(name.as_str());
    }
    for needed in [
        "certs/ca",
        "certs/front-proxy-ca",
        "certs/etcd-ca",
        "kubeconfig/admin",
        "control-plane/apiserver",
    ] {
        assert!(
            missed.contains(&needed),
            "nothing misses {needed}: {missed:?}"
        );
    }
    assert!(!missed.contains(&"addon/kube-proxy"), "{missed:?}");
}

#[tokio::test]
async fn a_missing_api_server_is_told_with_the_first_phase_that_starts_it() {
    let double = Double::default();
    let skip = without(&["kubelet-start", "wait-control-plane", "kubelet-finalize"]);
    let ran = go(&init(), &skip, Mode::Apply, &double).await;
    for (message, hint) in ran.problems() {
        assert!(
            message.ends_with("needs an API server that answers, which is missing"),
            "{message}"
        );
        assert_eq!(hint, "`rinit init phase kubelet-start` makes it");
    }
    assert_eq!(double.world(), World::default());
}

#[tokio::test]
async fn every_problem_is_told_in_plan_order_and_once() {
    let tree = [
        leaf("one", vec![file("/good"), file("/one"), directory("/one")]),
        leaf("two", vec![file("/two"), unit(&["/config"]), file("/good")]),
        leaf("three", vec![file("/config")]),
    ];
    let double = Double::default()
        .answering("file /one", blocked("/one is broken", false))
        .answering("directory /one", blocked("/one is broken", false))
        .answering("file /two", blocked("/two is broken", false));
    let ran = go_all(&tree, &double).await;
    assert_eq!(
        ran.problems(),
        [
            ("one: /one is broken".to_owned(), "Mend it.".to_owned()),
            ("two: /two is broken".to_owned(), "Mend it.".to_owned()),
            (
                "two: unit kubelet needs /config, which is missing".to_owned(),
                "`rinit init phase three` makes it".to_owned()
            ),
        ]
    );
    let told: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Problem { message, .. } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(double.world(), World::default());
    assert!(!double.log.lock().unwrap().contains(&"prepare".to_owned()));
    assert_eq!(
        ran.result.unwrap_err().to_string(),
        "3 things block the run; nothing was written"
    );
}

#[tokio::test]
async fn a_cluster_of_another_configuration_has_its_own_exit_code() {
    let tree = [
        leaf("one", vec![file("/one")]),
        leaf("two", vec![file("/two")]),
    ];
    for (conflict, code) in [(true, ExitCode::Conflict), (false, ExitCode::Blocked)] {
        let double = Double::default()
            .answering("file /one", blocked("differs", conflict))
            .answering("file /two", blocked("is broken", false));
        let ran = go_all(&tree, &double).await;
        assert_eq!(ran.problems().len(), 2);
        assert_eq!(ran.result.unwrap_err().exit_code(), code);
    }
}

/// An authority that signs elsewhere: its action holds, and its key is not there all the same.
#[tokio::test]
async fn what_holds_gives_nothing_new() {
    let certs = only(&["certs"]);
    let ca = "CA ca (/etc/kubernetes/pki/ca.crt)";
    let external = World {
        artefacts: [ResourceId::File(path("/etc/kubernetes/pki/ca.crt"))].into(),
        held: [ca.to_owned()].into(),
        writes: 0,
    };
    let double = Double::over(external.clone());
    let ran = go(&init(), &certs, Mode::Apply, &double).await;
    let problems = ran.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for (message, _) in &problems {
        assert!(
            message.contains("needs /etc/kubernetes/pki/ca.key, which is missing"),
            "{message}"
        );
    }
    assert_eq!(double.world(), external);

    // With the leaves in place nothing misses the key.
    let mut complete = external;
    complete.held.extend(
        ["apiserver", "apiserver-kubelet-client"]
            .map(|name| format!("certificate {name} (/etc/kubernetes/pki/{name}.crt)")),
    );
    let double = Double::over(complete);
    let ran = go(&init(), &certs, Mode::Apply, &double).await;
    assert_eq!(ran.outcome(), RunOutcome::Completed);
    assert!(!double.ensured().contains(&ca.to_owned()));
}

#[tokio::test]
async fn what_two_phases_want_is_done_once() {
    let tree = [
        leaf("one", vec![directory("/shared"), file("/shared/a")]),
        leaf("two", vec![directory("/shared"), file("/shared/b")]),
    ];
    let double = Double::default();
    let ran = go_all(&tree, &double).await;
    assert_eq!(
        double.ensured(),
        ["directory /shared", "file /shared/a", "file /shared/b"]
    );
    assert_eq!(ran.told().len(), 3);
    // The second phase does it where the first is left out.
    let double = Double::default();
    go(&tree, &only(&["two"]), Mode::Apply, &double).await;
    assert_eq!(double.ensured(), ["directory /shared", "file /shared/b"]);
}

/// A problem that shows only once something was written is no "nothing was written".
#[tokio::test]
async fn a_late_problem_does_not_claim_that_nothing_was_written() {
    for conflict in [false, true] {
        let tree = [
            leaf("one", vec![file("/admin.conf"), unit(&["/admin.conf"])]),
            leaf("two", vec![object("kubeadm-config", &[])]),
        ];
        let double = Late {
            double: Double::default(),
            answer: blocked("the cluster differs", conflict),
        };
        let recorder = crate::support::Recorder::default();
        let options = crate::support::options(Mode::Apply);
        let result = rinit_workflow::run(
            &tree,
            &crate::support::facts(),
            &rinit_workflow::Selection::default(),
            &options,
            &double,
            &recorder,
        )
        .await;
        let error = result.unwrap_err();
        assert!(matches!(error, WorkflowError::Blocked { .. }), "{error}");
        assert!(
            !error.to_string().contains("nothing was written"),
            "{error}"
        );
        assert_eq!(error.exit_code(), ExitCode::Failure);
        assert_eq!(error.hint(), None);
        let events = recorder.events();
        assert!(
            matches!(
                events.last(),
                Some(Event::RunFinished {
                    outcome: RunOutcome::Failed,
                    changed: 2,
                    ..
                })
            ),
            "{:?}",
            events.last()
        );
    }
}

/// Answers for objects only once there is an API server.
struct Late {
    double: Double,
    answer: State,
}

impl rinit_workflow::Executor for Late {
    type Error = crate::support::DoubleError;

    async fn holds(&self, artefact: &ResourceId) -> rinit_workflow::Presence {
        self.double.holds(artefact).await
    }

    async fn inspect(&self, action: &Action) -> State {
        if !matches!(action, Action::Ensure(Resource::Object { .. })) {
            return self.double.inspect(action).await;
        }
        if self.double.holds(&ResourceId::ApiServer).await == rinit_workflow::Presence::Present {
            self.answer.clone()
        } else {
            State::Unknown {
                reason: "the API server does not answer yet".to_owned(),
            }
        }
    }

    fn prepare(&self, actions: &[&Action]) {
        self.double.prepare(actions);
    }

    async fn ensure(
        &self,
        action: &Action,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<rinit_workflow::Ensured, Self::Error> {
        self.double.ensure(action, progress).await
    }
}

/// A unit that ran at the first look is stale once one of its files was written anew.
#[tokio::test]
async fn what_held_is_looked_at_again_where_something_it_needs_was_made() {
    let tree = [
        leaf("files", vec![file("/config"), file("/other")]),
        leaf("start", vec![unit(&["/config"])]),
    ];
    let whole = Double::default();
    go_all(&tree, &whole).await.result.unwrap();
    for (gone, looks) in [("/config", 2), ("/other", 1)] {
        let mut world = whole.world();
        world.artefacts.remove(&ResourceId::File(path(gone)));
        world.held.remove(&format!("file {gone}"));
        let double = Double::over(world);
        go_all(&tree, &double).await.result.unwrap();
        let log = double.log.lock().unwrap();
        let looked = log
            .iter()
            .filter(|line| line.starts_with("inspect unit"))
            .count();
        assert_eq!(looked, looks, "without {gone}: {log:?}");
    }
}

/// What this user may not see is not written over: a dry run says so, a run is refused.
#[tokio::test]
async fn what_cannot_be_seen_is_not_written_over() {
    let tree = [leaf("one", vec![file("/secret"), file("/other")])];
    let double = Double::default().answering(
        "file /secret",
        State::Hidden {
            problem: Problem::new("cannot read /secret").with_hint("Run it with `sudo`."),
        },
    );
    let dry = go(
        &tree,
        &rinit_workflow::Selection::default(),
        Mode::DryRun,
        &double,
    )
    .await;
    assert_eq!(dry.outcome(), RunOutcome::DryRun);
    assert_eq!(
        dry.told(),
        [
            ("file /secret".to_owned(), Outcome::Hidden),
            ("file /other".to_owned(), Outcome::WouldCreate),
        ]
    );
    assert_eq!(dry.result.unwrap().changed, 1);
    let ran = go_all(&tree, &double).await;
    assert_eq!(
        ran.problems(),
        [(
            "one: cannot read /secret".to_owned(),
            "Run it with `sudo`.".to_owned()
        )]
    );
    assert_eq!(double.world(), World::default());
}

/// An API server that a killed run has started takes writes before it reports itself alive.
#[tokio::test]
async fn a_wait_that_is_over_gives_what_it_waited_for() {
    let wait = Action::Gate(Gate::Wait(WaitSpec {
        target: WaitTarget::ApiServer { access: access() },
        limit_seconds: 1,
    }));
    let tree = [
        leaf("wait", vec![wait.clone()]),
        leaf("objects", vec![object("one", &[])]),
    ];
    let world = World {
        artefacts: [ResourceId::File(path("/admin.conf"))].into(),
        ..World::default()
    };
    let double = Double::over(world).answering(&wait.to_string(), State::HOLDS);
    let everything = Selection::default();
    let dry = go(&tree, &everything, Mode::DryRun, &double).await;
    dry.result.unwrap();
    // Without the wait it is missing.
    let dry = go(&tree[1..], &everything, Mode::DryRun, &double).await;
    assert_eq!(dry.problems().len(), 1);
}

/// A run that is refused names in one command what is wrong and what is only warned of; a run that
/// goes on names the latter.
#[tokio::test]
async fn a_way_out_that_several_share_is_told_once() {
    let remedy = |subject: &str| Remedy {
        text: "Run `renew {}`.".to_owned(),
        note: None,
        subject: subject.to_owned(),
    };
    let warned = |subject: &str| State::Holds {
        warnings: vec![Problem::new("it is old")],
        remedy: Some(remedy(subject)),
        detail: None,
    };
    let unfit = |subject: &str| State::Unfit {
        problems: vec![Problem::new(format!("{subject} does not fit"))],
        remedy: remedy(subject),
    };
    let told = |ran: &Ran| -> Vec<String> {
        ran.events
            .iter()
            .filter_map(|event| match event {
                Event::Problem { hint, .. } | Event::Warning { hint, .. } => {
                    assert_eq!(*hint, None);
                    None
                }
                Event::Remedy { hint, commands } => {
                    assert_eq!(hint, &format!("Run `{}`.", commands.join(" ")));
                    Some(commands.join(" "))
                }
                _ => None,
            })
            .collect()
    };
    let tree = [
        leaf("one", vec![file("/a"), file("/b")]),
        leaf("two", vec![file("/c"), file("/d")]),
    ];
    let double = Double::default()
        .answering("file /a", warned("a"))
        .answering("file /b", unfit("b"))
        .answering("file /c", State::HOLDS)
        .answering("file /d", unfit("d"));
    let ran = go_all(&tree, &double).await;
    assert_eq!(ran.outcome(), RunOutcome::Refused);
    assert_eq!(
        ran.result.as_ref().unwrap_err().exit_code(),
        ExitCode::Blocked
    );
    assert_eq!(told(&ran), ["renew a b d"]);
    let dry = go(&tree, &Selection::default(), Mode::DryRun, &double).await;
    assert_eq!(told(&dry), ["renew a b d"]);

    let double = Double::default()
        .answering("file /a", warned("a"))
        .answering("file /b", State::HOLDS)
        .answering("file /c", warned("c"))
        .answering("file /d", State::HOLDS);
    let ran = go_all(&tree, &double).await;
    assert_eq!(ran.outcome(), RunOutcome::Unchanged);
    assert_eq!(told(&ran), ["renew a c"]);
}
