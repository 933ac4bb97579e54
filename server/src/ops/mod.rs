//! What a drive can do, one operation in one file.
//!
//! A [`Request`] is parsed from the wire, then [`begin`] asks for the grants that it needs and
//! makes it [`Work`]: an answer that is ready, a write for the store's queue, or a read that may
//! have to wait for the disk. In layer order: [`acl`] (lists of identities), [`invalid`],
//! [`answer`], [`status`] (errors to statuses), [`repeats`] (how often a field may stand),
//! [`entry`] (fields that operations share), the operations ([`acl_log`], [`scrub_log`] and
//! [`messages_log`] are parts of [`get_log`], [`tags`] of [`media_scan`], [`walk`] of those on
//! ranges; [`extended`] has those beyond the protocol), [`change`] (those that change the drive
//! itself), [`request`], [`batch`] (several requests as one), [`work`]. Not here: sockets, queues,
//! threads (`net`), and who speaks (`session`).

pub mod acl;

pub mod invalid;

pub mod answer;

pub mod status;

pub mod repeats;

pub mod entry;

pub mod noop;

pub mod put;

pub mod delete;

pub mod get;

pub mod get_version;

pub mod neighbour;

pub mod range;

pub mod walk;

pub mod count;

pub mod range_metadata;

pub mod range_digest;

pub mod multi_get;

pub mod exists;

pub mod get_part;

pub mod tags;

pub mod media_scan;

pub mod media_optimize;

pub mod flush;

pub mod push;

pub mod acl_log;

pub mod scrub_log;

pub mod messages_log;

pub mod extended;

pub mod get_log;

pub mod security;

pub mod setup;

pub mod power;

pub mod pinop;

pub mod change;

pub mod request;

pub mod batch;

pub mod work;

#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerBody};
pub use change::{Change, Verdict};
pub use invalid::Invalid;
pub use push::Push;
pub use request::{Control, Request, answers_with_entry};
pub use status::{NotCached, Unfinished};
pub use work::{Read, Work, Write, admit, begin};
