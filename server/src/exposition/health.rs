//! Whether the drive serves, in one word.
//!
//! Guarantee: a drive that is full, locked or asleep is well; one whose disk failed is not, and
//! says why, asleep or not.

use std::io::ErrorKind;

use kinetic_store::Health as StoreHealth;

use crate::device::{Device, PowerLevel};

/// How the drive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does all it should.
    Serving,
    /// It answers PIN operations only.
    Locked,
    /// It sleeps, and answers SET_POWER_LEVEL only.
    Hibernating,
    /// It refuses puts with NO_SPACE until something is deleted.
    Full,
    /// The host does not take its writes; it tries them again.
    Stuck(ErrorKind),
    /// A sync failed, and it takes no writes any more.
    ReadOnly,
}

impl Health {
    /// The names of all states.
    pub const NAMES: &'static [&'static str] = &[
        "serving",
        "locked",
        "hibernating",
        "full",
        "stuck",
        "read_only",
    ];

    /// How it is now.
    #[must_use]
    pub fn of(device: &Device) -> Self {
        let Some(store) = device.store() else {
            return Self::Locked;
        };
        match store.status().health {
            StoreHealth::Stuck(kind) => Self::Stuck(kind),
            StoreHealth::ReadOnly => Self::ReadOnly,
            StoreHealth::Healthy | StoreHealth::Full if device.power() == PowerLevel::Hibernate => {
                Self::Hibernating
            }
            StoreHealth::Healthy => Self::Serving,
            StoreHealth::Full => Self::Full,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Locked => "locked",
            Self::Hibernating => "hibernating",
            Self::Full => "full",
            Self::Stuck(_) => "stuck",
            Self::ReadOnly => "read_only",
        }
    }

    /// Whether it does what a drive in its state should.
    #[must_use]
    pub fn is_well(self) -> bool {
        match self {
            Self::Serving | Self::Locked | Self::Hibernating | Self::Full => true,
            Self::Stuck(_) | Self::ReadOnly => false,
        }
    }

    /// The same as JSON, with a reason where there is something to say.
    #[must_use]
    pub fn json(self) -> String {
        let reason = match self {
            Self::Serving => None,
            Self::Locked => {
                Some("only PIN operations are answered until it is unlocked".to_owned())
            }
            Self::Hibernating => {
                Some("only SET_POWER_LEVEL is answered until that wakes it".to_owned())
            }
            Self::Full => Some("NO_SPACE: puts are refused until something is deleted".to_owned()),
            Self::Stuck(kind) => Some(format!(
                "the host does not take writes ({kind}); they are tried again"
            )),
            Self::ReadOnly => Some(
                "its disk failed to sync, so that it takes no writes any more: copy the data off \
                 and replace the disk"
                    .to_owned(),
            ),
        };
        let json = match reason {
            Some(reason) => serde_json::json!({ "state": self.name(), "reason": reason }),
            None => serde_json::json!({ "state": self.name() }),
        };
        format!("{json}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_name_among_all() {
        let states = [
            (Health::Serving, true),
            (Health::Locked, true),
            (Health::Hibernating, true),
            (Health::Full, true),
            (Health::Stuck(ErrorKind::StorageFull), false),
            (Health::ReadOnly, false),
        ];
        let names: Vec<_> = states.iter().map(|(state, _)| state.name()).collect();
        assert_eq!(names, Health::NAMES);
        for (state, well) in states {
            assert_eq!(state.is_well(), well, "{state:?}");
            let json: serde_json::Value = serde_json::from_str(&state.json()).unwrap();
            assert_eq!(json["state"], state.name());
            assert_eq!(json.get("reason").is_some(), state != Health::Serving);
        }
    }
}
