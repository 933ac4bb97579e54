//! A conversation with a drive: requests with growing sequences, and the answers to them.
//!
//! Guarantees: every answer that [`Conversation::ask`] gives has a signature that holds, the
//! connection's id, the request's sequence, and no cluster version unless the answer is about it;
//! anything else panics, whatever the test is about. Not here: what goes wrong (`raw`).

use std::io;

use bytes::Bytes;
use kinetic_proto::schema::command::{Body, Header, KeyValue, PinOperation, Range};
use kinetic_proto::schema::message::{AuthType, PiNauth};
use kinetic_proto::schema::{self, Command};
use kinetic_proto::{MessageType, Received, SigningKey, StatusCode};
use prost::Message as _;

use crate::raw::{
    Answer, Door, FACTORY_IDENTITY, FACTORY_KEY, RawConnection, RawFrame, frame, signed,
};

/// One identity on one connection: the factory's, unless it is told otherwise.
#[derive(Debug)]
pub struct Conversation {
    connection: RawConnection,
    hello: Received,
    connection_id: i64,
    next_sequence: u64,
    identity: i64,
    key: Vec<u8>,
    cluster_version: Option<i64>,
}

/// What a drive answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The message and the command in it.
    pub received: Received,
    /// The value behind it.
    pub value: Bytes,
}

impl Reply {
    /// A frame as a reply.
    #[must_use]
    pub fn of(frame: &RawFrame) -> Self {
        Self {
            received: frame.received(),
            value: frame.value.clone(),
        }
    }

    /// The status code, which every answer has.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn code(&self) -> StatusCode {
        let status = self.received.command.status.as_ref();
        StatusCode::of(status.expect("an answer has a status"))
    }

    /// The status message, empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        let status = self.received.command.status.as_ref();
        status
            .and_then(|status| status.status_message.as_deref())
            .unwrap_or_default()
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> Header {
        self.received.command.header.unwrap_or_default()
    }

    /// The body, empty where there is none.
    #[must_use]
    pub fn body(&self) -> Body {
        *self.received.command.body.clone().unwrap_or_default()
    }

    /// The entry, which every answer about one has.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn entry(&self) -> KeyValue {
        self.body().key_value.expect("body.keyValue")
    }

    /// The keys of a range, as text.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let keys = self.body().range.unwrap_or_default().keys;
        keys.iter()
            .map(|key| String::from_utf8_lossy(key).into_owned())
            .collect()
    }

    /// The same, where it must be a success.
    ///
    /// # Panics
    /// If it is none.
    pub fn success(self) -> Self {
        assert_eq!(self.code(), StatusCode::SUCCESS, "{}", self.text());
        self
    }
}

impl Conversation {
    /// Connects and takes the hello.
    ///
    /// # Errors
    /// What the host reports.
    pub fn begin(drive: impl Into<Door>) -> io::Result<Self> {
        Self::over(RawConnection::connect(drive)?)
    }

    /// Takes the hello of a connection that has just been made.
    ///
    /// # Errors
    /// What the host reports.
    pub fn over(mut connection: RawConnection) -> io::Result<Self> {
        let hello = connection.read_frame()?.received();
        let header = hello.command.header.unwrap_or_default();
        Ok(Self {
            connection,
            hello,
            connection_id: header.connection_id.unwrap_or(0),
            next_sequence: 1,
            identity: FACTORY_IDENTITY,
            key: FACTORY_KEY.to_vec(),
            cluster_version: None,
        })
    }

    /// The connection below, for what this type would not do.
    pub fn raw(&mut self) -> &mut RawConnection {
        &mut self.connection
    }

    /// What the drive said first.
    #[must_use]
    pub fn hello(&self) -> &Received {
        &self.hello
    }

    /// The id that the hello gave.
    #[must_use]
    pub fn connection_id(&self) -> i64 {
        self.connection_id
    }

    /// A header with the next sequence.
    pub fn header(&mut self, kind: MessageType) -> Header {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Header {
            connection_id: Some(self.connection_id),
            cluster_version: self.cluster_version,
            sequence: Some(sequence),
            message_type: Some(kind.into()),
            ..Header::default()
        }
    }

