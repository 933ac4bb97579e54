//! What is asked of the store: mutations, how durable they must be, and whom to tell.
//!
//! Guarantee: a commit happens whole or not at all, and is told of exactly once. Sizes are checked
//! and values are summed before a commit waits, on the thread of whoever asks.
//! Not here: version checks, which need the store as it is when the commit's turn comes (`writer`).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::entry::Attributes;
use crate::error::{CommitError, CommitFailure, Part};
use crate::layout::checksum::checksum;
use crate::layout::superblock::Seal;
use crate::limits::{MAX_COMMIT_OPERATIONS, MAX_KEY, MAX_TAG, MAX_VALUE, MAX_VERSION, PRIORITIES};
use crate::log::record;
use crate::seal::Cipher;

/// What must hold for a mutation to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: the mutation is forced.
    Any,
    /// The stored version is this one; for a put, the empty version also matches a missing key.
    Version(Bytes),
}

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// Stores a value.
    Put {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// The new version, the tag and its algorithm.
        attributes: Attributes,
        /// What must hold.
        expected: Expected,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: Bytes,
        /// What must hold.
        expected: Expected,
    },
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it is visible; the disk follows within a second.
    WriteBack,
    /// Once it is on the disk.
    WriteThrough,
    /// Once it and everything that was queued before it is on the disk.
    Flush,
}

/// How urgent a commit is beside those of other lanes: 1 the least, 9 the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// What has time.
    pub const LOWEST: Self = Self(1);
    /// What says nothing.
    pub const NORMAL: Self = Self(5);
    /// What goes before all else.
    pub const HIGHEST: Self = Self(9);

    /// The one with this number, or the nearest that there is.
    #[must_use]
    pub fn nearest(number: i64) -> Self {
        let least = i64::from(Self::LOWEST.0);
        let number = number.clamp(least, i64::from(Self::HIGHEST.0));
        Self(u8::try_from(number).unwrap_or(Self::NORMAL.0))
    }

    /// Its number, from 1 to 9.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

const _: () = assert!((Priority::HIGHEST.0 - Priority::LOWEST.0) as usize + 1 == PRIORITIES);

/// Whoever waits for commits.
pub trait Completion: Send + Sync {
    /// The commit with this token is done, or failed and changed nothing. Called from any thread,
    /// the submitting one included, with locks held: it must not block nor call the store.
    fn complete(&self, token: u64, outcome: Result<(), CommitError>);

    /// The commit with this token, which was queued, is visible to reads from here on, or refused;
    /// those of all lanes that took effect before it were told of before. Comes before
    /// [`complete`](Self::complete), under the same terms. Nothing that only waits needs it.
    fn published(&self, token: u64) {
        let _ = token;
    }
}

/// Whoever waits for a commit, and for which.
#[derive(Clone)]
pub struct Waiter {
    /// Handed back on completion.
    pub token: u64,
    /// Whom to tell.
    pub completion: Arc<dyn Completion>,
}

impl fmt::Debug for Waiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Waiter")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl Waiter {
    /// Tells it.
    pub fn tell(&self, outcome: Result<(), CommitError>) {
        self.completion.complete(self.token, outcome);
    }
}

/// Mutations that are done together.
pub struct Commit {
    /// The mutations; none with [`Durability::Flush`] is a plain flush.
    pub mutations: Vec<Mutation>,
    /// When it counts as done.
    pub durability: Durability,
    /// How urgent it is.
    pub priority: Priority,
    /// Handed back on completion.
    pub token: u64,
    /// Whom to tell.
    pub completion: Arc<dyn Completion>,
}

impl fmt::Debug for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Commit")
            .field("mutations", &self.mutations.len())
            .field("durability", &self.durability)
            .field("priority", &self.priority)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A commit that fits the formats, with its values summed.
#[derive(Debug)]
pub struct Prepared {
    /// The commit.
    pub commit: Commit,
    /// Checksum of each mutation's value.
    pub checksums: Vec<u32>,
    /// Bytes of its records in a group.
    pub records_length: usize,
    /// Bytes of its values in a group.
    pub values_length: usize,
}

