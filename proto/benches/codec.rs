//! What one message costs: signing, reading an envelope by three readers, writing a response.
//!
//! `cargo bench -p kinetic-proto`; under `cargo test` every case runs once. The request is a PUT
//! of a 32-byte key as a client writes it; the response is that to a GET.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use kinetic_proto::message::{encode_frame, seal_message};
use kinetic_proto::schema::command::{Body, Header, KeyValue};
use kinetic_proto::schema::{Command, Message};
use kinetic_proto::{
    CommandView, FrameDecoder, HeaderView, KeyValueView, MessageType, MessageView, Reply, Seal,
    SigningKey, StatusCode, StatusView,
};
use prost::Message as _;
use quick_protobuf::BytesReader;

fn put_request() -> Command {
    let header = Header {
        cluster_version: Some(0),
        connection_id: Some(1_700_000_000_123),
        sequence: Some(123_456),
        message_type: Some(MessageType::PUT.into()),
        ..Header::default()
    };
    let key_value = KeyValue {
        key: Some(Bytes::from_static(&[b'k'; 32])),
        new_version: Some(Bytes::from_static(b"00000001")),
        tag: Some(Bytes::from_static(&[7; 20])),
        algorithm: Some(1),
        synchronization: Some(2),
        ..KeyValue::default()
    };
    let body = Body {
        key_value: Some(key_value),
        ..Body::default()
    };
    Command {
        header: Some(header),
        body: Some(Box::new(body)),
        status: None,
    }
}

fn get_response(key: &Bytes, version: &Bytes, tag: &Bytes) -> Command {
    let header = Header {
        connection_id: Some(1_700_000_000_123),
        ack_sequence: Some(123_456),
        message_type: MessageType::GET.response().map(Into::into),
        ..Header::default()
    };
    let key_value = KeyValue {
        key: Some(key.clone()),
        db_version: Some(version.clone()),
        tag: Some(tag.clone()),
        algorithm: Some(1),
        ..KeyValue::default()
    };
    let body = Body {
        key_value: Some(key_value),
        ..Body::default()
    };
    Command {
        header: Some(header),
        body: Some(Box::new(body)),
        status: Some(StatusCode::SUCCESS.to_message()),
    }
}

fn get_reply<'a>(key: &'a [u8], version: &'a [u8], tag: &'a [u8]) -> Reply<'a> {
    let header = HeaderView {
        connection_id: Some(1_700_000_000_123),
        ack_sequence: Some(123_456),
        message_type: MessageType::GET.response().map(Into::into),
        ..HeaderView::default()
    };
    let key_value = KeyValueView {
        key: Some(key),
        db_version: Some(version),
        tag: Some(tag),
        algorithm: Some(1),
        ..KeyValueView::default()
    };
    let status = StatusView {
        code: Some(StatusCode::SUCCESS.into()),
        message: None,
    };
    Reply {
        header: Some(header),
        key_value: Some(key_value),
        status: Some(status),
    }
}

fn signatures(criterion: &mut Criterion) {
    let key = SigningKey::new(b"asdfasdf");
    for (size, length) in [("100 B", 100), ("1 KiB", 1 << 10)] {
        let command_bytes = vec![7; length];
        let hmac = key.sign(&command_bytes);
        criterion.bench_function(&format!("sign {size}"), |bench| {
            bench.iter(|| key.sign(black_box(&command_bytes)));
        });
        criterion.bench_function(&format!("verify {size}"), |bench| {
            bench.iter(|| key.verify(black_box(&command_bytes), &hmac));
        });
    }
    criterion.bench_function("prepare a key", |bench| {
        bench.iter(|| SigningKey::new(black_box(b"asdfasdf")));
    });
}

