//! `-o json`: events for machines on stdout, one a line.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Place, Said, rendering};

/// The events, with what holds of all of them.
pub(crate) fn events(said: &Said) -> Vec<Value> {
    let events: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["version"], "rinit.events/v1", "{event}");
        assert_eq!(event["sequence"], index, "{event}");
        assert!(event["elapsedMilliseconds"].is_u64(), "{event}");
        assert!(event["event"].is_string(), "{event}");
    }
    let elapsed: Vec<u64> = events
        .iter()
        .filter_map(|event| event["elapsedMilliseconds"].as_u64())
        .collect();
    assert!(elapsed.is_sorted(), "time runs forward: {elapsed:?}");
    assert!(said.stdout.ends_with('\n'));
    let last = events.last().unwrap();
    assert_eq!(last["event"], "run-finished", "{last}");
    let ends = events
        .iter()
        .filter(|event| event["event"] == "run-finished")
        .count();
    assert_eq!(ends, 1);
    events
}

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

/// The start, with nothing before it but remarks.
fn started(events: &[Value]) -> &Value {
    events
        .iter()
        .find(|event| event["event"] != "note")
        .filter(|event| event["event"] == "run-started")
        .unwrap_or_else(|| panic!("the run does not start: {events:?}"))
}

#[test]
fn every_line_is_an_event_and_the_last_one_says_how_it_ended() {
    let place = Place::new();
    let words = format!("{} -o json", rendering("root"));

    let dry = events(&place.run(&format!("{words} --dry-run")).succeeded());
    assert_eq!(dry.last().unwrap()["outcome"], "dry-run");
    assert_eq!(started(&dry)["dryRun"], true);
    let foretold = dry.last().unwrap()["changed"].clone();

    let said = place.run(&words).succeeded();
    assert_eq!(said.stderr, "", "what is told is told on stdout");
    let first = events(&said);
    assert_eq!(started(&first)["kubernetesVersion"], "v1.37.1");
    assert_eq!(first.last().unwrap()["outcome"], "completed");
    assert_eq!(first.last().unwrap()["changed"], foretold);
    assert!(
        of(&first, "output").is_empty(),
        "no phase hands over anything"
    );
    let phases: BTreeSet<&str> = of(&first, "phase-started")
        .into_iter()
        .filter_map(|event| event["phase"].as_str())
        .collect();
    let planned = started(&first)["phases"].as_array().unwrap().iter();
    assert_eq!(phases, planned.filter_map(Value::as_str).collect());
    assert!(
        of(&first, "step-finished")
            .iter()
            .all(|event| event["outcome"] == "created")
    );

    let second = events(&place.run(&words).succeeded());
    assert_eq!(second.last().unwrap()["outcome"], "unchanged");
    assert_eq!(second.last().unwrap()["changed"], 0);
}

#[test]
fn problems_are_events_too() {
    let place = Place::new();
    place.render("root").succeeded();
    place.write("root/etc/kubernetes/pki/apiserver.crt", "none");
    place.write("root/etc/kubernetes/admin.conf", "none");
    let said = place.run(&format!("{} -o json", rendering("root")));
    assert_eq!(said.code, Some(4), "{}", said.shown());
    let refused = events(&said);
    assert_eq!(refused.last().unwrap()["outcome"], "refused");
    let problems = of(&refused, "problem");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[0]["phase"], "certs/apiserver");
    assert_eq!(problems[1]["phase"], "kubeconfig/admin");
    // One way out for both.
    assert!(problems.iter().all(|problem| problem["hint"].is_null()));
    let remedies = of(&refused, "remedy");
    assert_eq!(remedies.len(), 1, "{remedies:?}");
    assert_eq!(
        remedies[0]["commands"],
        serde_json::json!([
            "rinit certs renew apiserver admin.conf --config config.yaml --root root"
        ])
    );

    let said = place.run("init --config config.yaml --root root -o json");
    assert_eq!(said.code, Some(2), "{}", said.shown());
    assert_eq!(events(&said).last().unwrap()["outcome"], "refused");
}

#[test]
fn a_whole_init_is_foretold_in_events() {
    let place = Place::new();
    let said = place
        .run("init --config config.yaml --dry-run --ignore-preflight-errors all -o json")
        .succeeded();
    let told = events(&said);
    assert_eq!(told.last().unwrap()["outcome"], "dry-run");
    let actions = of(&told, "step-finished");
    assert!(actions.len() > 60, "{} actions", actions.len());
}
