//! Side by side where that is allowed, and told in plan order all the same.

use rinit_plan::{Action, Artefact};
use rinit_workflow::{Event, Outcome, Phase, RunOutcome, Selection, State};

use crate::support::{
    Double, DoubleError, End, World, access, facts, file, go_all, image, init, key_pair, leaf,
    object, path, unit,
};

/// A world in which objects can be written.
fn with_api_server() -> World {
    World {
        artefacts: [Artefact::ApiServer, Artefact::File(path("/admin.conf"))].into(),
        ..World::default()
    }
}

fn names(told: &[(String, Outcome)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn independent_neighbours_run_side_by_side_and_are_told_in_plan_order() {
    let tree = [leaf(
        "pull",
        vec![
            image("slow", false),
            image("quick", false),
            image("middling", false),
        ],
    )];
    let mut double = Double::default();
    double.delays = [
        ("image slow", 20),
        ("image quick", 1),
        ("image middling", 5),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into();
    let ran = go_all(&tree, &double).await;
    assert_eq!(
        names(&ran.told()),
        ["image slow", "image quick", "image middling"]
    );
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    assert_eq!(
        *double.beside.lock().unwrap(),
        [
            pair("image slow", "image quick"),
            pair("image slow", "image middling"),
            pair("image quick", "image middling"),
        ]
        .into()
    );
    // They did end in another order than the one they are told in.
    let ended: Vec<String> = double
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line.starts_with("done "))
        .cloned()
        .collect();
    assert_eq!(
        ended,
        ["done image quick", "done image middling", "done image slow"]
    );
}

#[tokio::test]
async fn what_is_serial_or_of_no_lane_runs_alone() {
    for actions in [
        vec![image("a", true), image("b", true)],
        vec![unit(&[]), Action::ClusterAdmins(access())],
        vec![file("/a"), file("/b")],
        vec![image("a", false), file("/a"), image("b", false)],
    ] {
        let double = Double::over(with_api_server()).delaying(&actions);
        let ran = go_all(&[leaf("one", actions.clone())], &double).await;
        assert_eq!(ran.outcome(), RunOutcome::Completed);
        assert_eq!(*double.beside.lock().unwrap(), [].into(), "{actions:?}");
    }
}

#[tokio::test]
async fn what_hangs_on_a_neighbour_waits_for_it() {
    let tree = [leaf(
        "objects",
        vec![
            object("owner", &[]),
            object("free", &[]),
            object("owned", &["owner"]),
            object("last", &[]),
        ],
    )];
    let mut double = Double::over(with_api_server());
    double.delays = [("owner", 5), ("free", 9), ("owned", 9), ("last", 3)]
        .map(|(name, count)| (format!("ConfigMap {name}"), count))
        .into();
    let ran = go_all(&tree, &double).await;
    ran.result.as_ref().unwrap();
    assert_eq!(
        names(&ran.told()),
        ["owner", "free", "owned", "last"].map(|name| format!("ConfigMap {name}"))
    );
    let beside = double.beside.lock().unwrap();
    let pair =
        |left: &str, right: &str| (format!("ConfigMap {left}"), format!("ConfigMap {right}"));
    assert_eq!(
        *beside,
        [
            pair("owner", "free"),
            pair("owner", "last"),
            pair("free", "last"),
            // It waits for its owner alone.
            pair("free", "owned"),
        ]
        .into(),
        "the double refuses what is begun too early"
    );
}

/// The phases of init that write files alone.
const OF_FILES: [&str; 4] = ["certs", "kubeconfig", "etcd", "control-plane"];

fn init_of_files() -> Vec<Phase> {
    let mut tree = init();
    tree.retain(|phase| OF_FILES.contains(&phase.name));
    assert_eq!(tree.len(), OF_FILES.len());
    tree
}

fn actions(tree: &[Phase]) -> Vec<Action> {
    let plans = rinit_workflow::plans(tree, &facts(), &Selection::default()).unwrap();
    plans.into_iter().flat_map(|plan| plan.actions).collect()
}

#[tokio::test]
async fn credentials_of_all_phases_are_made_side_by_side_and_before_the_manifests() {
    let tree = init_of_files();
    let actions = actions(&tree);
    let name = |text: &str| {
        let mut names = actions.iter().map(ToString::to_string);
        names.find(|name| name.starts_with(text)).unwrap()
    };
    let ca = name("certificate authority ca ");
    let front_proxy_ca = name("certificate authority front-proxy-ca ");
    let api_server = name("certificate apiserver ");
    let front_proxy_client = name("certificate front-proxy-client ");
    let admin = name("kubeconfig ");
    let mut double = Double::default().delaying(&actions);
    // The other authority and what it signs come to their end in the meantime.
    double.delays.insert(ca.clone(), 50);
    let ran = go_all(&tree, &double).await;
    ran.result.as_ref().unwrap();
    let mut expected: Vec<String> = Vec::new();
    for action in &actions {
        let name = action.to_string();
        // The folder of the manifests is wanted by each of them.
        if !expected.contains(&name) {
            expected.push(name);
        }
    }
    assert_eq!(names(&ran.told()), expected);

    let beside = double.beside.lock().unwrap();
    let pair = |left: &String, right: &String| beside.contains(&(left.clone(), right.clone()));
    assert!(pair(&ca, &front_proxy_ca), "{beside:?}");
    assert!(pair(&ca, &front_proxy_client), "{beside:?}");
    assert!(pair(&api_server, &admin), "{beside:?}");
    // The double refuses what is made without its authority. Files and folders wait for all that
    // comes before them.
    let log = double.log.lock().unwrap();
    let at = |line: String| log.iter().position(|other| *other == line).unwrap();
    assert!(at(format!("done {front_proxy_client}")) < at(format!("done {ca}")));
    let files = expected.iter().position(|name| name.starts_with("folder "));
    for (index, name) in expected.iter().enumerate().skip(files.unwrap()) {
        assert!(name.starts_with("folder ") || name.starts_with("file "));
        for earlier in &expected[..index] {
            let (done, begun) = (format!("done {earlier}"), format!("ensure {name}"));
            assert!(at(done) < at(begun), "{name} and {earlier}");
        }
    }
}

/// What else is in several phases waits for the end of each.
#[tokio::test]
async fn only_credentials_run_beside_those_of_other_phases() {
    for (actions, together) in [
        ([key_pair("/a"), key_pair("/b")], true),
        ([image("a", false), image("b", false)], false),
        ([file("/a"), file("/b")], false),
        ([object("a", &[]), object("b", &[])], false),
    ] {
        let [one, two] = actions.clone();
        let tree = [leaf("one", vec![one]), leaf("two", vec![two])];
        let double = Double::over(with_api_server()).delaying(&actions);
        go_all(&tree, &double).await.result.unwrap();
        let beside = double.beside.lock().unwrap();
        assert_eq!(!beside.is_empty(), together, "{actions:?}");
    }
}

/// A failure in one phase: what was made beside it in others is told in the order of the plan, and
/// what was not begun is not told at all.
#[tokio::test]
async fn a_failure_beside_other_phases_is_told_with_what_they_made() {
    let tree = [
        leaf("one", vec![key_pair("/a"), key_pair("/b")]),
        leaf("none", vec![]),
        leaf("two", vec![key_pair("/c")]),
        // The second of these makes a file that the first makes too.
        leaf(
            "three",
            vec![key_pair("/d"), key_pair("/d.pub"), key_pair("/e")],
        ),
        leaf("four", vec![file("/f")]),
    ];
    let mut double = Double::ending(World::default(), 0, End::Before);
    double.delays = [("key pair /c", 2), ("key pair /d", 4), ("key pair /b", 6)]
        .map(|(name, count)| (name.to_owned(), count))
        .into();
    let ran = go_all(&tree, &double).await;
    let told: Vec<String> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PhaseStarted { phase } => Some(format!("{phase} starts")),
            Event::PhaseFinished { phase, changed, .. } => {
                Some(format!("{phase} ends with {changed}"))
            }
            Event::Action {
                action, outcome, ..
            } => Some(format!("{action}: {outcome:?}")),
            Event::Problem { phase, .. } => Some(format!("problem of {}", phase.as_ref().unwrap())),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "one starts",
            "key pair /a: Failed",
            "key pair /b: Created",
            "two starts",
            "key pair /c: Created",
            "two ends with 1",
            "three starts",
            "key pair /d: Created",
            "key pair /e: Created",
            "problem of one",
        ]
    );
    assert!(matches!(
        ran.events.last(),
        Some(Event::RunFinished {
            outcome: RunOutcome::Failed,
            changed: 4,
            ..
        })
    ));
    let again = Double::over(double.world());
    go_all(&tree, &again).await.result.unwrap();
    assert_eq!(
        again.ensured(),
        ["key pair /a", "key pair /d.pub", "file /f"]
    );
}

