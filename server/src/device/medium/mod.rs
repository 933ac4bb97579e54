//! What a drive is on its disk: the store, open or locked, and the settings.
//!
//! In layer order: [`owner`] (opening and stopping the store, changing settings), [`locking`]
//! (lock, unlock, erase, and the PINs for them).

pub mod owner;

pub mod locking;

pub use locking::{LockError, NewPin};
pub use owner::{Means, Medium, MediumError, Open, Unchanged};
