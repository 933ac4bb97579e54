//! What the drive shows to whoever watches it: metrics and health, as texts.
//!
//! Guarantee: from memory alone, for a locked drive, too; nothing of what is stored is in it, and
//! how much it is does not depend on what peers send. `docs/METRICS.md` says what each means.
//!
//! In layer order: [`text`] (the format), [`traffic`] (requests and connections), [`engine`] (the
//! store), [`health`], [`mod@scrape`] (all metrics), [`mod@beat`] (heartbeats).
//! Not here: HTTP (`net::http`), counting (`device::statistics`, the store).

pub mod text;

pub mod traffic;

pub mod engine;

pub mod health;

pub mod scrape;

pub mod beat;

pub use beat::beat;
pub use health::Health;
pub use scrape::scrape;
pub use traffic::Present;