/// While the one is still made another fails: what would follow the one is not begun.
#[tokio::test]
async fn a_phase_of_which_nothing_was_begun_is_not_told_to_start() {
    let tree = [
        leaf("one", vec![key_pair("/d")]),
        leaf("two", vec![key_pair("/d.pub")]),
        leaf("three", vec![key_pair("/x")]),
    ];
    let mut double = Double::default();
    double.failing = ["key pair /x"].map(str::to_owned).into();
    double.delays = [("key pair /d".to_owned(), 5)].into();
    let ran = go_all(&tree, &double).await;
    let started: Vec<&str> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PhaseStarted { phase } => Some(phase.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(started, ["one", "three"]);
}

/// The failure that is told in full is the first in the plan, not the first that happened.
#[tokio::test]
async fn of_several_failures_the_first_in_the_plan_is_told() {
    let tree = [
        leaf("one", vec![key_pair("/a"), key_pair("/b")]),
        leaf(
            "two",
            vec![key_pair("/c"), key_pair("/d"), key_pair("/d.pub")],
        ),
    ];
    let mut double = Double::default();
    double.failing = ["key pair /a", "key pair /c"].map(str::to_owned).into();
    double.delays = [("key pair /a".to_owned(), 5)].into();
    let ran = go_all(&tree, &double).await;
    let reasons: Vec<Option<&str>> = ran
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Action {
                outcome: Outcome::Failed,
                detail,
                ..
            } => Some(detail.as_deref()),
            _ => None,
        })
        .collect();
    let reason = DoubleError::Stopped.to_string();
    assert_eq!(reasons, [None, Some(reason.as_str())]);
    assert_eq!(
        ran.told(),
        [
            ("key pair /a".to_owned(), Outcome::Failed),
            ("key pair /b".to_owned(), Outcome::Created),
            ("key pair /c".to_owned(), Outcome::Failed),
            ("key pair /d".to_owned(), Outcome::Created),
        ]
    );
    assert_eq!(
        ran.result.unwrap_err().to_string(),
        "phase one: key pair /a",
        "the other one failed before it"
    );
}

