//! The ceiling: a bare tokio server that answers Kinetic requests with frames made beforehand.
//!
//! Usage: `canned --value-size 4096 [--listen 127.0.0.1:0]`; prints one line of JSON with its
//! address, like `kineticd --ready-json`, and serves until it is killed.
//!
//! It does what no server of this protocol can leave out: reads frames, finds type and sequence
//! with the codec of `kinetic-proto`, patches the acknowledged sequence into a response made at
//! the start, signs it, and sends the responses of one read in one vectored write. It leaves out
//! all else: no request is verified, nothing is stored, every GET gets the same value, which is
//! never copied. The sequence stands in the response as a varint of ten bytes, padded, so that
//! the response has one length.

use std::io::{self, IoSlice, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use bytes::{Buf, Bytes, BytesMut};
use kinetic_proto::limits::FRAME_HEADER_SIZE;
use kinetic_proto::message::encode_frame;
use kinetic_proto::schema::Command;
use kinetic_proto::schema::command::{Body, GetLog, Header, KeyValue, MessageType, get_log};
use kinetic_proto::{CommandView, Limits, MessageView, Seal, SigningKey, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The factory identity and key, which the bench uses.
const IDENTITY: i64 = 1;
const KEY: &[u8] = b"asdfasdf";

/// Asked of the socket at once.
const READ_SIZE: usize = 256 * 1024;

/// A `u64` takes at most so many bytes as a varint.
const VARINT_SIZE: usize = 10;

/// Bytes of a signature.
const SIGNATURE_SIZE: usize = 20;

/// Slices handed to one write, below what the system takes.
const MAX_SLICES: usize = 512;

/// Message types that get a response of their own.
const TYPES: usize = 64;

fn main() -> ExitCode {
    let mut value_size = 0;
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let understood = match name.as_str() {
            "--value-size" => value.parse().map(|size| value_size = size).is_ok(),
            "--listen" => value.parse().map(|address| listen = address).is_ok(),
            _ => false,
        };
        if !understood {
            eprintln!("usage: canned --value-size BYTES [--listen ADDRESS:PORT]");
            return ExitCode::from(2);
        }
    }
    match serve(listen, value_size) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("canned: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(listen: SocketAddr, value_size: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        writeln!(io::stdout(), "{{\"plain\":\"{}\"}}", listener.local_addr()?)?;
        let value = Bytes::from(vec![b'v'; value_size]);
        loop {
            let (stream, _) = listener.accept().await?;
            let value = value.clone();
            tokio::spawn(async move {
                // A client that goes away ends its connection, and nothing else.
                answer(stream, value).await.ok();
            });
        }
    })
}

async fn answer(mut stream: TcpStream, value: Bytes) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let key = SigningKey::new(KEY);
    stream.write_all(&hello()?).await?;

    let mut canned: [Option<Canned>; TYPES] = [const { None }; TYPES];
    let mut buffer = BytesMut::with_capacity(2 * READ_SIZE);
    let mut heads = Vec::new();
    let mut responses: Vec<(usize, bool)> = Vec::new();
    let mut value_left = 0;
    loop {
        buffer.reserve(READ_SIZE);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(request) = next_request(&mut buffer, &mut value_left)? {
            let place = usize::try_from(request.message_type).ok();
            let slot = place
                .and_then(|place| canned.get_mut(place))
                .ok_or_else(bad_request)?;
            let response = match slot {
                Some(response) => response,
                empty => empty.insert(Canned::new(request.message_type, value.len())?),
            };
            response.append(request.sequence, &key, &mut heads);
            responses.push((response.frame.len(), response.has_value));
        }
        send(&mut stream, &heads, &responses, &value).await?;
        heads.clear();
        responses.clear();
    }
}

/// What of a request matters here.
struct Request {
    message_type: i32,
    sequence: u64,
}

/// The next request whose value has come whole and been thrown away.
fn next_request(buffer: &mut BytesMut, value_left: &mut usize) -> io::Result<Option<Request>> {
    let skipped = (*value_left).min(buffer.len());
    buffer.advance(skipped);
    *value_left -= skipped;
    let Some((header, rest)) = buffer.split_first_chunk::<FRAME_HEADER_SIZE>() else {
        return Ok(None);
    };
    let [_, m0, m1, m2, m3, v0, v1, v2, v3] = *header;
    let length = u32::from_be_bytes([m0, m1, m2, m3]) as usize;
    let Some(message) = rest.get(..length) else {
        return Ok(None);
    };
    let request = parse(message).ok_or_else(bad_request)?;
    *value_left = u32::from_be_bytes([v0, v1, v2, v3]) as usize;
    buffer.advance(FRAME_HEADER_SIZE + length);
    Ok(Some(request))
}

fn parse(message: &[u8]) -> Option<Request> {
    let message = MessageView::parse(message).ok()?;
    let header = CommandView::parse(message.command_bytes()).ok()?.header?;
    Some(Request {
        message_type: header.message_type?,
        sequence: header.sequence?,
    })
}

/// A response frame, without its value, ready but for sequence and signature.
struct Canned {
    frame: Vec<u8>,
    /// Where the padded varint begins.
    sequence_at: usize,
    /// Where the signature begins.
    signature_at: usize,
    /// Where the signed command begins; it reaches to the end.
    command_at: usize,
    has_value: bool,
}

