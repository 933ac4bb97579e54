//! The client for programs without asynchronous code: calls that return with the answer.
//!
//! A [`Client`] runs its connection on a thread of its own, so that time-outs, the end of the
//! connection and requests in flight are as with [`crate::Client`]; calls may come from any number
//! of threads and share the connection. Builders are the same, ended by [`Request::send`], or by
//! [`Request::begin`], which leaves the answer for later and so has many in flight from one thread.
//!
//! ```no_run
//! use kinetic_client::Config;
//! use kinetic_client::blocking::Client;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("127.0.0.1:8123", Config::default())?;
//! client.put("greeting", "hello").force().send()?;
//! if let Some(entry) = client.get("greeting").send()? {
//!     println!("{} bytes", entry.value.len());
//! }
//! for key in client.prefix("photos/").keys() {
//!     println!("{:?}", key?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Within asynchronous code every call that waits panics, saying so, instead of blocking the tasks
//! beside it: use [`crate::Client`] there, or `spawn_blocking`.
//!
//! In layer order: `thread` (where the connection lives), [`request`] (builders), [`keys`],
//! [`batch`], [`client`] (the handle).
//!
//! Not here: administration (PINs, identities, set-up), which [`Client::run`] is for.

mod thread;

pub mod request;

pub mod keys;

pub mod batch;

pub mod client;

pub use batch::Batch;
pub use client::Client;
pub use keys::{Keys, Range};
pub use request::{Pending, Request};
