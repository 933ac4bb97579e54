//! PEER2PEERPUSH: entries of this drive, stored on another one by this drive itself.
//!
//! Guarantees: an entry is read only with READ on its key, operation by operation; the answer names
//! every operation at its place, with a status each, and what a peer did next below the operation
//! that led there; pushes are nested to a bounded depth; the answer fits a message.
//! Not here: connections to peers, and the order of what is sent (`net::push`).

use bytes::Bytes;
use kinetic_proto::limits::{MAX_MESSAGE_SIZE, MAX_PUSH_DEPTH};
use kinetic_proto::schema::command::p2p_operation::{self, Operation};
use kinetic_proto::schema::command::{P2pOperation, Status};
use kinetic_proto::{Limits, MessageType, StatusCode};
use kinetic_store::Attributes;
use prost::Message;

use super::answer::{Answer, AnswerBody};
use super::entry::within;
use super::invalid::Invalid;
use crate::auth::{Access, Denied, Grant, grant};
use crate::limits::{
    HOST_BYTES, PEER_TEXT_BYTES, PUSH_OPERATION_COST, PUSH_OPERATIONS, PUSH_REPLY_HEADROOM,
};

/// A PEER2PEERPUSH that keeps all limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Push(P2pOperation);

/// A push, with the permission to read each of its entries or the lack of it.
#[derive(Debug)]
pub struct Granted {
    /// The drive to push to, as it was named.
    pub peer: p2p_operation::Peer,
    /// What to push, in order.
    pub entries: Vec<Entry>,
    /// Bytes that it takes in memory, its answer included.
    pub cost_bytes: usize,
}

/// One entry to push.
#[derive(Debug)]
pub struct Entry {
    /// The permission to read it.
    pub grant: Result<Grant<grant::Read>, Denied>,
    /// As it was asked for.
    pub asked: Operation,
}

/// An entry as it was read, to be stored on the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The key that it gets.
    pub key: Bytes,
    /// Its version, tag and algorithm.
    pub attributes: Attributes,
    /// Its value.
    pub value: Bytes,
}

impl Push {
    /// Reads what is to be pushed.
    pub fn parse(push: Option<P2pOperation>, limits: &Limits) -> Result<Self, Invalid> {
        let push = push.ok_or(Invalid::NoPush(MessageType::PEER2PEERPUSH))?;
        let Measure {
            depth,
            count,
            longest_host,
        } = Measure::of(&push);
        if longest_host > HOST_BYTES as usize {
            return Err(Invalid::TooLarge {
                field: "hostname",
                size: longest_host,
                limit: HOST_BYTES,
            });
        }
        if depth > MAX_PUSH_DEPTH as usize {
            let limit = MAX_PUSH_DEPTH;
            return Err(Invalid::NestedTooDeep { depth, limit });
        }
        if count > PUSH_OPERATIONS {
            let limit = PUSH_OPERATIONS;
            return Err(Invalid::TooManyPushed { count, limit });
        }
        for operation in &push.operation {
            let keys = [&operation.key, &operation.new_key];
            for key in keys {
                within("key", key.as_deref(), limits.max_key_size)?;
            }
            let version = operation.version.as_deref();
            within("version", version, limits.max_version_size)?;
        }
        Ok(Self(push))
    }

    /// Asks for the permission to read each entry.
    #[must_use]
    pub fn granted(self, _push: Grant<grant::PeerToPeer>, access: &Access) -> Granted {
        let (request_bytes, count) = (self.0.encoded_len(), Measure::of(&self.0).count);
        let entry = |asked: Operation| Entry {
            grant: access.to_key(asked.key.clone().unwrap_or_default()),
            asked,
        };
        Granted {
            peer: self.0.peer.unwrap_or_default(),
            cost_bytes: request_bytes + count * PUSH_OPERATION_COST,
            entries: self.0.operation.into_iter().map(entry).collect(),
        }
    }
}

impl Parcel {
    /// The entry that a GET of an operation's key has found, or what becomes of it instead.
    pub fn of(asked: &Operation, found: Answer) -> Result<Self, Status> {
        let AnswerBody::Entry(key, attributes) = found.body else {
            return Err(found_nothing(found.status));
        };
        Ok(Self {
            key: asked.new_key.clone().unwrap_or(key),
            attributes,
            value: found.value,
        })
    }
}

/// Clients of entries expect an empty message where an entry is missing; here it is one of many.
fn found_nothing(status: Status) -> Status {
    if StatusCode::of(&status) == StatusCode::NOT_FOUND {
        return StatusCode::NOT_FOUND.with_text("this drive has no such key");
    }
    status
}

/// What a push comes to, all that is nested in it counted. Decoding has bounded its depth.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    depth: usize,
    count: usize,
    longest_host: usize,
}

