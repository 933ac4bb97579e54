//! What else lies on a disk: signatures of file systems, partition tables and the like.
//!
//! What it is: the places and magic numbers by which hosts recognise what is on a device, so that
//! nobody loses a file system by formatting the wrong one, and no host takes a drive for what was
//! there before it.
//! Guarantees: a disk without a known signature counts as blank only where the places that have
//! signatures, and all around them, hold zeros. Looking changes nothing.
//! Not here: drives of ours (`open::format`).

use std::io::{self, IoSlice};

use crate::disk::contract::Disk;

/// What is on a disk that is no drive of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Zeros, where signatures would be.
    Nothing,
    /// This, with its article.
    Known(&'static str),
    /// Something.
    Unknown,
}

/// Bytes at the front and at the end of a disk that are looked at.
const LOOKED_AT: u64 = 1 << 20;

/// Unit in which signatures are wiped, in bytes.
const WIPED: u64 = 4096;

/// Place, magic number, and what has it; boot sectors last, since many others have one, too.
const SIGNATURES: [(u64, &[u8], &str); 25] = [
    (0x438, &[0x53, 0xef], "an ext2, ext3 or ext4 file system"),
    (0, b"XFSB", "an XFS file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (0x400, &[0x10, 0x20, 0xf5, 0xf2], "an F2FS file system"),
    (3, b"NTFS    ", "an NTFS file system"),
    (3, b"EXFAT   ", "an exFAT file system"),
    (0x52, b"FAT32", "a FAT file system"),
    (0x36, b"FAT1", "a FAT file system"),
    (0x8001, b"CD001", "an ISO 9660 file system"),
    (0, b"hsqs", "a squashfs file system"),
    (0x8000, b"JFS1", "a JFS file system"),
    (0x1_0034, b"ReIsEr", "a reiserfs file system"),
    (0x400, b"H+\0\x04", "an HFS+ file system"),
    (0x20, b"NXSB", "an APFS container"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (0x200, b"LABELONE", "an LVM physical volume"),
    (0, b"LABELONE", "an LVM physical volume"),
    (0xff6, b"SWAPSPACE2", "swap space"),
    (0xfff6, b"SWAPSPACE2", "swap space"),
    (
        0x1000,
        &[0xfc, 0x4e, 0x2b, 0xa9],
        "a member of a RAID (mdadm)",
    ),
    (0, &[0xfc, 0x4e, 0x2b, 0xa9], "a member of a RAID (mdadm)"),
    (
        0x1018,
        &[0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca],
        "a bcache device",
    ),
    (0x200, b"EFI PART", "a partition table (GPT)"),
    (0x1000, b"EFI PART", "a partition table (GPT)"),
    (0x1fe, &[0x55, 0xaa], "a partition table or boot sector"),
];

/// Signatures that lie so many bytes before the end.
const AT_THE_END: [(u64, &[u8], &str); 3] = [
    (512, b"EFI PART", "a partition table (GPT)"),
    (4096, b"EFI PART", "a partition table (GPT)"),
    (
        8192,
        &[0xfc, 0x4e, 0x2b, 0xa9],
        "a member of a RAID (mdadm)",
    ),
];

/// Tells what is on a disk.
///
/// # Errors
/// What the disk reports.
pub fn occupant(disk: &dyn Disk) -> io::Result<Occupant> {
    if let Some((_, name)) = known(disk)?.first() {
        return Ok(Occupant::Known(name));
    }
    let capacity = disk.capacity();
    let length = LOOKED_AT.min(capacity);
    for start in [0, capacity - length] {
        if !is_zero(disk, start, length)? {
            return Ok(Occupant::Unknown);
        }
    }
    Ok(Occupant::Nothing)
}

/// Writes zeros where known signatures are; the caller syncs.
///
/// # Errors
/// What the disk reports.
pub fn wipe_signatures(disk: &dyn Disk) -> io::Result<()> {
    for (place, _) in known(disk)? {
        let start = place - place % WIPED;
        let length = WIPED.min(disk.capacity() - start);
        let zeros = vec![0; usize::try_from(length).unwrap_or_default()];
        disk.write_at(start, &[IoSlice::new(&zeros)])?;
    }
    Ok(())
}

/// The known signatures on a disk, and where they are.
fn known(disk: &dyn Disk) -> io::Result<Vec<(u64, &'static str)>> {
    let capacity = disk.capacity();
    let front = SIGNATURES.into_iter();
    let end = AT_THE_END
        .into_iter()
        .filter_map(|(before, magic, name)| Some((capacity.checked_sub(before)?, magic, name)));
    let mut found = Vec::new();
    for (place, magic, name) in front.chain(end) {
        let mut bytes = vec![0; magic.len()];
        match disk.read_at(place, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            other => other?,
        }
        if bytes == magic {
            found.push((place, name));
        }
    }
    Ok(found)
}

fn is_zero(disk: &dyn Disk, start: u64, length: u64) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    disk.read_at(start, &mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    fn with(place: u64, bytes: &[u8]) -> MemoryDisk {
        let disk = MemoryDisk::new(4 << 20);
        disk.write_at(place, &[IoSlice::new(bytes)]).unwrap();
        disk
    }

    #[test]
    fn every_signature_is_recognised_by_its_name_and_gone_once_wiped() {
        let end = AT_THE_END.map(|(before, magic, name)| ((4 << 20) - before, magic, name));
        for (place, magic, name) in SIGNATURES.into_iter().chain(end) {
            let disk = with(place, magic);
            assert_eq!(occupant(&disk).unwrap(), Occupant::Known(name), "{place}");
            wipe_signatures(&disk).unwrap();
            assert_eq!(occupant(&disk).unwrap(), Occupant::Nothing, "{place}");
        }
    }

    #[test]
    fn zeros_are_nothing_and_anything_else_is_something() {
        assert_eq!(
            occupant(&MemoryDisk::new(4 << 20)).unwrap(),
            Occupant::Nothing
        );
        assert_eq!(occupant(&MemoryDisk::new(100)).unwrap(), Occupant::Nothing);
        for place in [0, 5000, (4 << 20) - 1] {
            assert_eq!(occupant(&with(place, b"x")).unwrap(), Occupant::Unknown);
        }
    }
}
