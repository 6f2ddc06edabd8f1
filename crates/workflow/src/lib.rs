//! The phase tree, selection, data-flow check and run loop.
