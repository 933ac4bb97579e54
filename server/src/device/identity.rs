//! What the drive is called: serial number and world wide name.
//!
//! Guarantee: both follow from the store's uuid alone, which formatting draws at random, so they
//! differ between drives and stay the same over restarts.

use std::fmt::Write as _;

/// Names of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveNames {
    /// Serial number: `K` and sixteen hexadecimal digits.
    pub serial_number: String,
    /// World wide name: the uuid in its usual form.
    pub world_wide_name: String,
}

impl DriveNames {
    /// The names of the drive whose store has this uuid.
    #[must_use]
    pub fn of(uuid: [u8; 16]) -> Self {
        let mut serial_number = String::from("K");
        let mut world_wide_name = String::new();
        for (place, byte) in uuid.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                world_wide_name.push('-');
            }
            // Writing to a string cannot fail.
            let _ = write!(world_wide_name, "{byte:02x}");
            if place >= 8 {
                let _ = write!(serial_number, "{byte:02X}");
            }
        }
        Self {
            serial_number,
            world_wide_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_uuid() {
        let uuid = std::array::from_fn(|place| u8::try_from(place * 17).unwrap());
        let names = DriveNames::of(uuid);
        assert_eq!(
            names.world_wide_name,
            "00112233-4455-6677-8899-aabbccddeeff"
        );
        assert_eq!(names.serial_number, "K8899AABBCCDDEEFF");
    }
}