/// The same three levels by quick-protobuf's reader, as plain as its generated code.
fn by_quick_protobuf(message: &[u8]) -> Option<(i64, KeyValueView<'_>)> {
    let (mut identity, mut command_bytes) = (0, &[][..]);
    let mut reader = BytesReader::from_bytes(message);
    while !reader.is_eof() {
        match reader.next_tag(message).ok()? {
            32 => drop(reader.read_int32(message).ok()?),
            42 => {
                let auth = reader.read_bytes(message).ok()?;
                let mut inner = BytesReader::from_bytes(auth);
                while !inner.is_eof() {
                    match inner.next_tag(auth).ok()? {
                        8 => identity = inner.read_int64(auth).ok()?,
                        18 => drop(black_box(inner.read_bytes(auth).ok()?)),
                        other => inner.read_unknown(auth, other).ok()?,
                    }
                }
            }
            58 => command_bytes = reader.read_bytes(message).ok()?,
            other => reader.read_unknown(message, other).ok()?,
        }
    }
    let (mut header, mut body) = (&[][..], &[][..]);
    let mut reader = BytesReader::from_bytes(command_bytes);
    while !reader.is_eof() {
        match reader.next_tag(command_bytes).ok()? {
            10 => header = reader.read_bytes(command_bytes).ok()?,
            18 => body = reader.read_bytes(command_bytes).ok()?,
            other => reader.read_unknown(command_bytes, other).ok()?,
        }
    }
    let mut reader = BytesReader::from_bytes(header);
    while !reader.is_eof() {
        match reader.next_tag(header).ok()? {
            8 | 24 | 32 | 56 => drop(black_box(reader.read_uint64(header).ok()?)),
            other => reader.read_unknown(header, other).ok()?,
        }
    }
    let mut reader = BytesReader::from_bytes(body);
    let mut key_value = &[][..];
    while !reader.is_eof() {
        match reader.next_tag(body).ok()? {
            10 => key_value = reader.read_bytes(body).ok()?,
            other => reader.read_unknown(body, other).ok()?,
        }
    }
    let mut view = KeyValueView::default();
    let mut reader = BytesReader::from_bytes(key_value);
    while !reader.is_eof() {
        match reader.next_tag(key_value).ok()? {
            18 => view.new_version = Some(reader.read_bytes(key_value).ok()?),
            26 => view.key = Some(reader.read_bytes(key_value).ok()?),
            34 => view.db_version = Some(reader.read_bytes(key_value).ok()?),
            42 => view.tag = Some(reader.read_bytes(key_value).ok()?),
            48 => view.algorithm = Some(reader.read_int32(key_value).ok()?),
            56 => view.metadata_only = Some(reader.read_bool(key_value).ok()?),
            64 => view.force = Some(reader.read_bool(key_value).ok()?),
            72 => view.synchronization = Some(reader.read_int32(key_value).ok()?),
            other => reader.read_unknown(key_value, other).ok()?,
        }
    }
    Some((identity, view))
}

fn reading(criterion: &mut Criterion) {
    let key = SigningKey::new(b"asdfasdf");
    let Ok(message) = seal_message(&key, 1, &put_request()) else {
        return;
    };
    criterion.bench_function("read a PUT by our views", |bench| {
        bench.iter(|| {
            let view = MessageView::parse(black_box(&message)).ok()?;
            let command = CommandView::parse(view.command_bytes()).ok()?;
            let key_value = command.key_value().ok()??;
            black_box((view.hmac_auth, command.header, key_value));
            Some(())
        });
    });
    criterion.bench_function("read a PUT by quick-protobuf", |bench| {
        bench.iter(|| black_box(by_quick_protobuf(black_box(&message))).is_some());
    });
    criterion.bench_function("read a PUT by prost", |bench| {
        bench.iter(|| {
            let outer = Message::decode(black_box(&message).clone()).ok()?;
            Command::decode(outer.command_bytes?).ok()
        });
    });
}

fn writing(criterion: &mut Criterion) {
    let key = SigningKey::new(b"asdfasdf");
    let (name, version) = (Bytes::from(vec![b'k'; 32]), Bytes::from_static(b"00000001"));
    let tag = Bytes::from(vec![7; 20]);
    let seal = Seal::Signed {
        identity: 1,
        key: &key,
    };
    let mut out = BytesMut::with_capacity(1 << 16);
    criterion.bench_function("build and write a GET response, signed", |bench| {
        bench.iter(|| {
            out.clear();
            let command = get_response(black_box(&name), &version, &tag);
            encode_frame(seal, &command, 4096, &mut out)
        });
    });
    criterion.bench_function("write a GET response as a Reply, signed", |bench| {
        bench.iter(|| {
            out.clear();
            encode_frame(
                seal,
                &get_reply(black_box(&name), &version, &tag),
                4096,
                &mut out,
            )
        });
    });
    criterion.bench_function("write a GET response as a Reply, unsigned", |bench| {
        bench.iter(|| {
            out.clear();
            let reply = get_reply(black_box(&name), &version, &tag);
            encode_frame(Seal::Unsolicited, &reply, 4096, &mut out)
        });
    });
    criterion.bench_function("build and write a GET response, unsigned", |bench| {
        bench.iter(|| {
            out.clear();
            let command = get_response(black_box(&name), &version, &tag);
            encode_frame(Seal::Unsolicited, &command, 4096, &mut out)
        });
    });
}

fn frames(criterion: &mut Criterion) {
    let key = SigningKey::new(b"asdfasdf");
    let mut stream = BytesMut::new();
    for _ in 0..64 {
        let seal = Seal::Signed {
            identity: 1,
            key: &key,
        };
        if encode_frame(seal, &put_request(), 4096, &mut stream).is_err() {
            return;
        }
        stream.extend_from_slice(&[0; 4096]);
    }
    criterion.bench_function("cut 64 frames of 4 KiB from one read", |bench| {
        let cut = |mut buffer: BytesMut| {
            let mut decoder = FrameDecoder::default();
            let mut count = 0;
            while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
                count += frame.value.length();
            }
            count
        };
        bench.iter_batched(|| stream.clone(), cut, BatchSize::SmallInput);
    });
}

criterion_group!(codec, signatures, reading, writing, frames);
criterion_main!(codec);
