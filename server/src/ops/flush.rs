//! FLUSHALLDATA: everything that was queued before it is on the disk when it is answered, the
//! writes of other connections included.

use kinetic_store::{Durability, Mutation};

use crate::auth::{Grant, Known};

/// What the store is to do: nothing, durably, after all before it.
#[must_use]
pub fn plan(_grant: Grant<Known>) -> (Vec<Mutation>, Durability) {
    (Vec::new(), Durability::Flush)
}
