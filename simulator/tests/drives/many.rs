//! Many drives in one process: their threads and their memory.

use kinetic_simulator::Chassis;

use crate::put_and_get;

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task");
    tasks.map_or(0, Iterator::count)
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: u64| pages * 4096)
}

#[test]
fn a_hundred_drives_share_threads_and_take_less_than_4_mb_each() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    drop(Chassis::of(1).start_blocking().unwrap());
    let (before, few) = (resident(), threads());
    let chassis = Chassis::of(100).start_blocking().unwrap();
    runtime.block_on(async {
        for drive in chassis.iter() {
            put_and_get(drive.addr()).await;
        }
    });
    let each = (resident() - before.min(resident())) / 100;
    let more = threads() - few.min(threads());
    println!("{each} bytes a drive, {more} more threads");
    assert!(
        before > 0 && few > 0,
        "the host tells neither memory nor threads"
    );
    assert!(each < 4_000_000, "{each} bytes a drive");
    // Other tests of this process have theirs, too; what waits for disks comes and goes.
    assert!(more < 100, "{more} more threads");
}
