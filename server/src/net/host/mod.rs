//! The host: its load, temperatures and addresses, looked at now and then.
//!
//! In layer order: [`sensors`] (temperatures), [`kernel`] (what else the kernel tells),
//! [`sampler`] (the thread that asks).

mod sensors;

mod kernel;

mod sampler;

pub(crate) use kernel::Host;
pub(crate) use sampler::Sampler;
