//! A server over loopback: order, pipelining, bad input, slow peers, the end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kinetic_proto::schema::command::{KeyValue, Synchronization};
use kinetic_proto::{FrameDecoder, MessageType, Received, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::server::{Server, StartError};
use crate::config::{Config, Exposed};
use crate::device::{NewPin, Settings};
use crate::ram_drive::{body, command, entry, frame, medium};

/// Longer than any test may wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    decoder: FrameDecoder,
    sequence: u64,
}

async fn serve(config: Config) -> Server {
    Server::start(medium(), config).await.unwrap()
}

impl Peer {
    async fn connect(server: &Server) -> Self {
        let mut peer = Self::silent(server).await;
        let hello = peer.receive().await;
        assert!(hello.0.is_unsolicited());
        assert_eq!(hello.0.status_code(), StatusCode::SUCCESS);
        peer
    }

    async fn silent(server: &Server) -> Self {
        Self {
            stream: TcpStream::connect(server.plain_addr()).await.unwrap(),
            buffer: BytesMut::new(),
            decoder: FrameDecoder::default(),
            sequence: 0,
        }
    }

    fn request(&mut self, kind: MessageType, entry: Option<KeyValue>, value: &[u8]) -> BytesMut {
        self.sequence += 1;
        frame(&command(self.sequence, kind, entry.and_then(body)), value)
    }

    fn put(&mut self, key: &str, how: Synchronization, value: &[u8]) -> BytesMut {
        let entry = KeyValue {
            synchronization: Some(how.into()),
            force: Some(true),
            ..entry(key.as_bytes())
        };
        self.request(MessageType::PUT, Some(entry), value)
    }

    fn get(&mut self, key: &str) -> BytesMut {
        self.request(MessageType::GET, Some(entry(key.as_bytes())), b"")
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next message, or nothing at the end of the connection.
    async fn next(&mut self) -> Option<(Received, Bytes)> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.buffer).unwrap() {
                let received = Received::decode(&frame.message).unwrap();
                return Some((received, frame.value.whole().unwrap()));
            }
            let read = self.stream.read_buf(&mut self.buffer);
            if timeout(PATIENCE, read).await.unwrap().unwrap() == 0 {
                self.decoder.finish(&self.buffer).unwrap();
                return None;
            }
        }
    }

    async fn receive(&mut self) -> (Received, Bytes) {
        self.next().await.expect("the connection ended")
    }

    /// The last word of the drive, with nothing after it.
    async fn farewell(&mut self) -> (StatusCode, String) {
        let (last, _) = self.receive().await;
        assert!(last.is_unsolicited());
        assert!(self.next().await.is_none());
        let status = last.command.status.clone().unwrap();
        (last.status_code(), status.status_message.unwrap())
    }
}

