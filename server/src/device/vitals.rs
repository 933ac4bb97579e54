//! How the host fares: load, temperatures, network interfaces, as last looked at.
//!
//! Guarantee: reading takes a short lock and never touches the host, so that GETLOG answers from
//! memory. Values nobody has looked at yet are 0.
//! Not here: looking (`net::sampler`).

use kinetic_proto::schema::command::get_log::{Temperature, Utilization, configuration::Interface};

/// Coldest temperature at which a drive should work, in degrees Celsius.
const MINIMUM_CELSIUS: f32 = 5.0;
/// Hottest temperature at which a drive should work, in degrees Celsius.
const MAXIMUM_CELSIUS: f32 = 100.0;
/// Temperature at which a drive would like to be, in degrees Celsius.
const TARGET_CELSIUS: f32 = 25.0;

/// What was last seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vitals {
    /// Share of time that the disk was busy, from 0 to 1.
    pub disk_load: f32,
    /// Share of the first two interfaces' speed that was used, from 0 to 1.
    pub network_load: [f32; 2],
    /// Share of time that the processors were busy, from 0 to 1.
    pub processor_load: f32,
    /// Temperature of the disk.
    pub disk: Sensor,
    /// Temperature of the processor.
    pub processor: Sensor,
    /// The network interfaces.
    pub interfaces: Vec<Interface>,
}

/// A temperature and its bounds, in degrees Celsius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensor {
    /// The temperature; 0 when unknown.
    pub celsius: f32,
    /// The coldest at which the part should work.
    pub minimum: f32,
    /// The hottest.
    pub maximum: f32,
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            celsius: 0.0,
            minimum: MINIMUM_CELSIUS,
            maximum: MAXIMUM_CELSIUS,
        }
    }
}

impl Vitals {
    /// Body of GETLOG UTILIZATIONS.
    #[must_use]
    pub fn utilizations(&self) -> Vec<Utilization> {
        let [first, second] = self.network_load;
        [
            ("HDA", self.disk_load),
            ("EN0", first),
            ("EN1", second),
            ("CPU", self.processor_load),
        ]
        .map(|(name, load)| Utilization {
            name: Some(name.to_owned()),
            value: Some(load.clamp(0.0, 1.0)),
        })
        .into()
    }

    /// Body of GETLOG TEMPERATURES.
    #[must_use]
    pub fn temperatures(&self) -> Vec<Temperature> {
        [("HDA", self.disk), ("CPU", self.processor)]
            .map(|(name, sensor)| Temperature {
                name: Some(name.to_owned()),
                current: Some(sensor.celsius),
                minimum: Some(sensor.minimum),
                maximum: Some(sensor.maximum),
                target: Some(TARGET_CELSIUS.max(sensor.minimum).min(sensor.maximum)),
            })
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_listed_with_shares_and_with_bounds_around_their_target() {
        let vitals = Vitals {
            disk_load: 0.25,
            network_load: [7.0, -1.0],
            disk: Sensor {
                celsius: 41.0,
                minimum: 30.0,
                maximum: 70.0,
            },
            ..Vitals::default()
        };
        let loads: Vec<_> = vitals
            .utilizations()
            .into_iter()
            .map(|one| (one.name, one.value))
            .collect();
        let expected = [("HDA", 0.25), ("EN0", 1.0), ("EN1", 0.0), ("CPU", 0.0)];
        assert_eq!(
            loads,
            expected.map(|(name, load)| (Some(name.to_owned()), Some(load)))
        );
        let [disk, processor] = &vitals.temperatures()[..] else {
            panic!("two temperatures");
        };
        assert_eq!(
            (disk.name.as_deref(), disk.current),
            (Some("HDA"), Some(41.0))
        );
        assert_eq!(
            (disk.minimum, disk.target, disk.maximum),
            (Some(30.0), Some(30.0), Some(70.0))
        );
        assert_eq!(
            (processor.name.as_deref(), processor.current),
            (Some("CPU"), Some(0.0))
        );
        assert!(processor.minimum < processor.target && processor.target < processor.maximum);
    }
}