impl Measure {
    fn of(push: &P2pOperation) -> Self {
        let mut measure = Self::default();
        let mut level = vec![push];
        while !level.is_empty() {
            measure.depth += 1;
            let peers = level.iter().filter_map(|push| push.peer.as_ref());
            let hosts = peers.filter_map(|peer| peer.hostname.as_ref());
            let longest = hosts.map(String::len).max().unwrap_or(0);
            measure.longest_host = measure.longest_host.max(longest);
            let operations = level.iter().flat_map(|push| &push.operation);
            measure.count += operations.clone().count();
            level = operations.filter_map(|one| one.p2pop.as_ref()).collect();
        }
        measure
    }
}

/// Gives every operation that has no status this one. What was to follow an operation that was not
/// done was not attempted; where it is not known whether it was, that is not known either. Then
/// says at each depth whether all was done.
pub fn settle(push: &mut P2pOperation, status: &Status) {
    let mut all = true;
    for operation in &mut push.operation {
        let status = operation.status.get_or_insert_with(|| status.clone());
        let code = StatusCode::of(status);
        all &= code == StatusCode::SUCCESS;
        if let Some(next) = &mut operation.p2pop {
            settle(next, &after(code));
            all &= next.all_child_operations_succeeded == Some(true);
        }
    }
    push.all_child_operations_succeeded = Some(all);
}

/// The status of what was to follow an operation with this one, where nothing is said of it.
fn after(code: StatusCode) -> Status {
    let (code, text) = match code {
        StatusCode::SUCCESS => (
            StatusCode::NOT_ATTEMPTED,
            "the drive that was to do it did not say what came of it",
        ),
        StatusCode::REMOTE_CONNECTION_ERROR => (
            StatusCode::REMOTE_CONNECTION_ERROR,
            "it was to follow an operation of which nothing is known",
        ),
        _ => (
            StatusCode::NOT_ATTEMPTED,
            "the operation that it was to follow was not done",
        ),
    };
    code.with_text(text)
}

/// A status as a peer told it: its code, and as much of its text as is kept of each.
#[must_use]
pub fn as_told(code: StatusCode, text: &str) -> Status {
    let end = text.floor_char_boundary(PEER_TEXT_BYTES);
    code.with_text(text.get(..end).unwrap_or_default())
}

/// A peer's answer to a push has other operations than the push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it answered {found} operations, and was asked for {asked}")]
pub struct OtherOperations {
    found: usize,
    asked: usize,
}

/// Takes over what a peer says came of each operation of a push, and nothing else of what it says.
pub fn take_outcomes(asked: &mut P2pOperation, told: P2pOperation) -> Result<(), OtherOperations> {
    if told.operation.len() != asked.operation.len() {
        return Err(OtherOperations {
            found: told.operation.len(),
            asked: asked.operation.len(),
        });
    }
    for (asked, told) in asked.operation.iter_mut().zip(told.operation) {
        asked.status = told.status.map(|status| {
            let text = status.status_message.as_deref().unwrap_or_default();
            as_told(StatusCode::of(&status), text)
        });
        if let (Some(asked), Some(told)) = (&mut asked.p2pop, told.p2pop) {
            take_outcomes(asked, told)?;
        }
    }
    Ok(())
}

/// The answer to a push whose operations are settled. `overall` is none where all were attempted.
#[must_use]
pub fn answer(mut push: P2pOperation, overall: Option<Status>) -> Answer {
    push.peer = None;
    fit(&mut push);
    let status = overall.unwrap_or_else(|| StatusCode::SUCCESS.to_message());
    Answer::of(status).with_body(AnswerBody::Pushed(Box::new(push)))
}

/// The request fitted a message; with a status for each operation it may not. What the client knows
/// anyway goes first, the texts last: operations are told by their place.
fn fit(push: &mut P2pOperation) {
    let room = MAX_MESSAGE_SIZE as usize - PUSH_REPLY_HEADROOM;
    let drops: [fn(&mut Operation); 3] = [
        |operation| operation.version = None,
        |operation| operation.new_key = None,
        |operation| operation.key = None,
    ];
    for drop in drops {
        if push.encoded_len() <= room {
            return;
        }
        each(push, &drop);
    }
    if push.encoded_len() > room {
        each(push, &|operation: &mut Operation| {
            if let Some(status) = &mut operation.status {
                status.status_message = None;
            }
        });
    }
}