/// What fails is told where it stands in the plan, neighbours before and behind it are ended, and
/// nothing of a later group is begun.
#[tokio::test]
async fn a_failure_in_a_lane_is_told_in_its_place() {
    let tree = [
        leaf(
            "pull",
            vec![
                image("first", false),
                image("second", false),
                image("third", false),
            ],
        ),
        leaf("later", vec![file("/later")]),
    ];
    let names = ["image first", "image second", "image third"];
    for failing in 0..names.len() {
        let mut double = Double::ending(World::default(), failing, End::Before);
        double.delays = [("image first".to_owned(), 9)].into();
        let ran = go_all(&tree, &double).await;
        let mut expected = names.map(|name| (name.to_owned(), Outcome::Created));
        expected[failing].1 = Outcome::Failed;
        assert_eq!(ran.told(), expected, "call {failing} fails");
        assert!(
            matches!(
                ran.events.last(),
                Some(Event::RunFinished {
                    outcome: RunOutcome::Failed,
                    changed: 2,
                    ..
                })
            ),
            "{:?}",
            ran.events.last()
        );
        assert!(!double.ensured().contains(&"file /later".to_owned()));
        let error = ran.result.unwrap_err();
        assert!(
            error.to_string().starts_with("phase pull: image "),
            "{error}"
        );
        assert_eq!(
            rinit_diag::Hint::hint(&error).as_deref(),
            Some("Run it again.")
        );
        // What was done beside it stays done, and a second run does the rest.
        assert_eq!(double.world().held.len(), 2);
        let again = Double::over(double.world());
        go_all(&tree, &again).await.result.unwrap();
        assert_eq!(again.ensured().len(), 2);
    }
}

#[tokio::test]
async fn a_neighbour_that_holds_is_left_alone() {
    let tree = [leaf(
        "pull",
        vec![image("a", false), image("b", false), image("c", false)],
    )];
    let double = Double::default().answering("image b", State::HOLDS);
    let ran = go_all(&tree, &double).await;
    assert_eq!(double.ensured(), ["image a", "image c"]);
    assert_eq!(
        ran.told(),
        [
            ("image a".to_owned(), Outcome::Created),
            ("image b".to_owned(), Outcome::Held),
            ("image c".to_owned(), Outcome::Created),
        ]
    );
}
