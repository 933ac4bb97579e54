//! Identities: a key to sign with, and scopes that say what may be done with which keys.
//!
//! Guarantees: a permission is granted if any scope that applies grants it. A scope applies if
//! the key holds the scope's value at its offset (a key that is too short does not; an empty value
//! always matches) and, where the scope demands TLS, the connection is one. No scopes, no
//! permissions.

use bytes::Bytes;
use kinetic_proto::SigningKey;
use kinetic_proto::schema::command::security::acl;

use crate::device::settings::{IdentityRecord, ScopeRecord};

/// The identity of a drive that nobody has configured.
pub const FACTORY_IDENTITY: i64 = 1;

/// The key of that identity, known to everybody.
pub const FACTORY_KEY: &[u8] = b"asdfasdf";

/// What a scope can grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Reading entries.
    Read,
    /// Storing entries.
    Write,
    /// Removing entries.
    Delete,
    /// Listing keys.
    Range,
    /// Cluster version and firmware.
    Setup,
    /// Pushing to other drives.
    PeerToPeer,
    /// Reading logs.
    GetLog,
    /// Changing identities and PINs.
    Security,
    /// Changing the power level.
    PowerManagement,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Range,
        Self::Setup,
        Self::PeerToPeer,
        Self::GetLog,
        Self::Security,
        Self::PowerManagement,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Its number on the wire.
    #[must_use]
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Read => acl::Permission::Read,
            Self::Write => acl::Permission::Write,
            Self::Delete => acl::Permission::Delete,
            Self::Range => acl::Permission::Range,
            Self::Setup => acl::Permission::Setup,
            Self::PeerToPeer => acl::Permission::P2pop,
            Self::GetLog => acl::Permission::Getlog,
            Self::Security => acl::Permission::Security,
            Self::PowerManagement => acl::Permission::PowerManagement,
        }
        .into()
    }

    /// The permission with this number on the wire.
    #[must_use]
    pub fn from_wire(number: i32) -> Option<Self> {
        Some(match acl::Permission::try_from(number).ok()? {
            acl::Permission::InvalidPermission => return None,
            acl::Permission::Read => Self::Read,
            acl::Permission::Write => Self::Write,
            acl::Permission::Delete => Self::Delete,
            acl::Permission::Range => Self::Range,
            acl::Permission::Setup => Self::Setup,
            acl::Permission::P2pop => Self::PeerToPeer,
            acl::Permission::Getlog => Self::GetLog,
            acl::Permission::Security => Self::Security,
            acl::Permission::PowerManagement => Self::PowerManagement,
        })
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u16);

impl Permissions {
    /// Whether the set holds this one.
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        Self(permissions.into_iter().fold(0, |set, one| set | one.bit()))
    }
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Anybody on the way can read along.
    Plain,
    /// TLS.
    Tls,
}

/// On which connections a scope applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// On all.
    #[default]
    AnyChannel,
    /// On TLS only.
    TlsOnly,
}

/// Permissions for the keys that hold a value at an offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Where in the key the value must be, in bytes.
    pub offset: u64,
    /// What the key must hold there.
    pub value: Bytes,
    /// What may be done then.
    pub permissions: Permissions,
    /// On which connections.
    pub reach: Reach,
}

impl Scope {
    fn of_record(record: &ScopeRecord) -> Self {
        let permissions = record.permissions.iter();
        Self {
            offset: record.offset,
            value: Bytes::copy_from_slice(&record.value.0),
            permissions: permissions
                .copied()
                .filter_map(Permission::from_wire)
                .collect(),
            reach: if record.tls_required {
                Reach::TlsOnly
            } else {
                Reach::AnyChannel
            },
        }
    }

    fn reaches(&self, channel: Channel) -> bool {
        self.reach == Reach::AnyChannel || channel == Channel::Tls
    }

    fn matches(&self, key: &[u8]) -> bool {
        if self.value.is_empty() {
            return true;
        }
        let start = usize::try_from(self.offset).ok();
        start
            .and_then(|start| key.get(start..start.checked_add(self.value.len())?))
            .is_some_and(|part| part == self.value)
    }
}

