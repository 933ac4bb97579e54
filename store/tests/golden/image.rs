//! An image as it is kept: everything of a disk that is not zero, compressed.
//!
//! What it is: gzip over the capacity (8 bytes, little-endian) and pieces, each its offset, its
//! length (8 bytes each) and its bytes. The example `golden` makes a raw image of one, for people.
//! Guarantee: the same disk gives the same bytes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use kinetic_store::disk::{Disk, MemoryDisk};
use ring::digest::{SHA256, digest};

/// What is zero from one of these to the next is left out.
const BLOCK: u64 = 4096;

/// What lies on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// Bytes of the disk.
    pub(crate) capacity: u64,
    /// Bytes that are not all zero, and where they start.
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Image {
    /// Of a disk.
    pub(crate) fn of(disk: &dyn Disk) -> io::Result<Self> {
        let capacity = disk.capacity();
        let mut pieces: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut offset = 0;
        while offset < capacity {
            let length = BLOCK.min(capacity - offset);
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            disk.read_at(offset, &mut bytes)?;
            if bytes.iter().any(|byte| *byte != 0) {
                match pieces.last_mut() {
                    Some((start, piece)) if *start + piece.len() as u64 == offset => {
                        piece.append(&mut bytes);
                    }
                    _ => pieces.push((offset, bytes)),
                }
            }
            offset += length;
        }
        Ok(Self { capacity, pieces })
    }

    /// On a disk of its own.
    pub(crate) fn disk(&self) -> io::Result<Arc<MemoryDisk>> {
        self.longer(self.capacity)
    }

    /// On a disk that may have more bytes.
    pub(crate) fn longer(&self, capacity: u64) -> io::Result<Arc<MemoryDisk>> {
        let disk = MemoryDisk::new(capacity);
        for (offset, bytes) in &self.pieces {
            disk.write_at(*offset, &[IoSlice::new(bytes)])?;
        }
        Ok(Arc::new(disk))
    }

    /// Writes it into a file, which then is an image like any other.
    pub(crate) fn write_to(&self, file: &mut File) -> io::Result<()> {
        file.set_len(self.capacity)?;
        for (offset, bytes) in &self.pieces {
            file.seek(SeekFrom::Start(*offset))?;
            file.write_all(bytes)?;
        }
        file.sync_all()
    }

    /// As it is kept.
    pub(crate) fn packed(&self) -> io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&self.plain())?;
        packer.finish()
    }

    /// Of bytes as they are kept.
    pub(crate) fn unpacked(packed: &[u8]) -> io::Result<Self> {
        let mut plain = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut plain)?;
        let cut = || io::Error::other("the image ends before its last piece does");
        let (capacity, mut rest) = number(&plain).ok_or_else(cut)?;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (offset, behind) = number(rest).ok_or_else(cut)?;
            let (length, behind) = number(behind).ok_or_else(cut)?;
            let length = usize::try_from(length).map_err(io::Error::other)?;
            let (bytes, behind) = behind.split_at_checked(length).ok_or_else(cut)?;
            pieces.push((offset, bytes.to_vec()));
            rest = behind;
        }
        Ok(Self { capacity, pieces })
    }

    /// A sum of all of it.
    pub(crate) fn sum(&self) -> String {
        sum(&self.plain())
    }

    fn plain(&self) -> Vec<u8> {
        let mut plain = self.capacity.to_le_bytes().to_vec();
        for (offset, bytes) in &self.pieces {
            plain.extend_from_slice(&offset.to_le_bytes());
            plain.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            plain.extend_from_slice(bytes);
        }
        plain
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

/// SHA-256, as digits: not a checksum of the engine's own.
pub(crate) fn sum(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// As digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _written = write!(digits, "{byte:02x}");
    }
    digits
}

#[test]
fn an_image_unpacks_to_what_was_packed_and_makes_the_same_file() {
    let disk = MemoryDisk::new(100_000);
    for (offset, bytes) in [(10, &b"one"[..]), (8190, b"over a block"), (99_999, b"!")] {
        disk.write_at(offset, &[IoSlice::new(bytes)])
            .expect("inside");
    }
    let image = Image::of(&disk).expect("a disk in memory");
    assert_eq!(image.pieces.len(), 2);
    let packed = image.packed().expect("in memory");
    assert_eq!(Image::unpacked(&packed).expect("as packed"), image);
    let again = image.disk().expect("a disk in memory");
    assert_eq!(Image::of(&*again).expect("a disk in memory"), image);
    let mut file = tempfile::tempfile().expect("a temporary file");
    image.write_to(&mut file).expect("a file");
    let mut raw = Vec::new();
    file.seek(SeekFrom::Start(0)).expect("a file");
    file.read_to_end(&mut raw).expect("a file");
    let mut read = vec![0; 100_000];
    disk.read_at(0, &mut read).expect("inside");
    assert!(raw == read);
}
