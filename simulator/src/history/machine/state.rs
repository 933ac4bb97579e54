//! Disk, engine and model together, and one step of a worker.
//!
//! Guarantee: after each step, what was answered is compared with the model before anything else
//! happens. An answer of the very step in which the machine stopped counts for nothing, since
//! nobody can have received it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use kinetic_store::{CommitError, Completion, Durability, Health, Lane, Step, Store, Ticket};

use crate::disk::SimDisk;
use crate::history::atlas::Fault;
use crate::history::model::{Change, Loss, Model};
use crate::history::plan::{Goals, LastAct, Plan};
use crate::history::report::{Mark, Report};
use crate::history::violation::{Broken, Promise};
use crate::history::watch::WatchedDisk;
use crate::rng::Rng;

/// Rounds of all workers after which they must have come to rest.
const ROUNDS: u64 = 20_000;

/// Tokens of lanes start here, those of commits end before.
const LANES: u64 = 1 << 63;

/// What was told since the last look.
#[derive(Default)]
pub(super) struct Told {
    /// How commits went.
    pub(super) outcomes: Vec<(u64, Result<(), CommitError>)>,
    /// Commits whose turn is over, in the order in which they took effect.
    pub(super) published: VecDeque<u64>,
    /// Lanes that find room.
    pub(super) room: Vec<usize>,
}

/// Hears what commits and lanes are told.
#[derive(Default)]
pub(super) struct Outcomes(Mutex<Told>);

impl Outcomes {
    pub(super) fn take(&self) -> Told {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Completion for Outcomes {
    fn complete(&self, token: u64, outcome: Result<(), CommitError>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match token.checked_sub(LANES).map(usize::try_from) {
            Some(lane) => told.room.extend(lane),
            None => told.outcomes.push((token, outcome)),
        }
    }

    fn published(&self, token: u64) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.published.push_back(token);
    }
}

/// Where commits are queued, and which of it found no room.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    open: Vec<Lane>,
    pub(super) refused: BTreeSet<usize>,
}

impl Lanes {
    /// Lanes of a store that has just been opened.
    pub(super) fn of(store: &Store, count: u64, hears: &Arc<Outcomes>) -> Self {
        let lane = |number| {
            let completion = Arc::<Outcomes>::clone(hears) as Arc<dyn Completion>;
            store.lane(LANES + number, completion)
        };
        Self {
            open: (0..count).map(lane).collect(),
            refused: BTreeSet::new(),
        }
    }

    /// One of them, or `None` for the one that the store itself has.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<(usize, Lane)> {
        let number = usize::try_from(rng.below(self.open.len() as u64 + 1)).ok()?;
        self.open.get(number).map(|lane| (number, lane.clone()))
    }
}

/// A commit in the queue of the engine.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) token: u64,
    /// Where it was queued.
    pub(super) lane: Option<usize>,
    pub(super) ticket: Ticket,
    pub(super) changes: Vec<Change>,
    pub(super) durability: Durability,
}

/// How many groups a step may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// One at most.
    One,
    /// Any number.
    Many,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) enum Worker {
    Writer,
    Syncer,
    Upkeep,
    Scrub,
    /// The thread that submitted: it may write, but not wait for the disk.
    Submitter,
}

/// What may be on the disk, what was acknowledged last in front.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) settings: Vec<Vec<u8>>,
    pub(super) pins: Vec<Option<u8>>,
    /// The drive that an erase began with which nobody acknowledged.
    pub(super) erased: Option<u64>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            settings: vec![Vec::new()],
            pins: vec![None],
            erased: None,
        }
    }
}

