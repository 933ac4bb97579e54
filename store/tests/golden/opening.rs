//! Every committed image opens; today's program still makes images of the same content.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kinetic_store::layout::superblock::FORMAT_VERSION;

use crate::check::check;
use crate::expected::Expected;
use crate::image::Image;
use crate::making::IMAGES;
use crate::structures;

/// Most bytes of an image as it is kept, and of all images of a version.
const MOST: (u64, u64) = (900_000, 3 << 20);

fn folder(version: u32) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/golden/v{version}"))
}

/// The names of all files with this ending in a version's folder, without it.
fn names(version: u32, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder(version));
    let files = files.unwrap_or_else(|_| panic!("version {version} has no golden images"));
    let names = files.map(|file| file.expect("a file").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

fn image(version: u32, name: &str) -> Image {
    let packed = fs::read(folder(version).join(format!("{name}.gz"))).expect("an image");
    Image::unpacked(&packed).expect("an image as it is kept")
}

fn expected(version: u32, name: &str) -> Expected {
    let text = fs::read_to_string(folder(version).join(format!("{name}.json")));
    let text = text.unwrap_or_else(|_| panic!("{name} has no list of what must be found"));
    Expected::of(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn each_version_up_to_the_present_one_has_its_images_and_lists() {
    for version in 1..=FORMAT_VERSION {
        let images = names(version, ".gz");
        assert_eq!(images, names(version, ".json"));
        assert!(images.len() >= 16, "version {version}: {images:?}");
        let sizes = images.iter().map(|name| {
            let file = folder(version).join(format!("{name}.gz"));
            fs::metadata(file).expect("an image").len()
        });
        let sizes: Vec<u64> = sizes.collect();
        assert!(sizes.iter().all(|size| *size <= MOST.0), "{sizes:?}");
        assert!(sizes.iter().sum::<u64>() <= MOST.1, "{sizes:?}");
        for name in images {
            let expected = expected(version, &name);
            assert_eq!(Expected::of(&expected.text()), Ok(expected), "{name}");
        }
    }
    let present: BTreeSet<String> = IMAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(FORMAT_VERSION, ".gz"), present);
}

#[test]
fn every_image_opens_shows_exactly_what_was_stored_on_it_and_goes_on() {
    for version in 1..=FORMAT_VERSION {
        for name in names(version, ".gz") {
            println!("v{version} {name}");
            check(&image(version, &name), &expected(version, &name));
        }
    }
}

#[test]
fn an_empty_drive_is_byte_for_byte_what_it_was() {
    for name in ["empty", "empty-plain"] {
        let make = IMAGES.iter().find(|(other, _)| *other == name);
        let (_, make) = make.expect("one of the images");
        assert!(make(name).image == image(FORMAT_VERSION, name), "{name}");
    }
}

#[test]
fn every_structure_is_written_byte_for_byte_as_it_was() {
    let kept = fs::read_to_string(folder(FORMAT_VERSION).join("structures.txt"));
    let kept = kept.expect("structures of the present version");
    let written = structures::text();
    for (kept, written) in kept.lines().zip(written.lines()) {
        assert_eq!(kept, written);
    }
    assert_eq!(kept, written);
}

#[test]
fn images_that_are_made_today_hold_the_same_and_are_the_same_each_time() {
    for (name, make) in IMAGES {
        println!("{name}");
        let made = make(name);
        let kept = expected(FORMAT_VERSION, name);
        assert_eq!(made.expected.what, kept.what, "{name}");
        assert_eq!(made.expected.pin, kept.pin, "{name}");
        assert_eq!(made.expected.settings, kept.settings, "{name}");
        if !["cold", "killed"].contains(&name) {
            assert_eq!(made.expected.entries, kept.entries, "{name}");
            assert_eq!(made.expected.gone, kept.gone, "{name}");
        }
        check(&made.image, &made.expected);
        assert!(make(name).image == made.image, "{name}: not the same twice");
    }
}
