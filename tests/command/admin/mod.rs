//! What is done to drives themselves, and under TLS.

mod acls;
mod captures;
mod firmware;
mod fleets;
mod locks;
mod power;
mod trust;
