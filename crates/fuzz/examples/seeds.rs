//! Writes the seeds of a target into a directory, one file each: `seeds TARGET DIRECTORY`.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool of the checkout, not of rinit"
)]
#![expect(clippy::expect_used, reason = "a tool that cannot write fails")]

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, directory] = arguments.as_slice() else {
        panic!("usage: seeds TARGET DIRECTORY");
    };
    let target = rinit_fuzz::target(name).expect("a target of TARGETS");
    std::fs::create_dir_all(directory).expect("the directory");
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        std::fs::write(format!("{directory}/seed-{number:03}"), seed).expect("a seed");
    }
}