    /// A command with the next sequence.
    pub fn command(&mut self, kind: MessageType, body: Body) -> Command {
        Command {
            header: Some(self.header(kind)),
            body: Some(Box::new(body)),
            ..Command::default()
        }
    }

    /// Sends a request and does not wait for its answer; its sequence.
    pub fn send(&mut self, kind: MessageType, body: Body, value: &[u8]) -> u64 {
        let command = self.command(kind, body);
        self.send_command(&command, value);
        self.next_sequence - 1
    }

    /// Speaks under another identity from now on.
    #[must_use]
    pub fn speaking_as(mut self, identity: i64, key: &[u8]) -> Self {
        self.identity = identity;
        self.key = key.to_vec();
        self
    }

    /// Names this cluster version from now on.
    #[must_use]
    pub fn at_cluster_version(mut self, version: i64) -> Self {
        self.cluster_version = Some(version);
        self
    }

    /// Asks for a PIN operation by its number, and takes the answer, which nobody signs.
    ///
    /// # Panics
    /// If the answer is not what every answer to a PIN operation is.
    pub fn pin_operation(&mut self, number: i32, pin: Option<&[u8]>) -> Reply {
        let command = self.pin_command(number);
        self.ask_by_pin(&command, pin)
    }

    /// The command of a PIN operation, with the next sequence.
    pub fn pin_command(&mut self, number: i32) -> Command {
        let operation = PinOperation {
            pin_op_type: Some(number),
        };
        let body = Body {
            pin_op: Some(operation),
            ..Body::default()
        };
        self.command(MessageType::PINOP, body)
    }

    /// Sends a command by PINAUTH and takes its answer.
    ///
    /// # Panics
    /// As [`Self::pin_operation`].
    pub fn ask_by_pin(&mut self, command: &Command, pin: Option<&[u8]>) -> Reply {
        self.send_by_pin(command, pin);
        let reply = self.answer_to_pin();
        let asked = command.header.unwrap_or_default();
        assert_eq!(reply.header().ack_sequence, asked.sequence);
        reply
    }

    /// Sends a command by PINAUTH and does not wait for its answer.
    ///
    /// # Panics
    /// If the drive does not take it.
    pub fn send_by_pin(&mut self, command: &Command, pin: Option<&[u8]>) {
        let message = schema::Message {
            auth_type: Some(AuthType::Pinauth.into()),
            pin_auth: pin.map(|pin| PiNauth {
                pin: Some(Bytes::copy_from_slice(pin)),
            }),
            command_bytes: Some(command.encode_to_vec().into()),
            ..schema::Message::default()
        };
        let bytes = frame(&message.encode_to_vec(), &[]);
        self.connection.send(&bytes).expect("the drive takes it");
    }

    /// Takes the answer to a command by PINAUTH, which nobody signs.
    ///
    /// # Panics
    /// As [`Self::pin_operation`].
    pub fn answer_to_pin(&mut self) -> Reply {
        let reply = Reply::of(&self.connection.read_frame().expect("an answer"));
        let pinauth = Some(AuthType::Pinauth.into());
        let received = &reply.received;
        assert_eq!((received.auth_type, &received.hmac), (pinauth, &None));
        assert_eq!(reply.header().connection_id, Some(self.connection_id));
        reply
    }

    /// Sends a command under the conversation's identity.
    ///
    /// # Panics
    /// If the drive does not take it.
    pub fn send_command(&mut self, command: &Command, value: &[u8]) {
        let message = signed(command.encode_to_vec(), self.identity, &self.key);
        self.connection
            .send(&frame(&message, value))
            .expect("the drive takes a request");
    }

