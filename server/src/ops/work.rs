//! From a request to what is left to do for it, once its permissions are checked.
//!
//! Guarantee: work holds its grants, or the access to ask for them once it knows the keys, so that
//! nothing is done that was not granted.

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::Status;
use kinetic_store::{Durability, Effort, Mutation};

use super::answer::Answer;
use super::change::Change;
use super::extended::{self, Extended};
use super::get::{self, Extent};
use super::media_optimize::{self, MediaOptimize};
use super::media_scan::{self, MediaScan};
use super::push::Granted;
use super::request::{Control, Request};
use super::status::{Unfinished, locked};
use super::{delete, flush, get_log, get_version, neighbour, noop, put, range};
use crate::auth::{Access, Denied, Grant, grant};
use crate::device::Device;
use crate::limits::{BACKGROUND_MS, MANY_KEYS_COST};

/// What is left to do for a request.
#[derive(Debug)]
pub enum Work {
    /// Nothing: this is the answer.
    Done(Answer),
    /// A commit.
    Write(Write),
    /// A read.
    Read(Read),
    /// A push to another drive.
    Push(Granted),
    /// Something for the connection's batches.
    Batch(Control),
    /// A change of the drive itself.
    Change(Change),
}

/// A commit of one request, or of one batch.
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
    /// MEDIASCAN, and by when it answers with what it has.
    MediaScan(Access, Box<MediaScan>, Deadline),
    /// MEDIAOPTIMIZE, and by when it answers, done or not.
    MediaOptimize(Access, MediaOptimize, Deadline),
    /// Something beyond the protocol, and by when it answers with what it has, where it can.
    Extended(Access, Box<Extended>, Deadline),
}

/// Microseconds of the clock by which requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadline(pub u64);

impl Read {
    /// The answer where the drive was locked since this was asked for.
    #[must_use]
    pub fn refused(&self) -> Answer {
        self.failed(locked())
    }

    /// The answer where nothing comes of it, and why.
    #[must_use]
    pub fn failed(&self, status: Status) -> Answer {
        match self {
            Self::Entry(..) | Self::Version(_) | Self::Neighbour(..) => {
                Answer::of(status).with_entry()
            }
            Self::Range(..)
            | Self::MediaScan(..)
            | Self::MediaOptimize(..)
            | Self::Extended(..) => Answer::of(status),
        }
    }

    /// Whether it is long work that makes way for requests.
    #[must_use]
    pub fn is_background(&self) -> bool {
        matches!(self, Self::MediaScan(..) | Self::MediaOptimize(..))
    }

    /// What it counts of its connection's turn, where a GET counts 1.
    #[must_use]
    pub fn turn_cost(&self) -> usize {
        match self {
            Self::Range(..) | Self::Extended(..) => MANY_KEYS_COST,
            _ => 1,
        }
    }

    /// Bytes of the request that it keeps, where they are more than a few keys.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Extended(_, request, _) => request.bytes(),
            _ => 0,
        }
    }

    /// Does it, with as much effort as the caller's thread can afford; what is unfinished goes on
    /// from where it was.
    pub fn run(&mut self, device: &Device, effort: Effort) -> Result<Answer, Unfinished> {
        Ok(match self {
            Self::Entry(grant, extent) => get::run(grant, *extent, device, effort)?,
            Self::Version(grant) => get_version::run(grant, device, effort)?,
            Self::Neighbour(access, request) => neighbour::run(access, request, device, effort)?,
            Self::Range(access, request) => range::run(access, request, device, effort)?,
            Self::MediaScan(access, scan, _) => media_scan::run(access, scan, device, effort)?,
            Self::MediaOptimize(access, request, _) => {
                media_optimize::run(access, request, device, effort)?
            }
            Self::Extended(access, request, _) => request.run(access, device, effort)?,
        })
    }

    /// The same, to be answered so many milliseconds after this time, finished or not, where it is
    /// of a kind that can be; soon enough for a client that has said nothing of it.
    #[must_use]
    pub fn within(mut self, limit_ms: Option<u64>, now_us: u64) -> Self {
        if let Self::MediaScan(_, _, deadline)
        | Self::MediaOptimize(_, _, deadline)
        | Self::Extended(_, _, deadline) = &mut self
        {
            let limit_ms = limit_ms.unwrap_or(BACKGROUND_MS);
            *deadline = Deadline(now_us.saturating_add(limit_ms.saturating_mul(1000)));
        }
        self
    }

    /// What it answers if its time is up, where it is of a kind that then answers what it has.
    pub fn cut_short(&mut self, now_us: u64) -> Option<Answer> {
        match self {
            Self::MediaScan(_, scan, deadline) if deadline.0 <= now_us => scan.cut_short(),
            Self::MediaOptimize(_, request, deadline) if deadline.0 <= now_us => {
                Some(request.cut_short())
            }
            Self::Extended(_, request, deadline) if deadline.0 <= now_us => request.cut_short(),
            _ => None,
        }
    }
}

/// Whether an identity may ask for this at all. What these requests say takes many times its bytes
/// in memory once it is read, so nobody makes the drive read it who could not do it anyway.
pub fn admit(kind: MessageType, access: &Access) -> Result<(), Denied> {
    match kind {
        MessageType::SECURITY => access.to_drive::<grant::Security>().map(drop),
        MessageType::SETUP => access.to_drive::<grant::Setup>().map(drop),
        MessageType::SET_POWER_LEVEL => access.to_drive::<grant::PowerManagement>().map(drop),
        MessageType::GETLOG => access.to_drive::<grant::GetLog>().map(drop),
        MessageType::PEER2PEERPUSH => access.to_drive::<grant::PeerToPeer>().map(drop),
        MessageType::GETKEYRANGE | MessageType::MEDIASCAN | MessageType::MEDIAOPTIMIZE => {
            access.to_drive::<grant::Range>().map(drop)
        }
        kind => extended::admit(kind, access),
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
        Request::MediaScan(scan) => {
            Work::Read(Read::MediaScan(access.clone(), scan, Deadline::default()))
        }
        Request::MediaOptimize(request) => Work::Read(Read::MediaOptimize(
            access.clone(),
            request,
            Deadline::default(),
        )),
        Request::Extended(request) => {
            Work::Read(Read::Extended(access.clone(), request, Deadline::default()))
        }
        Request::Security(request) => match access.to_drive() {
            Ok(grant) => Work::Change(Change::Security(grant, request)),
            Err(denied) => Work::Done(Answer::of(denied.into())),
        },
        Request::Setup(request) => match access.to_drive() {
            Ok(grant) => Work::Change(Change::Setup(grant, request)),
            Err(denied) => Work::Done(Answer::of(denied.into())),
        },
        Request::Push(push) => match access.to_drive() {
            Ok(grant) => Work::Push(push.granted(grant, access)),
            Err(denied) => Work::Done(Answer::of(denied.into())),
        },
        Request::Power(request) => match access.to_drive() {
            Ok(grant) => Work::Change(Change::Power(grant, request)),
            Err(denied) => Work::Done(Answer::of(denied.into())),
        },
        Request::Logs(logs) => match logs.permit(access) {
            Ok(permit) => Work::Done(get_log::run(&permit, &logs, device)),
            Err(refused) => Work::Done(Answer::of(refused)),
        },
        // Its members need permissions, each its own.
        Request::Batch(control) => Work::Batch(control),
    }
}
