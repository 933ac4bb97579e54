//! The host: its load, temperatures and addresses, looked at now and then.
//!
//! In layer order: [`kernel`] (what the kernel tells), [`sampler`] (the thread that asks).

mod kernel;

mod sampler;

pub(crate) use sampler::Sampler;
