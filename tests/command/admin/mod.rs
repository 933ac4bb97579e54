//! What is done to drives themselves, and under TLS.

mod fleets;
mod trust;
