//! A run that was killed between two writes, at every one of them, and run again.

use std::collections::BTreeMap;

use crate::support::{Entry, Node};

/// No process has a number this high, as the kernel's limit is 2^22.
const DEAD: &str = "99999999";

#[tokio::test]
async fn a_run_that_was_killed_at_any_write_is_taken_up() {
    let whole = Node::whole().await;
    let made = whole.snapshot();
    let files = whole.files_in_order();
    assert_eq!(files.len(), 31, "{files:?}");
    for (count, next) in files.iter().enumerate() {
        let what = format!("killed while writing {next}");
        let node = Node::new();
        for path in &files[..count] {
            put(&node, &made, path);
        }
        // Half of the next file lies beside its place.
        let (folder, name) = next.rsplit_once('/').unwrap();
        let bytes = made[next].bytes.as_ref().unwrap();
        let leftover = format!("{folder}/.{name}.rinit-{DEAD}-7");
        put(&node, &made, next);
        node.remove(next);
        node.put(
            &leftover,
            &Entry {
                bytes: Some(bytes[..bytes.len() / 2].to_owned()),
                ..made[next].clone()
            },
        );

        node.complete(&what).await;

        let after = node.snapshot();
        for path in &files[..count] {
            assert_eq!(after[path].bytes, made[path].bytes, "{what}: {path}");
        }
        for (path, entry) in &after {
            assert!(!path.contains(".rinit-"), "{what}: {path} was left");
            assert_eq!(entry.mode, made[path].mode, "{what}: {path}");
        }
        assert_eq!(after.len(), made.len(), "{what}");
    }
}

/// Puts a file and the folders above it as the run that was killed had made them.
fn put(node: &Node, made: &BTreeMap<String, Entry>, path: &str) {
    for (index, _) in path.match_indices('/') {
        node.put(&path[..index], &made[&path[..index]]);
    }
    node.put(path, &made[path]);
}
