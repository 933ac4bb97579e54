//! Frames: `F`, two big-endian 32-bit lengths, an encoded Message, a value.
//!
//! Guarantees: no I/O; no allocation that a peer's lengths decide; message and value are slices
//! of the buffer they arrived in; a value over the limit is thrown away as it arrives and its
//! frame delivered with its length only. After an error a decoder is of no further use: the
//! bytes that follow cannot be told apart.
//! Not here: what is in a message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::limits::{
    DISCARD_STEP_SIZE, FRAME_HEADER_SIZE, MAX_DISCARDED_VALUE_SIZE, MAX_MESSAGE_SIZE,
    MAX_VALUE_SIZE,
};

/// First byte of every frame.
pub const MAGIC: u8 = b'F';

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// A frame as it came. Both parts share the memory of the read buffer: copy what is to be kept
/// for long, or a small key holds a whole buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The encoded Message; may be empty.
    pub message: Bytes,
    /// What followed it.
    pub value: FrameValue,
}

/// The value of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameValue {
    /// All of it; empty if there is none.
    Whole(Bytes),
    /// Longer than the limit, and thrown away.
    Oversize {
        /// Its length in bytes.
        length: u32,
    },
}

impl FrameValue {
    /// Length in bytes, as the frame said.
    pub fn length(&self) -> usize {
        match self {
            Self::Whole(value) => value.len(),
            Self::Oversize { length } => *length as usize,
        }
    }

    /// The value, unless it was thrown away.
    pub fn whole(self) -> Option<Bytes> {
        match self {
            Self::Whole(value) => Some(value),
            Self::Oversize { .. } => None,
        }
    }
}

/// Why the bytes are no frame that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte is not [`MAGIC`].
    #[error("a frame starts with 0x46 (F), not with 0x{0:02x}")]
    WrongMagic(u8),
    /// The message is over the limit; a negative length shows as one over 2 GiB.
    #[error("a message of {length} bytes is over the limit of {limit} bytes")]
    MessageTooLong {
        /// What the frame said.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The value is too long even to be thrown away.
    #[error("a value of {length} bytes is over the limit of {limit} bytes for any value")]
    ValueTooLong {
        /// What the frame said.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The peer stopped in the middle of a frame.
    #[error("the peer stopped {missing} bytes before the next step of a frame")]
    Truncated {
        /// Bytes that the decoder was waiting for.
        missing: usize,
    },
}

impl FrameError {
    /// Whether the peer began a TLS handshake on the plain port.
    pub fn is_tls_hello(&self) -> bool {
        matches!(self, Self::WrongMagic(TLS_HANDSHAKE))
    }
}

/// The three bounds of a frame, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Longest message.
    pub message: u32,
    /// Longest value that is delivered.
    pub value: u32,
    /// Longest value that is thrown away and reported.
    pub discarded_value: u32,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            message: MAX_MESSAGE_SIZE,
            value: MAX_VALUE_SIZE,
            discarded_value: MAX_DISCARDED_VALUE_SIZE,
        }
    }
}

/// Cuts a stream of bytes into frames.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    limits: FrameLimits,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    Body {
        message: usize,
        value: u32,
    },
    Discard {
        message: Bytes,
        length: u32,
        left: usize,
    },
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            state: State::Header,
        }
    }

    /// Takes the next frame off the front of the buffer; `None` when it is not all there yet.
    ///
    /// Call it until it gives `None`, then read at least [`wanted`](Self::wanted) bytes more.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                State::Header => match parse_header(buffer, self.limits)? {
                    None => return Ok(None),
                    Some((message, value)) => {
                        buffer.advance(FRAME_HEADER_SIZE);
                        self.state = State::Body { message, value };
                    }
                },
                State::Body { message, value } if *value > self.limits.value => {
                    if buffer.len() < *message {
                        return Ok(None);
                    }
                    let (length, left) = (*value, *value as usize);
                    let message = buffer.split_to(*message).freeze();
                    self.state = State::Discard {
                        message,
                        length,
                        left,
                    };
                }
                State::Body { message, value } => {
                    if buffer.len() < *message + *value as usize {
                        return Ok(None);
                    }
                    let message = buffer.split_to(*message).freeze();
                    let value = FrameValue::Whole(buffer.split_to(*value as usize).freeze());
                    self.state = State::Header;
                    return Ok(Some(Frame { message, value }));
                }
                State::Discard {
                    message,
                    length,
                    left,
                } => {
                    let taken = buffer.len().min(*left);
                    buffer.advance(taken);
                    *left -= taken;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let value = FrameValue::Oversize { length: *length };
                    let message = std::mem::take(message);
                    self.state = State::Header;
                    return Ok(Some(Frame { message, value }));
                }
            }
        }
    }

    /// How many bytes, beyond the `buffered` ones, bring the next step: room worth reserving.
    /// Never 0 after `decode` gave `None`, and at most one message and value, or
    /// [`DISCARD_STEP_SIZE`] while a value is thrown away.
    pub fn wanted(&self, buffered: usize) -> usize {
        match &self.state {
            State::Header => FRAME_HEADER_SIZE.saturating_sub(buffered),
            State::Body { message, value } if *value > self.limits.value => {
                message.saturating_sub(buffered).max(1)
            }
            State::Body { message, value } => (*message + *value as usize).saturating_sub(buffered),
            State::Discard { left, .. } => (*left).min(DISCARD_STEP_SIZE),
        }
    }

    /// Called at the end of the stream: whether it ended between two frames.
    pub fn finish(&self, buffer: &BytesMut) -> Result<(), FrameError> {
        match &self.state {
            State::Header if buffer.is_empty() => Ok(()),
            _ => Err(FrameError::Truncated {
                missing: self.wanted(buffer.len()),
            }),
        }
    }
}

