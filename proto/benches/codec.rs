//! What the codec costs.
fn main() {}
