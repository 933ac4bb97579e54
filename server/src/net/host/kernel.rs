//! What the host's kernel tells about load and network interfaces.
//!
//! Guarantee: only reads; what a host does not tell is 0 or absent. Loads are those of the disk
//! that the drive lies on, of the first two network interfaces and of all processors together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kinetic_proto::schema::command::get_log::configuration::Interface;
use nix::ifaddrs::getifaddrs;

use super::sensors::{self, text};
use crate::device::vitals::Vitals;

/// Megabits a second of an interface that does not tell its speed, as virtual ones don't.
const ASSUMED_MEGABITS: u64 = 10_000;

/// Where the kernel tells it.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    root: PathBuf,
    /// Major and minor number of the disk that the drive lies on, where it lies on one.
    disk: Option<(u32, u32)>,
}

/// Counters of the host that only grow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    processor_busy: u64,
    processor_all: u64,
    /// Milliseconds that each disk was busy.
    disks: BTreeMap<(u32, u32), u64>,
    /// Bytes in and out of each interface.
    interfaces: BTreeMap<String, (u64, u64)>,
}

impl Host {
    /// This host.
    pub(crate) fn here(disk: Option<(u32, u32)>) -> Self {
        let root = PathBuf::from("/");
        Self { root, disk }
    }

    /// The counters as they stand.
    pub(crate) fn totals(&self) -> Totals {
        let read = |name| text(&self.root.join("proc").join(name));
        let (processor_busy, processor_all) = processor(&read("stat"));
        Totals {
            processor_busy,
            processor_all,
            disks: disks(&read("diskstats")),
            interfaces: interface_bytes(&read("net/dev")),
        }
    }

    /// What counters say about the time since they stood as in `before`.
    pub(crate) fn vitals(&self, now: &Totals, before: &Totals, passed_us: u64) -> Vitals {
        let mut network_load = [0.0; 2];
        for (load, name) in network_load.iter_mut().zip(self.first_interfaces(now)) {
            let then = before.interfaces.get(&name);
            *load = match (now.interfaces.get(&name), then) {
                (Some(now), Some(then)) => self.load_of(&name, (*now, *then), passed_us),
                _ => 0.0,
            };
        }
        Vitals {
            disk_load: self.disk_load(now, before, passed_us),
            network_load,
            processor_load: share(
                now.processor_busy.saturating_sub(before.processor_busy),
                now.processor_all.saturating_sub(before.processor_all),
            ),
            disk: sensors::disk(&self.root),
            processor: sensors::processor(&self.root),
            interfaces: interfaces(),
        }
    }

    /// Of the drive's own disk; where that is not known, of the busiest.
    fn disk_load(&self, now: &Totals, before: &Totals, passed_us: u64) -> f32 {
        let busy = |(disk, now): (&(u32, u32), &u64)| {
            let before = before.disks.get(disk).copied();
            now.saturating_sub(before.unwrap_or(*now))
        };
        let own = self.disk.and_then(|disk| now.disks.get_key_value(&disk));
        let busy_ms = match own {
            Some(own) => busy(own),
            None => now.disks.iter().map(busy).max().unwrap_or(0),
        };
        share(busy_ms, passed_us / 1000)
    }

    /// Those with hardware behind them first, then by name.
    fn first_interfaces(&self, now: &Totals) -> impl Iterator<Item = String> {
        let is_virtual = |name: &str| !self.interface(name).join("device").exists();
        let mut names: Vec<(bool, String)> = now
            .interfaces
            .keys()
            .map(|name| (is_virtual(name), name.clone()))
            .collect();
        names.sort();
        names.into_iter().map(|(_, name)| name)
    }

    fn interface(&self, name: &str) -> PathBuf {
        self.root.join("sys/class/net").join(name)
    }

