//! Little-endian fixed-width reading and writing of byte slices.
//!
//! Guarantee: reading never panics, whatever the bytes; the end of the slice is [`Truncated`].
//! Not here: what the numbers mean (each structure has its own file).

use thiserror::Error;

/// The bytes ended before the structure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the structure ends before its last field")]
pub struct Truncated;

/// Reads fields from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    /// Four bytes, signed.
    pub fn i32(&mut self) -> Result<i32, Truncated> {
        self.array().map(i32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_le_bytes)
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self) -> Result<i64, Truncated> {
        self.array().map(i64::from_le_bytes)
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Appends fields to a vector.
pub trait Put {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends two bytes.
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    /// Appends four bytes.
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Appends four bytes, signed.
    fn put_i32(&mut self, value: i32) {
        self.put(&value.to_le_bytes());
    }

    /// Appends eight bytes.
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    /// Appends eight bytes, signed.
    fn put_i64(&mut self, value: i64) {
        self.put(&value.to_le_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A length that the formats store in two bytes.
///
/// Callers hold lengths to the limits before they come here; a longer one saturates, and the
/// structure then fails its own check.
#[must_use]
pub fn len16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A length that the formats store in four bytes; see [`len16`].
#[must_use]
pub fn len32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A field of a structure on disk, for the tables of FORMAT.md and the test that compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Bytes of the field; 0 where it varies.
    pub size: usize,
    /// Name as in FORMAT.md.
    pub name: &'static str,
}

/// Lays fields out one after the other.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    reason = "a constant function: an error here does not build"
)]
pub const fn fields<const N: usize>(list: [(&'static str, usize); N]) -> [Field; N] {
    let mut out = [Field {
        offset: 0,
        size: 0,
        name: "",
    }; N];
    let mut offset = 0;
    let mut index = 0;
    while index < N {
        let (name, size) = list[index];
        out[index] = Field { offset, size, name };
        offset += size;
        index += 1;
    }
    out
}

/// Bytes that `fields` take together.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    reason = "a constant function: an error here does not build"
)]
pub const fn width(fields: &[Field]) -> usize {
    let mut sum = 0;
    let mut index = 0;
    while index < fields.len() {
        sum += fields[index].size;
        index += 1;
    }
    sum
}
