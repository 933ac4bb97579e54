//! One connection's requests: sequences, signatures, answers, deadlines.
//!
//! Guarantees: sequences grow by one in the order in which frames are written; an answer is
//! believed only with the right signature and identity, or, where the request had a PIN, without;
//! the operations of a batch leave with its end or not at all; every request that was submitted
//! comes back exactly once, from [`Session::receive`], [`Session::expire`], [`Session::transmit`]
//! or [`Session::close`]. An answer that comes after its deadline is dropped.
//! Not here: bytes on a socket, and the bound on what is submitted (`net`).
//!
//! `T` is whatever the caller wants back with the outcome. Times are spans since the connection
//! was made.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kinetic_proto::message::Pin;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, Header};
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::{
    Frame, FrameError, FrameValue, MessageType, Received, Seal, SigningKey, StatusCode, message,
};

use super::outgoing::Outgoing;
use super::request::{Hints, Patience, Reply, Request, Special};
use crate::error::{AnswerProblem, Disconnected, Error};
use crate::limits::WRITE_BACKLOG_BYTES;

/// How the requests of a connection are signed and headed.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Who signs.
    pub identity: i64,
    /// With which key.
    pub key: SigningKey,
    /// The number from the hello.
    pub connection_id: i64,
    /// The version that a drive compares with its own.
    pub cluster_version: i64,
    /// The largest value that the drive takes, in bytes.
    pub max_value_size: Option<u32>,
    /// The sequence of the first request.
    pub first_sequence: u64,
}

/// What a frame of the drive means.
#[derive(Debug)]
pub enum Event<T> {
    /// A request is answered.
    Answer {
        /// What was submitted with it.
        token: T,
        /// How it went.
        outcome: Result<Reply, Error>,
    },
    /// An answer to a request that has timed out: nothing to do.
    Late,
    /// The connection is over; what is left is to be failed with this.
    Over(Disconnected),
}

/// The state of one connection.
#[derive(Debug)]
pub struct Session<T> {
    signer: Signer,
    next_sequence: u64,
    waiting: VecDeque<Waiting<T>>,
    pending: BTreeMap<u64, Pending<T>>,
    /// No deadline is before this; it may be too early, which costs a look.
    earliest: Option<Duration>,
}

#[derive(Debug)]
struct Waiting<T> {
    request: Request,
    deadline: Duration,
    token: T,
}

#[derive(Debug)]
struct Pending<T> {
    sent: Sent,
    deadline: Duration,
    token: T,
}

/// What an answer is read by.
#[derive(Debug, Clone, Copy)]
struct Sent {
    request: MessageType,
    kind: Kind,
}

/// What is special about the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    /// It is not signed.
    Pin,
    /// It may name one of the operations before it, the first of which has this sequence.
    Batch {
        first: u64,
    },
    /// With it, this cluster version is in force.
    ClusterVersion(i64),
}

impl<T> Session<T> {
    /// A connection whose hello has been read.
    pub fn new(signer: Signer) -> Self {
        Self {
            next_sequence: signer.first_sequence,
            signer,
            waiting: VecDeque::new(),
            pending: BTreeMap::new(),
            earliest: None,
        }
    }

    /// Requests that are not written yet or not answered yet.
    pub fn outstanding(&self) -> usize {
        self.waiting.len() + self.pending.len()
    }

    /// Queues a request; its token comes back at `deadline` at the latest.
    pub fn submit(&mut self, request: Request, deadline: Duration, token: T) {
        let earliest = self.earliest.unwrap_or(Duration::MAX);
        self.earliest = Some(earliest.min(deadline));
        self.waiting.push_back(Waiting {
            request,
            deadline,
            token,
        });
    }

    /// Writes queued requests as frames until the backlog is full. Returns those that will not
    /// be sent: too large, or no longer `wanted` (then without an error).
    pub fn transmit(
        &mut self,
        out: &mut Outgoing,
        wanted: impl Fn(&T) -> bool,
    ) -> Vec<(T, Option<Error>)> {
        let mut refused = Vec::new();
        while out.len() < WRITE_BACKLOG_BYTES {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            if !wanted(&next.token) {
                refused.push((next.token, None));
                continue;
            }
            match self.encode(next.request, out) {
                Ok((sequence, sent)) => {
                    let pending = Pending {
                        sent,
                        deadline: next.deadline,
                        token: next.token,
                    };
                    self.pending.insert(sequence, pending);
                }
                Err(error) => refused.push((next.token, Some(error))),
            }
        }
        refused
    }

