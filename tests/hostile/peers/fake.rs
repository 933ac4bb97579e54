//! A peer that greets as a drive does and answers as a test wants it to.
//!
//! Guarantee: its threads end with their connections, and those when both ends are gone.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use bytes::BytesMut;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, GetLog, Header, KeyValue, get_log};
use kinetic_proto::{
    FrameDecoder, Limits, MessageType, Received, Seal, SigningKey, StatusCode, message,
};
use kinetic_tests::raw::{FACTORY_IDENTITY, FACTORY_KEY};

/// Bytes that it reads at once.
const READ_BYTES: usize = 64 << 10;

/// A listening peer.
pub(super) struct FakePeer {
    pub(super) address: SocketAddr,
}

/// A request that it got, and the connection to answer it on.
pub(super) struct Asked<'a> {
    pub(super) command: Command,
    stream: &'a mut TcpStream,
}

impl FakePeer {
    /// A peer that does this with each connection, on a thread of its own.
    pub(super) fn that(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let listen = move || {
            for stream in listener.incoming() {
                let (Ok(stream), serve) = (stream, serve.clone()) else {
                    return;
                };
                let named = thread::Builder::new().name("fake peer".to_owned());
                named.spawn(move || serve(stream)).expect("a thread");
            }
        };
        let named = thread::Builder::new().name("fake listener".to_owned());
        named.spawn(listen).expect("a thread");
        Self { address }
    }

    /// One that greets, and does this with each request.
    pub(super) fn that_answers(answer: impl Fn(Asked<'_>) + Clone + Send + 'static) -> Self {
        Self::that(move |stream| converse(stream, &answer))
    }
}

fn converse(mut stream: TcpStream, answer: &impl Fn(Asked<'_>)) {
    send(&mut stream, Seal::Unsolicited, &hello());
    let (mut buffer, mut decoder) = (BytesMut::new(), FrameDecoder::default());
    let mut bytes = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        buffer.extend_from_slice(bytes.get(..count).unwrap_or_default());
        while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
            let received = Received::decode(&frame.message).expect("a drive's request");
            answer(Asked {
                command: received.command,
                stream: &mut stream,
            });
        }
    }
}

fn send(stream: &mut TcpStream, seal: Seal<'_>, command: &Command) {
    let mut out = BytesMut::new();
    message::encode_frame(seal, command, 0, &mut out).expect("a small message");
    // Who has gone hears nothing.
    stream.write_all(&out).ok();
}

fn hello() -> Command {
    let log = GetLog {
        configuration: Some(get_log::Configuration::default()),
        limits: Some(Limits::default().to_message()),
        ..GetLog::default()
    };
    Command {
        header: Some(Header {
            cluster_version: Some(0),
            connection_id: Some(1),
            ..Header::default()
        }),
        body: Some(Box::new(Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        })),
        status: Some(StatusCode::SUCCESS.to_message()),
    }
}

impl Asked<'_> {
    pub(super) fn kind(&self) -> MessageType {
        let header = self.command.header.unwrap_or_default();
        MessageType(header.message_type.unwrap_or_default())
    }

    /// The key of the entry that it is about.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.entry()?.key.as_deref()
    }

    /// When a write is to be answered, as it stands in the request.
    pub(super) fn synchronization(&self) -> Option<i32> {
        self.entry()?.synchronization
    }

    fn entry(&self) -> Option<&KeyValue> {
        self.command.body.as_ref()?.key_value.as_ref()
    }

    /// The other end, which tells connections apart.
    pub(super) fn from(&self) -> SocketAddr {
        self.stream.peer_addr().expect("an address")
    }

    /// Ends the connection without an answer.
    pub(super) fn hang_up(self) {
        // Who has gone already does not mind.
        self.stream.shutdown(Shutdown::Both).ok();
    }

    /// The answer that a drive would give.
    pub(super) fn succeed(self, body: Option<Box<Body>>) {
        let (sequence, key) = (self.sequence(), SigningKey::new(FACTORY_KEY));
        self.answer((sequence, body), &key);
    }

    pub(super) fn sequence(&self) -> u64 {
        let header = self.command.header.unwrap_or_default();
        header.sequence.unwrap_or_default()
    }

    /// An answer to this sequence, signed so.
    pub(super) fn answer(self, (sequence, body): (u64, Option<Box<Body>>), key: &SigningKey) {
        let answer = Command {
            header: Some(Header {
                connection_id: Some(1),
                ack_sequence: Some(sequence),
                message_type: self.kind().response().map(i32::from),
                ..Header::default()
            }),
            body,
            status: Some(StatusCode::SUCCESS.to_message()),
        };
        let seal = Seal::Signed {
            identity: FACTORY_IDENTITY,
            key,
        };
        send(self.stream, seal, &answer);
    }
}
