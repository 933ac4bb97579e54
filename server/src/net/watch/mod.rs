//! The port for whoever watches the drive: metrics and health by HTTP.
//!
//! In layer order: [`http`] (one exchange), [`port`] (who is let in, and what they may ask for).
//! Not here: what metrics say (`exposition`).

mod http;

mod port;

pub(crate) use port::{Watched, watch};
