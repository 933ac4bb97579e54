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
    /// Temperature of the disk, in degrees Celsius; 0 when unknown.
    pub disk_celsius: f32,
    /// Temperature of the processor, in degrees Celsius; 0 when unknown.
    pub processor_celsius: f32,
    /// The network interfaces.
    pub interfaces: Vec<Interface>,
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
        [("HDA", self.disk_celsius), ("CPU", self.processor_celsius)]
            .map(|(name, current)| Temperature {
                name: Some(name.to_owned()),
                current: Some(current),
                minimum: Some(MINIMUM_CELSIUS),
                maximum: Some(MAXIMUM_CELSIUS),
                target: Some(TARGET_CELSIUS),
            })
            .into()
    }
}
