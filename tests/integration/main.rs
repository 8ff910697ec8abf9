//! The tests that need the stack. One binary: linking is what costs.
