//! One entry to the peer, and what the peer is to push next.
//!
//! Guarantees: an entry counts as stored when the peer says that it is on its disk; what the peer
//! is to do next is asked for only then; a peer that has another cluster version than it greeted
//! with is greeted anew, once. An outcome that is not known is told as that.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kinetic_client::core::{Reply, Request};
use kinetic_client::{Algorithm, Disconnected, Durability, Error};
use kinetic_proto::schema::command::p2p_operation::Operation;
use kinetic_proto::schema::command::{Body, P2pOperation, Status};
use kinetic_proto::{MessageType, SigningKey, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::Desk;
use super::links::{Address, Link, NoLink};
use crate::limits::{BUSY_PAUSE_MS, BUSY_TRIES};
use crate::ops::push::{Parcel, as_told, settle, take_outcomes};

/// The way to one peer for one push.
pub(super) struct Road {
    pub(super) desk: Arc<Desk>,
    pub(super) address: Address,
    key: SigningKey,
    link: Mutex<Link>,
    lost: Mutex<Option<Status>>,
}

/// What came of one operation.
pub(super) struct Delivered {
    pub(super) status: Status,
    /// What the peer was to do next, settled.
    pub(super) next: Option<P2pOperation>,
    /// Bytes of the value, where it was stored.
    pub(super) bytes: u64,
}

/// A value that was read, and its share of what may be held.
pub(super) struct Load {
    pub(super) parcel: Result<Parcel, Status>,
    pub(super) shares: Option<Shares>,
}

/// Of what all pushes may hold, and of what its own push may.
pub(super) type Shares = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// How far an operation has come, for an answer that does not wait for its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage(Arc<AtomicU8>);

impl Stage {
    /// The peer has been sent it, or is about to be.
    pub(super) const SENT: u8 = 1;
    /// The peer has it; what was to follow may be under way.
    pub(super) const STORED: u8 = 2;

    fn is(&self, stage: u8) {
        self.0.store(stage, Ordering::Release);
    }

    /// The last of these that was reached; none, before it was begun.
    pub(super) fn reached(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }
}

impl Load {
    /// No value, and why.
    pub(super) fn without_value(status: Status) -> Self {
        let (parcel, shares) = (Err(status), None);
        Self { parcel, shares }
    }

    /// Whoever read it has gone.
    pub(super) fn lost() -> Self {
        let text = "the read of the entry ended without an outcome";
        Self::without_value(StatusCode::INTERNAL_ERROR.with_text(text))
    }
}

impl Road {
    /// Connects, unless somebody has.
    pub(super) async fn build(
        desk: Arc<Desk>,
        address: Address,
        key: SigningKey,
    ) -> Result<Self, NoLink> {
        let trust = &desk.peers.trust.0;
        let link = desk.links.get(&address, (&key, trust)).await?;
        Ok(Self {
            link: Mutex::new(link),
            desk,
            address,
            key,
            lost: Mutex::default(),
        })
    }

    fn link(&self) -> Link {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.clone()
    }

    /// Why nothing more is to be begun on it, if that is so.
    pub(super) fn lost(&self) -> Option<Status> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone()
    }

    /// Why it was lost before all operations were begun, if that is so: some have no status.
    pub(super) fn lost_early(&self, push: &P2pOperation) -> Option<Status> {
        let all = push.operation.iter().all(|one| one.status.is_some());
        self.lost().filter(|_| !all)
    }

    /// Takes one operation to its end.
    pub(super) async fn deliver(
        self: Arc<Self>,
        asked: Operation,
        (load, stage): (Load, Stage),
    ) -> Delivered {
        let next = asked.p2pop;
        let parcel = match load.parcel {
            Ok(parcel) => parcel,
            Err(status) => return Delivered::failed(status, next),
        };
        let bytes = parcel.value.len() as u64;
        stage.is(Stage::SENT);
        if let Err(status) = self.store(parcel, &asked.version, asked.force).await {
            return Delivered::failed(status, next);
        }
        stage.is(Stage::STORED);
        // What follows may take its time, and holds no value.
        drop(load.shares);
        let next = match next {
            Some(next) => Some(self.follow(next).await),
            None => None,
        };
        Delivered {
            status: StatusCode::SUCCESS.to_message(),
            next,
            bytes,
        }
    }

    async fn store(
        &self,
        parcel: Parcel,
        version: &Option<bytes::Bytes>,
        force: Option<bool>,
    ) -> Result<(), Status> {
        let link = self.link();
        let put = |link: &Link| {
            let attributes = &parcel.attributes;
            let version_of = bytes::Bytes::copy_from_slice(attributes.version());
            let put = link.client.put(parcel.key.clone(), parcel.value.clone());
            let mut put = put.version(version_of).durability(Durability::WriteThrough);
            if !attributes.tag().is_empty() {
                put = put.tag(bytes::Bytes::copy_from_slice(attributes.tag()));
            }
            if let Some(algorithm) = attributes.algorithm {
                put = put.algorithm(Algorithm(algorithm));
            }
            if let Some(version) = version {
                put = put.expected_version(version.clone());
            }
            if force == Some(true) {
                put.force()
            } else {
                put
            }
        };
        match put(&link).await {
            Err(Error::Refused { status, .. }) if status == StatusCode::VERSION_FAILURE => {
                let link = self.renew(&link).await?;
                let outcome = put(&link).await;
                outcome.map_err(|error| self.status_of(&error, (&link, Trip::Put)))
            }
            outcome => outcome.map_err(|error| self.status_of(&error, (&link, Trip::Put))),
        }
    }

    /// Has the peer push what comes next; every operation of it has a status then.
    async fn follow(&self, mut next: P2pOperation) -> P2pOperation {
        let body = Body {
            p2p_operation: Some(Box::new(next.clone())),
            ..Body::default()
        };
        let request = Request::with_body(MessageType::PEER2PEERPUSH, body);
        let unsaid = "the peer did not say what came of it";
        let link = self.link();
        let status = match patiently(&link, request).await {
            Ok(reply) => {
                let told = reply.body.p2p_operation.unwrap_or_default();
                match (take_outcomes(&mut next, *told), reply.partial) {
                    (Ok(()), Some((status, text))) => {
                        explain(&mut next, status, &text);
                        as_told(status, &text)
                    }
                    (Ok(()), None) => StatusCode::NOT_ATTEMPTED.with_text(unsaid),
                    (Err(other), _) => {
                        let text = format!("{} cannot be understood: {other}", self.address);
                        StatusCode::REMOTE_CONNECTION_ERROR.with_text(text)
                    }
                }
            }
            Err(error) => self.status_of(&error, (&link, Trip::Onward)),
        };
        settle(&mut next, &status);
        next
    }

    /// A connection whose greeting is newer.
    async fn renew(&self, stale: &Link) -> Result<Link, Status> {
        self.desk.links.forget(&self.address, stale);
        let trust = &self.desk.peers.trust.0;
        let link = self.desk.links.get(&self.address, (&self.key, trust)).await;
        let link = link.map_err(|why| unreachable(&why))?;
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link.clone();
        Ok(link)
    }

    /// The status of an operation that did not come back well; notes whether the road is lost.
    fn status_of(&self, error: &Error, (link, trip): (&Link, Trip)) -> Status {
        let peer = &self.address;
        let (text, is_lost) = match error {
            Error::Refused {
                status, message, ..
            } => return as_told(*status, message),
            Error::TooLarge { .. } => {
                return StatusCode::INVALID_REQUEST
                    .with_text(format!("{peer} takes less: {error}"));
            }
            Error::Timeout { after } => (
                format!("{peer} did not answer within {after:?}; whether it was done is not known"),
                // What takes long may be the drive behind it.
                trip == Trip::Put,
            ),
            Error::Disconnected(Disconnected::ByDrive { status, .. })
                if *status == StatusCode::HMAC_FAILURE =>
            {
                let identity = self.address.identity;
                let text = format!(
                    "{peer} does not take the signature of identity {identity}: give this drive an \
                     identity that its peers know, with --peer-identity and --peer-key"
                );
                (text, true)
            }
            Error::Disconnected(why) => (
                format!("{peer}: {why}; whether it was done is not known"),
                true,
            ),
            Error::NeedsTls(_) | Error::NotKnown(_) | Error::Unusable { .. } => {
                (format!("{peer}: {error}"), false)
            }
        };
        let status = StatusCode::REMOTE_CONNECTION_ERROR.with_text(text);
        if is_lost {
            self.desk.links.forget(&self.address, link);
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.get_or_insert_with(|| status.clone());
        }
        status
    }
}

