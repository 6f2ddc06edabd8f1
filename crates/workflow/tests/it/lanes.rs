//! Side by side where that is allowed, and told in plan order all the same.

use rinit_plan::Artefact;
use rinit_workflow::{Event, Outcome, RunOutcome, State};

use crate::support::{Double, End, World, file, go_all, image, leaf, object, path};

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
        vec![file("/a"), file("/b")],
        vec![image("a", false), file("/a"), image("b", false)],
    ] {
        let mut double = Double::default();
        double.delays = actions
            .iter()
            .map(|action| (action.to_string(), 5))
            .collect();
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
    double.delays = ["owner", "free", "owned", "last"]
        .map(|name| (format!("ConfigMap {name}"), 5))
        .into();
    let ran = go_all(&tree, &double).await;
    ran.result.as_ref().unwrap();
    assert_eq!(ran.told().len(), 4);
    let beside = double.beside.lock().unwrap();
    let pair =
        |left: &str, right: &str| (format!("ConfigMap {left}"), format!("ConfigMap {right}"));
    assert_eq!(
        *beside,
        [pair("owner", "free"), pair("owned", "last")].into(),
        "the double refuses what is begun too early"
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
