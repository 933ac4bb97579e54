//! What waits at a connection: news, requests, answers, and the way back for each answer.
//!
//! In layer order: [`inbox`] (what it hears of), [`pending`] (what it waits for), [`upcoming`]
//! (writes that are not queued yet), [`outbox`] (what it has to send), [`intake`] (what it has
//! read).

pub(crate) mod inbox;

pub(crate) mod pending;

pub(crate) mod upcoming;

pub(crate) mod outbox;

pub(crate) mod intake;
