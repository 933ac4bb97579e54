//! START_BATCH, END_BATCH, ABORT_BATCH, and the PUTs and DELETEs between them.
//!
//! Guarantee: a member becomes a mutation only by the grant that the same request would need on
//! its own. What a member's synchronization says means nothing: the whole batch is WRITETHROUGH.
//! Not here: which batches are open and what they hold (`session::batches`).

use kinetic_proto::schema::command::Status;
use kinetic_proto::{MessageType, StatusCode};
use kinetic_store::{CommitError, Mutation};

use super::answer::{Answer, AnswerBody};
use super::invalid::Invalid;
use super::request::Request;
use super::status::of_commit;
use super::{delete, put};
use crate::auth::Access;

/// Why a batch is refused; the connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedBatch {
    /// START_BATCH of one that is open.
    #[error("batch {0} is open on this connection already: end or abort it first")]
    AlreadyOpen(u32),
    /// END_BATCH or ABORT_BATCH of one that is not.
    #[error("batch {0} is not open on this connection")]
    NotOpen(u32),
    /// START_BATCH where the drive has as many as it keeps.
    #[error("the drive has {0} open batches already, as many as it keeps; try again later")]
    TooMany(u32),
    /// Something else than PUT and DELETE that names an open batch.
    #[error("{kind} cannot be part of batch {batch}: only PUT and DELETE can")]
    NotAMember {
        /// What came.
        kind: MessageType,
        /// The batch that it names.
        batch: u32,
    },
}

impl From<RefusedBatch> for Status {
    fn from(refused: RefusedBatch) -> Self {
        StatusCode::INVALID_BATCH.with_text(refused.to_string())
    }
}

/// What the store is to do for a member, once its permission is checked.
pub fn member(request: Request, access: &Access) -> Result<Mutation, Status> {
    match request {
        Request::Put(put) => {
            let grant = access.to_key(put.key.clone())?;
            Ok(put::mutation(grant, put))
        }
        Request::Delete(delete) => {
            let grant = access.to_key(delete.key.clone())?;
            Ok(delete::mutation(grant, delete))
        }
        Request::Noop
        | Request::Get(_)
        | Request::GetVersion(_)
        | Request::Neighbour(_)
        | Request::Range(_)
        | Request::MediaScan(_)
        | Request::MediaOptimize(_)
        | Request::Flush
        | Request::Logs(_)
        | Request::Push(_)
        | Request::Extended(_)
        | Request::Security(_)
        | Request::Setup(_)
        | Request::Power(_)
        | Request::Batch(_) => Err(Invalid::NotAMember.into()),
    }
}

/// The answer to the END of a batch that is done.
#[must_use]
pub fn done(sequences: Vec<u64>) -> Answer {
    Answer::success().with_body(AnswerBody::Batch {
        sequences,
        failed: None,
    })
}

/// The answer to the END of a batch of which nothing was done, because of this member.
#[must_use]
pub fn failed(sequences: Vec<u64>, failed: u64, cause: &Status) -> Answer {
    let code = StatusCode::of(cause);
    let text = match cause.status_message.as_deref() {
        None | Some("") => format!("{code}: nothing of the batch was done"),
        Some(why) => format!("{code}: {why}; nothing of the batch was done"),
    };
    Answer::of(StatusCode::INVALID_BATCH.with_text(text)).with_body(AnswerBody::Batch {
        sequences,
        failed: Some(failed),
    })
}

/// The status of the mutation that failed, with a sentence even where the status of the same
/// request on its own has none.
#[must_use]
pub fn cause(error: CommitError) -> Status {
    StatusCode::of(&of_commit(error.failure)).with_text(error.failure.to_string())
}

#[cfg(test)]
mod tests {
    use kinetic_store::CommitFailure;

    use super::*;

    #[test]
    fn a_failed_batch_names_the_code_and_the_reason() {
        let error = CommitError {
            index: 1,
            failure: CommitFailure::VersionMismatch,
        };
        let answer = failed(vec![4, 7], 7, &cause(error));
        assert_eq!(answer.code(), StatusCode::INVALID_BATCH);
        let text = answer.status.status_message.unwrap_or_default();
        assert!(text.starts_with("VERSION_MISMATCH: the stored"), "{text}");
        let body = AnswerBody::Batch {
            sequences: vec![4, 7],
            failed: Some(7),
        };
        assert_eq!(answer.body, body);
    }
}
