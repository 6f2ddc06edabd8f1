//! The order of actions: whatever depends on nothing runs side by side, across phases.

use rinit_facts::Facts;
use rinit_plan::{Action, Gate, LogicalPath, Resource, ResourceId, WaitSpec, WaitTarget};
use rinit_workflow::{Event, Outcome, Phase, RunOutcome, Selection, State};

use crate::support::{
    Double, DoubleError, World, access, directory, facts, file, go_all, image, init, key_pair,
    leaf, object, path, unit,
};

/// A world in which objects can be written.
fn with_api_server() -> World {
    World {
        artefacts: [ResourceId::ApiServer, ResourceId::File(path("/admin.conf"))].into(),
        ..World::default()
    }
}

fn delays<const N: usize>(delays: [(&str, usize); N]) -> std::collections::BTreeMap<String, usize> {
    delays.map(|(name, count)| (name.to_owned(), count)).into()
}

/// The names of what ended, in that order.
fn ended(double: &Double) -> Vec<String> {
    let log = double.log.lock().unwrap();
    log.iter()
        .filter_map(|line| line.strip_prefix("done "))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn independent_actions_run_side_by_side_and_are_reported_as_they_end() {
    let tree = [
        leaf("one", vec![image("slow", false), file("/a")]),
        leaf("two", vec![key_pair("/b"), object("c", &[])]),
    ];
    let mut double = Double::over(with_api_server());
    double.delays = delays([
        ("image slow", 20),
        ("file /a", 3),
        ("key pair /b", 9),
        ("ConfigMap c", 6),
    ]);
    let ran = go_all(&tree, &double).await;
    let order = ["file /a", "ConfigMap c", "key pair /b", "image slow"];
    assert_eq!(ended(&double), order);
    let reported: Vec<String> = ran.told().into_iter().map(|(name, _)| name).collect();
    assert_eq!(reported, order);
    assert_eq!(double.beside.lock().unwrap().len(), 6, "each beside each");
}

#[tokio::test]
async fn what_is_serial_or_uses_what_another_makes_runs_after_it() {
    for actions in [
        vec![image("a", true), image("b", true)],
        vec![unit(&[]), Resource::ClusterAdmins(access()).into()],
        vec![directory("/a"), file("/a/b")],
        vec![file("/a"), unit(&["/a"])],
        vec![object("owner", &[]), object("owned", &["owner"])],
    ] {
        let double = Double::over(with_api_server()).delaying(&actions);
        let ran = go_all(&[leaf("one", actions.clone())], &double).await;
        assert_eq!(ran.outcome(), RunOutcome::Completed);
        assert_eq!(*double.beside.lock().unwrap(), [].into(), "{actions:?}");
    }
}

/// The phases of init until the kubelet runs.
fn init_until_the_kubelet() -> Vec<Phase<Facts>> {
    let mut tree = init();
    let names = [
        "certs",
        "kubeconfig",
        "etcd",
        "control-plane",
        "kubelet-start",
    ];
    tree.retain(|phase| names.contains(&phase.name));
    assert_eq!(tree.len(), names.len());
    tree
}

fn actions(tree: &[Phase<Facts>]) -> Vec<Action> {
    let plans = rinit_workflow::plans(tree, &facts(), &Selection::default()).unwrap();
    plans.into_iter().flat_map(|plan| plan.actions).collect()
}

/// The kubelet starts without a certificate that it does not need, and each static pod waits for
/// those that it names.
#[tokio::test]
async fn the_kubelet_and_the_static_pods_wait_for_what_they_name_and_for_nothing_else() {
    let tree = init_until_the_kubelet();
    let actions = actions(&tree);
    let name = |text: &str| {
        let mut names = actions.iter().map(ToString::to_string);
        names.find(|name| name.starts_with(text)).unwrap()
    };
    let kubelet = "unit kubelet for 3 files".to_owned();
    let pod = |component: &str| format!("static pod /etc/kubernetes/manifests/{component}.yaml");
    for (slow, waiting, free) in [
        (
            name("certificate etcd-peer "),
            vec![pod("etcd")],
            vec![
                pod("kube-apiserver"),
                pod("kube-scheduler"),
                kubelet.clone(),
            ],
        ),
        (
            name("certificate front-proxy-client "),
            vec![pod("kube-apiserver")],
            vec![pod("etcd"), pod("kube-scheduler"), kubelet.clone()],
        ),
        (
            "kubeconfig /etc/kubernetes/scheduler.conf".to_owned(),
            vec![pod("kube-scheduler")],
            vec![pod("etcd"), pod("kube-apiserver"), kubelet.clone()],
        ),
        (
            "kubeconfig /etc/kubernetes/kubelet.conf".to_owned(),
            vec![kubelet.clone()],
            vec![pod("etcd"), pod("kube-apiserver"), pod("kube-scheduler")],
        ),
    ] {
        let mut double = Double::default();
        double.delays.insert(slow.clone(), 200);
        go_all(&tree, &double).await.result.unwrap();
        let ended = ended(&double);
        let at = |name: &String| {
            let found = ended.iter().position(|other| other == name);
            found.unwrap_or_else(|| panic!("{name} did not run: {ended:?}"))
        };
        for name in &waiting {
            assert!(at(&slow) < at(name), "{name} did not wait for {slow}");
        }
        for name in &free {
            assert!(at(name) < at(&slow), "{name} waited for {slow}");
        }
    }
}

/// After a failure nothing is begun; what is under way is ended and reported, of later phases too,
/// and the next run does the rest.
#[tokio::test]
async fn a_failure_is_reported_with_what_ended_beside_it() {
    let tree = [
        leaf("one", vec![key_pair("/a"), key_pair("/b")]),
        leaf("none", vec![]),
        leaf("two", vec![key_pair("/c")]),
        // The second of these makes a file that the first makes too.
        leaf("three", vec![key_pair("/d"), key_pair("/d.pub")]),
    ];
    let mut double = Double::default();
    double.failing = ["key pair /a".to_owned()].into();
    double.delays = delays([("key pair /c", 2), ("key pair /d", 4), ("key pair /b", 6)]);
    let ran = go_all(&tree, &double).await;
    assert_eq!(
        ran.told(),
        [
            ("key pair /a".to_owned(), Outcome::Failed),
            ("key pair /c".to_owned(), Outcome::Created),
            ("key pair /d".to_owned(), Outcome::Created),
            ("key pair /b".to_owned(), Outcome::Created),
        ]
    );
    assert!(matches!(
        ran.events.last(),
        Some(Event::RunFinished {
            outcome: RunOutcome::Failed,
            changed: 3,
            ..
        })
    ));
    let again = Double::over(double.world());
    go_all(&tree, &again).await.result.unwrap();
    assert_eq!(again.ensured(), ["key pair /a", "key pair /d.pub"]);
}

/// A wait that cannot end any more does not hold up the end of a run that has failed.
#[tokio::test]
async fn a_failure_ends_the_waits_beside_it() {
    let wait = Action::from(Gate::Wait(WaitSpec {
        target: WaitTarget::Kubelet {
            url: "http://127.0.0.1:10248/healthz".to_owned(),
        },
        limit_seconds: 240,
    }));
    let tree = [leaf("one", vec![wait, key_pair("/a")])];
    let mut double = Double::default();
    double.failing = ["key pair /a".to_owned()].into();
    double.delays = delays([("health of kubelet", usize::MAX), ("key pair /a", 3)]);
    let ran = go_all(&tree, &double).await;
    assert_eq!(ran.told(), [("key pair /a".to_owned(), Outcome::Failed)]);
    assert_eq!(ran.outcome(), RunOutcome::Failed);
}

/// The failure that ends the run is the first one in the plan, not the first that happened.
#[tokio::test]
async fn of_several_failures_the_first_in_the_plan_ends_the_run() {
    let tree = [
        leaf("one", vec![key_pair("/a")]),
        leaf("two", vec![key_pair("/c")]),
    ];
    let mut double = Double::default();
    double.failing = ["key pair /a", "key pair /c"].map(str::to_owned).into();
    double.delays = delays([("key pair /a", 5)]);
    let ran = go_all(&tree, &double).await;
    let reasons = ran.events.iter().filter_map(|event| match event {
        Event::StepFinished {
            action,
            outcome: Outcome::Failed,
            detail,
            ..
        } => Some((action.as_str(), detail.as_deref())),
        _ => None,
    });
    let reason = DoubleError::Stopped.to_string();
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            ("key pair /c", Some(reason.as_str())),
            ("key pair /a", Some(reason.as_str())),
        ]
    );
    assert_eq!(
        ran.result.unwrap_err().to_string(),
        "phase one: key pair /a"
    );
}

