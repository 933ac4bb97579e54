//! The machine of a history: a disk, the production engine on it, and the model beside it.
//!
//! In layer order: `state` (all of it, and what a step does), `answers` (what commits are told,
//! against the model), `reads` (what reads show, against the model), `commits` (what is asked),
//! `secrets` (settings, PIN, erasing), `faults` (what goes wrong), `rot` (bits that flip in known
//! places), `starts` (how it stops and starts).

mod state;

mod answers;

mod reads;

mod commits;

mod secrets;

mod faults;

mod rot;

mod starts;

pub(super) use starts::{Start, Weather};
pub(super) use state::{Machine, Worker};