#[tokio::test]
async fn an_entry_goes_in_comes_back_and_goes() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    let request = peer.put("key", Synchronization::Writethrough, b"value");
    peer.send(&request).await;
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    let request = peer.get("key");
    peer.send(&request).await;
    let (answer, value) = peer.receive().await;
    assert_eq!(
        (answer.ack_sequence(), value.as_ref()),
        (Some(2), &b"value"[..])
    );
    let flush = peer.request(MessageType::FLUSHALLDATA, None, b"");
    peer.send(&flush).await;
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    let delete = peer.request(MessageType::DELETE, Some(entry(b"key")), b"");
    peer.send(&delete).await;
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    let request = peer.get("key");
    peer.send(&request).await;
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn a_get_sees_the_puts_sent_before_it() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    let mut all = BytesMut::new();
    for round in 0..200 {
        let how = match round % 3 {
            0 => Synchronization::Writethrough,
            1 => Synchronization::Writeback,
            _ => Synchronization::Flush,
        };
        all.unsplit(peer.put("key", how, format!("value {round}").as_bytes()));
        all.unsplit(peer.get("key"));
    }
    peer.send(&all).await;
    for _ in 0..400 {
        let (answer, value) = peer.receive().await;
        let sequence = answer.ack_sequence().unwrap();
        assert_eq!(answer.status_code(), StatusCode::SUCCESS);
        if sequence % 2 == 0 {
            // Later puts of the pipeline may not have run yet: exactly the one before.
            assert_eq!(value, format!("value {}", sequence / 2 - 1).as_bytes());
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn five_thousand_requests_are_written_before_any_answer_is_read() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    let value = vec![b'v'; 8 << 10];
    for number in 0..5000 {
        let how = Synchronization::Writeback;
        let request = peer.put(&format!("key {}", number % 100), how, &value);
        peer.send(&request).await;
    }
    for number in 0..5000 {
        // Forty megabytes of answers, far more than sockets and the connection hold.
        let request = peer.get(&format!("key {}", number % 100));
        peer.send(&request).await;
    }
    let mut answered = vec![false; 10_001];
    for _ in 0..10_000 {
        let (answer, value) = peer.receive().await;
        assert_eq!(answer.status_code(), StatusCode::SUCCESS);
        let sequence = usize::try_from(answer.ack_sequence().unwrap()).unwrap();
        assert!(!std::mem::replace(&mut answered[sequence], true));
        assert_eq!(value.len(), if sequence > 5000 { 8 << 10 } else { 0 });
    }
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_never_reads_does_not_hurt_others() {
    let server = serve(Config::local()).await;
    let mut deaf = Peer::connect(&server).await;
    let put = deaf.put("big", Synchronization::Writeback, &vec![1; 1 << 20]);
    deaf.send(&put).await;
    // What it stores is there for the others before it goes deaf.
    assert_eq!(deaf.receive().await.0.status_code(), StatusCode::SUCCESS);
    for _ in 0..200 {
        let request = deaf.get("big");
        deaf.send(&request).await;
    }
    let mut dripping = Peer::connect(&server).await;
    let request = dripping.get("big");
    let (first, rest) = request.split_at(5);
    dripping.send(first).await;
    let mut other = Peer::connect(&server).await;
    for _ in 0..100 {
        let noop = other.request(MessageType::NOOP, None, b"");
        other.send(&noop).await;
        assert_eq!(other.receive().await.0.status_code(), StatusCode::SUCCESS);
    }
    for byte in rest {
        dripping.send(&[*byte]).await;
    }
    assert_eq!(dripping.receive().await.1.len(), 1 << 20);
    drop(deaf);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_is_told_so_and_hung_up_on() {
    let server = serve(Config::local()).await;
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "0x47"),
        (b"F\x80\0\0\0\0\0\0\0", "2147483648"),
        (b"F\xff\xff\xff\xff\0\0\0\0", "4294967295"),
        (b"F\0\0\0\0\x7f\xff\xff\xff", "2147483647"),
        (b"F\0\0\0\x02\0\0\0\0\xff\xff", "cannot be decoded"),
    ];
    for (bytes, expected) in cases {
        let mut peer = Peer::connect(&server).await;
        let mut noop = peer.request(MessageType::NOOP, None, b"");
        noop.extend_from_slice(bytes);
        peer.send(&noop).await;
        // What was complete is answered first.
        assert_eq!(peer.receive().await.0.ack_sequence(), Some(1));
        let (code, text) = peer.farewell().await;
        assert_eq!(code, StatusCode::INVALID_REQUEST);
        assert!(text.contains(expected), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tls_on_the_plain_port_is_closed_without_a_word() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    peer.send(b"\x16\x03\x01\x02\x00\x01\x00").await;
    assert!(peer.next().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn an_oversize_value_leaves_the_connection_usable() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    let big = vec![0; (1 << 20) + 1];
    let request = peer.put("key", Synchronization::Writeback, &big);
    peer.send(&request).await;
    let (refused, _) = peer.receive().await;
    assert_eq!(refused.status_code(), StatusCode::INVALID_REQUEST);
    assert_eq!(refused.ack_sequence(), Some(1));
    let request = peer.put("key", Synchronization::Writeback, &big[1..]);
    peer.send(&request).await;
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_closes_its_half_gets_all_answers() {
    let server = serve(Config::local()).await;
    let mut peer = Peer::connect(&server).await;
    let mut all = BytesMut::new();
    for number in 0..50 {
        all.unsplit(peer.put(&number.to_string(), Synchronization::Writethrough, b"x"));
    }
    all.extend_from_slice(b"F\0\0\0\x10\0\0");
    peer.send(&all).await;
    peer.stream.shutdown().await.unwrap();
    for _ in 0..50 {
        assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    }
    assert!(peer.next().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let config = Config {
        max_connections: 1,
        ..Config::local()
    };
    let server = serve(config).await;
    let _first = Peer::connect(&server).await;
    let mut second = Peer::silent(&server).await;
    let (code, text) = second.farewell().await;
    assert_eq!(code, StatusCode::SERVICE_BUSY);
    assert!(text.contains("1 connections"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn stopping_answers_what_has_arrived() {
    let server = serve(Config::local()).await;
    let mut idle = Peer::connect(&server).await;
    let mut peer = Peer::connect(&server).await;
    let mut all = BytesMut::new();
    for number in 0..500 {
        all.unsplit(peer.put(&number.to_string(), Synchronization::Writethrough, b"x"));
    }
    peer.send(&all).await;
    // One answer shows that the server has begun to read; the rest has arrived on this machine.
    assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    let stop = tokio::spawn(server.stop());
    for _ in 1..500 {
        assert_eq!(peer.receive().await.0.status_code(), StatusCode::SUCCESS);
    }
    assert_eq!(peer.farewell().await.0, StatusCode::CONNECTION_TERMINATED);
    assert_eq!(idle.farewell().await.0, StatusCode::CONNECTION_TERMINATED);
    drop((peer, idle));
    stop.await.unwrap();
}

#[tokio::test]
async fn other_machines_are_served_only_with_a_key_of_ones_own_and_an_erase_pin() {
    let config = Config {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..Config::local()
    };
    let refused = Server::start(medium(), config.clone()).await.unwrap_err();
    let StartError::Exposed(exposed) = refused else {
        panic!("{refused:?}")
    };
    assert!(matches!(exposed, Exposed::FactoryKey { identity: 1, .. }));
    let own_key = Config {
        factory_key: b"secret".to_vec(),
        ..config
    };
    let medium = medium();
    let refused = own_key.refuse_exposure(&medium.settings()).unwrap_err();
    assert!(matches!(refused, Exposed::NoErasePin(_)));
    assert!(refused.to_string().contains("erase PIN"), "{refused}");
    let pin = NewPin {
        old: b"",
        new: b"pin",
        rounds: 1,
    };
    medium.set_erase_pin(&pin).unwrap();
    let mut listed = Settings::clone(&medium.settings());
    listed.identities = Some(vec![crate::auth::factory_record(b"own")]);
    let erasable = Config {
        factory_key: crate::auth::FACTORY_KEY.to_vec(),
        ..own_key.clone()
    };
    let refused = erasable.refuse_exposure(&listed).unwrap_err();
    assert!(matches!(refused, Exposed::AfterErase(_)), "{refused:?}");
    let server = Server::start(medium, own_key).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_says_what_to_do() {
    let server = serve(Config::local()).await;
    let config = Config {
        listen: server.plain_addr(),
        ..Config::local()
    };
    let refused = Server::start(medium(), config)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("--listen"), "{refused}");
    server.stop().await;
}
