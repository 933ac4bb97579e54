//! Pushes to other drives: connections to peers that many pushes share, and a task for each push.
//!
//! In layer order: [`links`] (connections, kept while they are used), [`source`] (entries read from
//! this drive), [`delivery`] (one entry to the peer, and what the peer does next), [`pusher`] (one
//! push from its first operation to its answer), and here the desk where pushes are taken on.
//!
//! Guarantees: no push waits for another one to end, so drives that push to each other cannot wait
//! for each other; what cannot be taken on is refused as SERVICE_BUSY. A push ends with its
//! connection, and soon after the server begins to stop. Memory is bounded: pushes by number and
//! by the bytes of their requests, values in flight by their bytes.

mod links;

mod source;

mod delivery;

mod pusher;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kinetic_proto::schema::command::Status;
use kinetic_proto::{SigningKey, StatusCode};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use super::Readers;
use crate::config::peers::Peers;
use crate::limits::{PUSH_REQUEST_BYTES, PUSHED_BYTES, PUSHES};
use crate::net::buffers::inbox::Inbox;
use crate::net::clock::Clock;
use crate::net::surroundings::Dial;
use crate::ops::push::Granted;
use crate::session::Drive;
use crate::session::manner::Manner;

use links::Links;
use pusher::Pusher;

/// Where pushes are taken on. Clones share everything.
#[derive(Clone)]
pub(crate) struct Pushes {
    desk: Arc<Desk>,
}

impl fmt::Debug for Pushes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Pushes")
            .field("running", &self.desk.running)
            .finish_non_exhaustive()
    }
}

/// What all pushes of a drive share.
struct Desk {
    drive: Arc<Drive>,
    readers: Readers,
    clock: Clock,
    peers: Peers,
    links: Links,
    /// Kibibytes of values that may be held.
    room: Arc<Semaphore>,
    running: AtomicUsize,
    request_bytes: AtomicUsize,
    stopping: Stopping,
}

/// Tells all pushes that the server stops.
#[derive(Default)]
struct Stopping {
    begun: AtomicBool,
    told: Notify,
}

impl Stopping {
    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Ready once the server stops.
    async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.has_begun() {
            told.await;
        }
    }
}

/// A push that somebody waits for.
pub(crate) struct PushJob {
    /// What to push.
    pub(crate) push: Granted,
    /// Who asked for it: peers are met as them where no other identity is configured.
    pub(crate) identity: (i64, SigningKey),
    /// The opening of the store that it was granted in.
    pub(crate) epoch: Option<u64>,
    /// How entries are to be read.
    pub(crate) manner: Manner,
    /// When it is to be answered, done or not, in microseconds of the clock.
    pub(crate) until_us: Option<u64>,
    /// Handed back with the answer.
    pub(crate) token: u64,
    /// Whom to tell.
    pub(crate) inbox: Arc<Inbox>,
}

/// A place among the pushes that are worked on; given back when it is dropped.
struct Place {
    desk: Arc<Desk>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.desk.running.fetch_sub(1, Ordering::Relaxed);
        self.desk
            .request_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Pushes {
    /// None yet.
    pub(crate) fn new(
        drive: &Arc<Drive>,
        readers: &Readers,
        (clock, peers, dial): (Clock, Peers, Option<Dial>),
    ) -> Self {
        let desk = Desk {
            drive: Arc::clone(drive),
            readers: readers.clone(),
            clock,
            peers,
            links: Links::by(dial),
            room: Arc::new(Semaphore::new(PUSHED_BYTES / 1024)),
            running: AtomicUsize::new(0),
            request_bytes: AtomicUsize::new(0),
            stopping: Stopping::default(),
        };
        Self {
            desk: Arc::new(desk),
        }
    }

    /// Begins a push, on a task of its own that ends with the handle; or says why it is not begun.
    pub(crate) fn begin(&self, job: PushJob) -> Result<AbortHandle, Status> {
        if self.desk.stopping.has_begun() {
            let text = "the drive stops; nothing was pushed";
            return Err(StatusCode::SERVICE_BUSY.with_text(text));
        }
        let place = self.place(job.push.cost_bytes)?;
        let desk = Arc::clone(&self.desk);
        let task = tokio::spawn(async move {
            let (token, inbox) = (job.token, Arc::clone(&job.inbox));
            let done = Pusher::new(desk, job).run().await;
            drop(place);
            inbox.put(done.for_token(token));
        });
        Ok(task.abort_handle())
    }

    /// A place for one that takes so many bytes.
    fn place(&self, bytes: usize) -> Result<Place, Status> {
        let desk = &self.desk;
        let running = desk.running.fetch_add(1, Ordering::Relaxed);
        let held = desk.request_bytes.fetch_add(bytes, Ordering::Relaxed);
        // From here on dropping it gives both back.
        let place = Place {
            desk: Arc::clone(desk),
            bytes,
        };
        if running >= PUSHES || held + bytes > PUSH_REQUEST_BYTES {
            let text = format!(
                "the drive works on {running} pushes already, and never lets one wait for another; \
                 nothing was pushed, try again"
            );
            return Err(StatusCode::SERVICE_BUSY.with_text(text));
        }
        Ok(place)
    }

    /// Has all of them begin nothing more.
    pub(crate) fn stop(&self) {
        self.desk.stopping.begun.store(true, Ordering::Release);
        self.desk.stopping.told.notify_waiters();
    }

    /// Closes connections to peers that nobody has used for a while, now and then, until it is
    /// dropped.
    pub(crate) async fn keep_tidy(self) {
        self.desk.links.close_idle().await;
    }
}
