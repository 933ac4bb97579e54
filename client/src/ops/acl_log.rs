//! The list of identities as a drive publishes it: a log, since the protocol has no request that
//! reads what SECURITY sets.
//!
//! Guarantees: asked for under TLS only; no key is in it. Not here: setting the list (`security`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kinetic_proto::MessageType;
use serde::Deserialize;

use super::answer::awaitable;
use super::log::GetLog;
use super::security::{Permission, Priority, Scope};
use crate::core::Manner;
use crate::error::{AnswerProblem, Error};
use crate::net::Connection;

#[doc(no_inline)]
pub use kinetic_proto::schema::command::security::acl::HmacAlgorithm;

/// The name of the log.
pub const ACL_LOG: &str = "org.kinetic.acl";

/// An identity of a drive's list, without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAcl {
    /// The identity.
    pub identity: i64,
    /// How it signs.
    pub hmac_algorithm: HmacAlgorithm,
    /// What it may do: all that any of these grants, and nothing where there is none.
    pub scopes: Vec<Scope>,
    /// The highest priority of its requests; `None` is no bound.
    pub max_priority: Option<Priority>,
}

#[derive(Deserialize)]
struct ListText {
    identities: Vec<IdentityText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityText {
    identity: i64,
    hmac_algorithm: String,
    max_priority: Option<i32>,
    scopes: Vec<ScopeText>,
}

#[derive(Deserialize)]
struct ScopeText {
    offset: u64,
    value: String,
    permissions: Vec<String>,
    #[serde(rename = "TlsRequired")]
    tls_required: bool,
}

/// A GETLOG of the list of identities, made by [`crate::Client::acls`]. A drive that does not
/// publish it refuses with NOT_FOUND.
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// for listed in client.acls().await? {
///     println!("{}: {} scopes", listed.identity, listed.scopes.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetAcls {
    connection: Connection,
    manner: Manner,
}

impl GetAcls {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            manner: Manner::default(),
        }
    }

    async fn run(self) -> Result<Vec<ListedAcl>, Error> {
        self.connection.require_tls(MessageType::GETLOG)?;
        let mut log = GetLog::new(self.connection, &[]).device(ACL_LOG);
        log.manner = self.manner;
        let value = log.await?.value;
        read(&value).ok_or(Error::Unusable {
            request: MessageType::GETLOG,
            problem: AnswerProblem::NoAcl,
        })
    }
}

awaitable!(GetAcls => Vec<ListedAcl>);

/// The list in the content of the log.
pub(crate) fn read(value: &[u8]) -> Option<Vec<ListedAcl>> {
    let list: ListText = serde_json::from_slice(value).ok()?;
    list.identities.into_iter().map(listed).collect()
}

/// `None` for what this client does not know: shown in part, a list would be another one.
fn listed(text: IdentityText) -> Option<ListedAcl> {
    let priority = text.max_priority.map(Priority::try_from).transpose();
    let scopes = text.scopes.into_iter().map(scope);
    Some(ListedAcl {
        identity: text.identity,
        hmac_algorithm: HmacAlgorithm::from_str_name(&text.hmac_algorithm)
            .filter(|one| *one != HmacAlgorithm::InvalidHmacAlgorithm)?,
        scopes: scopes.collect::<Option<_>>()?,
        max_priority: priority.ok()?,
    })
}

fn scope(text: ScopeText) -> Option<Scope> {
    let permissions = text.permissions.iter();
    let permissions = permissions.map(|name| {
        let known = Permission::from_str_name(name);
        known.filter(|one| *one != Permission::InvalidPermission)
    });
    Some(Scope {
        offset: text.offset,
        value: STANDARD.decode(text.value).ok()?.into(),
        permissions: permissions.collect::<Option<_>>()?,
        tls_required: text.tls_required,
    })
}
