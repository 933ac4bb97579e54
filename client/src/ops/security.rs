//! SECURITY: who may do what, and the PINs.
//!
//! Guarantees: keys and PINs are sent under TLS only, and never printed. Drives of protocol 3.x
//! add what they are given to the list, whatever is asked. Not here: using a PIN (`pin`),
//! reading the list back (`acl_log`).

use std::fmt;

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::security::acl;
use kinetic_proto::schema::command::security::{self as wire, SecurityOpType};
use kinetic_proto::schema::command::{self, Body};

use super::answer::awaitable;
use super::pin::check_pin;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

#[doc(no_inline)]
pub use kinetic_proto::schema::command::Priority;
#[doc(no_inline)]
pub use kinetic_proto::schema::command::security::acl::Permission;

/// An identity: its key, and what it may do.
#[derive(Clone, PartialEq, Eq)]
pub struct Acl {
    /// The identity.
    pub identity: i64,
    /// Its key; drives do not take an empty one.
    pub key: Bytes,
    /// What it may do: all that any of these grants, and nothing where there is none.
    pub scopes: Vec<Scope>,
    /// The highest priority of its requests; `None` is no bound.
    pub max_priority: Option<Priority>,
}

/// Permissions for some of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Where in a key [`Scope::value`] has to be, from 0.
    pub offset: u64,
    /// What has to be there; empty is all keys.
    pub value: Bytes,
    /// What may be done with such keys, or, where it is not about keys, with the drive.
    pub permissions: Vec<Permission>,
    /// Whether the scope counts under TLS only.
    pub tls_required: bool,
}

impl fmt::Debug for Acl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Acl")
            .field("identity", &self.identity)
            .field("scopes", &self.scopes)
            .field("max_priority", &self.max_priority)
            .finish_non_exhaustive()
    }
}

impl Acl {
    fn to_wire(&self) -> wire::Acl {
        wire::Acl {
            identity: Some(self.identity),
            key: Some(self.key.clone()),
            hmac_algorithm: Some(acl::HmacAlgorithm::HmacSha1.into()),
            scope: self.scopes.iter().map(Scope::to_wire).collect(),
            max_priority: self.max_priority.map(i32::from),
        }
    }
}

impl Scope {
    fn to_wire(&self) -> acl::Scope {
        acl::Scope {
            offset: (self.offset > 0).then_some(self.offset),
            value: (!self.value.is_empty()).then(|| self.value.clone()),
            permission: self.permissions.iter().map(|&one| one.into()).collect(),
            tls_required: self.tls_required.then_some(true),
        }
    }
}

/// A SECURITY that sets the access control list, made by [`crate::Client::set_acls`]. The list
/// replaces the drive's, all of it or nothing.
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// use kinetic_client::{Acl, Permission, Scope};
///
/// let readers = Scope {
///     value: "photos/".into(),
///     permissions: vec![Permission::Read, Permission::Range],
///     ..Scope::default()
/// };
/// let gallery = Acl {
///     identity: 7,
///     key: "a long random key".into(),
///     scopes: vec![readers],
///     max_priority: None,
/// };
/// client.set_acls([gallery]).merge().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct SetAcls {
    connection: Connection,
    manner: Manner,
    acls: Vec<Acl>,
    purpose: Option<SecurityOpType>,
}

impl SetAcls {
    pub(crate) fn new(connection: Connection, acls: Vec<Acl>) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            acls,
            purpose: Some(SecurityOpType::AclSecurityop),
        }
    }

    /// Keeps the identities that are not in the list, as protocol 3.x does.
    pub fn merge(mut self) -> Self {
        self.purpose = None;
        self
    }

    async fn run(self) -> Result<(), Error> {
        let security = command::Security {
            acl: self.acls.iter().map(Acl::to_wire).collect(),
            security_op_type: self.purpose.map(i32::from),
            ..command::Security::default()
        };
        send(&self.connection, security, self.manner).await
    }
}

awaitable!(SetAcls => ());

/// Which PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinKind {
    /// For LOCK and UNLOCK; a drive that has one starts locked.
    Lock,
    /// For ERASE and SECURE_ERASE.
    Erase,
}

/// A SECURITY that sets or clears a PIN, made by [`crate::Client::set_pin`] and
/// [`crate::Client::clear_pin`].
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// use kinetic_client::PinKind;
///
/// client.set_pin(PinKind::Erase, "1234").await?;
/// client.clear_pin(PinKind::Erase).current("1234").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct SetPin {
    connection: Connection,
    manner: Manner,
    kind: PinKind,
    new: Pin,
    current: Option<Pin>,
}

impl SetPin {
    pub(crate) fn new(connection: Connection, kind: PinKind, new: Pin) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            kind,
            new,
            current: None,
        }
    }

    /// The PIN that is set now; not needed where none is.
    pub fn current(mut self, pin: impl Into<Bytes>) -> Self {
        self.current = Some(Pin(pin.into()));
        self
    }

    async fn run(self) -> Result<(), Error> {
        let limit = self.connection.hello().limits.max_pin_size;
        for pin in self.current.iter().chain([&self.new]) {
            check_pin(pin, limit)?;
        }
        let old = self.current.map(|pin| pin.0);
        let new = Some(self.new.0);
        let security = match self.kind {
            PinKind::Lock => command::Security {
                old_lock_pin: old,
                new_lock_pin: new,
                security_op_type: Some(SecurityOpType::LockPinSecurityop.into()),
                ..command::Security::default()
            },
            PinKind::Erase => command::Security {
                old_erase_pin: old,
                new_erase_pin: new,
                security_op_type: Some(SecurityOpType::ErasePinSecurityop.into()),
                ..command::Security::default()
            },
        };
        send(&self.connection, security, self.manner).await
    }
}

awaitable!(SetPin => ());

async fn send(
    connection: &Connection,
    security: command::Security,
    manner: Manner,
) -> Result<(), Error> {
    connection.require_tls(MessageType::SECURITY)?;
    let body = Body {
        security: Some(Box::new(security)),
        ..Body::default()
    };
    let request = Request::with_body(MessageType::SECURITY, body);
    connection.call(request, manner).await.map(drop)
}
