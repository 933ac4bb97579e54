//! Keys, and what is sealed with them.
//!
//! In layer order: [`derive`](mod@derive) (keys from keys), [`key`] (the data key and what protects
//! it), [`wrap`] (the data key as a superblock holds it), [`cipher`] (what lies in zones),
//! [`keys`] (which zone takes which key).
//! Guarantee: keys stand in memory only, and are overwritten when they are dropped.
//! Not here: who may say which PIN, and how many rounds a new one gets (the server).

pub mod derive;

pub mod key;

pub mod wrap;

pub mod cipher;

pub mod keys;

pub use cipher::{Cipher, Spot};
pub use derive::derive;
pub use key::{DataKey, Kdf, PinKey, Protection};
pub use keys::Keys;
