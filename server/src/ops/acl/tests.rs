//! Lists as they come: what is taken, and what is refused by which sentence.

use bytes::Bytes;

use super::*;

fn acl(identity: i64) -> Acl {
    Acl {
        identity: Some(identity),
        key: Some(Bytes::from_static(b"key")),
        hmac_algorithm: Some(1),
        scope: vec![with(&[8])],
        max_priority: None,
    }
}

fn with(permissions: &[i32]) -> Scope {
    Scope {
        permission: permissions.to_vec(),
        ..Scope::default()
    }
}

fn refused(acl: Acl) -> InvalidAcl {
    parse(vec![acl], &Limits::default()).unwrap_err()
}

#[test]
fn a_list_is_taken_as_it_is() {
    let full = Acl {
        scope: vec![Scope {
            offset: Some(3),
            value: Some(Bytes::from_static(b"abc")),
            permission: vec![9, 0, 9],
            tls_required: Some(true),
        }],
        max_priority: Some(9),
        ..acl(-1)
    };
    let bare = Acl {
        scope: Vec::new(),
        ..acl(2)
    };
    let list = parse(vec![full, bare], &Limits::default()).unwrap();
    let scope = &list[0].scopes[0];
    assert_eq!((scope.offset, &scope.value.0[..]), (3, &b"abc"[..]));
    assert_eq!(
        (&scope.permissions[..], scope.tls_required),
        (&[0, 9][..], true)
    );
    assert_eq!((list[0].identity, list[0].max_priority), (-1, Some(9)));
    assert!(list[1].scopes.is_empty());
}

fn changed(change: impl FnOnce(&mut Acl)) -> InvalidAcl {
    let mut acl = acl(7);
    change(&mut acl);
    refused(acl)
}

#[test]
fn an_offence_is_named_with_its_identity() {
    let identity = 7;
    for algorithm in [None, Some(-1), Some(2)] {
        let found = changed(|acl| acl.hmac_algorithm = algorithm);
        assert_eq!(found, InvalidAcl::Algorithm(identity));
    }
    for key in [None, Some(Bytes::new())] {
        assert_eq!(changed(|acl| acl.key = key), InvalidAcl::NoKey(identity));
    }
    let bytes = 1025;
    let found = changed(|acl| acl.key = Some(vec![b'k'; bytes].into()));
    assert_eq!(found, InvalidAcl::LongKey { identity, bytes });
    for priority in [0, 10] {
        let found = changed(|acl| acl.max_priority = Some(priority));
        assert_eq!(found, InvalidAcl::Priority { identity, priority });
    }
    let count = 65;
    let found = changed(|acl| acl.scope = vec![with(&[0]); count]);
    assert_eq!(found, InvalidAcl::TooManyScopes { identity, count });
    assert!(found.to_string().contains("identity 7 has 65"), "{found}");
    assert_eq!(changed(|acl| acl.identity = None), InvalidAcl::NoIdentity);
}

#[test]
fn a_scope_that_grants_nothing_or_can_never_apply_is_refused() {
    let refused = |scope| {
        refused(Acl {
            scope: vec![with(&[8]), scope],
            ..acl(7)
        })
    };
    assert_eq!(refused(with(&[])), InvalidAcl::NoPermission(7));
    for permission in [-1, 6, 10, i32::MAX] {
        let (identity, expected) = (7, permission);
        let permission = InvalidAcl::Permission {
            identity,
            permission,
        };
        assert_eq!(refused(with(&[0, expected])), permission);
    }
    for (offset, bytes) in [(4097, 0), (4096, 1), (0, 4097), (u64::MAX, 3)] {
        let scope = Scope {
            offset: Some(offset),
            value: Some(Bytes::from(vec![0; bytes])),
            ..with(&[0])
        };
        let (identity, limit) = (7, 4096);
        let expected = InvalidAcl::OutOfKey {
            identity,
            offset,
            bytes,
            limit,
        };
        assert_eq!(refused(scope), expected);
    }
}

#[test]
fn nobody_is_in_a_list_twice_and_a_list_has_its_limit() {
    let twice = parse(vec![acl(1), acl(2), acl(1)], &Limits::default());
    assert_eq!(twice.unwrap_err(), InvalidAcl::Twice(1));
    let limits = Limits {
        max_identity_count: Some(2),
        ..Limits::default()
    };
    let (count, limit) = (3, 2);
    let many = parse(vec![acl(1), acl(2), acl(3)], &limits);
    assert_eq!(many.unwrap_err(), InvalidAcl::TooMany { count, limit });
    let two = parse(vec![acl(1), acl(2)], &limits).unwrap();
    let one = parse(vec![acl(3)], &limits).unwrap();
    let many = merge(&two, &one, &limits).unwrap_err();
    assert_eq!(many, InvalidAcl::TooMany { count, limit });
    assert!(many.to_string().contains("limit is 2"), "{many}");
}

#[test]
fn merging_replaces_who_is_named_and_keeps_all_others() {
    let limits = Limits::default();
    let old = parse(vec![acl(1), acl(2)], &limits).unwrap();
    let other = Acl {
        key: Some(Bytes::from_static(b"other")),
        ..acl(2)
    };
    let new = parse(vec![acl(3), other], &limits).unwrap();
    let merged = merge(&old, &new, &limits).unwrap();
    let keys: Vec<_> = merged
        .iter()
        .map(|one| (one.identity, &one.key.0[..]))
        .collect();
    assert_eq!(keys, [(1, &b"key"[..]), (2, b"other"), (3, b"key")]);
}

#[test]
fn merging_an_identity_without_scopes_takes_it_out_of_the_list() {
    let limits = Limits {
        max_identity_count: Some(2),
        ..Limits::default()
    };
    let without_scopes = |identity| Acl {
        scope: Vec::new(),
        ..acl(identity)
    };
    // Whoever was listed so when the whole list was replaced stays.
    let old = parse(vec![acl(1), without_scopes(2)], &limits).unwrap();
    let merged = |new| {
        let merged = merge(&old, &parse(new, &limits).unwrap(), &limits).unwrap();
        merged.iter().map(|one| one.identity).collect::<Vec<_>>()
    };
    assert_eq!(merged(vec![without_scopes(1), acl(3)]), [2, 3]);
    assert_eq!(merged(vec![without_scopes(2)]), [1]);
    assert_eq!(merged(vec![without_scopes(7)]), [1, 2]);
}

#[test]
fn somebody_must_be_left_who_may_change_the_list() {
    let limits = Limits::default();
    let mut list = parse(vec![acl(1)], &limits).unwrap();
    assert_eq!(must_leave_somebody(&list), Ok(()));
    list[0].scopes[0].permissions = vec![0, 1, 9];
    assert_eq!(must_leave_somebody(&list), Err(InvalidAcl::NobodyLeft));
    assert_eq!(must_leave_somebody(&[]), Err(InvalidAcl::NobodyLeft));
}