/// The two lengths, checked. The first byte is judged as soon as it is there, so that a peer
/// speaking something else learns it at once.
fn parse_header(buffer: &[u8], limits: FrameLimits) -> Result<Option<(usize, u32)>, FrameError> {
    match buffer.first() {
        None => return Ok(None),
        Some(&MAGIC) => {}
        Some(&other) => return Err(FrameError::WrongMagic(other)),
    }
    let Some(([_, lengths @ ..], _)) = buffer.split_first_chunk::<FRAME_HEADER_SIZE>() else {
        return Ok(None);
    };
    let [m0, m1, m2, m3, v0, v1, v2, v3] = *lengths;
    let message = u32::from_be_bytes([m0, m1, m2, m3]);
    let value = u32::from_be_bytes([v0, v1, v2, v3]);
    if message > limits.message {
        return Err(FrameError::MessageTooLong {
            length: message,
            limit: limits.message,
        });
    }
    let limit = limits.discarded_value.max(limits.value);
    if value > limit {
        return Err(FrameError::ValueTooLong {
            length: value,
            limit,
        });
    }
    Ok(Some((message as usize, value)))
}

/// The nine bytes before a message.
pub fn frame_header(message_length: u32, value_length: u32) -> [u8; FRAME_HEADER_SIZE] {
    let [m0, m1, m2, m3] = message_length.to_be_bytes();
    let [v0, v1, v2, v3] = value_length.to_be_bytes();
    [MAGIC, m0, m1, m2, m3, v0, v1, v2, v3]
}

/// Appends a frame but for its value, which the caller sends right behind it (in one vectored
/// write, without copying it). Lengths are at most [`MAX_MESSAGE_SIZE`] and
/// [`MAX_DISCARDED_VALUE_SIZE`], else this says which is over.
pub fn encode_frame(
    message: &[u8],
    value_length: usize,
    out: &mut BytesMut,
) -> Result<(), FrameError> {
    let message_length = checked_message_length(message.len())?;
    let value_length = checked_value_length(value_length)?;
    out.reserve(FRAME_HEADER_SIZE + message.len());
    out.put_slice(&frame_header(message_length, value_length));
    out.put_slice(message);
    Ok(())
}

/// The length as the wire has it, or the error that it is over the limit.
pub(crate) fn checked_message_length(length: usize) -> Result<u32, FrameError> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if length > MAX_MESSAGE_SIZE {
        return Err(FrameError::MessageTooLong {
            length,
            limit: MAX_MESSAGE_SIZE,
        });
    }
    Ok(length)
}

/// The length as the wire has it, or the error that it is over the limit.
pub(crate) fn checked_value_length(length: usize) -> Result<u32, FrameError> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    if length > MAX_DISCARDED_VALUE_SIZE {
        return Err(FrameError::ValueTooLong {
            length,
            limit: MAX_DISCARDED_VALUE_SIZE,
        });
    }
    Ok(length)
}

/// Fuzzing: however the bytes arrive, the same frames and the same end come out, within the
/// limits, and a frame encodes to the bytes it was read from.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_frame(bytes: &[u8]) {
    let tight = FrameLimits {
        message: 64,
        value: 32,
        discarded_value: 128,
    };
    for limits in [FrameLimits::default(), tight] {
        let whole = frames_of(bytes, bytes.len(), limits);
        for step in [1, 2, 7, 64] {
            assert_eq!(whole, frames_of(bytes, step, limits), "steps of {step}");
        }
        let mut at = 0;
        for frame in &whole.0 {
            assert!(frame.message.len() <= limits.message as usize);
            let mut again = BytesMut::new();
            assert_eq!(
                encode_frame(&frame.message, frame.value.length(), &mut again),
                Ok(())
            );
            if let FrameValue::Whole(value) = &frame.value {
                assert!(value.len() <= limits.value as usize);
                again.put_slice(value);
            }
            assert!(bytes.get(at..).is_some_and(|rest| rest.starts_with(&again)));
            at += FRAME_HEADER_SIZE + frame.message.len() + frame.value.length();
        }
    }
}

fn frames_of(
    bytes: &[u8],
    step: usize,
    limits: FrameLimits,
) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new(limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for chunk in bytes.chunks(step.max(1)) {
        buffer.put_slice(chunk);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        let wanted = decoder.wanted(buffer.len());
        assert!(wanted > 0, "a decoder that waits must want something");
        assert!(wanted <= (limits.message + limits.value) as usize + DISCARD_STEP_SIZE);
    }
    (frames, decoder.finish(&buffer))
}

#[cfg(test)]
mod tests;
