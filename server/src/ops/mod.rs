//! What a drive can do, one operation in one file.
//!
//! A [`Request`] is parsed from the wire, then [`begin`] asks for the grants that it needs and
//! makes it [`Work`]: an answer that is ready, a write for the store's queue, or a read that may
//! have to wait for the disk. In layer order: [`invalid`], [`answer`], [`status`] (errors to
//! statuses), [`entry`] (fields that operations share), the operations, [`request`].
//! Not here: sockets, queues, threads (`net`), and who speaks (`session`).

pub mod invalid;

pub mod answer;

pub mod status;

pub mod entry;

pub mod noop;

pub mod put;

pub mod delete;

pub mod get;

pub mod get_version;

pub mod neighbour;

pub mod range;

pub mod flush;

pub mod get_log;

pub mod request;

#[cfg(test)]
mod tests;

use kinetic_store::{Durability, Effort, Mutation};

pub use answer::{Answer, AnswerBody};
pub use invalid::Invalid;
pub use request::{Request, answers_with_entry};
pub use status::NotCached;

use crate::auth::{Access, Denied, Grant, grant};
use crate::device::Device;
use get::Extent;

/// What is left to do for a request.
#[derive(Debug)]
pub enum Work {
    /// Nothing: this is the answer.
    Done(Answer),
    /// A commit.
    Write(Write),
    /// A read.
    Read(Read),
}

/// A commit of one request.
#[derive(Debug)]
pub struct Write {
    /// What to change; nothing for a flush.
    pub mutations: Vec<Mutation>,
    /// When it counts as done.
    pub durability: Durability,
}

/// A read that holds its grants, or the access to ask for them once it knows the keys.
#[derive(Debug)]
pub enum Read {
    /// GET.
    Entry(Grant<grant::Read>, Extent),
    /// GETVERSION.
    Version(Grant<grant::Read>),
    /// GETNEXT and GETPREVIOUS.
    Neighbour(Access, neighbour::Neighbour),
    /// GETKEYRANGE.
    Range(Access, range::KeysInRange),
}

impl Read {
    /// Does it, with as much effort as the caller's thread can afford.
    pub fn run(&self, device: &Device, effort: Effort) -> Result<Answer, NotCached> {
        match self {
            Self::Entry(grant, extent) => get::run(grant, *extent, device, effort),
            Self::Version(grant) => get_version::run(grant, device, effort),
            Self::Neighbour(access, request) => neighbour::run(access, request, device, effort),
            Self::Range(access, request) => range::run(access, request, device, effort),
        }
    }
}

/// Checks permissions and says what is left to do.
pub fn begin(request: Request, access: &Access, device: &Device) -> Work {
    let entry_denied = |denied: Denied| Work::Done(Answer::of(denied.into()).with_entry());
    match request {
        Request::Noop => Work::Done(noop::run(access.known())),
        Request::Flush => {
            let (mutations, durability) = flush::plan(access.known());
            Work::Write(Write {
                mutations,
                durability,
            })
        }
        Request::Put(put) => match access.to_key(put.key.clone()) {
            Ok(grant) => Work::Write(Write {
                durability: put.durability,
                mutations: vec![put::mutation(grant, put)],
            }),
            Err(denied) => entry_denied(denied),
        },
        Request::Delete(delete) => match access.to_key(delete.key.clone()) {
            Ok(grant) => Work::Write(Write {
                durability: delete.durability,
                mutations: vec![delete::mutation(grant, delete)],
            }),
            Err(denied) => entry_denied(denied),
        },
        Request::Get(get) => match access.to_key(get.key) {
            Ok(grant) => Work::Read(Read::Entry(grant, get.extent)),
            Err(denied) => entry_denied(denied),
        },
        Request::GetVersion(get) => match access.to_key(get.key) {
            Ok(grant) => Work::Read(Read::Version(grant)),
            Err(denied) => entry_denied(denied),
        },
        Request::Neighbour(request) => Work::Read(Read::Neighbour(access.clone(), request)),
        Request::Range(request) => Work::Read(Read::Range(access.clone(), request)),
        Request::Logs(logs) => match access.to_drive() {
            Ok(grant) => Work::Done(get_log::run(&grant, logs, device)),
            Err(denied) => Work::Done(Answer::of(denied.into())),
        },
    }
}
