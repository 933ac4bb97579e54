//! The conversation of a batch: START_BATCH, its operations, END_BATCH, or ABORT_BATCH.
//!
//! Guarantees: operations leave together with the end of their batch, so a batch is committed
//! whole or not at all whatever happens to the caller; a batch that was opened and not ended is
//! aborted. Not here: what a batch may hold ([`crate::ops`]).

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{self, Body};

use super::connection::Connection;
use crate::core::{Manner, Request, Special};
use crate::error::{Disconnected, Error};

/// When the operations are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Once the drive has opened the batch.
    Awaited,
    /// With the request to open it.
    Assumed,
}

/// A batch that is to be done.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) operations: Vec<Request>,
    pub(crate) opening: Opening,
    pub(crate) manner: Manner,
}

impl Connection {
    /// Does a batch. It goes on to its end even if the caller stops waiting for it.
    pub(crate) async fn commit(&self, batch: Whole) -> Result<(), Error> {
        let conversation = converse(self.clone(), batch);
        // The task is gone without a word only if its runtime was shut down.
        let outcome = tokio::spawn(conversation).await;
        outcome.unwrap_or(Err(Disconnected::Closed.into()))
    }
}

async fn converse(connection: Connection, batch: Whole) -> Result<(), Error> {
    let id = connection.batch_id();
    let manner = batch.manner;
    let mut operations = batch.operations;
    for operation in &mut operations {
        operation.batch = Some(id);
    }
    let end = end(id, operations.len());
    let mut start = Request::new(MessageType::START_BATCH);
    start.batch = Some(id);
    let outcome = match batch.opening {
        Opening::Assumed => {
            operations.insert(0, start);
            let outcome = connection.call(behind(end, operations), manner).await;
            return outcome.map(drop).map_err(without_start);
        }
        Opening::Awaited => match connection.call(start, manner).await {
            Ok(_) => connection.call(behind(end, operations), manner).await,
            Err(error) => Err(error),
        },
    };
    match &outcome {
        Ok(_) | Err(Error::Refused { .. } | Error::Disconnected(_)) => {}
        // It may be open; where it is not, the drive says so, and nobody listens.
        Err(_) => drop(tokio::spawn(abort(connection, id))),
    }
    outcome.map(drop)
}

fn end(id: u32, operations: usize) -> Request {
    let body = Body {
        batch: Some(command::Batch {
            count: Some(u32::try_from(operations).unwrap_or(u32::MAX)),
            ..command::Batch::default()
        }),
        ..Body::default()
    };
    let mut end = Request::with_body(MessageType::END_BATCH, body);
    end.batch = Some(id);
    end
}

fn behind(mut end: Request, operations: Vec<Request>) -> Request {
    end.special = Some(Box::new(Special::Behind(operations)));
    end
}

/// The request to open the batch is no operation of it.
fn without_start(mut error: Error) -> Error {
    if let Error::Refused {
        failed_operation, ..
    } = &mut error
    {
        *failed_operation = failed_operation.and_then(|failed| failed.checked_sub(1));
    }
    error
}

async fn abort(connection: Connection, id: u32) {
    let mut abort = Request::new(MessageType::ABORT_BATCH);
    abort.batch = Some(id);
    // Whoever asked for the batch has its error already.
    let _ = connection.call(abort, Manner::default()).await;
}
