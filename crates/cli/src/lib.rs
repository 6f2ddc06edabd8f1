//! The command line as clap types, with init phases built from the phase tree.
