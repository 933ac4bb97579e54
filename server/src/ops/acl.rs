//! The access control list of a SECURITY: from the wire to records that keep all rules.
//!
//! Guarantees: every record has an identity of its own, a key, and scopes that can apply; a list
//! that was taken can be put in force as it is. The first offence is named, with its identity.
//! Not here: replacing or merging (`security`), and what scopes grant (`auth`).

use std::collections::{BTreeMap, BTreeSet};

use kinetic_proto::Limits;
use kinetic_proto::schema::command::Priority;
use kinetic_proto::schema::command::security::Acl;
use kinetic_proto::schema::command::security::acl::{HmacAlgorithm, Scope};

use crate::auth::Permission;
use crate::device::opaque::Opaque;
use crate::device::settings::{IdentityRecord, ScopeRecord};
use crate::limits::{HMAC_KEY_BYTES, SCOPES_PER_IDENTITY};

/// What is wrong with a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAcl {
    /// Whose it is, is missing.
    #[error("an ACL has no identity")]
    NoIdentity,
    /// Two of the same.
    #[error("identity {0} is in the list twice")]
    Twice(i64),
    /// Too many.
    #[error("the list has {count} identities, and the limit is {limit}")]
    TooMany {
        /// How many there would be.
        count: usize,
        /// The most.
        limit: u32,
    },
    /// A way to sign that this drive does not know.
    #[error("identity {0}: the hmacAlgorithm must be HmacSHA1 (1)")]
    Algorithm(i64),
    /// Whoever has no key cannot sign.
    #[error("identity {0} has no key, or an empty one")]
    NoKey(i64),
    /// Its key is too long.
    #[error(
        "the key of identity {identity} has {bytes} bytes, and the limit is {HMAC_KEY_BYTES} bytes"
    )]
    LongKey {
        /// Whose.
        identity: i64,
        /// Bytes of the key.
        bytes: usize,
    },
    /// Too many scopes.
    #[error("identity {identity} has {count} scopes, and the limit is {SCOPES_PER_IDENTITY}")]
    TooManyScopes {
        /// Whose.
        identity: i64,
        /// How many.
        count: usize,
    },
    /// A scope that grants nothing.
    #[error("a scope of identity {0} has no permission")]
    NoPermission(i64),
    /// A permission that is none.
    #[error(
        "identity {identity}: {permission} is no permission; they are 0 READ, 1 WRITE, 2 DELETE, \
         3 RANGE, 4 SETUP, 5 P2POP, 7 GETLOG, 8 SECURITY, 9 POWER_MANAGEMENT"
    )]
    Permission {
        /// Whose.
        identity: i64,
        /// The number that came.
        permission: i32,
    },
    /// A scope that no key can match.
    #[error(
        "a scope of identity {identity} has offset {offset} and a value of {bytes} bytes, and \
         keys have at most {limit} bytes: it can never apply"
    )]
    OutOfKey {
        /// Whose.
        identity: i64,
        /// Where its value would be.
        offset: u64,
        /// Bytes of its value.
        bytes: usize,
        /// The longest key.
        limit: u32,
    },
    /// A priority that is none.
    #[error("identity {identity}: maxPriority is {priority}, and it must be from 1 to 9")]
    Priority {
        /// Whose.
        identity: i64,
        /// The number that came.
        priority: i32,
    },
    /// Nobody could undo it.
    #[error(
        "nobody would be left with the permission SECURITY (8), and nobody could ever change the \
         list again: give it to one identity at least"
    )]
    NobodyLeft,
}

/// Checks a list that came.
pub fn parse(list: Vec<Acl>, limits: &Limits) -> Result<Vec<IdentityRecord>, InvalidAcl> {
    // Before it is looked at one by one; that it fits together with others is seen when merging.
    must_be_few(list.len(), limits)?;
    let mut seen = BTreeSet::new();
    let mut records = Vec::new();
    for acl in list {
        let record = identity(acl, limits)?;
        if !seen.insert(record.identity) {
            return Err(InvalidAcl::Twice(record.identity));
        }
        records.push(record);
    }
    Ok(records)
}

