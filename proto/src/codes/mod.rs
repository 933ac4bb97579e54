//! Open enumerations with names: message types and status codes.
//!
//! Guarantee: numbers that this version does not know survive. In layer order: [`message_type`],
//! [`status`].

pub mod message_type;

pub mod status;
