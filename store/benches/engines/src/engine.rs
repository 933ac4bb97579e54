//! What an engine must do to be measured.
//!
//! Guarantee: the same words mean the same for all of them. A put or delete that returns is
//! visible; with [`Durability::Synced`] it has been through `fdatasync`, without it is in the
//! host's page cache at least, so that it survives the process and not the host.

use std::error::Error;

use bytes::Bytes;

/// What comes of a step: an engine's own error is only printed.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// When a put or delete returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once the host has it.
    Cached,
    /// Once the disk has it.
    Synced,
}

/// Keys from one on, up to another one that is left out; `None` for all that follow.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// The first key.
    pub(crate) from: Vec<u8>,
    /// The first key that is not meant.
    pub(crate) to: Option<Vec<u8>>,
}

/// An open engine.
pub(crate) trait Engine: Send + Sync {
    /// Stores a value under a key.
    fn put(&self, key: &[u8], value: Bytes, durability: Durability) -> Outcome;

    /// Removes a key.
    fn delete(&self, key: &[u8], durability: Durability) -> Outcome;

    /// Shows the value of a key to `look`; `false` where there is none.
    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool>;

    /// Visits keys in order.
    fn keys(&self, span: &Span, visit: &mut dyn FnMut(&[u8])) -> Outcome;

    /// Visits keys in order, with their values.
    fn entries(&self, span: &Span, visit: &mut dyn FnMut(&[u8], &[u8])) -> Outcome;

    /// Waits until everything so far is on the disk.
    fn sync(&self) -> Outcome;

    /// Flushes everything from memory into files, merges the index into its final form, and waits
    /// for that.
    fn settle(&self) -> Outcome;

    /// Closes it in order.
    fn close(self: Box<Self>) -> Outcome;
}
