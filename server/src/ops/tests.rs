//! Operations against a store in RAM.
