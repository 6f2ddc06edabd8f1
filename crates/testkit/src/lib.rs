//! Fixtures, comparisons and temporary roots for tests.