    /// Writes a request with what goes before it; after an error nothing of it is written.
    fn encode(&mut self, mut request: Request, out: &mut Outgoing) -> Result<(u64, Sent), Error> {
        let first = self.next_sequence;
        let version = |request: &Request| request.body.as_ref()?.setup?.new_cluster_version;
        let (kind, pin) = match request.special.take().map(|special| *special) {
            Some(Special::WithPin(pin)) => (Kind::Pin, Some(pin)),
            Some(Special::Behind(ahead)) => {
                if let Err(error) = self.encode_ahead(ahead, out) {
                    self.next_sequence = first;
                    return Err(error);
                }
                (Kind::Batch { first }, None)
            }
            Some(within @ Special::Within(_)) => {
                request.special = Some(Box::new(within));
                (Kind::Ordinary, None)
            }
            None => match version(&request) {
                Some(version) => (Kind::ClusterVersion(version), None),
                None => (Kind::Ordinary, None),
            },
        };
        let sent = Sent {
            request: request.message_type,
            kind,
        };
        let sequence = self.encode_one(request, pin.as_ref(), out)?;
        Ok((sequence, sent))
    }

    /// The end of a batch has no value and no key, so once these are written it will be, too.
    fn encode_ahead(&mut self, ahead: Vec<Request>, out: &mut Outgoing) -> Result<(), Error> {
        let mut beside = Outgoing::default();
        for request in ahead {
            self.encode_one(request, None, &mut beside)?;
        }
        out.append(beside);
        Ok(())
    }

    fn encode_one(
        &mut self,
        request: Request,
        pin: Option<&Pin>,
        out: &mut Outgoing,
    ) -> Result<u64, Error> {
        let limit = self.signer.max_value_size.unwrap_or(u32::MAX);
        if request.value.len() > limit as usize {
            return Err(Error::TooLarge {
                part: "value",
                size: request.value.len(),
                limit,
            });
        }
        let sequence = self.next_sequence;
        let time_quanta = match request.special.as_deref() {
            Some(Special::Within(time)) => u64::try_from(time.as_millis()).ok(),
            _ => None,
        };
        let Hints {
            timeout_ms,
            priority,
            patience,
        } = request.hints;
        let command = Command {
            header: Some(Header {
                cluster_version: Some(self.signer.cluster_version),
                connection_id: Some(self.signer.connection_id),
                sequence: Some(sequence),
                message_type: Some(request.message_type.into()),
                batch_id: request.batch,
                time_quanta,
                timeout: timeout_ms,
                priority: priority.map(i32::from),
                early_exit: (patience == Patience::GivesUp).then_some(true),
                ..Header::default()
            }),
            body: request.body,
            status: None,
        };
        let signed = Seal::Signed {
            identity: self.signer.identity,
            key: &self.signer.key,
        };
        let seal = pin.map_or(signed, Seal::PinRequest);
        message::encode_frame(seal, &command, request.value.len(), out.tail())
            .map_err(|error| too_large(&error, request.value.len()))?;
        out.push_value(request.value);
        self.next_sequence = sequence.wrapping_add(1);
        Ok(sequence)
    }

    /// Takes in a frame of the drive.
    pub fn receive(&mut self, frame: Frame) -> Event<T> {
        let received = match Received::decode(&frame.message) {
            Ok(received) => received,
            Err(error) => return Event::Over(Disconnected::Malformed(error)),
        };
        if received.is_unsolicited() {
            return Event::Over(Disconnected::ByDrive {
                status: received.status_code(),
                message: status_text(&received.command),
            });
        }
        // Protocol 3.x drives answer an old sequence without naming it; ours never are old.
        let sequence = received.ack_sequence().unwrap_or_default();
        if let Err(reason) = self.authenticate(&received, sequence) {
            return Event::Over(reason);
        }
        match self.pending.remove(&sequence) {
            Some(pending) => {
                let outcome = read_answer(pending.sent, received.command, frame.value);
                if let (Kind::ClusterVersion(version), Ok(_)) = (pending.sent.kind, &outcome) {
                    self.signer.cluster_version = version;
                }
                Event::Answer {
                    outcome,
                    token: pending.token,
                }
            }
            None if self.was_sent(sequence) => Event::Late,
            None => Event::Over(Disconnected::UnknownSequence(sequence)),
        }
    }

    fn was_sent(&self, sequence: u64) -> bool {
        (self.signer.first_sequence..self.next_sequence).contains(&sequence)
    }

    fn authenticate(&self, received: &Received, sequence: u64) -> Result<(), Disconnected> {
        let is_unsigned = match self.pending.get(&sequence) {
            Some(pending) => pending.sent.kind == Kind::Pin,
            // Whoever waited for it has gone; nothing is done with it.
            None => received.auth_type == Some(AuthType::Pinauth.into()) && self.was_sent(sequence),
        };
        if is_unsigned {
            return Ok(());
        }
        let expected = self.signer.identity;
        if received.verify(&self.signer.key).is_err() {
            return Err(Disconnected::BadSignature { identity: expected });
        }
        match received.identity {
            Some(got) if got != expected => Err(Disconnected::WrongIdentity { expected, got }),
            _ => Ok(()),
        }
    }

