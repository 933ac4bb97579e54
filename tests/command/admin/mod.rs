//! What is done to drives themselves, and under TLS.

mod captures;
mod fleets;
mod locks;
mod trust;
