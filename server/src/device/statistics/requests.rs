//! Counters for each type of request since the start: how many, with what answer, value bytes,
//! latencies.
//!
//! Guarantees: counters only grow. A connection counts in its own [`Tally`] and adds it in one go,
//! so that connections do not contend for a cache line at every request. What is told of one type
//! at one moment never has more answers with a code than answers.

use std::sync::atomic::{AtomicU64, Ordering};

use kinetic_proto::schema::command::get_log;
use kinetic_proto::{MessageType, StatusCode};
use kinetic_store::{Histogram, HistogramFigures};

use crate::limits::{LATENCY_US_BOUNDS, TALLY_KINDS};

/// Request types of the protocol are even and at most 48.
const OF_PROTOCOL: usize = 25;

/// The message type behind which the first one beyond the protocol comes.
const BEYOND: i32 = 1000;

/// Those beyond the protocol have the places behind.
const SLOTS: usize = OF_PROTOCOL + MessageType::EXTENSIONS.len();

/// Where requests are counted that nobody knows.
const OTHER: usize = SLOTS;

/// Status codes run from 0 without a gap; the last place is for any other.
const CODES: usize = StatusCode::SHUTDOWN.0 as usize + 2;

/// Counters of the whole drive.
#[derive(Debug)]
pub struct Statistics {
    slots: [Slot; SLOTS + 1],
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            slots: std::array::from_fn(|_| Slot::default()),
        }
    }
}

#[derive(Debug)]
struct Slot {
    latencies: Histogram,
    max_latency_us: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Requests that a batch kept, so that they have no answer of their own.
    kept: AtomicU64,
    /// Answers by code; those with SUCCESS are the rest, so that they cost nothing.
    failures: [AtomicU64; CODES],
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            latencies: Histogram::new(LATENCY_US_BOUNDS),
            max_latency_us: AtomicU64::default(),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            kept: AtomicU64::default(),
            failures: Default::default(),
        }
    }
}

/// A request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Its type.
    pub request: MessageType,
    /// The code of its answer.
    pub code: StatusCode,
    /// Bytes of the value that came with it.
    pub bytes_in: u64,
    /// Bytes of the value that went with its answer.
    pub bytes_out: u64,
    /// From its arrival to its answer; none where that leaves at the end of the turn in which the
    /// request came.
    pub latency_us: Option<u64>,
}

/// Counters of one connection that are not yet added to the drive's: what was counted alike is one
/// entry, so that an idle connection costs little.
#[derive(Debug, Default)]
pub struct Tally {
    entries: [Alike; TALLY_KINDS],
    used: usize,
}

/// Requests of one type whose answers had one code and nearly one latency.
#[derive(Debug, Clone, Copy, Default)]
struct Alike {
    kind: Kind,
    count: u64,
    bytes_in: u64,
    bytes_out: u64,
    latency_us: u64,
    max_latency_us: u64,
}

/// What entries of a tally have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kind {
    slot: usize,
    /// The place of the code, and of the latency in the histogram, where that is known; none where
    /// a batch kept it.
    answer: Option<(usize, Option<usize>)>,
}

fn slot_of(request: MessageType) -> Option<usize> {
    let (first, number, end) = match request.is_extension() {
        true => (OF_PROTOCOL, (request.0 - BEYOND) / 2 - 1, SLOTS),
        false => (0, request.0 / 2, OF_PROTOCOL),
    };
    let slot = first + usize::try_from(number).ok()?;
    (request.is_request() && slot < end).then_some(slot)
}

fn place_of_latency(latency_us: u64) -> usize {
    LATENCY_US_BOUNDS.partition_point(|bound| *bound < latency_us)
}

fn place_of(code: StatusCode) -> usize {
    let place = usize::try_from(code.0).unwrap_or(CODES);
    place.min(CODES - 1)
}

impl Tally {
    /// Counts one answered request, whichever way it went. A tally that is full adds itself first;
    /// what leaves at the end of a turn then counts as having taken no time.
    pub fn count(&mut self, statistics: &Statistics, answered: &Answered) {
        let latency = answered.latency_us.map(place_of_latency);
        let latency_us = answered.latency_us.unwrap_or(0);
        let kind = Kind {
            slot: slot_of(answered.request).unwrap_or(OTHER),
            answer: Some((place_of(answered.code), latency)),
        };
        if let Some(entry) = self.entry(statistics, kind) {
            entry.count += 1;
            entry.bytes_in += answered.bytes_in;
            entry.bytes_out += answered.bytes_out;
            entry.latency_us += latency_us;
            entry.max_latency_us = entry.max_latency_us.max(latency_us);
        }
    }

