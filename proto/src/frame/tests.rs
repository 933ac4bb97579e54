//! Frames whole, in pieces, over every limit, and hostile.

use super::*;
use crate::limits::MAX_MESSAGE_SIZE;

fn frame(message: &[u8], value: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    encode_frame(message, value.len(), &mut out).unwrap();
    out.extend_from_slice(value);
    out
}

fn header_only(message: u32, value: u32) -> BytesMut {
    BytesMut::from(&frame_header(message, value)[..])
}

fn whole(message: &'static [u8], value: &'static [u8]) -> Frame {
    Frame {
        message: Bytes::from_static(message),
        value: FrameValue::Whole(Bytes::from_static(value)),
    }
}

#[test]
fn the_header_is_f_and_two_big_endian_lengths() {
    assert_eq!(
        frame_header(0x01020304, 0x0a0b0c),
        *b"F\x01\x02\x03\x04\x00\x0a\x0b\x0c"
    );
}

#[test]
fn several_frames_come_out_of_one_read_and_share_its_memory() {
    let mut buffer = frame(b"one", b"");
    buffer.unsplit(frame(b"", b"value"));
    buffer.unsplit(frame(b"", b""));
    let start = buffer.as_ptr().addr();
    let mut decoder = FrameDecoder::default();
    let first = decoder.decode(&mut buffer).unwrap().unwrap();
    assert_eq!(first, whole(b"one", b""));
    assert_eq!(first.message.as_ptr().addr(), start + FRAME_HEADER_SIZE);
    assert_eq!(decoder.decode(&mut buffer), Ok(Some(whole(b"", b"value"))));
    assert_eq!(decoder.decode(&mut buffer), Ok(Some(whole(b"", b""))));
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert_eq!(decoder.finish(&buffer), Ok(()));
}

#[test]
fn a_frame_byte_by_byte_says_each_time_how_much_is_missing() {
    let bytes = frame(b"message", b"value");
    let mut decoder = FrameDecoder::default();
    let mut buffer = BytesMut::new();
    for (index, &byte) in bytes.iter().enumerate() {
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        let missing = if index < 9 {
            9 - index
        } else {
            bytes.len() - index
        };
        assert_eq!(decoder.wanted(buffer.len()), missing);
        assert_eq!(decoder.finish(&buffer).is_ok(), index == 0);
        buffer.put_u8(byte);
    }
    assert_eq!(
        decoder.decode(&mut buffer),
        Ok(Some(whole(b"message", b"value")))
    );
}

#[test]
fn a_wrong_first_byte_is_refused_at_once() {
    let error = FrameDecoder::default()
        .decode(&mut BytesMut::from(&b"G"[..]))
        .unwrap_err();
    assert_eq!(error, FrameError::WrongMagic(b'G'));
    assert!(!error.is_tls_hello());
    let hello = BytesMut::from(&[0x16, 3, 1][..]);
    assert!(
        FrameDecoder::default()
            .decode(&mut hello.clone())
            .unwrap_err()
            .is_tls_hello()
    );
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_arrives() {
    for length in [MAX_MESSAGE_SIZE + 1, 1 << 31, u32::MAX] {
        assert_eq!(
            FrameDecoder::default().decode(&mut header_only(length, 0)),
            Err(FrameError::MessageTooLong {
                length,
                limit: MAX_MESSAGE_SIZE
            })
        );
    }
    assert_eq!(
        FrameDecoder::default().decode(&mut header_only(MAX_MESSAGE_SIZE, 0)),
        Ok(None)
    );
}

#[test]
fn a_value_over_the_discard_limit_is_refused_before_it_arrives() {
    for length in [MAX_DISCARDED_VALUE_SIZE + 1, 1 << 31, u32::MAX] {
        assert_eq!(
            FrameDecoder::default().decode(&mut header_only(0, length)),
            Err(FrameError::ValueTooLong {
                length,
                limit: MAX_DISCARDED_VALUE_SIZE
            })
        );
    }
}

#[test]
fn the_largest_value_is_delivered_whole() {
    let value = vec![7; MAX_VALUE_SIZE as usize];
    let mut buffer = frame(b"m", &value);
    let read = FrameDecoder::default()
        .decode(&mut buffer)
        .unwrap()
        .unwrap();
    assert_eq!(read.value.whole().unwrap(), value);
}

#[test]
fn an_oversize_value_is_thrown_away_as_it_comes_and_the_next_frame_is_read() {
    let length = MAX_VALUE_SIZE + 1;
    let mut decoder = FrameDecoder::default();
    let mut buffer = header_only(4, length);
    buffer.extend_from_slice(b"mess");
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    let mut left = length as usize;
    while left > 0 {
        let wanted = decoder.wanted(buffer.len());
        assert!(wanted > 0 && wanted <= DISCARD_STEP_SIZE.min(left));
        assert!(decoder.finish(&buffer).is_err());
        buffer.put_bytes(1, wanted);
        left -= wanted;
        if left > 0 {
            assert_eq!(decoder.decode(&mut buffer), Ok(None));
            assert!(buffer.is_empty(), "nothing of the value is kept");
        }
    }
    buffer.unsplit(frame(b"next", b""));
    let oversize = decoder.decode(&mut buffer).unwrap().unwrap();
    assert_eq!(oversize.message, "mess");
    assert_eq!(oversize.value, FrameValue::Oversize { length });
    assert_eq!(oversize.value.length(), length as usize);
    assert_eq!(decoder.decode(&mut buffer), Ok(Some(whole(b"next", b""))));
}

#[test]
fn the_encoder_refuses_what_no_peer_would_read() {
    let mut out = BytesMut::new();
    let long = vec![0; MAX_MESSAGE_SIZE as usize + 1];
    assert!(matches!(
        encode_frame(&long, 0, &mut out),
        Err(FrameError::MessageTooLong { .. })
    ));
    assert!(matches!(
        encode_frame(b"", 1 << 40, &mut out),
        Err(FrameError::ValueTooLong { .. })
    ));
    assert!(out.is_empty());
}
