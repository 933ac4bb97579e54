//! How often a request may repeat a field, looked at before it is decoded.
//!
//! Guarantee: what a request takes in memory, and the time that decoding it takes, are bounded by
//! what it may ask for, and not by how many empty fields fit a message: there, half a million.
//! Not here: what the fields hold.

use kinetic_proto::limits::{MAX_DIGEST_PARTS, MAX_KEY_RANGE_COUNT, MAX_KEYS_PER_REQUEST};
use kinetic_proto::{CommandView, MessageType, Repeated};

use super::invalid::Invalid;
use crate::limits::PUSH_OPERATIONS;

// Field numbers of Body, and of the messages below it.
const RANGE: u32 = 2;
const PUSH: u32 = 4;
const KEY_LIST: u32 = 1000;
const KEYS_OF_RANGE: Repeated = plain(8);
const SPLITS: Repeated = plain(1002);
const KEYS_OF_LIST: Repeated = plain(1);
const OPERATIONS: Repeated = Repeated {
    field: 2,
    nested: Some(8),
};

const fn plain(field: u32) -> Repeated {
    let nested = None;
    Repeated { field, nested }
}

/// Refuses what repeats a field more often than any request of its type has use for.
pub fn check(kind: MessageType, command: &CommandView<'_>) -> Result<(), Invalid> {
    let count = |number, repeated| {
        let counted = command.count_repeated(number, repeated);
        counted.map_err(|_why| Invalid::Malformed(kind))
    };
    match kind {
        MessageType::GETKEYRANGE
        | MessageType::MEDIASCAN
        | MessageType::MEDIAOPTIMIZE
        | MessageType::COUNT
        | MessageType::RANGE_METADATA
        | MessageType::RANGE_DIGEST => {
            let limit = MAX_KEY_RANGE_COUNT as usize;
            let keys = count(RANGE, KEYS_OF_RANGE)?;
            if keys > limit {
                return Err(Invalid::TooManyKeysNamed { count: keys, limit });
            }
            let limit = MAX_DIGEST_PARTS as usize - 1;
            match count(RANGE, SPLITS)? {
                count if count > limit => Err(Invalid::TooManySplits { count, limit }),
                _ => Ok(()),
            }
        }
        MessageType::EXISTS | MessageType::MULTI_GET => {
            let limit = MAX_KEYS_PER_REQUEST as usize;
            match count(KEY_LIST, KEYS_OF_LIST)? {
                count if count > limit => Err(Invalid::TooManyKeysNamed { count, limit }),
                _ => Ok(()),
            }
        }
        MessageType::PEER2PEERPUSH => {
            let limit = PUSH_OPERATIONS;
            match count(PUSH, OPERATIONS)? {
                count if count > limit => Err(Invalid::TooManyPushed { count, limit }),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
