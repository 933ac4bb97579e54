//! The proof that somebody may do something.
//!
//! Guarantees: a [`Grant`] can only be made by [`Access`], which asks the identity's scopes, and
//! it holds the very key that was asked about. Operations take their key from the grant, so none
//! can touch a key that was not checked.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use super::identity::{Channel, Identity, Permission};

/// A right, as a type.
pub trait Right {
    /// The permission that it takes.
    const PERMISSION: Permission;
}

macro_rules! rights {
    ($($name:ident $doc:literal,)*) => {
        $(
            #[doc = $doc]
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}
            impl Right for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )*
    };
}

rights! {
    Read "The right to read an entry.",
    Write "The right to store an entry.",
    Delete "The right to remove an entry.",
    Range "The right to list a key.",
    PeerToPeer "The right to have entries pushed to other drives.",
    GetLog "The right to read logs.",
    Security "The right to change identities and PINs.",
    Setup "The right to set cluster version and firmware.",
    PowerManagement "The right to set the power level.",
}

/// The right that every identity has, having signed.
#[derive(Debug, Clone, Copy)]
pub enum Known {}

/// A proof that whoever asks may use a right, on the key that it holds.
pub struct Grant<R> {
    key: Bytes,
    right: PhantomData<R>,
}

impl<R> Grant<R> {
    /// The key that was asked about.
    pub fn key(&self) -> &Bytes {
        &self.key
    }

    /// The same, used up.
    pub fn into_key(self) -> Bytes {
        self.key
    }
}

impl<R> fmt::Debug for Grant<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Grant").field("key", &self.key).finish()
    }
}

/// No scope grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("permission denied")]
pub struct Denied;

/// An identity that has proved itself, on the connection it came by.
#[derive(Debug, Clone)]
pub struct Access {
    identity: Arc<Identity>,
    channel: Channel,
}

impl Access {
    /// Whoever signed, on this connection.
    #[must_use]
    pub fn new(identity: Arc<Identity>, channel: Channel) -> Self {
        Self { identity, channel }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// How it came.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Asks for a right on a key.
    pub fn to_key<R: Right>(&self, key: Bytes) -> Result<Grant<R>, Denied> {
        if self.identity.may(R::PERMISSION, &key, self.channel) {
            let right = PhantomData;
            return Ok(Grant { key, right });
        }
        Err(Denied)
    }

    /// Asks for a right that concerns no key, or for one on some key at least.
    pub fn to_drive<R: Right>(&self) -> Result<Grant<R>, Denied> {
        if self.identity.may_somewhere(R::PERMISSION, self.channel) {
            let (key, right) = (Bytes::new(), PhantomData);
            return Ok(Grant { key, right });
        }
        Err(Denied)
    }

    /// What every identity may do.
    #[must_use]
    pub fn known(&self) -> Grant<Known> {
        let (key, right) = (Bytes::new(), PhantomData);
        Grant { key, right }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::identity::Scope;

    #[test]
    fn a_grant_holds_the_key_that_was_asked_about() {
        let scope = Scope {
            value: Bytes::from_static(b"mine"),
            permissions: [Permission::Read].into_iter().collect(),
            ..Scope::default()
        };
        let identity = Identity {
            scopes: vec![scope],
            ..Identity::factory(b"key")
        };
        let access = Access::new(Arc::new(identity), Channel::Plain);
        let grant = access
            .to_key::<Read>(Bytes::from_static(b"mine/1"))
            .unwrap();
        assert_eq!(grant.into_key().as_ref(), b"mine/1");
        assert!(access.to_key::<Read>(Bytes::from_static(b"yours")).is_err());
        assert!(access.to_key::<Write>(Bytes::from_static(b"mine")).is_err());
        assert!(access.to_drive::<Read>().is_ok());
        assert_eq!(access.to_drive::<GetLog>().unwrap_err(), Denied);
        assert_eq!(Denied.to_string(), "permission denied");
    }
}
