//! Inputs that fuzzers found to be bad, and the seeds, through the targets.
#![expect(
    clippy::disallowed_methods,
    reason = "the kept inputs are files of the checkout"
)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use rinit_fuzz::TARGETS;

fn directory(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

#[test]
fn what_was_once_bad_is_read_to_the_end() {
    let mut kept = 0;
    for entry in std::fs::read_dir(directory("fuzz")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let target = rinit_fuzz::target(&name).unwrap_or_else(|| panic!("no target {name}"));
        for file in files(&path) {
            println!("{}", file.display());
            (target.run)(&std::fs::read(&file).unwrap());
            kept += 1;
        }
    }
    assert!(kept > 0, "the directory of kept inputs is empty");
}

/// A target that takes nothing for good would fuzz its first check only.
#[test]
fn every_target_takes_one_of_its_seeds_for_good() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let taken = seeds.iter().filter(|seed| (target.run)(seed)).count();
        println!("{}: {taken} of {} seeds", target.name, seeds.len());
        assert!(taken > 0, "{}", target.name);
    }
}

#[test]
fn every_target_has_its_binary() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let binaries: Vec<&str> = manifest
        .split("[[bin]]\nname = \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(binaries, targets);
}

#[test]
fn the_examples_go_all_the_way() {
    let run = rinit_fuzz::target("config_bytes").unwrap().run;
    for file in files(&directory("configs/valid")) {
        if file
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            assert!(run(&std::fs::read(&file).unwrap()), "{}", file.display());
        }
    }
    for file in files(&directory("configs/invalid")) {
        run(&std::fs::read(&file).unwrap());
    }
}
