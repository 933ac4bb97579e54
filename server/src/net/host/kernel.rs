//! What the host's kernel tells about load, temperatures and network interfaces.
//!
//! Guarantee: only reads; what a host does not tell is 0 or absent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kinetic_proto::schema::command::get_log::configuration::Interface;
use nix::ifaddrs::getifaddrs;

use crate::device::vitals::Vitals;

/// Counters of the host that only grow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    processor_busy: u64,
    processor_all: u64,
    disk_busy_ms: u64,
    interface_bytes: Vec<(String, u64)>,
}

impl Totals {
    /// The counters as they stand.
    pub(crate) fn now() -> Self {
        let (processor_busy, processor_all) = processor(&text("/proc/stat"));
        Self {
            processor_busy,
            processor_all,
            disk_busy_ms: busiest_disk(&text("/proc/diskstats")),
            interface_bytes: interface_bytes(&text("/proc/net/dev")),
        }
    }

    /// What they say about the time since they stood as in `before`.
    pub(crate) fn vitals_since(&self, before: &Self, passed_us: u64) -> Vitals {
        let passed_ms = passed_us / 1000;
        let mut network_load = [0.0; 2];
        let pairs = self.interface_bytes.iter().zip(&before.interface_bytes);
        for (load, (now, before)) in network_load.iter_mut().zip(pairs) {
            let bits = now.1.saturating_sub(before.1) * 8;
            let megabits: u64 = number(&text(&format!("/sys/class/net/{}/speed", now.0)));
            // A megabit a second is a bit a microsecond.
            *load = share(bits, megabits.saturating_mul(passed_us));
        }
        Vitals {
            disk_load: share(
                self.disk_busy_ms.saturating_sub(before.disk_busy_ms),
                passed_ms,
            ),
            network_load,
            processor_load: share(
                self.processor_busy.saturating_sub(before.processor_busy),
                self.processor_all.saturating_sub(before.processor_all),
            ),
            disk_celsius: disk_celsius(),
            processor_celsius: celsius("/sys/class/thermal/thermal_zone0/temp"),
            interfaces: interfaces(),
        }
    }
}

/// The network interfaces with their addresses as text, in the order of their names.
pub(crate) fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    let Ok(addresses) = getifaddrs() else {
        return Vec::new();
    };
    for address in addresses {
        let name = address.interface_name;
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            name: Some(name),
            ..Interface::default()
        });
        let Some(address) = address.address else {
            continue;
        };
        if let Some(v4) = address.as_sockaddr_in() {
            let text = v4.ip().to_string();
            interface.ipv4_address.get_or_insert_with(|| text.into());
        } else if let Some(v6) = address.as_sockaddr_in6() {
            let text = v6.ip().to_string();
            interface.ipv6_address.get_or_insert_with(|| text.into());
        } else if let Some(mac) = address
            .as_link_addr()
            .and_then(nix::sys::socket::LinkAddr::addr)
            && mac != [0; 6]
        {
            let text = mac.map(|byte| format!("{byte:02x}")).join(":");
            interface.mac.get_or_insert_with(|| text.into());
        }
    }
    found.into_values().collect()
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(path)).unwrap_or_default()
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a share needs few digits")]
    let share = (part as f64 / whole as f64) as f32;
    share.clamp(0.0, 1.0)
}

/// Busy and all ticks of the line `cpu` of `/proc/stat`.
fn processor(stat: &str) -> (u64, u64) {
    let line = stat.lines().find(|line| line.starts_with("cpu "));
    let fields = line.unwrap_or_default().split_whitespace().skip(1).take(8);
    let (mut all, mut idle) = (0, 0);
    for (place, ticks) in fields.map(number).enumerate() {
        all += ticks;
        // Idle, and waiting for the disk.
        if matches!(place, 3 | 4) {
            idle += ticks;
        }
    }
    (all - idle, all)
}

/// Milliseconds that the busiest disk of `/proc/diskstats` was busy.
fn busiest_disk(stats: &str) -> u64 {
    let busy = stats
        .lines()
        .filter_map(|line| line.split_whitespace().nth(12));
    busy.map(number).max().unwrap_or(0)
}

/// Bytes in and out of each interface of `/proc/net/dev` but the loopback, by name.
fn interface_bytes(dev: &str) -> Vec<(String, u64)> {
    let mut found: Vec<_> = dev
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, counters)| (name.trim(), counters))
        .filter(|(name, _)| *name != "lo")
        .map(|(name, counters)| {
            let mut counters = counters.split_whitespace().map(number);
            let (read, written) = (counters.next(), counters.nth(7));
            (name.to_owned(), read.unwrap_or(0) + written.unwrap_or(0))
        })
        .collect();
    found.sort();
    found
}

fn celsius(path: &str) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a temperature needs few digits")]
    let celsius = number(&text(path)) as f32 / 1000.0;
    celsius
}

/// Temperature of the first disk that has a sensor.
fn disk_celsius() -> f32 {
    let Ok(sensors) = fs::read_dir("/sys/class/hwmon") else {
        return 0.0;
    };
    for sensor in sensors.flatten() {
        let path = sensor.path();
        let name = text(&path.join("name").to_string_lossy());
        if matches!(name.trim(), "nvme" | "drivetemp") {
            return celsius(&path.join("temp1_input").to_string_lossy());
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_files_are_read_by_their_columns() {
        assert_eq!(
            processor("cpu  10 1 4 80 5 0 0 0 9 9\ncpu0 1 1 1 1\n"),
            (15, 100)
        );
        let disks = "8 0 sda 1 2 3 4 5 6 7 8 9 77 11\n8 1 sdb 1 2 3 4 5 6 7 8 9 10 11\n";
        assert_eq!(busiest_disk(disks), 77);
        let dev = "Inter-| x\n lo: 9 0 0 0 0 0 0 0 9 0\neth0: 5 0 0 0 0 0 0 0 6 0\n";
        assert_eq!(interface_bytes(dev), [("eth0".to_owned(), 11)]);
    }

    #[test]
    fn a_host_that_tells_nothing_is_idle() {
        assert_eq!(processor(""), (0, 0));
        let vitals = Totals::default().vitals_since(&Totals::default(), 0);
        assert_eq!((vitals.processor_load, vitals.disk_load), (0.0, 0.0));
    }
}
