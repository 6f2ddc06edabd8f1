//! Writes the seeds of a target into a folder, one file each: `seeds TARGET FOLDER`.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool of the checkout, not of rinit"
)]
#![expect(clippy::expect_used, reason = "a tool that cannot write fails")]

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, folder] = arguments.as_slice() else {
        panic!("usage: seeds TARGET FOLDER");
    };
    let target = rinit_fuzz::target(name).expect("a target of TARGETS");
    std::fs::create_dir_all(folder).expect("the folder");
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        std::fs::write(format!("{folder}/seed-{number:03}"), seed).expect("a seed");
    }
}
