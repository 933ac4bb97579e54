//! The client against a drive that each test plays itself, and against captured answers.

mod fake_drive;

mod captures;
mod endings;
mod operations;
mod pipelining;
mod ranges;
mod timeouts;