/// The machine.
pub(in crate::history) struct Machine {
    pub(in crate::history) rng: Rng,
    pub(in crate::history) plan: Plan,
    pub(in crate::history) disk: SimDisk,
    pub(in crate::history) report: Report,
    pub(in crate::history) marks: BTreeSet<Mark>,
    pub(super) watched: Arc<WatchedDisk>,
    pub(super) store: Option<Store>,
    pub(super) outcomes: Arc<Outcomes>,
    pub(super) model: Model,
    pub(super) secrets: Secrets,
    pub(super) lanes: Lanes,
    /// The order to put the drive in order that is not carried out yet.
    pub(super) optimizing: Option<u64>,
    /// By token, which is the order in which they were queued.
    pub(super) pending: BTreeMap<u64, Pending>,
    /// Visible commits that are not answered yet, and their places.
    pub(super) awaiting: BTreeMap<u64, usize>,
    pub(super) loss: Loss,
    /// Reads that fail are armed.
    pub(super) reads_fail: bool,
    /// Reads that had failed when what is under way began.
    pub(super) failed_reads: u64,
    /// A block of a run may be rotten at the moment.
    pub(super) rotten_run: bool,
    /// Faults that the disk does not count itself.
    pub(super) faults: BTreeMap<Fault, u64>,
    /// What goes wrong beside the weather now.
    pub(in crate::history) act: LastAct,
    /// Operations after which the history ends.
    pub(in crate::history) limit: u64,
    /// Commits that were refused since the drive is full.
    pub(super) no_space: u64,
    /// Power cuts that have shown a disk to lie.
    pub(super) lies: u64,
    /// A sync failed before the process was killed.
    pub(super) failed_before: bool,
    pub(super) next_commit: u64,
    pub(super) now: u64,
    pub(super) writes_at_start: u64,
    pub(super) hash: u64,
}

impl Machine {
    /// A machine with an unformatted disk.
    pub(in crate::history) fn new(plan: Plan, mut rng: Rng) -> io::Result<Self> {
        let disk = SimDisk::with_sector_size(plan.capacity(), rng.next_u64(), plan.sectors)?;
        let watched = Arc::new(WatchedDisk::new(disk.clone(), plan.zone_size));
        Ok(Self {
            rng,
            plan,
            disk,
            report: Report::default(),
            marks: BTreeSet::new(),
            watched,
            store: None,
            outcomes: Arc::default(),
            model: Model::default(),
            secrets: Secrets::default(),
            lanes: Lanes::default(),
            optimizing: None,
            pending: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            loss: Loss::Nothing,
            reads_fail: false,
            failed_reads: 0,
            rotten_run: false,
            faults: BTreeMap::new(),
            act: LastAct::Calm,
            limit: u64::MAX,
            no_space: 0,
            lies: 0,
            failed_before: false,
            next_commit: 1,
            now: 0,
            writes_at_start: 0,
            hash: 0,
        })
    }

    /// The open store; there is one between a start and a stop.
    pub(super) fn store(&self) -> Result<Store, Broken> {
        match &self.store {
            Some(store) => Ok(store.clone()),
            None => Broken::found(Promise::Opening, "the history went on without a drive"),
        }
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        self.marks.insert(mark);
    }

    /// Enters something into the hash of the history.
    pub(super) fn enter(&mut self, word: u64) {
        self.hash = Rng::new(self.hash ^ word).next_u64();
    }

    /// Whether the machine stands still.
    pub(in crate::history) fn is_stopped(&self) -> bool {
        self.disk.stopped().is_some()
    }

    /// Whether something may be unreadable.
    pub(in crate::history) fn is_damaged(&self) -> bool {
        self.loss >= Loss::Rotten || self.reads_fail
    }

    /// From here on the drive may call something unreadable only if a read fails, or bits rotted.
    pub(super) fn expect_sound_reads(&mut self) {
        self.failed_reads = self.reads_that_failed();
    }

    fn reads_that_failed(&self) -> u64 {
        let harm = self.disk.harm();
        harm.failed_reads + harm.transient_reads
    }

    /// Whether the drive may say that something cannot be read.
    pub(super) fn may_be_unreadable(&self) -> bool {
        let failed = self.reads_that_failed() > self.failed_reads;
        failed || self.rotten_run || self.loss >= Loss::Rotten
    }

    /// The clock goes on a little.
    pub(in crate::history) fn pass_time(&mut self) {
        self.now += self.rng.below(40_000);
    }

    /// Whether the history is to end here.
    pub(in crate::history) fn is_cut_short(&self) -> bool {
        self.report.operations >= self.limit
    }

    /// Whether the history has seen all that it must.
    pub(in crate::history) fn has_met(&self, goals: Goals) -> bool {
        self.report.operations >= goals.operations
            && self.report.cuts + self.report.kills >= goals.crashes
            && self.all_faults().len() >= goals.kinds
    }

    /// The figures of the whole history.
    pub(in crate::history) fn into_report(mut self) -> Report {
        self.enter(self.disk.trace_hash());
        self.report.trace_hash = self.hash;
        self.report.disk_calls = self.disk.counts().calls();
        let faults = self.all_faults().into_iter().collect();
        self.report.end(&self.marks, &faults);
        self.report
    }

