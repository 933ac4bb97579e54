//! Batches: several PUTs and DELETEs that are done together or not at all.
//!
//! Guarantees: what is over a limit that the drive reported is found before anything is sent;
//! operations are sent in one go, without waiting between them; a failure names the operation
//! that caused it. Every operation sees the drive as it was before the batch, and what succeeded
//! is on the disk. Not here: the conversation (`net::batch`).

use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::limits::{MAX_BATCH_SIZE, MAX_OPERATIONS_PER_BATCH};
use kinetic_proto::limits::{MAX_KEY_SIZE, MAX_TAG_SIZE, MAX_VALUE_SIZE, MAX_VERSION_SIZE};
use kinetic_proto::{Limits, MessageType, StatusCode};

use super::delete::Delete;
use super::put::Put;
use super::security::Priority;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::limits::SHOWN_KEY_BYTES;
use crate::net::{Connection, Opening, Whole};

/// A batch, made by [`crate::Client::batch`]: filled here, sent by [`Batch::commit`].
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use kinetic_client::BatchError;
///
/// let mut batch = client.batch();
/// batch.add(client.put("account/1", "90").expected_version("7").version("8"));
/// batch.add(client.put("account/2", "110").expected_version("3").version("4"));
/// batch.add(client.delete("transfer/5").force());
/// match batch.commit().await {
///     Ok(()) => println!("all three are done"),
///     Err(BatchError::Operation { index, key, .. }) => {
///         println!("nothing is done, since operation {index}, of {key:?}, failed");
///     }
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a batch is sent by commit()"]
pub struct Batch {
    connection: Connection,
    manner: Manner,
    opening: Opening,
    operations: Vec<Request>,
    deletes: usize,
    bytes: usize,
}

/// A [`Put`] or [`Delete`] as part of a batch. Its durability and its time-out do not count
/// there: the batch has its own.
#[derive(Debug)]
pub struct BatchOperation(Request);

impl From<Put> for BatchOperation {
    fn from(put: Put) -> Self {
        Self(put.into_request())
    }
}

impl From<Delete> for BatchOperation {
    fn from(delete: Delete) -> Self {
        Self(delete.into_request())
    }
}

/// Why a batch was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BatchError {
    /// The drive refused the batch because of one operation; nothing of it was done.
    #[error("{}", operation_text(.request, .key, (*.index, *.status, .message)))]
    Operation {
        /// Which one, from 0.
        index: usize,
        /// Whether it was a PUT or a DELETE.
        request: MessageType,
        /// The key it was about.
        key: Bytes,
        /// What was wrong with it, where the drive said so, or INVALID_BATCH.
        status: StatusCode,
        /// What the drive said, often empty.
        message: String,
    },
    /// One operation is over a limit; nothing was sent.
    #[error("operation {} of the batch, {request} of {}: {source}", .index + 1, key_text(.key))]
    OperationTooLarge {
        /// Which one, from 0.
        index: usize,
        /// Whether it was a PUT or a DELETE.
        request: MessageType,
        /// The key it is about.
        key: Bytes,
        /// Which limit.
        source: Error,
    },
    /// Too much for one batch; nothing was sent.
    #[error("a batch of {count} {what} is over the drive's limit of {limit}; split it")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        limit: u32,
    },
    /// The batch could not be opened or ended, for the reason that any request may have.
    #[error(transparent)]
    Request(#[from] Error),
}

fn operation_text(
    request: &MessageType,
    key: &Bytes,
    (index, status, message): (usize, StatusCode, &str),
) -> String {
    // Our drives name the code in their text already, and say what became of the batch.
    let code = status.name().unwrap_or_default();
    let said = match (message.is_empty(), message.contains(code)) {
        (true, _) => status.to_string(),
        (false, true) => message.to_owned(),
        (false, false) => format!("{status}: {message}"),
    };
    let rest = match said.contains(UNTOUCHED) {
        true => String::new(),
        false => format!("; {UNTOUCHED}"),
    };
    let number = index + 1;
    let key = key_text(key);
    format!("operation {number} of the batch, {request} of {key}, failed: {said}{rest}")
}

