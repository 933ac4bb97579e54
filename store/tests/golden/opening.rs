//! Every committed image opens; today's program still makes images of the same content.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kinetic_store::layout::superblock::FORMAT_VERSION;

use crate::check::check;
use crate::expected::Expected;
use crate::image::{Image, sum};
use crate::making::IMAGES;
use crate::structures;

/// Most bytes of an image as it is kept, and of all images of a version.
const MOST: (u64, u64) = (900_000, 3 << 20);

/// SHA-256 of every list, in which that of its image stands. Lines are added and never changed.
const KEPT: [(&str, &str); 19] = [
    (
        "v1/cold.json",
        "946b9f38ac3a9d5bebea065a86e20ebd347cb3f63cc80379b9705c7127eae80f",
    ),
    (
        "v1/cut.json",
        "9b0c2091a412292b00ea98b51af30bed060b8c04dc9e0f463c6d9f0825a7b713",
    ),
    (
        "v1/deep.json",
        "94e0ca1ffe0ab1caa8672df915276c0d278f431009253b20bf4d369690a17ed8",
    ),
    (
        "v1/empty-plain.json",
        "3eb0aca945b2ce399a7ad8ff145036e2d78bbb4094e9b1d83e5acc7f644fe466",
    ),
    (
        "v1/empty.json",
        "485cd91c1c4be8746a58c0b60ee48220acbf502d40bb64629c5743f4b4dbff20",
    ),
    (
        "v1/erasing.json",
        "6544ac35145482f1a68698ab70ca6ae24923e81e7aca573928fddc0f2c76c303",
    ),
    (
        "v1/grown.json",
        "15b58857238c21b328f38accc8515037ab8e124f18259431ccd4cc00246bdf2b",
    ),
    (
        "v1/killed.json",
        "e36d7501f8431e8ecda26f06d53b42f0b8a261f05e56a441109391eb02c79c45",
    ),
    (
        "v1/large.json",
        "6ab2024c4584ed85d5f8394c86dd14fb5caf9fe06cbb2517a1059dbfe62020a1",
    ),
    (
        "v1/locked.json",
        "4787104234a7d38fe6367383b624f5f115488721a76bc0e592e0133838f83a95",
    ),
    (
        "v1/log.json",
        "ea8c9b323755e9ef5fab59e3f8f51c46559d7f190387b916065010b5eec0291b",
    ),
    (
        "v1/manifest.json",
        "daf35e770cc6945c20378cb771b61a0e4475491992ec9d7722120840f1e0f028",
    ),
    (
        "v1/reused.json",
        "23c846755cb94f261ec327215f5e7fe984b91bff8ed945c65225ad2646a364d6",
    ),
    (
        "v1/runs.json",
        "79d7d842bb108d08247c5bea17d507e4f04a37cbdd9bba8b44aed260d05406a5",
    ),
    (
        "v1/settings-cut.json",
        "7c4ea14df021e0e5cde4d5d56aad86cfb4e4211a4497d888f960bd7df3f08cd5",
    ),
    (
        "v1/settings.json",
        "c68008a258493f309315397a5d656ff212c239422a87263037599ec48e842824",
    ),
    (
        "v1/sizes.json",
        "89cf8ad14fd3905c4d9c65b6faf3cd4b3c9459502fb2a6cbd645f1118ee8e4fa",
    ),
    (
        "v1/structures.txt",
        "6a0d43adb1ded12e7231aa3390cffd6162c535801bdbfd2d962ac035e2fbe36e",
    ),
    (
        "v1/wide.json",
        "0e348138258f5fbb47f872e14f39387ae78b6e42fb20ee69d22a05ce23375630",
    ),
];

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
        assert!(images.len() >= 18, "version {version}: {images:?}");
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
fn no_list_and_no_image_was_ever_changed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, kept) in KEPT {
        let list = fs::read(golden.join(name)).expect("a list that is kept");
        assert_eq!(sum(&list), kept, "{name}");
    }
    let lists = (1..=FORMAT_VERSION).flat_map(|version| {
        let names = names(version, ".json").into_iter();
        names.map(move |name| format!("v{version}/{name}.json"))
    });
    for list in lists {
        assert!(
            KEPT.iter().any(|(name, _)| *name == list),
            "{list} is not in KEPT"
        );
    }
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
        // How far those get depends on when upkeep does what they show.
        if !["cold", "killed", "reused"].contains(&name) {
            assert_eq!(made.expected.entries, kept.entries, "{name}");
            assert_eq!(made.expected.gone, kept.gone, "{name}");
        }
        if name != "killed" && name != "cold" {
            let (made, kept) = (made.expected.entries.keys(), kept.entries.keys());
            assert!(made.eq(kept), "{name}: other keys");
        }
        check(&made.image, &made.expected);
        assert!(make(name).image == made.image, "{name}: not the same twice");
    }
}