    /// When [`Session::expire`] is to be called next.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.earliest
    }

    /// Returns the tokens of all requests whose deadline has come. Those that were sent may
    /// still be answered; the answers are dropped.
    pub fn expire(&mut self, now: Duration) -> Vec<T> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        let is_due = |deadline: Duration| deadline <= now;
        let mut expired = Vec::new();
        // In a settled state nothing waits, and what is pending was sent in the order of time.
        for _ in 0..self.waiting.len() {
            match self.waiting.pop_front() {
                Some(due) if is_due(due.deadline) => expired.push(due.token),
                Some(other) => self.waiting.push_back(other),
                None => break,
            }
        }
        let due: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| is_due(pending.deadline))
            .map(|(&sequence, _)| sequence)
            .collect();
        let gone = due
            .iter()
            .filter_map(|sequence| self.pending.remove(sequence));
        expired.extend(gone.map(|pending| pending.token));
        let left = self.waiting.iter().map(|waiting| waiting.deadline);
        self.earliest = left
            .chain(self.pending.values().map(|pending| pending.deadline))
            .min();
        expired
    }

    /// Ends the session: the tokens of all requests that have no answer, oldest first.
    pub fn close(&mut self) -> Vec<T> {
        let pending = std::mem::take(&mut self.pending).into_values();
        let waiting = self.waiting.drain(..).map(|waiting| waiting.token);
        pending
            .map(|pending| pending.token)
            .chain(waiting)
            .collect()
    }
}

fn read_answer(sent: Sent, command: Command, value: FrameValue) -> Result<Reply, Error> {
    let request = sent.request;
    let unusable = |problem| Error::Unusable { request, problem };
    let message = status_text(&command);
    let header = command.header.unwrap_or_default();
    let status = command.status.ok_or(unusable(AnswerProblem::NoStatus))?;
    let status = StatusCode::of(&status);
    let partial = tells_anyway(request, status, &command.body);
    if status != StatusCode::SUCCESS && !partial {
        return Err(Error::Refused {
            status,
            message,
            cluster_version: header.cluster_version,
            failed_operation: failed_operation(sent, &command.body),
        });
    }
    // Drives of protocol 3.x leave the type out where they do not know the request.
    match header.message_type.map(MessageType) {
        Some(answer) if Some(answer) != request.response() => {
            return Err(unusable(AnswerProblem::WrongType(answer)));
        }
        _ => {}
    }
    match value {
        FrameValue::Whole(value) => Ok(Reply {
            request,
            body: command.body.unwrap_or_default(),
            value,
            partial: partial.then_some((status, message)),
        }),
        FrameValue::Oversize { length } => {
            Err(unusable(AnswerProblem::ValueTooLong(length as usize)))
        }
    }
}

/// Whether an answer that is no success says what was done all the same.
fn tells_anyway(request: MessageType, status: StatusCode, body: &Option<Box<Body>>) -> bool {
    let pushed = || {
        body.as_ref()
            .is_some_and(|body| body.p2p_operation.is_some())
    };
    match request {
        MessageType::MEDIASCAN => status == StatusCode::PERM_DATA_ERROR,
        MessageType::PEER2PEERPUSH => status != StatusCode::SUCCESS && pushed(),
        _ => false,
    }
}

/// Which of the requests before the end of a batch the drive holds to blame.
fn failed_operation(sent: Sent, body: &Option<Box<Body>>) -> Option<usize> {
    let Kind::Batch { first } = sent.kind else {
        return None;
    };
    let failed = body.as_ref()?.batch.as_ref()?.failed_sequence?;
    usize::try_from(failed.checked_sub(first)?).ok()
}

fn status_text(command: &Command) -> String {
    let status = command.status.as_ref();
    status
        .and_then(|status| status.status_message.clone())
        .unwrap_or_default()
}

fn too_large(error: &FrameError, value_size: usize) -> Error {
    match *error {
        FrameError::MessageTooLong { length, limit } => Error::TooLarge {
            part: "message",
            size: length as usize,
            limit,
        },
        FrameError::ValueTooLong { limit, .. } => Error::TooLarge {
            part: "value",
            size: value_size,
            limit,
        },
        // Encoding finds nothing else; a decoder's errors name no limit.
        FrameError::WrongMagic(_) | FrameError::Truncated { .. } => Error::TooLarge {
            part: "request",
            size: value_size,
            limit: 0,
        },
    }
}

#[cfg(test)]
mod tests;
