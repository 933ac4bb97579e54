//! A connection that sends any bytes and reads whole frames: for what no client would do.
//!
//! Guarantees: every read has a deadline. Commands are built with prost and signed here; what is
//! wrong about a request is up to the test, so nothing is checked.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use kinetic_proto::schema;
use kinetic_proto::{Received, SigningKey};
use prost::Message as _;
use rustix::net::{AddressFamily, SocketType};

use crate::tls::{self, TlsStream, Version};

/// Longer than any answer takes on a loaded machine.
const READ_DEADLINE: Duration = Duration::from_secs(20);

/// The identity that a drive fresh from the factory knows.
pub const FACTORY_IDENTITY: i64 = 1;

/// Its key.
pub const FACTORY_KEY: &[u8] = b"asdfasdf";

/// First byte, and two lengths of four bytes.
const HEADER_SIZE: usize = 9;

/// What a frame held, as it came.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// The encoded Message.
    pub message: Bytes,
    /// The value after it.
    pub value: Bytes,
}

impl RawFrame {
    /// The message and the command in it.
    ///
    /// # Panics
    /// If either cannot be parsed: a drive never sends such.
    pub fn received(&self) -> Received {
        Received::decode(&self.message).expect("a drive's message can be parsed")
    }
}

/// What came where a frame was awaited.
#[derive(Debug)]
pub enum Answer {
    /// A whole frame.
    Frame(RawFrame),
    /// The drive closed the connection at a frame's boundary.
    Closed,
}

/// Where a drive listens, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// For the plain protocol.
    Plain(SocketAddr),
    /// For TLS.
    Tls(SocketAddr, Version),
}

impl Door {
    /// Where.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Plain(address) | Self::Tls(address, _) => address,
        }
    }
}

impl From<SocketAddr> for Door {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}

/// A connection through either door.
#[derive(Debug)]
pub struct RawConnection {
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl RawConnection {
    /// Connects, and sends nothing.
    pub fn connect(drive: impl Into<Door>) -> io::Result<Self> {
        let door = drive.into();
        let stream = TcpStream::connect_timeout(&door.address(), READ_DEADLINE)?;
        Self::over(stream, door)
    }

    /// Connects from this address of this machine, such as another one of loopback, and sends
    /// nothing.
    pub fn connect_from(source: IpAddr, drive: impl Into<Door>) -> io::Result<Self> {
        let door = drive.into();
        let family = match source {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &SocketAddr::new(source, 0))?;
        rustix::net::connect(&socket, &door.address())?;
        Self::over(TcpStream::from(socket), door)
    }

    fn over(stream: TcpStream, door: Door) -> io::Result<Self> {
        stream.set_read_timeout(Some(READ_DEADLINE))?;
        stream.set_write_timeout(Some(READ_DEADLINE))?;
        stream.set_nodelay(true)?;
        let stream = match door {
            Door::Plain(_) => Stream::Plain(stream),
            Door::Tls(_, version) => Stream::Tls(Box::new(tls::connect(stream, version)?)),
        };
        Ok(Self { stream })
    }

    /// Connects and takes the hello off the line.
    pub fn connect_and_greet(drive: impl Into<Door>) -> io::Result<(Self, RawFrame)> {
        let mut connection = Self::connect(drive)?;
        let hello = connection.read_frame()?;
        Ok((connection, hello))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush()?;
                stream.sock.shutdown(Shutdown::Write)
            }
        }
    }

    /// Reads one frame, or sees the connection close before its first byte.
    pub fn read(&mut self) -> io::Result<Answer> {
        let mut header = [0; HEADER_SIZE];
        let (first, rest) = header.split_at_mut(1);
        match self.stream.read(first) {
            Ok(0) => return Ok(Answer::Closed),
            Ok(_) => self.stream.read_exact(rest)?,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(Answer::Closed);
            }
            Err(error) => return Err(error),
        }
        let [magic, m0, m1, m2, m3, v0, v1, v2, v3] = header;
        if magic != b'F' {
            let said = format!("a frame starts with F, not with 0x{magic:02x}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        let message = self.read_bytes(u32::from_be_bytes([m0, m1, m2, m3]))?;
        let value = self.read_bytes(u32::from_be_bytes([v0, v1, v2, v3]))?;
        Ok(Answer::Frame(RawFrame { message, value }))
    }

    /// Reads one frame, where the connection must not close.
    pub fn read_frame(&mut self) -> io::Result<RawFrame> {
        match self.read()? {
            Answer::Frame(frame) => Ok(frame),
            Answer::Closed => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn read_bytes(&mut self, length: u32) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        let read = (&mut self.stream)
            .take(u64::from(length))
            .read_to_end(&mut bytes)?;
        if read as u64 == u64::from(length) {
            Ok(bytes.into())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// A frame of any message bytes and any value.
pub fn frame(message: &[u8], value: &[u8]) -> Vec<u8> {
    let lengths = [message, value].map(|part| {
        u32::try_from(part.len())
            .expect("a test's frame is shorter than 4 GiB")
            .to_be_bytes()
    });
    let mut bytes = vec![b'F'];
    bytes.extend(lengths.concat());
    bytes.extend_from_slice(message);
    bytes.extend_from_slice(value);
    bytes
}

/// A signed Message around any command bytes.
pub fn signed(command_bytes: Vec<u8>, identity: i64, key: &[u8]) -> Vec<u8> {
    let hmac = SigningKey::new(key).sign(&command_bytes).to_vec().into();
    let message = schema::Message {
        auth_type: Some(schema::message::AuthType::Hmacauth.into()),
        hmac_auth: Some(schema::message::HmaCauth {
            identity: Some(identity),
            hmac: Some(hmac),
        }),
        command_bytes: Some(command_bytes.into()),
        ..Default::default()
    };
    message.encode_to_vec()
}

/// A whole request frame under the factory identity.
pub fn request(command: &schema::Command, value: &[u8]) -> Vec<u8> {
    frame(
        &signed(command.encode_to_vec(), FACTORY_IDENTITY, FACTORY_KEY),
        value,
    )
}