/// Puts new records over old ones of the same identity, beside all others. An identity that comes
/// without scopes goes: it would be granted nothing, and nothing else can say that it is to go.
pub fn merge(
    old: &[IdentityRecord],
    new: &[IdentityRecord],
    limits: &Limits,
) -> Result<Vec<IdentityRecord>, InvalidAcl> {
    let kept = old.iter().map(|one| (one.identity, one));
    let mut merged: BTreeMap<i64, &IdentityRecord> = kept.collect();
    for one in new {
        if one.scopes.is_empty() {
            merged.remove(&one.identity);
        } else {
            merged.insert(one.identity, one);
        }
    }
    must_be_few(merged.len(), limits)?;
    Ok(merged.into_values().cloned().collect())
}

/// Refuses a list that nobody could change again.
pub fn must_leave_somebody(list: &[IdentityRecord]) -> Result<(), InvalidAcl> {
    let security = |number: &i32| Permission::from_wire(*number) == Some(Permission::Security);
    let may = |scope: &ScopeRecord| scope.permissions.iter().any(security);
    if list.iter().any(|one| one.scopes.iter().any(may)) {
        return Ok(());
    }
    Err(InvalidAcl::NobodyLeft)
}

fn must_be_few(count: usize, limits: &Limits) -> Result<(), InvalidAcl> {
    match limits.max_identity_count {
        Some(limit) if count > limit as usize => Err(InvalidAcl::TooMany { count, limit }),
        _ => Ok(()),
    }
}

fn identity(acl: Acl, limits: &Limits) -> Result<IdentityRecord, InvalidAcl> {
    let identity = acl.identity.ok_or(InvalidAcl::NoIdentity)?;
    if acl.hmac_algorithm != Some(HmacAlgorithm::HmacSha1.into()) {
        return Err(InvalidAcl::Algorithm(identity));
    }
    let key = acl.key.unwrap_or_default();
    let bytes = key.len();
    if bytes == 0 {
        return Err(InvalidAcl::NoKey(identity));
    }
    if bytes > HMAC_KEY_BYTES {
        return Err(InvalidAcl::LongKey { identity, bytes });
    }
    let count = acl.scope.len();
    if count > SCOPES_PER_IDENTITY {
        return Err(InvalidAcl::TooManyScopes { identity, count });
    }
    let known = Priority::Lowest as i32..=Priority::Highest as i32;
    if let Some(priority) = acl.max_priority.filter(|one| !known.contains(one)) {
        return Err(InvalidAcl::Priority { identity, priority });
    }
    let scopes = acl.scope.into_iter();
    let scopes = scopes.map(|one| scope(identity, one, limits));
    Ok(IdentityRecord {
        identity,
        key: Opaque(key.to_vec()),
        scopes: scopes.collect::<Result<_, _>>()?,
        max_priority: acl.max_priority,
    })
}

fn scope(identity: i64, scope: Scope, limits: &Limits) -> Result<ScopeRecord, InvalidAcl> {
    if scope.permission.is_empty() {
        return Err(InvalidAcl::NoPermission(identity));
    }
    let unknown = |number: &&i32| Permission::from_wire(**number).is_none();
    if let Some(&permission) = scope.permission.iter().find(unknown) {
        return Err(InvalidAcl::Permission {
            identity,
            permission,
        });
    }
    let mut permissions = scope.permission;
    permissions.sort_unstable();
    permissions.dedup();
    let (offset, value) = (scope.offset.unwrap_or(0), scope.value.unwrap_or_default());
    let (bytes, limit) = (value.len(), limits.max_key_size.unwrap_or(u32::MAX));
    // Protocol 3.x has signed offsets; a negative one arrives as a huge one.
    if offset.saturating_add(bytes as u64) > u64::from(limit) {
        return Err(InvalidAcl::OutOfKey {
            identity,
            offset,
            bytes,
            limit,
        });
    }
    Ok(ScopeRecord {
        offset,
        value: Opaque(value.to_vec()),
        permissions,
        tls_required: scope.tls_required.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests;