    /// The busier direction, as a share of the speed.
    fn load_of(&self, name: &str, (now, then): ((u64, u64), (u64, u64)), passed_us: u64) -> f32 {
        let received = now.0.saturating_sub(then.0);
        let sent = now.1.saturating_sub(then.1);
        let megabits = match number(&text(&self.interface(name).join("speed"))) {
            0 => ASSUMED_MEGABITS,
            megabits => megabits,
        };
        // A megabit a second is a bit a microsecond.
        let bits = received.max(sent).saturating_mul(8);
        share(bits, megabits.saturating_mul(passed_us))
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

/// Milliseconds that each disk of `/proc/diskstats` was busy.
fn disks(stats: &str) -> BTreeMap<(u32, u32), u64> {
    let disk = |line: &str| {
        let mut fields = line.split_whitespace();
        let major = fields.next()?.parse().ok()?;
        let minor = fields.next()?.parse().ok()?;
        Some(((major, minor), number(fields.nth(10)?)))
    };
    stats.lines().filter_map(disk).collect()
}

/// Bytes in and out of each interface of `/proc/net/dev` but the loopback, by name.
fn interface_bytes(dev: &str) -> BTreeMap<String, (u64, u64)> {
    let interface = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let mut counters = counters.split_whitespace().map(number);
        let received = counters.next()?;
        Some((name.trim().to_owned(), (received, counters.nth(7)?)))
    };
    let all = dev.lines().filter_map(interface);
    all.filter(|(name, _)| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn tell(root: &Path, (idle, disks, bytes): (u64, [u64; 2], [u64; 3])) {
        let [first, second] = disks;
        let [docker, own, spare] = bytes;
        write(
            root,
            "proc/stat",
            &format!("cpu  10 1 4 {idle} 5 0 0 0 9 9\ncpu0 1 1 1 1\n"),
        );
        let stats = format!(
            "8 0 sda 1 2 3 4 5 6 7 8 9 {first} 11\n 8 16 sdb 1 2 3 4 5 6 7 8 9 {second} 11\n"
        );
        write(root, "proc/diskstats", &stats);
        let dev = format!(
            "Inter-| x\n lo: 9 0 0 0 0 0 0 0 9 0\ndocker0: {docker} 0 0 0 0 0 0 0 1 0\n\
             eth0: 5 0 0 0 0 0 0 0 {own} 0\neth1:{spare} 0 0 0 0 0 0 0 7 0\n"
        );
        write(root, "proc/net/dev", &dev);
    }

    fn loads(host: &Host, before: &Totals) -> (f32, [f32; 2], f32) {
        let vitals = host.vitals(&host.totals(), before, SECOND);
        (vitals.disk_load, vitals.network_load, vitals.processor_load)
    }

    #[test]
    fn loads_are_what_the_counters_moved_by_in_the_time_that_passed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        for name in ["eth0", "eth1"] {
            write(&root, &format!("sys/class/net/{name}/device/driver"), "");
        }
        write(&root, "sys/class/net/eth0/speed", "1000\n");
        write(&root, "sys/class/net/eth1/speed", "-1\n");
        tell(&root, (80, [5000, 7], [0, 0, 0]));
        let host = Host { root, disk: None };
        let before = host.totals();
        // The disk that was busier before is idle now, and the network of containers is not asked.
        tell(
            &host.root,
            (160, [5000, 257], [1 << 40, 62_500_000, 125_000_000]),
        );
        let (disk, network, processor) = loads(&host, &before);
        assert_eq!((disk, network), (0.25, [0.5, 0.1]));
        assert_eq!(processor, 0.0, "idle alone has moved");
        let own = Host {
            disk: Some((8, 0)),
            ..host.clone()
        };
        assert_eq!(loads(&own, &before).0, 0.0);
        let unknown = Host {
            disk: Some((0, 42)),
            ..host
        };
        assert_eq!(loads(&unknown, &before).0, 0.25, "of the busiest");
    }

    #[test]
    fn kernel_files_are_read_by_their_columns() {
        assert_eq!(
            processor("cpu  10 1 4 80 5 0 0 0 9 9\ncpu0 1 1 1 1\n"),
            (15, 100)
        );
        let stats = "8 0 sda 1 2 3 4 5 6 7 8 9 77 11\n8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\nodd\n";
        let expected = [((8, 0), 77), ((8, 1), 10)];
        assert_eq!(disks(stats), expected.into());
    }

    #[test]
    fn a_host_that_tells_nothing_is_idle_and_shares_stay_shares() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let host = Host { root, disk: None };
        assert_eq!(loads(&host, &host.totals()), (0.0, [0.0; 2], 0.0));
        tell(&host.root, (0, [0, 0], [0, 0, 0]));
        let before = host.totals();
        tell(&host.root, (0, [u64::MAX, 0], [u64::MAX; 3]));
        let (disk, network, _) = loads(&host, &before);
        assert_eq!((disk, network), (1.0, [1.0; 2]));
        // Counters that went back, as after a disk was unplugged, are no load.
        let before = host.totals();
        tell(&host.root, (0, [0, 0], [0, 0, 0]));
        assert_eq!(loads(&host, &before), (0.0, [0.0; 2], 0.0));
    }
}
