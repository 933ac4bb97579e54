//! The steps of a batch: its commands, and what is answered of them.

use kinetic_proto::MessageType;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, KeyValue};

use crate::conversation::{Conversation, Reply, about, key_only};

/// A command that names a batch, as START, END, ABORT and every member do.
pub fn of_batch(talk: &mut Conversation, id: u32, kind: MessageType, body: Body) -> Command {
    let mut command = talk.command(kind, body);
    command.header.get_or_insert_default().batch_id = Some(id);
    command
}

/// Sends such a command without a body and takes the answer.
pub fn ask(talk: &mut Conversation, id: u32, kind: MessageType) -> Reply {
    let command = of_batch(talk, id, kind, Body::default());
    talk.ask_command(&command, &[])
}

/// Opens a batch.
pub fn start(talk: &mut Conversation, id: u32) -> Reply {
    ask(talk, id, MessageType::START_BATCH)
}

/// Commits a batch.
pub fn end(talk: &mut Conversation, id: u32) -> Reply {
    ask(talk, id, MessageType::END_BATCH)
}

/// Forgets a batch.
pub fn abort(talk: &mut Conversation, id: u32) -> Reply {
    ask(talk, id, MessageType::ABORT_BATCH)
}

/// Sends a member, which is not answered; its sequence.
pub fn member(
    talk: &mut Conversation,
    id: u32,
    kind: MessageType,
    (entry, value): (KeyValue, &[u8]),
) -> u64 {
    let command = of_batch(talk, id, kind, about(entry));
    talk.send_command(&command, value);
    sequence_of(&command)
}

/// Puts by force, as a member.
pub fn put(talk: &mut Conversation, id: u32, key: &[u8], value: &[u8]) -> u64 {
    let entry = KeyValue {
        force: Some(true),
        ..key_only(key)
    };
    member(talk, id, MessageType::PUT, (entry, value))
}

/// The sequence of a command.
#[must_use]
pub fn sequence_of(command: &Command) -> u64 {
    let header = command.header.unwrap_or_default();
    header.sequence.unwrap_or_default()
}
