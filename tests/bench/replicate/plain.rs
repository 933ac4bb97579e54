//! The same bytes by plain TCP on loopback: one sends, one passes on, one takes.
//!
//! Guarantee: a copy has ended when the last byte has been taken, and synced where it is stored.
//! Not here: any protocol.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this program is for"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Bytes that nothing compresses, told apart by a number.
pub(crate) fn piece(number: u64, size: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// From memory to nowhere, by a second place.
pub(crate) fn discarded(bytes: u64) -> io::Result<Duration> {
    let third = Place::listen(Shelf::Nowhere, None)?;
    let second = Place::listen(Shelf::Nowhere, Some(third.port))?;
    let mut link = TcpStream::connect(("127.0.0.1", second.port))?;
    let piece = piece(1, PIECE_BYTES);
    let begun = now();
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX);
        let part = piece.get(..part).unwrap_or(&piece);
        link.write_all(part)?;
        left -= part.len() as u64;
    }
    finish(begun, &link, [second, third], bytes)
}

/// From a file to two files, the second written on the way to the third.
pub(crate) fn stored(bytes: u64, folder: &Path) -> io::Result<Duration> {
    let source = folder.join("plain-first");
    fill(&source, bytes)?;
    let shelf = |name: &str| File::create(folder.join(name)).map(Shelf::File);
    let third = Place::listen(shelf("plain-third")?, None)?;
    let second = Place::listen(shelf("plain-second")?, Some(third.port))?;
    let mut link = TcpStream::connect(("127.0.0.1", second.port))?;
    let begun = now();
    let (mut file, mut piece) = (File::open(source)?, vec![0; PIECE_BYTES]);
    pass(&mut file, &mut piece, |piece| link.write_all(piece))?;
    finish(begun, &link, [second, third], bytes)
}

fn finish(
    begun: Instant,
    link: &TcpStream,
    places: [Place; 2],
    bytes: u64,
) -> io::Result<Duration> {
    link.shutdown(Shutdown::Write)?;
    for place in places {
        let Ok(taken) = place.taken.join() else {
            return Err(io::Error::other("a place panicked"));
        };
        let taken = taken?;
        if taken != bytes {
            return Err(io::Error::other(format!("{taken} of {bytes} bytes came")));
        }
    }
    Ok(begun.elapsed())
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let pieces = bytes.div_ceil(PIECE_BYTES as u64);
    for number in 0..pieces {
        file.write_all(&piece(number, PIECE_BYTES))?;
    }
    file.set_len(bytes)?;
    file.sync_data()
}

/// Where bytes are put.
enum Shelf {
    Nowhere,
    File(File),
}

/// Somebody who takes what comes, and may pass it on.
struct Place {
    port: u16,
    taken: JoinHandle<io::Result<u64>>,
}

impl Place {
    fn listen(shelf: Shelf, next: Option<u16>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let next = next.map(|port| TcpStream::connect(("127.0.0.1", port)));
        let next = next.transpose()?;
        let take = move || take(&listener, shelf, next);
        let taken = thread::Builder::new().name("place".into()).spawn(take)?;
        Ok(Self { port, taken })
    }
}

fn take(listener: &TcpListener, mut shelf: Shelf, next: Option<TcpStream>) -> io::Result<u64> {
    let (mut from, _) = listener.accept()?;
    let mut piece = vec![0; PIECE_BYTES];
    let bytes = pass(&mut from, &mut piece, |piece| {
        if let Some(mut next) = next.as_ref() {
            next.write_all(piece)?;
        }
        match &mut shelf {
            Shelf::Nowhere => Ok(()),
            Shelf::File(file) => file.write_all(piece),
        }
    })?;
    if let Some(next) = next {
        next.shutdown(Shutdown::Write)?;
    }
    match shelf {
        Shelf::Nowhere => {}
        Shelf::File(file) => file.sync_data()?,
    }
    Ok(bytes)
}

fn pass(
    from: &mut impl Read,
    piece: &mut [u8],
    mut on: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let read = from.read(piece)?;
        if read == 0 {
            return Ok(bytes);
        }
        on(piece.get(..read).unwrap_or_default())?;
        bytes += read as u64;
    }
}
