//! GETKEYRANGE: both ways, all four ends, the limit, and what absence means.

use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::{Body, Range};
use kinetic_tests::conversation::Conversation;

use crate::Fresh;

/// A drive with the keys a to e.
fn five_keys() -> (Fresh, Conversation) {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for key in ["a", "b", "c", "d", "e"] {
        talk.put(key.as_bytes(), b"value").success();
    }
    (fresh, talk)
}

/// From b to d, with both ends given.
fn b_to_d(start: bool, end: bool) -> Range {
    Range {
        start_key: Some(Bytes::from_static(b"b")),
        end_key: Some(Bytes::from_static(b"d")),
        start_key_inclusive: Some(start),
        end_key_inclusive: Some(end),
        max_returned: Some(200),
        ..Range::default()
    }
}

#[test]
fn each_end_is_in_or_out_as_asked_both_ways() {
    let (_fresh, mut talk) = five_keys();
    let combinations = [
        (true, true, vec!["b", "c", "d"]),
        (true, false, vec!["b", "c"]),
        (false, true, vec!["c", "d"]),
        (false, false, vec!["c"]),
    ];
    for (start, end, mut keys) in combinations {
        let reply = talk.ask_range(b_to_d(start, end)).success();
        assert_eq!(reply.keys(), keys);
        let backward = Range {
            reverse: Some(true),
            ..b_to_d(start, end)
        };
        keys.reverse();
        assert_eq!(talk.ask_range(backward).success().keys(), keys);
    }
}

#[test]
fn absent_flags_are_exclusive_ends() {
    let (_fresh, mut talk) = five_keys();
    let range = Range {
        start_key_inclusive: None,
        end_key_inclusive: None,
        ..b_to_d(true, true)
    };
    assert_eq!(talk.ask_range(range).success().keys(), ["c"]);
}

#[test]
fn a_maximum_takes_the_first_keys_forward_and_the_last_ones_backward() {
    let (_fresh, mut talk) = five_keys();
    let two = Range {
        max_returned: Some(2),
        ..b_to_d(true, true)
    };
    let reply = talk.ask_range(two.clone()).success();
    assert_eq!(reply.keys(), ["b", "c"]);
    let backward = Range {
        reverse: Some(true),
        ..two
    };
    assert_eq!(talk.ask_range(backward).success().keys(), ["d", "c"]);
}

#[test]
fn an_answer_has_keys_and_nothing_else_and_no_body_without_keys() {
    let (_fresh, mut talk) = five_keys();
    let reply = talk.ask_range(b_to_d(false, false)).success();
    let expected = Range {
        keys: vec![Bytes::from_static(b"c")],
        ..Range::default()
    };
    assert_eq!(reply.body().range, Some(expected));
    let nothing = Range {
        start_key: Some(Bytes::from_static(b"x")),
        ..Range::default()
    };
    let reply = talk.ask_range(nothing).success();
    assert_eq!(reply.body(), Body::default());
}

#[test]
fn an_absent_end_is_the_end_of_the_store_and_an_empty_one_the_smallest_key() {
    let (_fresh, mut talk) = five_keys();
    let from_c = Range {
        start_key: Some(Bytes::from_static(b"c")),
        start_key_inclusive: Some(true),
        ..Range::default()
    };
    let reply = talk.ask_range(from_c.clone()).success();
    assert_eq!(reply.keys(), ["c", "d", "e"]);
    for inclusive in [true, false] {
        let to_empty = Range {
            end_key: Some(Bytes::new()),
            end_key_inclusive: Some(inclusive),
            ..from_c.clone()
        };
        let reply = talk.ask_range(to_empty).success();
        assert_eq!(reply.keys(), Vec::<String>::new());
    }
    // The empty key itself lies between two empty inclusive ends.
    talk.put(b"", b"value").success();
    let only_empty = Range {
        start_key: Some(Bytes::new()),
        start_key_inclusive: Some(true),
        end_key: Some(Bytes::new()),
        end_key_inclusive: Some(true),
        ..Range::default()
    };
    assert_eq!(talk.ask_range(only_empty).success().keys(), [""]);
}

#[test]
fn a_request_without_a_range_is_the_whole_store() {
    let (_fresh, mut talk) = five_keys();
    let kind = kinetic_proto::MessageType::GETKEYRANGE;
    let reply = talk.ask(kind, Body::default(), &[]).success();
    assert_eq!(reply.keys(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn ends_in_the_wrong_order_hold_nothing() {
    let (_fresh, mut talk) = five_keys();
    let crossed = Range {
        start_key: Some(Bytes::from_static(b"d")),
        end_key: Some(Bytes::from_static(b"b")),
        ..b_to_d(true, true)
    };
    let same = Range {
        end_key: Some(Bytes::from_static(b"b")),
        ..b_to_d(true, false)
    };
    for range in [crossed, same] {
        let reply = talk.ask_range(range).success();
        assert_eq!(reply.keys(), Vec::<String>::new());
    }
}

#[test]
fn zero_absent_and_the_limit_are_200_keys_and_one_more_is_refused() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..250 {
        talk.put(format!("{number:03}").as_bytes(), b"").success();
    }
    for maximum in [None, Some(0), Some(200)] {
        let range = Range {
            max_returned: maximum,
            start_key_inclusive: Some(true),
            ..Range::default()
        };
        let keys = talk.ask_range(range.clone()).success().keys();
        assert_eq!(keys.len(), 200, "{maximum:?}");
        assert_eq!(keys.last().map(String::as_str), Some("199"));
        let backward = Range {
            reverse: Some(true),
            ..range
        };
        let keys = talk.ask_range(backward).success().keys();
        assert_eq!(keys.len(), 200, "{maximum:?}");
        assert_eq!(keys.first().map(String::as_str), Some("249"));
    }
    for maximum in [201, 1 << 31, u32::MAX] {
        let range = Range {
            max_returned: Some(maximum),
            ..Range::default()
        };
        let reply = talk.ask_range(range);
        assert_eq!(reply.code(), StatusCode::INVALID_REQUEST);
        assert!(reply.text().contains("200"), "{}", reply.text());
    }
}

#[test]
fn two_hundred_keys_of_the_largest_size_fit_an_answer() {
    let fresh = Fresh::drive();
    let mut talk = fresh.talk();
    for number in 0..200 {
        let key = format!("{number:04096}");
        talk.put(key.as_bytes(), b"").success();
    }
    let keys = talk.ask_range(Range::default()).success().keys();
    assert_eq!(keys.len(), 200);
}