impl Delivered {
    fn failed(status: Status, mut next: Option<P2pOperation>) -> Self {
        if let Some(next) = &mut next {
            settle(
                next,
                &StatusCode::NOT_ATTEMPTED.with_text("the operation before it failed"),
            );
        }
        Self {
            status,
            next,
            bytes: 0,
        }
    }
}

/// What a peer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trip {
    /// To store an entry.
    Put,
    /// To push on.
    Onward,
}

/// Asks a peer to push on, and again where it is busy with other pushes.
async fn patiently(link: &Link, request: Request) -> Result<Reply, Error> {
    let mut tries = 0;
    loop {
        match link.client.request(request.clone()).await {
            Err(Error::Refused { status, .. })
                if status == StatusCode::SERVICE_BUSY && tries < BUSY_TRIES =>
            {
                sleep(Duration::from_millis(BUSY_PAUSE_MS << tries)).await;
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

/// The status of a push whose peer there is no connection to.
pub(super) fn unreachable(why: &NoLink) -> Status {
    let code = match why {
        NoLink::Connect(_) => StatusCode::REMOTE_CONNECTION_ERROR,
        NoLink::TooMany => StatusCode::SERVICE_BUSY,
    };
    code.with_text(why.to_string())
}

/// What was not attempted for a reason that the peer gave once, and not for each operation.
fn explain(push: &mut P2pOperation, status: StatusCode, text: &str) {
    for told in push
        .operation
        .iter_mut()
        .filter_map(|one| one.status.as_mut())
    {
        let silent = told
            .status_message
            .as_deref()
            .unwrap_or_default()
            .is_empty();
        if silent && StatusCode::of(told) == StatusCode::NOT_ATTEMPTED {
            *told = as_told(StatusCode::NOT_ATTEMPTED, &format!("{status}: {text}"));
        }
    }
}