    /// Counts one request that a batch kept, with the bytes of its value.
    pub fn count_kept(&mut self, statistics: &Statistics, request: MessageType, bytes_in: u64) {
        let kind = Kind {
            slot: slot_of(request).unwrap_or(OTHER),
            answer: None,
        };
        if let Some(entry) = self.entry(statistics, kind) {
            entry.count += 1;
            entry.bytes_in += bytes_in;
        }
    }

    /// Whether anything in it leaves at the end of the turn.
    #[must_use]
    pub fn awaits_end_of_turn(&self) -> bool {
        let used = self.entries.get(..self.used).unwrap_or_default();
        used.iter()
            .any(|entry| matches!(entry.kind.answer, Some((_, None))))
    }

    fn entry(&mut self, statistics: &Statistics, kind: Kind) -> Option<&mut Alike> {
        let used = self.entries.get(..self.used).unwrap_or_default();
        let place = match used.iter().position(|entry| entry.kind == kind) {
            Some(place) => place,
            None => {
                if self.used == TALLY_KINDS {
                    statistics.add(self, 0);
                }
                self.used += 1;
                self.used - 1
            }
        };
        let entry = self.entries.get_mut(place)?;
        entry.kind = kind;
        Some(entry)
    }
}

impl Statistics {
    /// Adds a connection's counters at the end of a turn that took so long, and empties them.
    pub fn add(&self, tally: &mut Tally, turn_us: u64) {
        for entry in tally.entries.iter_mut().take(tally.used) {
            let mut entry = std::mem::take(entry);
            if let Some((_, latency @ None)) = &mut entry.kind.answer {
                *latency = Some(place_of_latency(turn_us));
                entry.latency_us = entry.count * turn_us;
                entry.max_latency_us = turn_us;
            }
            if let Some(slot) = self.slots.get(entry.kind.slot) {
                slot.add(&entry);
            }
        }
        tally.used = 0;
    }

    /// One entry for each type of request that the protocol knows.
    pub fn to_message(&self) -> Vec<get_log::Statistics> {
        let entry = |request: &MessageType| {
            let slot = self.slots.get(slot_of(*request)?)?;
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let longest_us = load(&slot.max_latency_us);
            Some(get_log::Statistics {
                message_type: Some(request.0),
                count: Some(slot.latencies.figures().count() + load(&slot.kept)),
                bytes: Some(load(&slot.bytes_in) + load(&slot.bytes_out)),
                max_latency: Some(longest_us.div_ceil(1000)),
            })
        };
        MessageType::REQUESTS.iter().filter_map(entry).collect()
    }

    /// The figures of each type of request, and last of those that nobody knows.
    #[must_use]
    pub fn figures(&self) -> Vec<RequestFigures> {
        let of = |request: Option<MessageType>| {
            let slot = request.map_or(Some(OTHER), slot_of);
            let slot = self.slots.get(slot?)?;
            Some(slot.figures(request))
        };
        let known = MessageType::REQUESTS.iter().chain(MessageType::EXTENSIONS);
        let known = known.copied().map(Some);
        known.chain([None]).filter_map(of).collect()
    }
}

/// What was counted of requests of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFigures {
    /// The type; none for all that the protocol does not know.
    pub request: Option<MessageType>,
    /// Microseconds from arrivals to answers.
    pub latencies: HistogramFigures,
    /// How many had which code, zeros left out but that of SUCCESS; no code for those that the
    /// protocol does not know.
    pub codes: Vec<(Option<StatusCode>, u64)>,
    /// Requests that a batch kept.
    pub kept: u64,
    /// Bytes of values that came with requests.
    pub bytes_in: u64,
    /// Bytes of values that went with answers.
    pub bytes_out: u64,
}

impl Slot {
    fn add(&self, entry: &Alike) {
        let add = |counter: &AtomicU64, amount: u64| {
            if amount > 0 {
                counter.fetch_add(amount, Ordering::Relaxed);
            }
        };
        add(&self.bytes_in, entry.bytes_in);
        add(&self.bytes_out, entry.bytes_out);
        let Some((code, latency)) = entry.kind.answer else {
            add(&self.kept, entry.count);
            return;
        };
        if self.max_latency_us.load(Ordering::Relaxed) < entry.max_latency_us {
            self.max_latency_us
                .fetch_max(entry.max_latency_us, Ordering::Relaxed);
        }
        let latency = latency.unwrap_or_default();
        self.latencies.add((latency, entry.count), entry.latency_us);
        let failed = self.failures.get(code);
        if let Some(failed) = failed.filter(|_| code != place_of(StatusCode::SUCCESS)) {
            // Whoever sees it sees the answer in the histogram, too.
            failed.fetch_add(entry.count, Ordering::Release);
        }
    }

