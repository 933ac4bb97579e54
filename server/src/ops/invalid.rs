//! What makes a request invalid, as a sentence with the value that was wrong and the limit.

use kinetic_proto::MessageType;

use super::acl::InvalidAcl;

/// Why a request was not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field is longer than the drive takes.
    #[error("the {field} has {size} bytes, and the limit is {limit} bytes")]
    TooLarge {
        /// Which field.
        field: &'static str,
        /// Its bytes.
        size: usize,
        /// The most bytes allowed.
        limit: u32,
    },
    /// A write without an entry: it would otherwise concern the empty key.
    #[error("{0} needs body.keyValue")]
    NoEntry(MessageType),
    /// The body is no protobuf.
    #[error("the body of {0} cannot be decoded")]
    Malformed(MessageType),
    /// A synchronization that is none.
    #[error(
        "synchronization {0} is not valid: use WRITETHROUGH (1), WRITEBACK (2) or FLUSH (3), or \
         leave it out for WRITETHROUGH"
    )]
    Synchronization(i32),
    /// A range of more keys than fit one answer.
    #[error("maxReturned is {wanted}, and the limit is {limit} keys; ask again from the last key")]
    TooManyKeys {
        /// Keys asked for.
        wanted: u32,
        /// The most keys in one answer.
        limit: u32,
    },
    /// A push without anything to push.
    #[error("{0} needs body.p2pOperation")]
    NoPush(MessageType),
    /// Pushes within pushes.
    #[error("pushes are nested {depth} deep, and the limit is {limit}")]
    NestedTooDeep {
        /// How deep.
        depth: usize,
        /// How deep they may be.
        limit: u32,
    },
    /// More operations than the answer has room for.
    #[error("the push has {count} operations, nested ones counted, and the limit is {limit}")]
    TooManyPushed {
        /// Operations asked for.
        count: usize,
        /// The most in one request.
        limit: usize,
    },
    /// More keys than one request may name.
    #[error(
        "the request names {count} keys, and the limit is {limit} keys; ask in several requests"
    )]
    TooManyKeysNamed {
        /// Keys named.
        count: usize,
        /// The most keys in one request.
        limit: usize,
    },
    /// A digest of more parts than fit one answer.
    #[error("the digest has {count} splits, and the limit is {limit} splits")]
    TooManySplits {
        /// Splits named.
        count: usize,
        /// The most splits in one request.
        limit: usize,
    },
    /// Splits that do not ascend.
    #[error("each split of a digest must be greater than the one before it")]
    SplitsOutOfOrder,
    /// Two ways to part a range.
    #[error("a digest is parted by split or by maxReturned, not by both")]
    SplitsAndEntries,
    /// A GETLOG that asks for nothing.
    #[error("GETLOG needs at least one type")]
    NoLogTypes,
    /// A GETLOG that asks for too much at once.
    #[error("GETLOG names {count} types, and the limit is {limit}")]
    TooManyLogTypes {
        /// Types asked for.
        count: usize,
        /// The most types in one request.
        limit: usize,
    },
    /// A message type that a drive never answers.
    #[error("{0} is not a request")]
    NotARequest(MessageType),
    /// A request that the protocol does not know.
    #[error("{0} is not known to this drive")]
    UnknownType(MessageType),
    /// A request that this drive cannot do yet.
    #[error("{0} is not supported by this version of the drive")]
    Unsupported(MessageType),
    /// A power level that nobody can set.
    #[error(
        "a power level can be OPERATIONAL (1), HIBERNATE (2) or SHUTDOWN (3){}",
        .0.map_or_else(String::new, |number| format!(", not {number}"))
    )]
    PowerLevel(Option<i32>),
    /// PIN operations and security settings on a connection that anybody can read along.
    #[error("{0} needs a TLS connection")]
    NeedsTls(MessageType),
    /// A log that tells who may do what, on such a connection.
    #[error("the log {0} needs a TLS connection")]
    LogNeedsTls(&'static str),
    /// Something else than PUT and DELETE in a batch.
    #[error("only PUT and DELETE can be part of a batch")]
    NotAMember,
    /// A signature for something that takes a PIN.
    #[error("{0} is authenticated by a PIN: send it with PINAUTH (2)")]
    NeedsPin(MessageType),
    /// Locking and unlocking with nothing to compare.
    #[error("LOCK and UNLOCK need a PIN that is not empty")]
    NoPin,
    /// A PIN operation that is none.
    #[error(
        "pinOpType {} is no PIN operation: use UNLOCK (1), LOCK (2), ERASE (3) or SECURE_ERASE (4)",
        .0.map_or("(absent)".to_owned(), |number| number.to_string())
    )]
    PinPurpose(Option<i32>),
    /// More than one thing to change.
    #[error("a {0} changes one thing: send a request for each, with the fields of that one only")]
    ManyPurposes(&'static str),
    /// A purpose that is none.
    #[error("securityOpType {0} is not valid: use ACL (1), ERASE_PIN (2) or LOCK_PIN (3)")]
    SecurityPurpose(i32),
    /// A list of identities that breaks a rule.
    #[error(transparent)]
    Acl(#[from] InvalidAcl),
    /// A purpose that is none.
    #[error("setupOpType {0} is not valid: use FIRMWARE (1) or CLUSTER_VERSION (2)")]
    SetupPurpose(i32),
    /// A cluster version that is not there.
    #[error("a SETUP of the cluster version needs newClusterVersion")]
    NoClusterVersion,
    /// Firmware that is not there.
    #[error("a SETUP of firmware needs the image as its value")]
    NoFirmware,
    /// Firmware of somebody else.
    #[error(
        "the firmware is not signed by the key that this drive was given: an image ends with the \
         64 bytes of an Ed25519 signature of all before them"
    )]
    Firmware,
    /// PINAUTH for something that takes a signature.
    #[error("{0} is not a PIN operation: sign it with HMACAUTH")]
    NotAPinOperation(MessageType),
    /// A sequence that does not grow.
    #[error("sequence {found} is not greater than {last}, the greatest on this connection so far")]
    Sequence {
        /// The sequence of the request.
        found: u64,
        /// The greatest one before it.
        last: u64,
    },
}
