//! The client against a drive that each test plays itself, and against captured answers.

#[cfg(test)]
mod fake_drive;

#[cfg(test)]
mod blocking;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod pipelining;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod timeouts;
#[cfg(test)]
mod tls;
