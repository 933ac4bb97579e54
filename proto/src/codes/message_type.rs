//! Message types: an open set of numbers, the known ones with names.
//!
//! Guarantees: any number a peer sends survives as it came; a request is even and positive, and
//! its response is one less. Not here: which types a drive serves.

use std::fmt;

use crate::schema::command::MessageType as Known;

/// The least number of a message type that the protocol does not have.
const FIRST_EXTENSION: i32 = 1000;

/// The number in `header.messageType`. The constants can be matched on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub i32);

macro_rules! requests {
    ($(#[$doc:meta])* $all:ident: $($name:ident = $known:ident,)*) => {
        impl MessageType {
            $(
                #[doc = concat!("The request `", stringify!($name), "`.")]
                pub const $name: Self = Self(Known::$known as i32);
            )*

            $(#[$doc])*
            pub const $all: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

requests! {
    /// Every request of protocol 4.0.1.
    REQUESTS:
    GET = Get,
    PUT = Put,
    DELETE = Delete,
    GETNEXT = Getnext,
    GETPREVIOUS = Getprevious,
    GETKEYRANGE = Getkeyrange,
    GETVERSION = Getversion,
    SETUP = Setup,
    GETLOG = Getlog,
    SECURITY = Security,
    PEER2PEERPUSH = Peer2peerpush,
    NOOP = Noop,
    FLUSHALLDATA = Flushalldata,
    PINOP = Pinop,
    MEDIASCAN = Mediascan,
    MEDIAOPTIMIZE = Mediaoptimize,
    START_BATCH = StartBatch,
    END_BATCH = EndBatch,
    ABORT_BATCH = AbortBatch,
    SET_POWER_LEVEL = SetPowerLevel,
}

requests! {
    /// Every request beyond the protocol. A drive lists in its log of capabilities which it knows.
    EXTENSIONS:
    COUNT = Count,
    EXISTS = Exists,
    GET_PART = GetPart,
    MULTI_GET = MultiGet,
    RANGE_METADATA = RangeMetadata,
    RANGE_DIGEST = RangeDigest,
}

impl MessageType {
    /// Whether the number is one a request can have; unknown even numbers are requests too.
    pub const fn is_request(self) -> bool {
        self.0 > 0 && self.0 % 2 == 0
    }

    /// Whether protocol 4.0.1 or an extension has the number, as a request or a response.
    pub fn is_known(self) -> bool {
        Known::try_from(self.0).is_ok_and(|known| known != Known::InvalidMessageType)
    }

    /// The type of the response to this request; `None` if this is no request.
    pub const fn response(self) -> Option<Self> {
        if self.is_request() {
            Some(Self(self.0 - 1))
        } else {
            None
        }
    }

    /// Whether it is a request or a response beyond the protocol.
    pub const fn is_extension(self) -> bool {
        self.0 >= FIRST_EXTENSION
    }

    /// The name in the protocol, if it has one.
    pub fn name(self) -> Option<&'static str> {
        Known::try_from(self.0)
            .ok()
            .map(|known| known.as_str_name())
    }
}

impl From<MessageType> for i32 {
    fn from(message_type: MessageType) -> Self {
        message_type.0
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => out.write_str(name),
            None => write!(out, "message type {}", self.0),
        }
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_one_less_than_its_request() {
        for request in MessageType::REQUESTS.iter().chain(MessageType::EXTENSIONS) {
            let response = request.response().unwrap();
            assert!(response.is_known() && !response.is_request(), "{request}");
            let name = format!("{}_RESPONSE", request.name().unwrap());
            assert_eq!(response.name(), Some(name.as_str()));
        }
        assert_eq!(MessageType(1000).response(), Some(MessageType(999)));
    }

    #[test]
    fn extensions_are_told_from_the_protocol_by_their_numbers() {
        assert!(MessageType::EXTENSIONS.iter().all(|one| one.is_extension()));
        assert!(!MessageType::REQUESTS.iter().any(|one| one.is_extension()));
    }

    #[test]
    fn what_is_no_request_has_no_response() {
        for number in [-1, 0, 1, 47, i32::MIN, -2, i32::MAX] {
            assert_eq!(MessageType(number).response(), None, "{number}");
        }
    }

    #[test]
    fn unknown_numbers_print_themselves() {
        assert_eq!(MessageType(99).to_string(), "message type 99");
        assert_eq!(MessageType::PUT.to_string(), "PUT");
    }
}
