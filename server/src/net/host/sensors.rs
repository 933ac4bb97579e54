//! Temperatures, as the host's sensors tell them.
//!
//! Guarantee: only reads; where there is no sensor, or it tells nonsense, the temperature is 0.

use std::fs;
use std::path::{Path, PathBuf};

use crate::device::vitals::Sensor;
use crate::limits::SENSORS;

/// Drivers of sensors in disks.
const DISKS: &[&str] = &["nvme", "drivetemp"];

/// Drivers of sensors in processors.
const PROCESSORS: &[&str] = &[
    "coretemp",
    "k10temp",
    "zenpower",
    "cpu_thermal",
    "cpu-thermal",
];

/// Zones of processors, where no driver tells of one.
const ZONES: &[&str] = &["x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc-thermal"];

/// Degrees Celsius that a sensor can mean.
const SENSIBLE: std::ops::RangeInclusive<f32> = -60.0..=200.0;

/// Of the disk: the hottest, where there are several.
pub(super) fn disk(root: &Path) -> Sensor {
    hottest(root, DISKS).unwrap_or_default()
}

/// Of the processor.
pub(super) fn processor(root: &Path) -> Sensor {
    let zone = || {
        let zones = folders(&root.join("sys/class/thermal"));
        let mut zones = zones
            .into_iter()
            .filter(|zone| ZONES.contains(&text(&zone.join("type")).trim()));
        let celsius = celsius(&zones.next()?.join("temp"))?;
        Some(Sensor {
            celsius,
            ..Sensor::default()
        })
    };
    let sensor = hottest(root, PROCESSORS).or_else(zone);
    sensor.unwrap_or_default()
}

fn hottest(root: &Path, drivers: &[&str]) -> Option<Sensor> {
    let monitors = folders(&root.join("sys/class/hwmon"));
    let monitors = monitors.into_iter();
    let ours = monitors.filter(|path| drivers.contains(&text(&path.join("name")).trim()));
    let sensors = ours.filter_map(|path| sensor(&path));
    sensors.max_by(|one, other| one.celsius.total_cmp(&other.celsius))
}

/// What a monitor tells, with the bounds that it knows.
fn sensor(monitor: &Path) -> Option<Sensor> {
    let file = |name: &str| celsius(&monitor.join(name));
    let known = Sensor::default();
    let minimum = file("temp1_min").unwrap_or(known.minimum);
    let maximum = file("temp1_max").or_else(|| file("temp1_crit"));
    let maximum = maximum.unwrap_or(known.maximum);
    let (minimum, maximum) = match minimum < maximum {
        true => (minimum, maximum),
        false => (known.minimum, known.maximum),
    };
    Some(Sensor {
        celsius: file("temp1_input")?,
        minimum,
        maximum,
    })
}

/// Thousandths of a degree in a file.
fn celsius(path: &Path) -> Option<f32> {
    let thousandths: i32 = text(path).trim().parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a temperature needs few digits")]
    let celsius = thousandths as f32 / 1000.0;
    SENSIBLE.contains(&celsius).then_some(celsius)
}

/// The content of a file; nothing where there is none.
pub(super) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first so many folders in a folder, by name.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(SENSORS).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn sensors_tell_of_disk_and_processor_with_the_bounds_that_they_know() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "sys/class/hwmon/hwmon0/name", "acpitz\n");
        write(root, "sys/class/hwmon/hwmon0/temp1_input", "90000\n");
        write(root, "sys/class/hwmon/hwmon1/name", "nvme\n");
        write(root, "sys/class/hwmon/hwmon1/temp1_input", "41850\n");
        write(root, "sys/class/hwmon/hwmon1/temp1_min", "-273150\n");
        write(root, "sys/class/hwmon/hwmon1/temp1_max", "84850\n");
        write(root, "sys/class/hwmon/hwmon2/name", "coretemp\n");
        write(root, "sys/class/hwmon/hwmon2/temp1_input", "55000\n");
        write(root, "sys/class/hwmon/hwmon2/temp1_crit", "105000\n");
        let known = Sensor::default();
        let expected = Sensor {
            celsius: 41.85,
            minimum: known.minimum,
            maximum: 84.85,
        };
        assert_eq!(disk(root), expected);
        let processor = processor(root);
        assert_eq!((processor.celsius, processor.maximum), (55.0, 105.0));
    }

    #[test]
    fn without_a_monitor_a_zone_of_the_processor_is_asked_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!((disk(root), processor(root)), Default::default());
        write(root, "sys/class/thermal/thermal_zone0/type", "acpitz\n");
        write(root, "sys/class/thermal/thermal_zone0/temp", "16800\n");
        assert_eq!(processor(root), Sensor::default());
        write(
            root,
            "sys/class/thermal/thermal_zone1/type",
            "x86_pkg_temp\n",
        );
        write(root, "sys/class/thermal/thermal_zone1/temp", "61000\n");
        assert_eq!(processor(root).celsius, 61.0);
        write(root, "sys/class/thermal/thermal_zone1/temp", "nonsense\n");
        assert_eq!(processor(root), Sensor::default());
    }
}
