//! What a host knows of a file or device before it becomes a drive.
//!
//! Guarantees: looking changes nothing. In layer order: `users` (is somebody else using it?),
//! `signature` (does something else lie on it?). Not here: the lock of a running drive.

mod users;

mod signature;

pub use signature::{Occupant, occupant, wipe_signatures};
pub use users::{HostRefusal, refuse_if_mounted_or_open};
