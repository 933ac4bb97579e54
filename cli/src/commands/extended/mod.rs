//! What only drives with extensions of the protocol can do: `count`, `exists`, `digest`, `diff`,
//! parts of values, and following the log of messages.

mod diff;
mod follow;
mod keys;

use super::connect;

pub(super) use diff::diff;
pub(super) use follow::follow;
pub(super) use keys::{count, digest, exists};