#[tokio::test]
async fn what_holds_is_left_alone() {
    let tree = [leaf(
        "pull",
        vec![image("a", false), image("b", false), image("c", false)],
    )];
    let double = Double::default().answering("image b", State::HOLDS);
    let ran = go_all(&tree, &double).await;
    assert_eq!(double.ensured(), ["image a", "image c"]);
    let mut told = ran.told();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        told,
        [
            ("image a".to_owned(), Outcome::Created),
            ("image b".to_owned(), Outcome::Held),
            ("image c".to_owned(), Outcome::Created),
        ]
    );
}

/// No more image pulls and API calls run at once than their limits allow.
#[tokio::test]
async fn each_kind_of_work_has_its_limit() {
    for (actions, limit) in [
        ((0..9).map(|n| image(&n.to_string(), false)).collect(), 4),
        ((0..20).map(|n| object(&n.to_string(), &[])).collect(), 8),
    ] {
        let actions: Vec<Action> = actions;
        let double = Double::over(with_api_server()).delaying(&actions);
        go_all(&[leaf("one", actions)], &double)
            .await
            .result
            .unwrap();
        assert_eq!(*double.most.lock().unwrap(), limit);
    }
}

/// The paths of a static pod's mounts, arguments and images.
#[test]
fn a_static_pod_reads_what_its_arguments_name() {
    let plans = rinit_workflow::plans(&init(), &facts(), &Selection::default()).unwrap();
    let reads = plans
        .iter()
        .flat_map(|plan| &plan.actions)
        .find_map(|action| match action {
            Action::Ensure(Resource::StaticPod(pod))
                if pod.file.path.file_name() == "kube-scheduler.yaml" =>
            {
                Some(action.reads())
            }
            _ => None,
        })
        .unwrap();
    let file = |text: &str| ResourceId::File(LogicalPath::parse(text).unwrap());
    assert_eq!(
        reads,
        [
            file("/etc/kubernetes/scheduler.conf"),
            ResourceId::Image(facts().cluster.images.scheduler.clone()),
        ]
    );
}