impl Canned {
    fn new(request_type: i32, value_size: usize) -> io::Result<Self> {
        let has_value = request_type == MessageType::Get as i32;
        let key_value = KeyValue {
            tag: Some(Bytes::new()),
            ..Default::default()
        };
        let command = Command {
            header: Some(Header {
                connection_id: Some(1),
                ack_sequence: Some(u64::MAX),
                message_type: Some(request_type - 1),
                ..Default::default()
            }),
            body: Some(Box::new(Body {
                key_value: Some(key_value),
                ..Default::default()
            })),
            status: Some(StatusCode::SUCCESS.to_message()),
        };
        let key = SigningKey::new(KEY);
        let mut frame = BytesMut::new();
        let value_length = if has_value { value_size } else { 0 };
        let seal = Seal::Signed {
            identity: IDENTITY,
            key: &key,
        };
        encode_frame(seal, &command, value_length, &mut frame).map_err(io::Error::other)?;

        let command_bytes = prost::Message::encode_to_vec(&command);
        let command_at = frame.len() - command_bytes.len();
        let find = |what: &[u8]| frame.windows(what.len()).rposition(|window| window == what);
        let sequence_at = find(&varint(u64::MAX)).ok_or_else(bad_request)?;
        let signature_at = find(&key.sign(&command_bytes)).ok_or_else(bad_request)?;
        Ok(Self {
            frame: frame.to_vec(),
            sequence_at,
            signature_at,
            command_at,
            has_value,
        })
    }

    fn append(&mut self, sequence: u64, key: &SigningKey, out: &mut Vec<u8>) {
        if let Some(place) = self
            .frame
            .get_mut(self.sequence_at..self.sequence_at + VARINT_SIZE)
        {
            place.copy_from_slice(&varint(sequence));
        }
        if let Some((head, command_bytes)) = self.frame.split_at_mut_checked(self.command_at) {
            let place = head.get_mut(self.signature_at..self.signature_at + SIGNATURE_SIZE);
            if let Some(place) = place {
                place.copy_from_slice(&key.sign(command_bytes));
            }
        }
        out.extend_from_slice(&self.frame);
    }
}

/// A varint padded to the longest a `u64` can take.
fn varint(number: u64) -> [u8; VARINT_SIZE] {
    let mut bytes = [0x80; VARINT_SIZE];
    let mut left = number;
    for byte in &mut bytes {
        *byte |= left.to_le_bytes()[0] & 0x7f;
        left >>= 7;
    }
    if let Some(last) = bytes.last_mut() {
        *last &= 0x7f;
    }
    bytes
}

async fn send(
    stream: &mut TcpStream,
    heads: &[u8],
    responses: &[(usize, bool)],
    value: &[u8],
) -> io::Result<()> {
    let mut rest = heads;
    for group in responses.chunks(MAX_SLICES / 2) {
        let mut slices = Vec::with_capacity(MAX_SLICES);
        for (length, has_value) in group {
            let (head, left) = rest.split_at_checked(*length).ok_or_else(bad_request)?;
            rest = left;
            slices.push(IoSlice::new(head));
            if *has_value {
                slices.push(IoSlice::new(value));
            }
        }
        let mut unsent = slices.as_mut_slice();
        while !unsent.is_empty() {
            let sent = stream.write_vectored(unsent).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut unsent, sent);
        }
    }
    Ok(())
}

/// The unsolicited status that opens every connection.
fn hello() -> io::Result<Bytes> {
    let configuration = get_log::Configuration {
        vendor: Some("canned".to_owned()),
        model: Some("canned".to_owned()),
        ..Default::default()
    };
    let log = GetLog {
        configuration: Some(configuration),
        limits: Some(Limits::default().to_message()),
        ..Default::default()
    };
    let command = Command {
        header: Some(Header {
            cluster_version: Some(0),
            connection_id: Some(1),
            ..Default::default()
        }),
        body: Some(Box::new(Body {
            get_log: Some(Box::new(log)),
            ..Default::default()
        })),
        status: Some(StatusCode::SUCCESS.to_message()),
    };
    let mut frame = BytesMut::new();
    encode_frame(Seal::Unsolicited, &command, 0, &mut frame).map_err(io::Error::other)?;
    Ok(frame.freeze())
}

fn bad_request() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a request that no client of the bench sends",
    )
}

#[cfg(test)]
mod tests {
    use kinetic_proto::Received;

    use super::*;

    #[test]
    fn a_canned_response_is_signed_and_carries_the_sequence_of_its_request() {
        let key = SigningKey::new(KEY);
        let mut canned = Canned::new(MessageType::Get as i32, 4096).expect("a response");
        let mut out = Vec::new();
        for sequence in [0, 1, 300, u64::from(u32::MAX), u64::MAX] {
            out.clear();
            canned.append(sequence, &key, &mut out);
            let message = Bytes::copy_from_slice(&out[FRAME_HEADER_SIZE..]);
            let received = Received::decode(&message).expect("a message");
            received.verify(&key).expect("a good signature");
            assert_eq!(received.ack_sequence(), Some(sequence));
        }
    }

    #[test]
    fn a_request_is_found_once_its_value_has_passed_in_pieces() {
        let key = SigningKey::new(KEY);
        let header = Header {
            sequence: Some(7),
            message_type: Some(MessageType::Put as i32),
            ..Default::default()
        };
        let command = Command {
            header: Some(header),
            ..Default::default()
        };
        let mut bytes = BytesMut::new();
        let seal = Seal::Signed {
            identity: IDENTITY,
            key: &key,
        };
        encode_frame(seal, &command, 5, &mut bytes).expect("a frame");
        bytes.extend_from_slice(b"val");

        let mut value_left = 0;
        let request = next_request(&mut bytes, &mut value_left).expect("no error");
        assert_eq!(request.expect("a request").sequence, 7);
        assert_eq!(value_left, 5);
        assert!(
            next_request(&mut bytes, &mut value_left)
                .expect("no error")
                .is_none()
        );
        assert_eq!(value_left, 2);
    }
}