impl Prepared {
    /// Checks sizes and sums values. A commit that cannot be stored comes back with the reason.
    pub fn new(
        commit: Commit,
        max_bytes: u64,
        cipher: &Cipher,
    ) -> Result<Self, Box<(Commit, CommitError)>> {
        match measure(&commit.mutations, max_bytes, cipher) {
            Ok((records_length, values_length)) => {
                let sum = |mutation| value_checksum(mutation, cipher.seal());
                let checksums = commit.mutations.iter().map(sum).collect();
                Ok(Self {
                    commit,
                    checksums,
                    records_length,
                    values_length,
                })
            }
            Err(error) => Err(Box::new((commit, error))),
        }
    }

    /// Bytes that it takes in a group.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (self.records_length + self.values_length) as u64
    }

    /// Bytes of keys and values that it puts.
    #[must_use]
    pub fn put_bytes(&self) -> u64 {
        let bytes = |mutation: &Mutation| match mutation {
            Mutation::Put { key, value, .. } => key.len() + value.len(),
            Mutation::Delete { .. } => 0,
        };
        self.commit.mutations.iter().map(bytes).sum::<usize>() as u64
    }

    /// A deliberate bug: takes half of a batch out, which nobody waits for.
    pub(crate) fn split_off_half(&mut self) -> Option<Self> {
        let half = self.commit.mutations.len() / 2;
        if half == 0 {
            return None;
        }
        let commit = Commit {
            mutations: self.commit.mutations.drain(..half).collect(),
            durability: Durability::WriteBack,
            priority: self.commit.priority,
            token: self.commit.token,
            completion: Arc::clone(&self.commit.completion),
        };
        Some(Self {
            commit,
            checksums: self.checksums.drain(..half).collect(),
            records_length: self.records_length,
            values_length: self.values_length,
        })
    }

    /// Tells whoever waits.
    pub fn complete(&self, outcome: Result<(), CommitError>) {
        self.commit.completion.complete(self.commit.token, outcome);
    }
}

impl Mutation {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// Whether the writer has to know what is stored under the key: all but forced puts.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        match self {
            Self::Put { expected, .. } => *expected != Expected::Any,
            Self::Delete { .. } => true,
        }
    }
}

/// A sealed value needs none: its tags say more.
fn value_checksum(mutation: &Mutation, seal: Seal) -> u32 {
    match (mutation, seal) {
        (Mutation::Put { value, .. }, Seal::Plain) => checksum(value),
        (Mutation::Put { .. }, Seal::Sealed) | (Mutation::Delete { .. }, _) => 0,
    }
}

fn measure(
    mutations: &[Mutation],
    max_bytes: u64,
    cipher: &Cipher,
) -> Result<(usize, usize), CommitError> {
    let too_large = |index, part, size: usize, limit: usize| {
        let failure = CommitFailure::TooLarge(part, size as u64, limit as u64);
        Err(CommitError { index, failure })
    };
    if mutations.len() > MAX_COMMIT_OPERATIONS {
        return too_large(
            MAX_COMMIT_OPERATIONS,
            Part::Count,
            mutations.len(),
            MAX_COMMIT_OPERATIONS,
        );
    }
    let (mut records, mut values) = (0, 0);
    for (index, mutation) in mutations.iter().enumerate() {
        let key = mutation.key();
        if key.len() > MAX_KEY {
            return too_large(index, Part::Key, key.len(), MAX_KEY);
        }
        match mutation {
            Mutation::Put {
                attributes, value, ..
            } => {
                let parts = [
                    (Part::Version, attributes.version().len(), MAX_VERSION),
                    (Part::Tag, attributes.tag().len(), MAX_TAG),
                    (Part::Value, value.len(), MAX_VALUE),
                ];
                for (part, size, limit) in parts {
                    if size > limit {
                        return too_large(index, part, size, limit);
                    }
                }
                records += record::encoded_length(key, Some(attributes));
                values += cipher.stored(value.len());
            }
            Mutation::Delete { .. } => records += record::encoded_length(key, None),
        }
        let total = (records + values) as u64;
        if total > max_bytes {
            let failure = CommitFailure::TooLarge(Part::Batch, total, max_bytes);
            return Err(CommitError { index, failure });
        }
    }
    Ok((records, values))
}
