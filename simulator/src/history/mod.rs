//! Seeded histories of the production engine on a simulated disk.
//!
//! What it is: the engine as `kineticd` runs it, its workers stepped in an order that the seed
//! draws, on a disk that loses power, is killed, fails to sync, is full or rots; and a model that
//! knows what may be left. Guarantee: the same seed gives the same history, and its trace hash
//! proves it; a broken promise comes with the command that shows it again.
//! Not here: threads and sockets of the server.
//!
//! In layer order: `content` (values of which every byte is known), `violation` (what was broken),
//! `report` (what was reached), `model` (what must be there), `watch` (what each disk call is
//! for), `plan` (what the seed decides beforehand), `machine` (all of it together), `run`.

mod content;

mod violation;

mod report;

mod model;

mod watch;

mod plan;

mod machine;

mod run;

pub use report::{Mark, Report};
pub use run::{run, run_all};
pub use violation::{Promise, Violation};
