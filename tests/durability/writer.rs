//! A writer that keeps what it was told, and holds the drive to it after each kill.
//!
//! Guarantee: of every key it knows the last acknowledged state and the states that were asked for
//! since; any other state, and any wrong byte, fails the test. Keys belong to one writer.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kinetic_client::{Client, Durability, Error};
use kinetic_simulator::Rng;
use tokio::sync::Notify;

/// What writers write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Keys of each writer.
    pub(crate) keys: usize,
    /// Lengths of values are below one of these, in bytes.
    pub(crate) lengths: &'static [u64],
}

/// Counts acknowledgements of all writers and tells when there are enough.
#[derive(Debug)]
pub(crate) struct Countdown {
    wanted: u64,
    counted: AtomicU64,
    through: Notify,
}

impl Countdown {
    pub(crate) fn new(wanted: u64) -> Self {
        Self {
            wanted,
            counted: AtomicU64::new(0),
            through: Notify::new(),
        }
    }

    fn count(&self) {
        if self.counted.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.through.notify_one();
        }
    }

    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Waits until enough was acknowledged.
    pub(crate) async fn through(&self) {
        self.through.notified().await;
    }
}

/// What a key holds: the number of the write that made it, or nothing.
type State = Option<u64>;

/// What a key may hold.
#[derive(Debug, Default)]
struct Slot {
    acknowledged: State,
    /// Asked for since, and not answered when the drive was killed.
    unsure: Option<State>,
}

/// One writer and its keys.
#[derive(Debug)]
pub(crate) struct Writer {
    number: u64,
    load: Load,
    rng: Rng,
    next: u64,
    slots: Vec<Slot>,
}

impl Writer {
    pub(crate) fn new(number: u64, load: Load) -> Self {
        Self {
            number,
            load,
            rng: Rng::new(number),
            next: 1,
            slots: (0..load.keys).map(|_| Slot::default()).collect(),
        }
    }

    /// Keys of which it does not know whether the last write was done.
    pub(crate) fn unsure(&self) -> u64 {
        self.slots
            .iter()
            .filter(|slot| slot.unsure.is_some())
            .count() as u64
    }

    fn slot(&mut self, place: usize) -> &mut Slot {
        self.slots
            .get_mut(place)
            .expect("places are below the number of keys")
    }

    fn key(&self, place: usize) -> Bytes {
        format!("writer {} key {place}", self.number).into()
    }

    fn value(&self, place: usize, number: u64) -> Bytes {
        let mut rng = Rng::new(number << 20 ^ self.number << 10 ^ place as u64);
        let lengths = self.load.lengths;
        let which = usize::try_from(rng.below(lengths.len() as u64)).expect("an index fits");
        let below = lengths.get(which).copied().unwrap_or(1);
        let length = usize::try_from(rng.below(below)).expect("a length fits");
        let mut value = number.to_be_bytes().to_vec();
        while value.len() < length {
            value.extend(rng.next_u64().to_le_bytes());
        }
        value.into()
    }

    /// Puts and deletes, one after the other, until the connection is gone.
    pub(crate) async fn write_until_killed(
        mut self,
        client: Client,
        countdown: std::sync::Arc<Countdown>,
    ) -> Self {
        loop {
            let place =
                usize::try_from(self.rng.below(self.load.keys as u64)).expect("a place fits");
            let state = (!self.rng.chance(1, 6)).then_some(self.next);
            self.next += 1;
            let durability = if self.rng.chance(1, 4) {
                Durability::WriteThrough
            } else {
                Durability::WriteBack
            };
            let key = self.key(place);
            self.slot(place).unsure = Some(state);
            let answered = match state {
                Some(number) => {
                    let value = self.value(place, number);
                    client.put(key, value).force().durability(durability).await
                }
                None => client
                    .delete(key)
                    .force()
                    .durability(durability)
                    .await
                    .map(drop),
            };
            match answered {
                Ok(()) => {
                    let slot = self.slot(place);
                    slot.acknowledged = state;
                    slot.unsure = None;
                    countdown.count();
                }
                Err(Error::Disconnected(_)) => return self,
                Err(error) => panic!("writer {}: {error}", self.number),
            }
        }
    }

    /// Holds the drive to what it acknowledged.
    pub(crate) async fn verify(&mut self, client: &Client, round: u64) {
        for place in 0..self.load.keys {
            let key = self.key(place);
            let found = client.get(key).await.expect("a sound drive answers");
            let state: State = found.as_ref().map(|entry| {
                let head = entry.value.first_chunk::<8>();
                u64::from_be_bytes(*head.expect("every value starts with its number"))
            });
            let at = format!("round {round}, writer {}, key {place}", self.number);
            let slot = self.slot(place);
            assert!(
                state == slot.acknowledged || Some(state) == slot.unsure,
                "{at}: {state:?} is there, {slot:?} was acknowledged or asked for"
            );
            if let (Some(entry), Some(number)) = (found, state) {
                assert!(
                    entry.value == self.value(place, number),
                    "{at}: wrong bytes"
                );
            }
            *self.slot(place) = Slot {
                acknowledged: state,
                unsure: None,
            };
        }
    }
}
