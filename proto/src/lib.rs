//! The Open Kinetic protocol without I/O: frames, envelope, signatures, messages, limits.
//!
//! Protocol 4.0.1, and 3.x where it differs. Nothing here opens a socket, reads a clock or keeps
//! a key in readable form; docs/PROTOCOL.md describes the wire itself. From the bottom:
//!
//! - [`generated`], as `schema`: the messages as generated from `kinetic.proto`
//! - [`limits`]: every bound of the protocol, and the message that reports them
//! - [`codes`]: message types and status codes, open enumerations with names
//! - [`wire`]: a bounded, panic-free reader of protobuf fields
//! - [`sign`]: HMAC-SHA1 of commands with precomputed key state
//! - [`frame`]: the incremental codec of `F`, two lengths, message and value
//! - [`envelope`]: borrowed views of Message, header and key-value body
//! - [`reply`]: frequent answers, written from borrowed parts
//! - [`message`]: writing whole messages, and reading them whole

pub mod generated;

pub mod limits;

pub mod codes;
pub mod wire;

pub mod sign;

pub mod frame;

pub mod envelope;
pub mod reply;

pub mod message;

pub use codes::message_type::{self, MessageType};
pub use codes::status::{self, StatusCode};
pub use envelope::{CommandView, HeaderView, KeyValueView, MessageView, Repeated};
pub use frame::{Frame, FrameDecoder, FrameError, FrameLimits, FrameValue};
#[doc(no_inline)]
pub use generated as schema;
pub use limits::Limits;
pub use message::{Received, Seal};
pub use reply::{Reply, StatusView};
pub use sign::SigningKey;
