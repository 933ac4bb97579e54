//! What whoever opens stores asks of hands.
//!
//! A drive opens its store anew when it is unlocked or erased, so it is given hands once, and these
//! take on each opening.

use std::fmt;
use std::io;

use crate::store::Store;

/// Whoever does the work of open stores.
pub trait Hands: Send + Sync + fmt::Debug {
    /// Does the work of this store from now on; a store is taken on once.
    ///
    /// # Errors
    /// What the host reports where it takes a thread and there is none.
    fn take_on(&self, store: &Store) -> io::Result<Box<dyn AtWork>>;
}

/// What works for one store. Dropping it ends that as a crash would: nothing more is done, and
/// nobody is told.
pub trait AtWork: Send + fmt::Debug {
    /// Gets everything done and synced that was submitted, then ends. `false` when the disk did not
    /// manage that.
    #[must_use]
    fn stop(self: Box<Self>) -> bool;
}
