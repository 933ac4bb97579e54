//! Seeded histories of the production engine on a simulated disk.
//!
//! What it is: the engine as `kineticd` runs it, its workers stepped in an order that the seed
//! draws, on a disk that loses power, is killed, fails to sync, is full or rots; and a model that
//! knows what may be left. Guarantee: the same seed gives the same history, and its trace hash
//! proves it; a broken promise comes with the command that shows it again.
//! Not here: threads and sockets of the server.
//!
//! In layer order: `content` (values of which every byte is known), `violation` (what was broken),
//! `atlas` (what may go wrong, and where a machine may stop), `report` (what was reached), `model`
//! (what must be there), `watch` (what each disk call is for), `plan` (what the seed decides
//! beforehand), `machine` (all of it together), `run` (a history, and many of them).

mod content;

mod violation;

mod atlas;

mod report;

mod model;

mod watch;

mod plan;

mod machine;

mod run;

pub use atlas::{Call, Fault, Moment, Phase, Purpose, Site};
pub use report::{Least, Mark, Report, Stops, Tally};
pub use run::{Campaign, Progress, Verdict, run, run_all, shortest};
pub use violation::{BUGS, Promise, Violation};