/// A key as `kinetic` takes it: text where that is plain, else hexadecimal digits. A long one is
/// cut.
fn key_text(key: &[u8]) -> String {
    let shown = key.get(..SHOWN_KEY_BYTES).unwrap_or(key);
    let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    let is_text = shown.iter().all(is_plain) && shown.trim_ascii().len() == shown.len();
    let misread = [&b"text:"[..], b"hex:", b"base64:"];
    let is_misread = shown.is_empty() || misread.iter().any(|begin| shown.starts_with(begin));
    let text = match std::str::from_utf8(shown) {
        Ok(text) if is_text && is_misread => format!("text:{text}"),
        Ok(text) if is_text => text.to_owned(),
        _ => {
            let digits = shown.iter().map(|byte| format!("{byte:02x}"));
            format!("hex:{}", digits.collect::<String>())
        }
    };
    match shown.len() == key.len() {
        true => text,
        false => format!("{text}... ({} bytes)", key.len()),
    }
}

/// What became of a batch that failed.
const UNTOUCHED: &str = "nothing of the batch was done";

impl Batch {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            opening: Opening::Awaited,
            operations: Vec::new(),
            deletes: 0,
            bytes: 0,
        }
    }

    /// Adds an operation, behind the others.
    pub fn add(&mut self, operation: impl Into<BatchOperation>) -> &mut Self {
        let BatchOperation(request) = operation.into();
        self.deletes += usize::from(request.message_type == MessageType::DELETE);
        self.bytes = self.bytes.saturating_add(request.bytes());
        self.operations.push(request);
        self
    }

    /// How many operations it has.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it has no operation; committing it does nothing then.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether the drive takes as much in one batch as it has now, so that whoever adds to it need
    /// not collect more than that. [`Batch::commit`] asks, too.
    ///
    /// # Errors
    /// [`BatchError::TooMany`].
    pub fn check(&self) -> Result<(), BatchError> {
        let limits = &self.connection.hello().limits;
        let most = limits
            .max_operation_count_per_batch
            .unwrap_or(MAX_OPERATIONS_PER_BATCH);
        let deletes = limits.max_deletes_per_batch.unwrap_or(most);
        let bytes = limits.max_batch_size.unwrap_or(MAX_BATCH_SIZE);
        let bounds = [
            ("operations", self.len(), most),
            ("deletes", self.deletes, deletes),
            ("bytes", self.bytes, bytes),
        ];
        for (what, count, limit) in bounds {
            if count > limit as usize {
                return Err(BatchError::TooMany { what, count, limit });
            }
        }
        Ok(())
    }

    /// Sends the operations together with the request to open the batch, which saves a round
    /// trip. The price: a drive that cannot open another batch ends the connection then, with
    /// all that is in flight on it, instead of refusing this batch alone.
    pub fn at_once(mut self) -> Self {
        self.opening = Opening::Assumed;
        self
    }

    /// The time for each of the two answers, instead of the connection's. The drive is not told of
    /// it: a batch that it has ended is done.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.manner.timeout = Some(timeout);
        self
    }

    /// How urgent it is to the drive beside other requests, instead of the connection's.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.manner.priority = Some(priority);
        self
    }

    /// Does all operations, or none. A batch that was begun goes on to its end even if this
    /// future is dropped.
    ///
    /// # Errors
    /// [`BatchError`]. After a time-out or a lost connection it is not known whether the batch
    /// was done; it was not done in part.
    pub async fn commit(self) -> Result<(), BatchError> {
        self.check()?;
        check_each(&self.operations, &self.connection.hello().limits)?;
        if self.operations.is_empty() {
            return Ok(());
        }
        let named: Vec<(MessageType, Bytes)> = self.operations.iter().map(name).collect();
        let batch = Whole {
            operations: self.operations,
            opening: self.opening,
            manner: self.manner,
        };
        let outcome = self.connection.commit(batch).await;
        outcome.map_err(|error| blame(error, &named))
    }
}