    /// Takes the next answer off the line, whichever it is, and checks what holds of all.
    ///
    /// # Panics
    /// If the connection ends, or the answer lacks what every answer has.
    pub fn answer(&mut self) -> Reply {
        let frame = self.connection.read_frame().expect("an answer");
        let reply = Reply::of(&frame);
        let received = &reply.received;
        assert!(!received.is_unsolicited(), "unsolicited: {}", reply.text());
        assert_eq!(received.identity, Some(self.identity));
        received
            .verify(&SigningKey::new(&self.key))
            .expect("the answer's signature holds");
        let header = reply.header();
        assert_eq!(header.connection_id, Some(self.connection_id));
        assert!(header.ack_sequence.is_some(), "no ackSequence");
        let about_it = reply.code() == StatusCode::VERSION_FAILURE;
        assert_eq!(header.cluster_version.is_some(), about_it, "clusterVersion");
        reply
    }

    /// Sends a command and takes its answer.
    pub fn ask_command(&mut self, command: &Command, value: &[u8]) -> Reply {
        self.send_command(command, value);
        let reply = self.answer();
        let header = command.header.unwrap_or_default();
        let answered = reply.header();
        assert_eq!(answered.ack_sequence, Some(header.sequence.unwrap_or(0)));
        let kind = MessageType(header.message_type.unwrap_or(-1));
        let expected = kind.response().map(i32::from);
        assert_eq!(answered.message_type, expected, "messageType");
        reply
    }

    /// Sends a request and takes its answer.
    pub fn ask(&mut self, kind: MessageType, body: Body, value: &[u8]) -> Reply {
        let command = self.command(kind, body);
        self.ask_command(&command, value)
    }

    /// Asks about an entry.
    pub fn ask_entry(&mut self, kind: MessageType, entry: KeyValue, value: &[u8]) -> Reply {
        self.ask(kind, about(entry), value)
    }

    /// Asks for keys.
    pub fn ask_range(&mut self, range: Range) -> Reply {
        let body = Body {
            range: Some(range),
            ..Body::default()
        };
        self.ask(MessageType::GETKEYRANGE, body, &[])
    }

    /// All keys but the empty one, up to the limit of one answer.
    pub fn ask_range_of_all(&mut self) -> Vec<Bytes> {
        let body = self.ask_range(Range::default()).success().body();
        body.range.unwrap_or_default().keys
    }

    /// Stores a value under a key by force.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Reply {
        let entry = KeyValue {
            force: Some(true),
            ..key_only(key)
        };
        self.ask_entry(MessageType::PUT, entry, value)
    }

    /// Reads a key.
    pub fn get(&mut self, key: &[u8]) -> Reply {
        self.ask_entry(MessageType::GET, key_only(key), &[])
    }

    /// Asks for nothing.
    pub fn noop(&mut self) -> Reply {
        self.ask(MessageType::NOOP, Body::default(), &[])
    }

    /// Reads the unsolicited status that a drive ends a connection with, and the end itself.
    ///
    /// # Panics
    /// If something else comes, or the status says what only a hello may say.
    pub fn farewell(&mut self) -> Reply {
        farewell(&mut self.connection)
    }
}

/// The last word of a drive on any connection, and the end itself.
///
/// # Panics
/// If something else comes, or the status says what only a hello may say.
pub fn farewell(connection: &mut RawConnection) -> Reply {
    let frame = connection.read_frame().expect("a last word");
    let reply = Reply::of(&frame);
    assert!(
        reply.received.is_unsolicited(),
        "not unsolicited: {reply:?}"
    );
    assert_eq!(reply.header().connection_id, None, "a hello's connectionID");
    assert_ne!(reply.code(), StatusCode::SUCCESS);
    assert!(!reply.text().is_empty(), "a last word has a sentence");
    match connection.read().expect("the end") {
        Answer::Closed => reply,
        Answer::Frame(frame) => panic!("after the last word came {:?}", frame.received()),
    }
}

/// A body about an entry.
#[must_use]
pub fn about(entry: KeyValue) -> Body {
    Body {
        key_value: Some(entry),
        ..Body::default()
    }
}

/// An entry with nothing but its key.
#[must_use]
pub fn key_only(key: &[u8]) -> KeyValue {
    KeyValue {
        key: Some(Bytes::copy_from_slice(key)),
        ..KeyValue::default()
    }
}
