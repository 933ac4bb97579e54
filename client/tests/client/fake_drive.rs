//! The other end of a connection: greets, reads requests, answers what a test tells it to.

use bytes::{Bytes, BytesMut};
use kinetic_client::{Client, Config, SigningKey, StatusCode, schema};
use kinetic_proto::{FrameDecoder, Limits, MessageView, Received, Seal, message};
use schema::Command;
use schema::command::{Body, GetLog, Header, KeyValue, Status, get_log};
use schema::message::AuthType;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// Bytes on their way in each direction.
const STREAM_BYTES: usize = 64 << 10;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    /// The PIN, where it is not signed.
    pub(crate) pin: Option<Bytes>,
    pub(crate) value: Bytes,
}

impl Asked {
    pub(crate) fn header(&self) -> Header {
        self.command.header.unwrap()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.header().sequence.unwrap()
    }

    pub(crate) fn key_value(&self) -> KeyValue {
        self.command.body.clone().unwrap().key_value.unwrap()
    }

    pub(crate) fn range(&self) -> schema::command::Range {
        self.command.body.clone().unwrap().range.unwrap()
    }
}

pub(crate) struct FakeDrive<S = DuplexStream> {
    stream: S,
    decoder: FrameDecoder,
    buffer: BytesMut,
    key: SigningKey,
}

/// A client and the drive it is connected to.
pub(crate) async fn connected(config: Config) -> (Client, FakeDrive) {
    let (near, far) = tokio::io::duplex(STREAM_BYTES);
    let mut drive = FakeDrive::new(far);
    drive.greet().await;
    let client = Client::over(near, config).await.unwrap();
    (client, drive)
}

pub(crate) fn hello(protocol_version: &str) -> Command {
    let log = GetLog {
        configuration: Some(get_log::Configuration {
            vendor: Some("Fake".to_owned()),
            protocol_version: Some(protocol_version.to_owned()),
            ..Default::default()
        }),
        limits: Some(Limits::default().to_message()),
        ..GetLog::default()
    };
    Command {
        header: Some(Header {
            cluster_version: Some(5),
            connection_id: Some(1234),
            ..Header::default()
        }),
        body: Some(Box::new(Body {
            get_log: Some(Box::new(log)),
            ..Body::default()
        })),
        status: Some(StatusCode::SUCCESS.to_message()),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FakeDrive<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::default(),
            buffer: BytesMut::new(),
            key: SigningKey::new(b"asdfasdf"),
        }
    }

    /// Greets as a drive does.
    pub(crate) async fn greet(&mut self) {
        self.send(Seal::Unsolicited, &hello("4.0.1"), b"").await;
    }

    pub(crate) fn sign_with(&mut self, key: &[u8]) {
        self.key = SigningKey::new(key);
    }

    pub(crate) async fn send(&mut self, seal: Seal<'_>, command: &Command, value: &[u8]) {
        let mut out = BytesMut::new();
        message::encode_frame(seal, command, value.len(), &mut out).unwrap();
        out.extend_from_slice(value);
        self.stream.write_all(&out).await.unwrap();
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next request; `None` once the client has hung up.
    pub(crate) async fn try_next(&mut self) -> Option<Asked> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.buffer).unwrap() {
                let received = Received::decode(&frame.message).unwrap();
                let view = MessageView::parse(&frame.message).unwrap();
                let pin = view.pin_auth.and_then(|auth| auth.pin);
                let pin = pin.map(Bytes::copy_from_slice);
                if pin.is_none() {
                    received.verify(&SigningKey::new(b"asdfasdf")).unwrap();
                } else {
                    assert_eq!(received.auth_type, Some(AuthType::Pinauth.into()));
                    assert_eq!(received.hmac, None);
                }
                return Some(Asked {
                    command: received.command,
                    pin,
                    value: frame.value.whole().unwrap(),
                });
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap() == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Asked {
        self.try_next().await.expect("the client hung up")
    }

    /// Reads until the client goes, whatever comes.
    pub(crate) async fn drain(&mut self) {
        let mut sink = tokio::io::sink();
        // A client that hangs up hard has gone, too.
        let _ = tokio::io::copy(&mut self.stream, &mut sink).await;
    }

    /// Answers without a value.
    pub(crate) async fn answer(&mut self, asked: &Asked, status: Status, body: Body) {
        self.respond(asked, (status, body), b"").await;
    }

    /// Answers with SUCCESS and a value.
    pub(crate) async fn answer_value(&mut self, asked: &Asked, body: Body, value: &[u8]) {
        let status = StatusCode::SUCCESS.to_message();
        self.respond(asked, (status, body), value).await;
    }

    async fn respond(&mut self, asked: &Asked, (status, body): (Status, Body), value: &[u8]) {
        let command = Command {
            header: Some(Header {
                ack_sequence: asked.header().sequence,
                connection_id: Some(1234),
                message_type: asked.header().message_type.map(|request| request - 1),
                ..Header::default()
            }),
            body: Some(Box::new(body)),
            status: Some(status),
        };
        let key = self.key.clone();
        let signed = Seal::Signed {
            identity: 1,
            key: &key,
        };
        let seal = asked.pin.as_ref().map_or(signed, |_| Seal::PinResponse);
        self.send(seal, &command, value).await;
    }

    pub(crate) async fn succeed(&mut self, asked: &Asked) {
        self.answer(asked, StatusCode::SUCCESS.to_message(), Body::default())
            .await;
    }

    pub(crate) async fn unsolicited(&mut self, status: Status) {
        let command = Command {
            status: Some(status),
            ..Command::default()
        };
        self.send(Seal::Unsolicited, &command, b"").await;
    }
}