    /// Lets a worker do a step, and looks at what it told.
    pub(in crate::history) fn step(&mut self, worker: Worker) -> Result<Step, Broken> {
        let store = self.store()?;
        self.expect_sound_reads();
        let step = match worker {
            Worker::Writer => store.step_writer(),
            Worker::Syncer => store.step_syncer(self.now),
            Worker::Upkeep => store.step_upkeep(self.now),
            Worker::Scrub => store.step_scrub(self.now),
            Worker::Submitter => {
                store.kick();
                Step::Worked
            }
        };
        self.report.actions += 1;
        self.now += self.disk.take_elapsed();
        if self.is_stopped() {
            return self.abandon(&store).map(|()| Step::Idle);
        }
        let groups = if worker == Worker::Submitter {
            Groups::Many
        } else {
            Groups::One
        };
        self.compare_answers(&store, groups)?;
        let under_way = store.under_way();
        self.watched.note(under_way);
        if under_way.move_of_manifest {
            self.mark(Mark::ManifestMoved);
        }
        if self.watched.sync_failed() {
            self.mark(Mark::SyncFailed);
            if store.status().health != Health::ReadOnly {
                return Broken::found(Promise::ReadOnly, format!("{:?}", store.status().health));
            }
        }
        Ok(step)
    }

    /// Lets all workers work until they rest or the machine stops.
    pub(in crate::history) fn settle(&mut self) -> Result<(), Broken> {
        let mut last = [Step::Idle; 3];
        for _ in 0..ROUNDS {
            self.now += 100_000;
            for (step, worker) in
                last.iter_mut()
                    .zip([Worker::Writer, Worker::Syncer, Worker::Upkeep])
            {
                *step = self.step(worker)?;
                if self.is_stopped() {
                    return Ok(());
                }
            }
            let waits = Step::Blocked(kinetic_store::Need::Time);
            if !last
                .iter()
                .any(|step| *step == Step::Worked || *step == waits)
            {
                self.expect_rest(last)?;
                return self.expect_order(last);
            }
        }
        if self.is_damaged() {
            return Ok(());
        }
        let (status, under_way) = (self.store()?.status(), self.store()?.under_way());
        Broken::found(
            Promise::Liveness,
            format!("{ROUNDS} rounds, {last:?}, {status:?}, {under_way:?}"),
        )
    }

    /// Asks for the drive to be put in order, which goes on beside everything else.
    pub(in crate::history) fn optimize(&mut self) -> Result<(), Broken> {
        self.optimizing = Some(self.store()?.optimize());
        self.report.operations += 1;
        self.report.actions += 1;
        Ok(())
    }

    /// Who asked for the drive to be put in order is told at rest that it is.
    fn expect_order(&mut self, last: [Step; 3]) -> Result<(), Broken> {
        let Some(asked) = self.optimizing else {
            return Ok(());
        };
        let store = self.store()?;
        let status = store.status();
        if store.is_optimized(asked) {
            self.optimizing = None;
            self.mark(Mark::Optimized);
        } else if matches!(status.health, Health::Healthy | Health::Full) {
            let detail = format!("not put in order at rest: {last:?}, {status:?}");
            return Broken::found(Promise::Liveness, detail);
        }
        Ok(())
    }

    /// Nothing is left to do, so nothing may be left undone.
    fn expect_rest(&self, last: [Step; 3]) -> Result<(), Broken> {
        let store = self.store()?;
        let status = store.status();
        let half_used = status.used_bytes * 2 > status.capacity_bytes;
        if status.health == Health::Full && !half_used {
            return Broken::found(Promise::Liveness, format!("full at rest: {status:?}"));
        }
        if !self.lanes.refused.is_empty() {
            let refused = &self.lanes.refused;
            let detail = format!("lanes {refused:?} were not told of room at rest: {status:?}");
            return Broken::found(Promise::Liveness, detail);
        }
        if self.pending.is_empty() && self.awaiting.is_empty() {
            return Ok(());
        }
        let (queued, unanswered) = (self.pending.len(), self.awaiting.len());
        Broken::found(
            Promise::Liveness,
            format!(
                "{queued} commits queued and {unanswered} unanswered at rest: {last:?}, {status:?}"
            ),
        )
    }
}