fn each(push: &mut P2pOperation, change: &dyn Fn(&mut Operation)) {
    push.peer = None;
    for operation in &mut push.operation {
        change(operation);
        if let Some(next) = &mut operation.p2pop {
            each(next, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> P2pOperation {
        let inner = (depth > 1).then(|| nested(depth - 1));
        P2pOperation {
            operation: vec![Operation {
                key: Some(Bytes::from_static(b"key")),
                p2pop: inner,
                ..Operation::default()
            }],
            ..P2pOperation::default()
        }
    }

    #[test]
    fn as_many_pushes_as_are_reported_may_be_nested_and_no_more() {
        let limits = Limits::default();
        let deepest = MAX_PUSH_DEPTH as usize;
        assert!(Push::parse(Some(nested(deepest)), &limits).is_ok());
        let refused = Push::parse(Some(nested(deepest + 1)), &limits).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("33") && text.contains("32"), "{text}");
    }

    #[test]
    fn a_key_over_the_limit_is_named_with_its_size() {
        let limits = Limits::default();
        let mut push = nested(1);
        push.operation[0].new_key = Some(Bytes::from(vec![0; 4097]));
        let text = Push::parse(Some(push), &limits).unwrap_err().to_string();
        assert!(text.contains("4097") && text.contains("4096"), "{text}");
        assert!(Push::parse(None, &limits).is_err());
    }

    #[test]
    fn a_host_that_is_none_is_refused_however_deep_it_stands() {
        let mut push = nested(2);
        let deeper = push.operation[0].p2pop.as_mut().unwrap();
        deeper.peer = Some(p2p_operation::Peer {
            hostname: Some("h".repeat(256)),
            ..p2p_operation::Peer::default()
        });
        let refused = Push::parse(Some(push), &Limits::default()).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("hostname") && text.contains("255"), "{text}");
    }

    #[test]
    fn of_what_a_peer_says_code_and_some_text_are_kept() {
        let mut told = nested(1);
        told.operation[0].status = Some(Status {
            detailed_message: Some(Bytes::from(vec![0; 1 << 19])),
            ..StatusCode::NO_SPACE.with_text("\u{e9}".repeat(1 << 18))
        });
        let mut asked = nested(1);
        take_outcomes(&mut asked, told).unwrap();
        let status = asked.operation[0].status.as_ref().unwrap();
        assert_eq!(StatusCode::of(status), StatusCode::NO_SPACE);
        assert!(
            status.encoded_len() < 2 * PEER_TEXT_BYTES,
            "{}",
            status.encoded_len()
        );
        assert_eq!(status.detailed_message, None);
    }

    #[test]
    fn what_follows_the_unknown_is_unknown() {
        let mut push = nested(2);
        settle(&mut push, &StatusCode::REMOTE_CONNECTION_ERROR.to_message());
        let next = push.operation[0].p2pop.as_ref().unwrap();
        let status = next.operation[0].status.as_ref().unwrap();
        assert_eq!(StatusCode::of(status), StatusCode::REMOTE_CONNECTION_ERROR);
    }

    #[test]
    fn what_follows_an_operation_that_was_not_done_was_not_attempted() {
        let mut push = nested(3);
        settle(&mut push, &StatusCode::NOT_FOUND.with_text("none"));
        let mut codes = Vec::new();
        let mut at = Some(&push);
        while let Some(level) = at {
            assert_eq!(level.all_child_operations_succeeded, Some(false));
            let status = level.operation[0].status.as_ref().unwrap();
            codes.push(StatusCode::of(status));
            at = level.operation[0].p2pop.as_ref();
        }
        let not_attempted = StatusCode::NOT_ATTEMPTED;
        assert_eq!(codes, [StatusCode::NOT_FOUND, not_attempted, not_attempted]);
    }

    #[test]
    fn all_succeeded_means_to_the_end_of_every_pipeline() {
        let success = StatusCode::SUCCESS.to_message();
        let unsettled = StatusCode::NOT_ATTEMPTED.to_message();
        let mut push = nested(2);
        let mut told = push.clone();
        told.operation[0].status = Some(success.clone());
        told.operation[0].p2pop.as_mut().unwrap().operation[0].status = Some(success);
        take_outcomes(&mut push, told.clone()).unwrap();
        settle(&mut push, &unsettled);
        assert_eq!(push.all_child_operations_succeeded, Some(true));
        // A peer that echoes what it was to do next, and does not say that it did, has not.
        told.operation[0].p2pop.as_mut().unwrap().operation[0].status = None;
        let mut push = nested(2);
        take_outcomes(&mut push, told).unwrap();
        settle(&mut push, &unsettled);
        assert_eq!(push.all_child_operations_succeeded, Some(false));
    }

    #[test]
    fn an_answer_about_other_operations_is_none() {
        let mut told = nested(1);
        told.operation.push(Operation::default());
        assert!(take_outcomes(&mut nested(1), told).is_err());
    }

    #[test]
    fn an_answer_that_would_not_fit_keeps_its_statuses() {
        let operation = |number: usize| Operation {
            key: Some(Bytes::from(vec![7; 60])),
            status: Some(StatusCode::NOT_FOUND.with_text(format!("{number:0>60}"))),
            ..Operation::default()
        };
        let count = 10_000;
        let push = P2pOperation {
            operation: (0..count).map(operation).collect(),
            ..P2pOperation::default()
        };
        let told = answer(push, None);
        let AnswerBody::Pushed(body) = told.body else {
            panic!("{:?}", told.body);
        };
        assert!(body.encoded_len() < MAX_MESSAGE_SIZE as usize);
        assert_eq!(body.operation.len(), count);
        let codes = body.operation.iter().filter_map(|one| one.status.as_ref());
        let codes = codes
            .map(StatusCode::of)
            .filter(|code| *code == StatusCode::NOT_FOUND);
        assert_eq!(codes.count(), count);
    }
}
