//! Hints, printing of error chains, and exit codes.
