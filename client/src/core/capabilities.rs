//! What a drive can beyond the protocol, as its log of capabilities lists it.
//!
//! Guarantees: a list that cannot be read is that of a drive without extensions; a limit that is
//! not listed is the one of this client. Not here: asking for the log.

use kinetic_proto::MessageType;
use kinetic_proto::limits::{MAX_FOUND_SIZE, MAX_KEYS_PER_REQUEST};
use serde::Deserialize;

/// The name of the log.
pub const CAPABILITIES_LOG: &str = "org.kinetic.capabilities";

/// Extensions and the limits that belong to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// `None` where the drive does not tell this identity.
    extensions: Option<Vec<MessageType>>,
    /// Keys in one EXISTS or MULTI_GET.
    pub max_keys_per_request: u32,
    /// Bytes of values in one answer to MULTI_GET.
    pub max_found_size: u32,
}

#[derive(Deserialize)]
struct Content {
    extensions: Vec<Extension>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Deserialize)]
struct Extension {
    number: i32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    max_keys_per_request: Option<u32>,
    max_found_size: Option<u32>,
}

impl Capabilities {
    /// Reads the content of the log.
    pub fn read(content: &[u8]) -> Self {
        let Ok(content) = serde_json::from_slice::<Content>(content) else {
            return Self::none();
        };
        let numbers = content.extensions.iter();
        let numbers = numbers.map(|extension| MessageType(extension.number));
        let limits = content.limits;
        let none = Self::none();
        Self {
            extensions: Some(numbers.collect()),
            max_keys_per_request: limits
                .max_keys_per_request
                .map_or(none.max_keys_per_request, |limit| limit.max(1)),
            max_found_size: limits.max_found_size.unwrap_or(none.max_found_size),
        }
    }

    /// Those of a drive that has no such log.
    pub fn none() -> Self {
        Self {
            extensions: Some(Vec::new()),
            max_keys_per_request: MAX_KEYS_PER_REQUEST,
            max_found_size: MAX_FOUND_SIZE,
        }
    }

    /// Those of a drive that does not tell this identity: it is to be tried.
    pub fn untold() -> Self {
        Self {
            extensions: None,
            ..Self::none()
        }
    }

    /// Whether the drive may know this request.
    pub fn may_know(&self, request: MessageType) -> bool {
        let listed = self.extensions.as_ref();
        listed.is_none_or(|extensions| extensions.contains(&request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_its_limits_and_without_them() {
        let content = br#"{"extensions":[{"name":"COUNT","number":1002}],"logs":[],
            "limits":{"maxKeysPerRequest":7}}"#;
        let read = Capabilities::read(content);
        assert!(read.may_know(MessageType::COUNT) && !read.may_know(MessageType::EXISTS));
        assert_eq!(
            (read.max_keys_per_request, read.max_found_size),
            (7, MAX_FOUND_SIZE)
        );
        let read = Capabilities::read(br#"{"extensions":[]}"#);
        assert_eq!(read, Capabilities::none());
    }

    #[test]
    fn what_is_no_list_knows_nothing_and_an_untold_one_may_know_all() {
        for content in [&b""[..], b"{}", b"[1002]", b"\xff", b"{\"extensions\":7}"] {
            assert_eq!(Capabilities::read(content), Capabilities::none());
        }
        assert!(!Capabilities::none().may_know(MessageType::COUNT));
        assert!(Capabilities::untold().may_know(MessageType::COUNT));
    }
}
