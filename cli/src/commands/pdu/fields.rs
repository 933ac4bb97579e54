//! Messages of the protocol as JSON, with the names of the protocol.
//!
//! Guarantees: an unknown field shows by its number; what is absent does not show, what comes
//! several times shows as a list; PINs and keys do not show. Not here: what is allowed.

use kinetic_client::wire::{Field, Fields, Payload, WireError};
use kinetic_client::{MessageType, StatusCode, schema};
use schema::command::{self, Algorithm, Priority, Synchronization};
use serde_json::{Map, Value, json};

use crate::keys::Printed;

/// A field: its number, its name, what it holds.
type Named = (u32, &'static str, Kind);

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Signed,
    Truth,
    Bytes,
    Secret,
    Code(fn(i32) -> Option<String>),
    Part(&'static [Named]),
    /// A push within a push.
    Push,
}

use Kind::{Bytes, Code, Number, Part, Push, Secret, Signed, Truth};

static MESSAGE: &[Named] = &[
    (4, "authType", Code(auth_type)),
    (
        5,
        "hmacAuth",
        Part(&[(1, "identity", Signed), (2, "hmac", Bytes)]),
    ),
    (6, "pinAuth", Part(&[(1, "pin", Secret)])),
];
const COMMAND_BYTES: u32 = 7;

static COMMAND: &[Named] = &[
    (1, "header", Part(HEADER)),
    (2, "body", Part(BODY)),
    (3, "status", Part(STATUS)),
];
static HEADER: &[Named] = &[
    (1, "clusterVersion", Signed),
    (3, "connectionID", Signed),
    (4, "sequence", Number),
    (6, "ackSequence", Number),
    (7, "messageType", Code(message_type)),
    (9, "timeout", Number),
    (10, "earlyExit", Truth),
    (12, "priority", Code(priority)),
    (13, "TimeQuanta", Number),
    (14, "batchID", Number),
];
static BODY: &[Named] = &[
    (1, "keyValue", Part(KEY_VALUE)),
    (2, "range", Part(RANGE)),
    (3, "setup", Part(SETUP)),
    (4, "p2pOperation", Part(PUSH)),
    (
        6,
        "getLog",
        Part(&[
            (1, "types", Number),
            (9, "device", Part(&[(1, "name", Bytes)])),
        ]),
    ),
    (7, "security", Part(SECURITY)),
    (8, "pinOp", Part(&[(1, "pinOpType", Code(pin_operation))])),
    (9, "batch", Part(BATCH)),
    (10, "power", Part(&[(1, "level", Number)])),
    (
        1000,
        "keyList",
        Part(&[(1, "key", Bytes), (2, "present", Bytes)]),
    ),
    (1001, "found", Part(FOUND)),
    (1002, "digest", Part(&[(1, "part", Part(DIGEST_PART))])),
];
static FOUND: &[Named] = &[
    (1, "status", Part(STATUS)),
    (2, "keyValue", Part(KEY_VALUE)),
    (3, "valueLength", Number),
];
static DIGEST_PART: &[Named] = &[
    (1, "endKey", Bytes),
    (2, "count", Number),
    (3, "bytes", Number),
    (4, "digest", Bytes),
];
static KEY_VALUE: &[Named] = &[
    (2, "newVersion", Bytes),
    (3, "key", Bytes),
    (4, "dbVersion", Bytes),
    (5, "tag", Bytes),
    (6, "algorithm", Code(algorithm)),
    (7, "metadataOnly", Truth),
    (8, "force", Truth),
    (9, "synchronization", Code(synchronization)),
    (1000, "offset", Number),
    (1001, "length", Number),
    (1002, "valueLength", Number),
];
static RANGE: &[Named] = &[
    (1, "startKey", Bytes),
    (2, "endKey", Bytes),
    (3, "startKeyInclusive", Truth),
    (4, "endKeyInclusive", Truth),
    (5, "maxReturned", Number),
    (6, "reverse", Truth),
    (8, "keys", Bytes),
    (1000, "count", Number),
    (1001, "withValues", Truth),
    (1002, "split", Bytes),
];
static SETUP: &[Named] = &[
    (1, "newClusterVersion", Signed),
    (5, "firmwareDownload", Truth),
    (6, "setupOpType", Code(setup_type)),
];
static PUSH: &[Named] = &[
    (
        1,
        "peer",
        Part(&[
            (1, "hostname", Bytes),
            (2, "port", Number),
            (3, "tls", Truth),
        ]),
    ),
    (2, "operation", Part(PUSHED)),
    (3, "allChildOperationsSucceeded", Truth),
];
static PUSHED: &[Named] = &[
    (3, "key", Bytes),
    (4, "version", Bytes),
    (5, "newKey", Bytes),
    (6, "force", Truth),
    (7, "status", Part(STATUS)),
    (8, "p2pop", Push),
];
static SECURITY: &[Named] = &[
    (2, "acl", Part(ACL)),
    (3, "oldLockPIN", Secret),
    (4, "newLockPIN", Secret),
    (5, "oldErasePIN", Secret),
    (6, "newErasePIN", Secret),
    (7, "securityOpType", Code(security_type)),
];
static ACL: &[Named] = &[
    (1, "identity", Signed),
    (2, "key", Secret),
    (3, "hmacAlgorithm", Number),
    (4, "scope", Part(SCOPE)),
    (5, "maxPriority", Code(priority)),
];
static SCOPE: &[Named] = &[
    (1, "offset", Number),
    (2, "value", Bytes),
    (3, "permission", Code(permission)),
    (4, "TlsRequired", Truth),
];
static BATCH: &[Named] = &[
    (1, "count", Number),
    (2, "sequence", Number),
    (3, "failedSequence", Number),
];
static STATUS: &[Named] = &[
    (1, "code", Code(status)),
    (2, "statusMessage", Bytes),
    (3, "detailedMessage", Bytes),
];

macro_rules! names {
    ($($function:ident = $known:ty;)*) => {
        $(fn $function(number: i32) -> Option<String> {
            let known = <$known>::try_from(number).ok()?;
            Some(known.as_str_name().to_owned())
        })*
    };
}

names! {
    auth_type = schema::message::AuthType;
    priority = Priority;
    algorithm = Algorithm;
    synchronization = Synchronization;
    setup_type = command::setup::SetupOpType;
    security_type = command::security::SecurityOpType;
    permission = command::security::acl::Permission;
    pin_operation = command::pin_operation::PinOpType;
}

fn message_type(number: i32) -> Option<String> {
    Some(MessageType(number).to_string())
}

fn status(number: i32) -> Option<String> {
    Some(StatusCode(number).to_string())
}

/// A Message with its command.
pub(super) fn message(bytes: &[u8]) -> Result<Value, WireError> {
    let mut members = part(bytes, MESSAGE, 0)?;
    members.remove(&unknown(COMMAND_BYTES));
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next_field()? {
        if field.number == COMMAND_BYTES {
            let command = part(field.bytes()?, COMMAND, 0)?;
            members.insert("command".to_owned(), Value::Object(command));
        }
    }
    Ok(Value::Object(members))
}

fn unknown(number: u32) -> String {
    format!("field {number}")
}

fn part(bytes: &[u8], names: &[Named], depth: u32) -> Result<Map<String, Value>, WireError> {
    let mut members = Map::new();
    let mut fields = Fields::nested(bytes, depth);
    while let Some(field) = fields.next_field()? {
        let named = names.iter().find(|(number, ..)| *number == field.number);
        let (name, value) = match named {
            Some((_, name, kind)) => ((*name).to_owned(), value(field, *kind, depth)?),
            None => (unknown(field.number), unnamed(field)),
        };
        match members.get_mut(&name) {
            None => drop(members.insert(name, value)),
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Ok(members)
}

fn unnamed(field: Field<'_>) -> Value {
    match field.payload {
        Payload::Varint(number) => number.into(),
        Payload::Bytes(bytes) => Printed(bytes).to_string().into(),
        Payload::Skipped => "(not read)".into(),
    }
}

fn value(field: Field<'_>, kind: Kind, depth: u32) -> Result<Value, WireError> {
    Ok(match (kind, field.payload) {
        (Part(names), _) if depth < MAX_DEPTH => {
            Value::Object(part(field.bytes()?, names, depth + 1)?)
        }
        (Push, _) if depth < MAX_DEPTH => Value::Object(part(field.bytes()?, PUSH, depth + 1)?),
        (Secret, _) => format!("({} bytes, not shown)", field.bytes()?.len()).into(),
        (Signed, Payload::Varint(number)) => number.cast_signed().into(),
        (Truth, Payload::Varint(number)) => (number != 0).into(),
        (Code(name), Payload::Varint(number)) => {
            let code = field.int32()?;
            name(code).map_or_else(|| number.into(), Value::from)
        }
        _ => unnamed(field),
    })
}

/// Deepest nesting that is shown part by part: pushes in pushes have no other bound.
const MAX_DEPTH: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_by_the_names_of_the_protocol() {
        // authType 1, identity 1, a command with header, key and an unknown field.
        let message = b"\x20\x01\x2a\x04\x08\x01\x12\x00\x3a\x13\
            \x0a\x04\x20\x07\x38\x04\x12\x09\x0a\x07\x1a\x03abc\x40\x01\x28\x05";
        let shown = super::message(message).unwrap();
        assert_eq!(shown["authType"], "HMACAUTH");
        assert_eq!(shown["hmacAuth"]["identity"], 1);
        let command = &shown["command"];
        assert_eq!(command["header"]["sequence"], 7);
        assert_eq!(command["header"]["messageType"], "PUT");
        assert_eq!(command["body"]["keyValue"]["key"], "abc");
        assert_eq!(command["body"]["keyValue"]["force"], true);
        assert_eq!(command["field 5"], 5);
    }

    #[test]
    fn a_pin_does_not_show() {
        let shown = message(b"\x20\x02\x32\x06\x0a\x041234").unwrap();
        assert_eq!(shown["pinAuth"]["pin"], "(4 bytes, not shown)");
    }
}
