//! What a program does on meeting a drive that another one made: it refuses, says what to do, and
//! writes nothing.

use std::io::IoSlice;
use std::sync::Arc;

use kinetic_store::disk::{Disk, MemoryDisk};
use kinetic_store::layout::checksum::checksum;
use kinetic_store::layout::superblock::{FORMAT_VERSION, Slot};
use kinetic_store::{
    EraseOptions, OpenError, Options, Probe, SlotsError, Store, Survey, SurveyError, erase, mend,
    probe, read_settings, write_settings,
};

use crate::image::Image;
use crate::making::IMAGES;

/// Bytes of a superblock in front of its checksum: the same in every version.
const SUMMED: usize = 252;

/// An empty drive of which these slots say something else at a place.
fn drive_with(slots: &[Slot], (place, bytes): (usize, &[u8])) -> Arc<MemoryDisk> {
    let (name, make) = IMAGES[0];
    let disk = make(name).image.disk().expect("a disk in memory");
    for slot in slots {
        let mut block = vec![0; 4096];
        disk.read_at(slot.position(), &mut block).expect("a slot");
        block.splice(place..place + bytes.len(), bytes.iter().copied());
        let sum = checksum(block.get(..SUMMED).unwrap_or_default());
        block.splice(SUMMED..SUMMED + 4, sum.to_le_bytes());
        let written = disk.write_at(slot.position(), &[IoSlice::new(&block)]);
        written.expect("a slot");
    }
    disk
}

const BOTH: [Slot; 2] = [Slot::First, Slot::Second];

/// What a program says that is given such a drive; it must not write to it, whatever it is told.
fn refusal(slots: &[Slot], change: (usize, &[u8])) -> SlotsError {
    let disk = drive_with(slots, change);
    let before = Image::of(&*disk).expect("a disk in memory");
    let shared: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&disk);
    let opened = Store::open(Arc::clone(&shared), Options::default(), [1; 32], None);
    let Err(OpenError::Slots(refusal)) = opened.map(|_store| ()) else {
        panic!("it is not refused")
    };
    let looked = Survey::of(Arc::clone(&shared), None).map(|_survey| ());
    assert!(
        matches!(looked, Err(SurveyError::Slots(_))),
        "a survey looks at it"
    );
    assert!(mend(&*disk).is_err(), "it is repaired");
    assert!(read_settings(&*disk).is_err() && write_settings(&*disk, b"new").is_err());
    let options = EraseOptions {
        entropy: [1; 32],
        settings: Vec::new(),
    };
    assert!(erase(&*disk, &options).is_err(), "it is erased");
    assert_eq!(probe(&*disk).expect("a disk in memory"), Probe::Drive);
    assert!(
        Image::of(&*disk).expect("a disk in memory") == before,
        "it is written"
    );
    refusal
}

fn is_of(version: u32) -> (SlotsError, String) {
    let refusal = refusal(&BOTH, (8, &version.to_le_bytes()));
    let text = refusal.to_string();
    (refusal, text)
}

#[test]
fn a_drive_of_version_0_is_refused_with_what_to_do() {
    let (refusal, text) = is_of(0);
    assert!(matches!(refusal, SlotsError::Version(0)));
    assert!(
        text.contains("version 0") && text.contains("kinetic export"),
        "{text}"
    );
    assert!(text.contains("kinetic drive format --force"), "{text}");
}

#[test]
fn a_drive_of_a_later_version_is_refused_with_what_to_do() {
    let later = FORMAT_VERSION + 1;
    let (refusal, text) = is_of(later);
    assert!(matches!(refusal, SlotsError::Version(version) if version == later));
    assert!(
        text.contains(&format!("version {later}")) && text.contains("newer"),
        "{text}"
    );
    assert!(!text.contains("format --force"), "{text}");
}

#[test]
fn a_drive_with_an_incompatible_feature_is_refused_with_its_bit() {
    let refusal = refusal(&BOTH, (208, &[0, 0x10]));
    assert!(matches!(refusal, SlotsError::Features(0x1000)));
    let text = refusal.to_string();
    assert!(text.contains("0x1000") && text.contains("newer"), "{text}");
}

#[test]
fn one_slot_that_another_program_wrote_refuses_the_drive_whatever_the_other_says() {
    let later = (FORMAT_VERSION + 1).to_le_bytes();
    for slot in BOTH {
        for change in [(8, &later[..]), (208, &[1]), (12, &[9]), (13, &[9])] {
            let refusal = refusal(&[slot], change);
            assert!(
                !matches!(refusal, SlotsError::Corrupt),
                "{slot:?}: {refusal}"
            );
        }
    }
}

#[test]
fn compatible_features_and_reserved_bytes_open_and_are_cleared() {
    let disk = drive_with(&BOTH, (216, &[0xff; 36]));
    let shared: Arc<dyn Disk> = Arc::<MemoryDisk>::clone(&disk);
    Store::open(shared, Options::default(), [1; 32], None).expect("it opens");
    for slot in BOTH {
        let mut block = vec![0; 4096];
        disk.read_at(slot.position(), &mut block).expect("a slot");
        assert_eq!(block[208..SUMMED], [0; 44]);
    }
}
