//! One push, from its first operation to its answer.
//!
//! Guarantees: entries are sent in the order in which they were named, many at a time; what fails
//! does not keep the rest from being done; once the peer is lost, the time is up or the server
//! stops, nothing more is begun, and what was not begun is told as that. Dropping it ends it: what
//! the peer has been sent by then it may do. What it waits for is looked at in a fixed order, so
//! that a simulation sees the same each time.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use kinetic_proto::limits::MAX_VALUE_SIZE;
use kinetic_proto::schema::command::p2p_operation::{Operation, Peer};
use kinetic_proto::schema::command::{P2pOperation, Status};
use kinetic_proto::{SigningKey, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::delivery::{Delivered, Load, Road, Shares, Stage, unreachable};
use super::links::{Address, Tls};
use super::{Desk, PushJob, source};
use crate::auth::{Denied, Grant, grant};
use crate::limits::{PEER_ANSWER_MS, PUSH_BYTES, PUSH_READS, PUSH_STOP_MS, PUSH_WINDOW};
use crate::net::buffers::inbox::Done;
use crate::ops::Answer;
use crate::ops::push::{Entry, Parcel, answer, as_told, settle};
use crate::session::manner::Manner;

/// One push.
pub(super) struct Pusher {
    desk: Arc<Desk>,
    epoch: Option<u64>,
    manner: Manner,
    end: End,
    signs: (i64, SigningKey),
    peer: Peer,
    /// What is left to read, in order.
    entries: std::vec::IntoIter<(usize, Result<Grant<grant::Read>, Denied>)>,
    /// What is being read, in order.
    readings: VecDeque<(usize, Reading)>,
    /// What is being sent.
    deliveries: JoinSet<(usize, Delivered)>,
    /// How far each of those came that were begun.
    stages: BTreeMap<usize, Stage>,
    /// Kibibytes of values that this push may hold yet.
    room: Arc<Semaphore>,
    push: P2pOperation,
    bytes: u64,
}

/// A value that is to be sent.
enum Reading {
    Done(Load),
    UnderWay(AbortOnDrop),
}

/// A read that nobody waits for any more is not done.
struct AbortOnDrop(JoinHandle<Load>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of it.
pub(super) struct Pushed {
    answer: Answer,
    bytes: u64,
}

impl Pushed {
    /// As an inbox takes it.
    pub(super) fn for_token(self, token: u64) -> Done {
        Done::Push(token, Box::new(self.answer), self.bytes)
    }
}

impl Pusher {
    pub(super) fn new(desk: Arc<Desk>, job: PushJob) -> Self {
        let signs = match &desk.peers.identity {
            Some(own) => (own.number, own.key.clone()),
            None => job.identity,
        };
        let now_us = desk.clock.now_us();
        let left = |until_us: u64| Duration::from_micros(until_us.saturating_sub(now_us));
        let until = job.until_us.map(|until_us| Instant::now() + left(until_us));
        let (asked, grants): (Vec<Operation>, Vec<_>) = job
            .push
            .entries
            .into_iter()
            .map(|Entry { grant, asked }| (asked, grant))
            .unzip();
        let numbered: Vec<_> = grants.into_iter().enumerate().collect();
        Self {
            end: End {
                desk: Arc::clone(&desk),
                until,
            },
            desk,
            epoch: job.epoch,
            manner: job.manner,
            signs,
            peer: job.push.peer,
            entries: numbered.into_iter(),
            readings: VecDeque::new(),
            deliveries: JoinSet::new(),
            stages: BTreeMap::new(),
            room: Arc::new(Semaphore::new(PUSH_BYTES / 1024)),
            push: P2pOperation {
                operation: asked,
                ..P2pOperation::default()
            },
            bytes: 0,
        }
    }

    /// Does it.
    pub(super) async fn run(mut self) -> Pushed {
        let road = match self.road().await {
            Ok(road) => Arc::new(road),
            Err(status) => return self.end(Some(status)),
        };
        let mut cut = None;
        while cut.is_none() {
            cut = match self.step(&road).await {
                Ok(Left::Some) => None,
                Ok(Left::None) => break,
                Err(status) => Some(status),
            };
        }
        self.readings.clear();
        let mut last = Instant::now() + Duration::from_millis(2 * PEER_ANSWER_MS);
        if cut.is_some() {
            last = self.end.last();
        }
        while !self.deliveries.is_empty() {
            tokio::select! {
                biased;
                () = collect(&mut self.deliveries, &mut self.push, &mut self.bytes) => {}
                status = self.end.come(), if cut.is_none() => {
                    cut = Some(status);
                    last = self.end.last();
                }
                () = sleep_until(last) => break,
            }
        }
        self.deliveries.abort_all();
        let cut = cut.or_else(|| road.lost_early(&self.push));
        self.end(cut)
    }

    /// The way to the peer, if it may be gone.
    async fn road(&self) -> Result<Road, Status> {
        let address = self.address()?;
        let (desk, key) = (Arc::clone(&self.desk), self.signs.1.clone());
        tokio::select! {
            biased;
            road = Road::build(desk, address, key) => road.map_err(|why| unreachable(&why)),
            status = self.end.come() => Err(status),
        }
    }

    fn address(&self) -> Result<Address, Status> {
        let named = (self.peer.hostname.clone(), self.peer.port);
        let (Some(host), Some(port)) = named else {
            let text = "the push names no peer: it needs a host name and a port";
            return Err(StatusCode::REMOTE_CONNECTION_ERROR.with_text(text));
        };
        let Some(port) = u16::try_from(port).ok().filter(|port| *port != 0) else {
            let text = format!("{port} is no port");
            return Err(StatusCode::REMOTE_CONNECTION_ERROR.with_text(text));
        };
        if !self.desk.peers.allowed.allows(&host, port) {
            let text = format!(
                "this drive is configured not to push to {host}:{port}: see --peer of kineticd"
            );
            return Err(StatusCode::NOT_AUTHORIZED.with_text(text));
        }
        let tls = match self.peer.tls {
            Some(true) => Tls::On,
            Some(false) | None => Tls::Off,
        };
        Ok(Address {
            host,
            port,
            tls,
            identity: self.signs.0,
            key_mark: self.signs.1.sign(b"peer link"),
        })
    }

    /// Sends the next entry; why nothing more is begun, if that is so.
    async fn step(&mut self, road: &Arc<Road>) -> Result<Left, Status> {
        self.read_ahead().await?;
        let Some((number, reading)) = self.readings.front_mut() else {
            return Ok(Left::None);
        };
        let number = *number;
        let load = match reading {
            Reading::Done(_) => None,
            Reading::UnderWay(AbortOnDrop(task)) => Some(tokio::select! {
                biased;
                load = task => load.unwrap_or_else(|_gone| Load::lost()),
                status = self.end.come() => return Err(status),
            }),
        };
        let load = match (load, self.readings.pop_front()) {
            (Some(load), _) | (None, Some((_, Reading::Done(load)))) => load,
            (None, _) => Load::lost(),
        };
        loop {
            if let Some(status) = road.lost().or(self.end.has_come()) {
                return Err(status);
            }
            if self.deliveries.len() < PUSH_WINDOW {
                break;
            }
            tokio::select! {
                biased;
                () = collect(&mut self.deliveries, &mut self.push, &mut self.bytes) => {}
                status = self.end.come() => return Err(status),
            }
        }
        self.begin_delivery(road, number, load).await;
        while let Some(done) = self.deliveries.try_join_next() {
            take_in(done, &mut self.push, &mut self.bytes);
        }
        Ok(Left::Some)
    }

    /// Has the next entries read. There is room for each of them, in order, before its read begins:
    /// nothing that is read ahead takes it from what is to be sent before.
    async fn read_ahead(&mut self) -> Result<(), Status> {
        while self.readings.len() < PUSH_READS {
            let Some((_, Ok(_))) = self.entries.as_slice().first() else {
                match self.entries.next() {
                    Some((number, Err(denied))) => {
                        let load = Load::without_value(Denied::into(denied));
                        self.readings.push_back((number, Reading::Done(load)));
                        continue;
                    }
                    _ => return Ok(()),
                }
            };
            let most = kibibytes(MAX_VALUE_SIZE as usize);
            let (all, own) = (Arc::clone(&self.desk.room), Arc::clone(&self.room));
            let shares = if self.readings.is_empty() {
                let shares = async {
                    (
                        own.acquire_many_owned(most).await,
                        all.acquire_many_owned(most).await,
                    )
                };
                let (own, all) = tokio::select! {
                    biased;
                    shares = shares => shares,
                    status = self.end.come() => return Err(status),
                };
                all.ok().zip(own.ok())
            } else {
                let own = own.try_acquire_many_owned(most).ok();
                own.and_then(|own| Some((all.try_acquire_many_owned(most).ok()?, own)))
            };
            let Some(shares) = shares else {
                return Ok(());
            };
            let Some((number, Ok(grant))) = self.entries.next() else {
                return Ok(());
            };
            let reading = self.begin_reading(number, grant, shares);
            self.readings.push_back((number, reading));
        }
        Ok(())
    }

    fn begin_reading(&self, number: usize, grant: Grant<grant::Read>, shares: Shares) -> Reading {
        let asked = self.push.operation.get(number).cloned().unwrap_or_default();
        let (desk, seen) = (Arc::clone(&self.desk), (self.epoch, self.manner));
        Reading::UnderWay(AbortOnDrop(tokio::spawn(async move {
            let parcel = Parcel::of(&asked, source::read(&desk, seen, grant).await);
            let held = parcel.as_ref().map_or(0, |parcel| parcel.value.len());
            // There was room for the largest value; what this one does not need is given back.
            let (mut all, mut own) = shares;
            let held = kibibytes(held) as usize;
            let shares = all.split(held).zip(own.split(held));
            Load { parcel, shares }
        })))
    }

    /// Begun here, one after the other, so that the peer gets them in order.
    async fn begin_delivery(&mut self, road: &Arc<Road>, number: usize, load: Load) {
        let asked = self.push.operation.get(number).cloned().unwrap_or_default();
        let stage = Stage::default();
        self.stages.insert(number, stage.clone());
        let mut delivery = Box::pin(Arc::clone(road).deliver(asked, (load, stage)));
        let begun = poll_fn(|context| Poll::Ready(delivery.as_mut().poll(context))).await;
        match begun {
            Poll::Ready(done) => take_in(Ok((number, done)), &mut self.push, &mut self.bytes),
            Poll::Pending => {
                self.deliveries
                    .spawn(async move { (number, delivery.await) });
            }
        }
    }

    /// The answer, with a status for what has none.
    fn end(mut self, cut: Option<Status>) -> Pushed {
        let unknown = "it did not come to its end in time; whether it was done is not known";
        let unknown = StatusCode::REMOTE_CONNECTION_ERROR.with_text(unknown);
        for (number, stage) in &self.stages {
            let Some(operation) = self.push.operation.get_mut(*number) else {
                continue;
            };
            if operation.status.is_some() {
                continue;
            }
            match stage.reached() {
                Stage::SENT => operation.status = Some(unknown.clone()),
                Stage::STORED => {
                    operation.status = Some(StatusCode::SUCCESS.to_message());
                    if let Some(next) = &mut operation.p2pop {
                        settle(next, &unknown);
                    }
                }
                _ => {}
            }
        }
        let why = match &cut {
            Some(cut) => {
                let text = cut.status_message.as_deref().unwrap_or_default();
                format!("{}: {text}", StatusCode::of(cut))
            }
            None => "it was not begun".to_owned(),
        };
        settle(&mut self.push, &as_told(StatusCode::NOT_ATTEMPTED, &why));
        Pushed {
            answer: answer(self.push, cut),
            bytes: self.bytes,
        }
    }
}

/// Whether there is more to send.
enum Left {
    Some,
    None,
}

/// Waits for one delivery.
async fn collect(
    deliveries: &mut JoinSet<(usize, Delivered)>,
    push: &mut P2pOperation,
    bytes: &mut u64,
) {
    if let Some(done) = deliveries.join_next().await {
        take_in(done, push, bytes);
    }
}

fn take_in(
    done: Result<(usize, Delivered), tokio::task::JoinError>,
    push: &mut P2pOperation,
    bytes: &mut u64,
) {
    if let Ok((number, delivered)) = done
        && let Some(operation) = push.operation.get_mut(number)
    {
        operation.status = Some(delivered.status);
        operation.p2pop = delivered.next;
        *bytes += delivered.bytes;
    }
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// When a push comes to its end before it is done.
struct End {
    desk: Arc<Desk>,
    until: Option<Instant>,
}

impl End {
    /// Why nothing more is to be begun, if that is so.
    fn has_come(&self) -> Option<Status> {
        if self.desk.stopping.has_begun() {
            return Some(stopped());
        }
        self.until
            .filter(|until| *until <= Instant::now())
            .map(|_| expired())
    }

    /// Ready once it has come.
    async fn come(&self) -> Status {
        let far = Instant::now() + Duration::from_secs(365 * 24 * 3600);
        tokio::select! {
            biased;
            () = self.desk.stopping.wait() => stopped(),
            () = sleep_until(self.until.unwrap_or(far)) => expired(),
        }
    }

    /// How long what is under way is waited for then.
    fn last(&self) -> Instant {
        if self.desk.stopping.has_begun() {
            return Instant::now() + Duration::from_millis(PUSH_STOP_MS);
        }
        match self.until {
            Some(until) if until <= Instant::now() => until,
            _ => Instant::now() + Duration::from_millis(2 * PEER_ANSWER_MS),
        }
    }
}

fn stopped() -> Status {
    StatusCode::SERVICE_BUSY.with_text("the drive stops: try again when it serves again")
}

fn expired() -> Status {
    StatusCode::EXPIRED.with_text("the time of the request is up")
}
