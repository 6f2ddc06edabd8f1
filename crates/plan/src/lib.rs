//! The vocabulary of plans: actions, specifications and artefacts.
