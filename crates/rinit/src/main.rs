//! The rinit program.

fn main() {}
