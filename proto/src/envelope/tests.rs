//! Views against raw bytes: presence, negative and unknown numbers, repetition, hostility.

use super::*;

fn header(bytes: &[u8]) -> HeaderView {
    let command = [&[0x0a, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    fuzz_command_view(&command);
    CommandView::parse(&command).unwrap().header.unwrap()
}

#[test]
fn absent_and_zero_are_told_apart() {
    assert_eq!(header(&[]), HeaderView::default());
    let zeroes = header(&[
        8, 0, 0x18, 0, 0x20, 0, 0x30, 0, 0x48, 0, 0x50, 0, 0x68, 0, 0x70, 0,
    ]);
    assert_eq!(zeroes.cluster_version, Some(0));
    assert_eq!(zeroes.connection_id, Some(0));
    assert_eq!(zeroes.sequence, Some(0));
    assert_eq!(zeroes.ack_sequence, Some(0));
    assert_eq!(zeroes.timeout, Some(0));
    assert_eq!(zeroes.early_exit, Some(false));
    assert_eq!(zeroes.time_quanta, Some(0));
    assert_eq!(zeroes.batch_id, Some(0));
    assert_eq!(zeroes.message_type, None);
}

#[test]
fn a_negative_enumeration_is_a_number_of_ten_bytes() {
    let mut bytes = vec![0x38];
    bytes.extend([0xff; 9]);
    bytes.push(1);
    assert_eq!(header(&bytes).message_type, Some(-1));
    assert_eq!(header(&bytes).message_type(), MessageType(-1));
    // Five bytes hold the same 32 bits; protobuf reads them alike.
    assert_eq!(
        header(&[0x38, 0xff, 0xff, 0xff, 0xff, 0x0f]).message_type,
        Some(-1)
    );
}

#[test]
fn unknown_enumeration_values_survive() {
    assert_eq!(
        header(&[0x38, 0xe8, 0x07]).message_type(),
        MessageType(1000)
    );
    let command = [0x12, 5, 0x0a, 3, 0x30, 0xc8, 0x01];
    fuzz_command_view(&command);
    let view = CommandView::parse(&command).unwrap();
    assert_eq!(view.key_value().unwrap().unwrap().algorithm, Some(200));
    let source = Bytes::copy_from_slice(&command);
    let body = view.decode_body(&source).unwrap().unwrap();
    assert_eq!(body.key_value.unwrap().algorithm, Some(200));
}

#[test]
fn the_last_of_repeated_scalars_wins_and_messages_merge() {
    let message = [
        0x20, 1, 0x20, 2, 0x2a, 2, 8, 5, 0x2a, 2, 0x12, 0, 0x3a, 1, 9, 0x3a, 0,
    ];
    fuzz_message_view(&message);
    let view = MessageView::parse(&message).unwrap();
    assert_eq!(view.auth_type, Some(2));
    assert_eq!(
        view.hmac_auth,
        Some(HmacAuthView {
            identity: Some(5),
            hmac: Some(&[])
        })
    );
    assert_eq!(view.command_bytes, Some(&[][..]));
}

#[test]
fn a_body_in_two_parts_is_one_body() {
    let command = [0x12, 5, 0x0a, 3, 0x1a, 1, b'k', 0x12, 4, 0x0a, 2, 0x40, 1];
    fuzz_command_view(&command);
    let view = CommandView::parse(&command).unwrap();
    let key_value = view.key_value().unwrap().unwrap();
    assert_eq!(
        (key_value.key, key_value.force),
        (Some(&b"k"[..]), Some(true))
    );
}

#[test]
fn halves_of_a_field_in_two_bodies_make_no_sense_together() {
    let command = [0x12, 1, 0x0a, 0x12, 1, 0x00];
    fuzz_command_view(&command);
    assert!(CommandView::parse(&command).is_err());
}

#[test]
fn a_key_is_borrowed_from_the_frame_and_shared_without_a_copy() {
    let source = Bytes::from_static(&[0x12, 5, 0x0a, 3, 0x1a, 1, b'k']);
    let view = CommandView::parse(&source).unwrap();
    let key = view.key_value().unwrap().unwrap().key.unwrap();
    let shared = share(&source, key);
    assert_eq!(shared, "k");
    assert_eq!(shared.as_ptr(), source.get(6).unwrap());
    let body = view.decode_body(&source).unwrap().unwrap();
    assert_eq!(
        body.key_value.unwrap().key.unwrap().as_ptr(),
        shared.as_ptr()
    );
}

#[test]
fn bytes_from_elsewhere_are_copied() {
    let source = Bytes::from_static(b"source");
    assert_eq!(share(&source, &[1, 2, 3]), &[1, 2, 3][..]);
    assert_eq!(share(&source, &[]), "");
    assert_eq!(share(&Bytes::new(), &[9]), &[9][..]);
}

#[test]
fn a_malformed_body_does_not_hide_the_header() {
    let command = [0x0a, 2, 0x20, 7, 0x12, 2, 0x0a, 9];
    fuzz_command_view(&command);
    let source = Bytes::copy_from_slice(&command);
    let view = CommandView::parse(&source).unwrap();
    assert_eq!(view.header.unwrap().sequence, Some(7));
    assert_eq!(view.key_value(), Err(WireError::Truncated));
    assert_eq!(view.decode_body(&source), Err(WireError::Malformed));
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let command = [0x1a, 3, 0x12, 1, 0xff];
    fuzz_command_view(&command);
    let source = Bytes::copy_from_slice(&command);
    let view = CommandView::parse(&source).unwrap();
    assert_eq!(view.decode_status(&source), Err(WireError::Malformed));
}

#[test]
fn lengths_beyond_the_message_are_refused() {
    for message in [
        &[0x3a, 1][..],
        &[0x2a, 3, 0x12, 2, 0],
        &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        fuzz_message_view(message);
        assert_eq!(MessageView::parse(message), Err(WireError::Truncated));
    }
}

#[test]
fn a_pin_is_not_printed() {
    let view = MessageView::parse(&[0x32, 3, 0x0a, 1, b'9']).unwrap();
    assert_eq!(view.pin_auth.unwrap().pin, Some(&b"9"[..]));
    assert_eq!(format!("{:?}", view.pin_auth), "Some(PinAuthView(..))");
}