fn name(operation: &Request) -> (MessageType, Bytes) {
    let key = operation.key_value().and_then(|entry| entry.key.clone());
    (operation.message_type, key.unwrap_or_default())
}

fn check_each(operations: &[Request], limits: &Limits) -> Result<(), BatchError> {
    for (index, operation) in operations.iter().enumerate() {
        check_sizes(operation, limits).map_err(|source| {
            let (request, key) = name(operation);
            BatchError::OperationTooLarge {
                index,
                request,
                key,
                source,
            }
        })?;
    }
    Ok(())
}

/// A drive has no way to refuse one operation of a batch but to hang up.
fn check_sizes(operation: &Request, limits: &Limits) -> Result<(), Error> {
    let length = |part: Option<&Bytes>| part.map_or(0, Bytes::len);
    let entry = operation.key_value();
    let key = length(entry.and_then(|entry| entry.key.as_ref()));
    let new = length(entry.and_then(|entry| entry.new_version.as_ref()));
    let expected = length(entry.and_then(|entry| entry.db_version.as_ref()));
    let tag = length(entry.and_then(|entry| entry.tag.as_ref()));
    let versions = limits.max_version_size.unwrap_or(MAX_VERSION_SIZE);
    let bounds = [
        ("key", key, limits.max_key_size.unwrap_or(MAX_KEY_SIZE)),
        ("version", new, versions),
        ("version", expected, versions),
        ("tag", tag, limits.max_tag_size.unwrap_or(MAX_TAG_SIZE)),
        (
            "value",
            operation.value.len(),
            limits.max_value_size.unwrap_or(MAX_VALUE_SIZE),
        ),
    ];
    for (part, size, limit) in bounds {
        if size > limit as usize {
            return Err(Error::TooLarge { part, size, limit });
        }
    }
    Ok(())
}

/// Names the operation that the drive holds to blame, if it named one.
fn blame(error: Error, operations: &[(MessageType, Bytes)]) -> BatchError {
    let Error::Refused {
        status,
        message,
        failed_operation: Some(index),
        ..
    } = &error
    else {
        return error.into();
    };
    match operations.get(*index) {
        Some((request, key)) => BatchError::Operation {
            index: *index,
            request: *request,
            key: key.clone(),
            status: cause(*status, message),
            message: message.clone(),
        },
        None => error.into(),
    }
}

/// The drive answers INVALID_BATCH whatever the cause, and names the cause in its text.
fn cause(status: StatusCode, message: &str) -> StatusCode {
    let is_word = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = message.split(|c| !is_word(c));
    let codes = words.flat_map(|word| {
        let known = StatusCode::ALL.iter().copied();
        known.filter(move |code| code.name() == Some(word))
    });
    let mut causes = codes.filter(|code| *code != status);
    causes.next().unwrap_or(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_as_they_are_typed_and_long_ones_are_cut() {
        assert_eq!(key_text(b"photos/a b"), "photos/a b");
        assert_eq!(key_text(b"hex:00"), "text:hex:00");
        assert_eq!(key_text(b""), "text:");
        assert_eq!(key_text(b"\x00\xff"), "hex:00ff");
        assert_eq!(key_text(b" a"), "hex:2061");
        let long = key_text(&[b'k'; 4096]);
        assert_eq!(
            long,
            format!("{}... (4096 bytes)", "k".repeat(SHOWN_KEY_BYTES))
        );
    }

    #[test]
    fn the_cause_is_the_code_that_the_text_names() {
        let invalid = StatusCode::INVALID_BATCH;
        for (text, expected) in [
            ("VERSION_MISMATCH: it is 7", StatusCode::VERSION_MISMATCH),
            ("INVALID_BATCH: NOT_FOUND", StatusCode::NOT_FOUND),
            ("operation 2 failed (NO_SPACE)", StatusCode::NO_SPACE),
            ("", invalid),
            ("VERSION_MISMATCHED", invalid),
        ] {
            assert_eq!(cause(invalid, text), expected, "{text}");
        }
    }
}
