//! The wire against hostile bytes and against the bytes of other programs, in layer order:
//!
//! - `captured`: frames of real clients and of the reference simulator, when they are at hand
//! - `document`: docs/PROTOCOL.md says what the code does
//! - `peers`: those frames are read, verify, and are written again as they were
//! - `fuzz`: the fuzz functions of every decoder, on mutations from fixed seeds

#[cfg(test)]
mod captured;
#[cfg(test)]
mod document;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod peers;