    fn figures(&self, request: Option<MessageType>) -> RequestFigures {
        let failures = self.failures.iter().enumerate();
        let failures: Vec<(usize, u64)> = failures
            .map(|(place, count)| (place, count.load(Ordering::Acquire)))
            .filter(|(_, count)| *count > 0)
            .collect();
        let latencies = self.latencies.figures();
        let failed: u64 = failures.iter().map(|(_, count)| count).sum();
        let succeeded = latencies.count().saturating_sub(failed);
        let code = |place: usize| StatusCode::ALL.get(place).copied();
        let failures = failures.iter().map(|(place, count)| (code(*place), *count));
        RequestFigures {
            request,
            codes: [(Some(StatusCode::SUCCESS), succeeded)]
                .into_iter()
                .chain(failures)
                .collect(),
            latencies,
            kept: self.kept.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(code: StatusCode, bytes_in: u64, latency_us: u64) -> Answered {
        Answered {
            request: MessageType::PUT,
            code,
            bytes_in,
            bytes_out: 0,
            latency_us: Some(latency_us),
        }
    }

    fn figures_of(statistics: &Statistics, request: Option<MessageType>) -> RequestFigures {
        let figures = statistics.figures();
        let mut of_type = figures.into_iter().filter(|one| one.request == request);
        of_type.next().unwrap()
    }

    #[test]
    fn a_tally_is_added_once() {
        let statistics = Statistics::default();
        let mut tally = Tally::default();
        tally.count(&statistics, &put(StatusCode::SUCCESS, 100, 1_500));
        tally.count(&statistics, &put(StatusCode::NO_SPACE, 20, 10));
        tally.count_kept(&statistics, MessageType::PUT, 7);
        statistics.add(&mut tally, 0);
        statistics.add(&mut tally, 0);
        let entries = statistics.to_message();
        assert_eq!(entries.len(), MessageType::REQUESTS.len());
        let entry = entries
            .iter()
            .find(|entry| entry.message_type == Some(MessageType::PUT.0))
            .unwrap();
        assert_eq!((entry.count, entry.bytes), (Some(3), Some(127)));
        assert_eq!(entry.max_latency, Some(2));
        let figures = figures_of(&statistics, Some(MessageType::PUT));
        let codes = [
            (Some(StatusCode::SUCCESS), 1),
            (Some(StatusCode::NO_SPACE), 1),
        ];
        assert_eq!(figures.codes, codes);
        assert_eq!(
            (figures.kept, figures.bytes_in, figures.bytes_out),
            (1, 127, 0)
        );
        assert_eq!(figures.latencies.sum, 1_510);
        assert_eq!(
            figures.latencies.count(),
            2,
            "what a batch kept has no latency"
        );
    }

    #[test]
    fn what_a_full_tally_has_no_room_for_is_not_lost() {
        let statistics = Statistics::default();
        let mut tally = Tally::default();
        for latency_us in LATENCY_US_BOUNDS {
            tally.count(&statistics, &put(StatusCode::SUCCESS, 1, *latency_us));
            tally.count(&statistics, &put(StatusCode::EXPIRED, 1, *latency_us));
        }
        assert!(LATENCY_US_BOUNDS.len() * 2 > TALLY_KINDS);
        statistics.add(&mut tally, 0);
        let figures = figures_of(&statistics, Some(MessageType::PUT));
        let each = LATENCY_US_BOUNDS.len() as u64;
        assert_eq!(figures.bytes_in, 2 * each);
        assert_eq!(figures.codes[1], (Some(StatusCode::EXPIRED), each));
        let (last, counts) = figures.latencies.counts.split_last().unwrap();
        assert_eq!(*last, 0);
        assert!(counts.iter().all(|count| *count == 2), "{counts:?}");
    }

    #[test]
    fn what_leaves_at_the_end_of_a_turn_took_as_long_as_the_turn() {
        let statistics = Statistics::default();
        let mut tally = Tally::default();
        for _request in 0..3 {
            let answered = Answered {
                latency_us: None,
                ..put(StatusCode::SUCCESS, 1, 0)
            };
            tally.count(&statistics, &answered);
        }
        assert!(tally.awaits_end_of_turn());
        statistics.add(&mut tally, 70);
        assert!(!tally.awaits_end_of_turn());
        let latencies = figures_of(&statistics, Some(MessageType::PUT)).latencies;
        assert_eq!((latencies.sum, latencies.counts[1]), (210, 3));
    }

    #[test]
    fn types_and_codes_that_nobody_knows_are_counted_apart() {
        let statistics = Statistics::default();
        let mut tally = Tally::default();
        for (request, code) in [
            (MessageType(4000), 1),
            (MessageType(-7), 99),
            (MessageType(7), -1),
        ] {
            let answered = Answered {
                request,
                ..put(StatusCode(code), 3, 1)
            };
            tally.count(&statistics, &answered);
        }
        statistics.add(&mut tally, 0);
        let figures = figures_of(&statistics, None);
        assert_eq!(figures.codes, [(Some(StatusCode::SUCCESS), 1), (None, 2)]);
        assert_eq!(figures.bytes_in, 9);
    }
}
