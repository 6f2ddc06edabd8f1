//! Commands that plan from the state of the host rather than from facts alone.