/// One identity.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its number.
    pub number: i64,
    /// What it signs with.
    pub key: SigningKey,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The highest priority that it may ask for; `None` is any.
    pub max_priority: Option<i32>,
}

impl Identity {
    /// The identity of a new drive: every permission for every key.
    #[must_use]
    pub fn factory(key: &[u8]) -> Self {
        Self {
            number: FACTORY_IDENTITY,
            key: SigningKey::new(key),
            scopes: vec![Scope {
                permissions: Permission::ALL.into_iter().collect(),
                ..Scope::default()
            }],
            max_priority: None,
        }
    }

    /// The identity as the settings keep it.
    #[must_use]
    pub fn of_record(record: &IdentityRecord) -> Self {
        Self {
            number: record.identity,
            key: SigningKey::new(&record.key.0),
            scopes: record.scopes.iter().map(Scope::of_record).collect(),
            max_priority: record.max_priority,
        }
    }

    /// Whether it may do this with this key.
    #[must_use]
    pub fn may(&self, permission: Permission, key: &[u8], channel: Channel) -> bool {
        self.scopes.iter().any(|scope| {
            scope.permissions.contains(permission) && scope.reaches(channel) && scope.matches(key)
        })
    }

    /// Whether it may do this at all, for some key or for the drive.
    #[must_use]
    pub fn may_somewhere(&self, permission: Permission, channel: Channel) -> bool {
        self.scopes
            .iter()
            .any(|scope| scope.permissions.contains(permission) && scope.reaches(channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(scopes: Vec<Scope>) -> Identity {
        Identity {
            scopes,
            ..Identity::factory(b"key")
        }
    }

    fn scope(offset: u64, value: &'static [u8], permission: Permission) -> Scope {
        Scope {
            offset,
            value: Bytes::from_static(value),
            permissions: [permission].into_iter().collect(),
            reach: Reach::AnyChannel,
        }
    }

    #[test]
    fn a_scope_applies_where_its_value_stands_at_its_offset() {
        let who = identity(vec![scope(2, b"bc", Permission::Read)]);
        let may = |key: &[u8]| who.may(Permission::Read, key, Channel::Plain);
        assert!(may(b"aabc"));
        assert!(may(b"aabcd"));
        assert!(!may(b"abc"));
        assert!(!may(b"aab"));
        assert!(!may(b""));
        assert!(!who.may(Permission::Write, b"aabc", Channel::Plain));
    }

    #[test]
    fn any_scope_that_applies_may_grant() {
        let who = identity(vec![
            scope(0, b"too long for the key", Permission::Read),
            scope(u64::MAX, b"x", Permission::Read),
            scope(7, b"", Permission::Delete),
            scope(0, b"k", Permission::Read),
        ]);
        assert!(who.may(Permission::Read, b"key", Channel::Plain));
        assert!(who.may(Permission::Delete, b"", Channel::Plain));
        assert!(!who.may(Permission::Range, b"key", Channel::Plain));
    }

    #[test]
    fn a_scope_that_demands_tls_is_nothing_on_a_plain_connection() {
        let secret = Scope {
            reach: Reach::TlsOnly,
            ..scope(0, b"", Permission::GetLog)
        };
        let who = identity(vec![secret]);
        assert!(!who.may_somewhere(Permission::GetLog, Channel::Plain));
        assert!(who.may_somewhere(Permission::GetLog, Channel::Tls));
        assert!(!who.may(Permission::GetLog, b"k", Channel::Plain));
    }

    #[test]
    fn no_scopes_grant_nothing() {
        let who = identity(Vec::new());
        for permission in Permission::ALL {
            assert!(!who.may(permission, b"", Channel::Tls));
            assert!(!who.may_somewhere(permission, Channel::Tls));
        }
    }

    #[test]
    fn permissions_have_their_numbers() {
        assert_eq!(Permission::from_wire(0), Some(Permission::Read));
        assert_eq!(Permission::from_wire(9), Some(Permission::PowerManagement));
        for permission in Permission::ALL {
            assert_eq!(
                Permission::from_wire(permission.to_wire()),
                Some(permission)
            );
        }
        assert_eq!(Permission::from_wire(6), None);
        assert_eq!(Permission::from_wire(-1), None);
    }
}
