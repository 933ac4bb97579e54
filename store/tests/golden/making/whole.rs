//! Images of drives that were stopped as they should be.

use kinetic_store::{Durability, Kdf, Options, Protection, grow};
use serde_json::Value;

use super::power::PowerDisk;
use super::scene::{Content, Made, Scene, Shape, eager, text, tidying};
use crate::image::Image;

pub(super) fn empty(name: &'static str) -> Made {
    Scene::format(name, Shape::SMALL).left("a drive that was formatted and never opened")
}

pub(super) fn empty_plain(name: &'static str) -> Made {
    let scene = Scene::format(name, Shape::PLAIN);
    scene.left("a drive that is not sealed, formatted and never opened")
}

/// Algorithms of tags: none, those of the protocol, and what no protocol knows.
const ALGORITHMS: [Option<i32>; 11] = [
    None,
    Some(0),
    Some(1),
    Some(2),
    Some(3),
    Some(4),
    Some(5),
    Some(6),
    Some(-1),
    Some(i32::MIN),
    Some(i32::MAX),
];

pub(super) fn log(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::PLAIN);
    scene.boot(Options::default());
    for algorithm in ALGORITHMS {
        let key = format!("algorithm {algorithm:?}");
        let content = Content::of(&key, 1, 100);
        scene.put(
            &key,
            Content {
                algorithm,
                ..content
            },
        );
    }
    scene.put("bare", Content::default());
    scene.put([0], Content::of("a key of one zero", 1, 10));
    scene.put([0xff; 40], Content::of("a key of bytes 255", 1, 11));
    scene.put(
        [0xff; 41],
        Content::of("one byte longer than lies inline", 1, 12),
    );
    scene.boot(Options::default());
    scene.put("bare", Content::of("bare", 2, 20));
    for key in ["algorithm None", "never stored"] {
        scene.delete(key);
    }
    let mut batch = Vec::new();
    for number in 0..20 {
        let key = format!("batch {number}");
        batch.push(scene.putting(&key, Content::of(&key, 1, 50 * number)));
    }
    batch.push(scene.deleting("algorithm Some(6)"));
    batch.push(scene.deleting("batch 7"));
    scene.drive().commit(batch, Durability::WriteThrough);
    scene.boot(Options::default());
    scene.put("batch 7", Content::of("batch 7", 3, 333));
    scene.delete("batch 8");
    assert_eq!(scene.fact("runs"), Value::Array(Vec::new()));
    scene.finished("a drive that is not sealed, with all entries in the log, of three boots")
}

/// A figure of each run, newest first.
fn of_runs(scene: &Scene, figure: &str) -> Vec<u64> {
    let runs = scene.fact("runs");
    let runs = runs.as_array().map(Vec::as_slice).unwrap_or_default();
    let figure = |run: &Value| run.get(figure).and_then(Value::as_u64);
    runs.iter().filter_map(figure).collect()
}

pub(super) fn runs(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    for turn in 0..4_u32 {
        scene.boot(eager());
        for number in (0..160).filter(|number| number % 4 >= turn) {
            let key = format!("key {number:04}");
            let length = usize::try_from(number * 37 % 300).unwrap_or_default();
            scene.put(&key, Content::of(&key, turn, length));
        }
        scene.drive().rest();
        for number in (0..160).filter(|number| number % 9 == turn) {
            scene.delete(format!("key {number:04}"));
        }
        for part in ["key", "version", "tag"] {
            let long = text(&format!("a long {part} of turn {turn}, "), 4096);
            let mut content = Content::of(part, turn, 10);
            match part {
                "key" => scene.put(&long, content),
                "version" => {
                    content.version = long;
                    scene.put(format!("a long version {turn}"), content);
                }
                _ => {
                    content.tag = long;
                    scene.put(format!("a long tag {turn}"), content);
                }
            }
        }
        scene.drive().rest();
    }
    scene.boot(eager());
    scene.delete("key 0002");
    scene.put("key 0003", Content::of("key 0003", 9, 99));
    let tombstones = of_runs(&scene, "tombstones");
    assert!(tombstones.len() >= 2 && tombstones.iter().sum::<u64>() > 0);
    scene.finished("several runs with tombstones over each other, and a log behind them")
}

/// Zones enough for memtables of some size.
const MANY: Shape = Shape {
    zones: 512,
    ..Shape::PLAIN
};

pub(super) fn deep(name: &'static str) -> Made {
    let mut scene = Scene::format(name, MANY);
    scene.boot(Options::default());
    let prefix = "d".repeat(4000);
    for number in 0..300 {
        let key = format!("{prefix} {number:05}");
        scene.put(&key, Content::of(&number.to_string(), 1, number % 40));
    }
    for letter in ["x", "y", "z"] {
        let key = letter.repeat(4096);
        let content = Content {
            version: text("v", 4096),
            tag: text("t", 4096),
            ..Content::of(letter, 1, 100)
        };
        scene.put(&key, content);
    }
    scene.drive().optimize();
    let heights = of_runs(&scene, "height");
    assert!(heights.iter().any(|height| *height >= 3), "{heights:?}");
    scene.finished("a run of several levels of nodes, under long keys that are nearly alike")
}

pub(super) fn wide(name: &'static str) -> Made {
    let mut scene = Scene::format(name, MANY);
    scene.boot(Options::default());
    for number in 0..900 {
        let key = format!("{number:03}");
        let content = Content {
            tag: text("t", 1000),
            ..Content::of(&key, 1, 5)
        };
        scene.put(&key, content);
    }
    scene.drive().optimize();
    for number in (0..900).filter(|number| number % 10 == 3) {
        scene.delete(format!("{number:03}"));
    }
    // More leaves than lie below one filter.
    let bytes = of_runs(&scene, "bytes");
    assert!(
        bytes.iter().any(|bytes| *bytes > 64 * (8 << 10)),
        "{bytes:?}"
    );
    assert!(of_runs(&scene, "height").iter().any(|height| *height >= 2));
    scene.finished("a run of more leaves than lie below one filter, and deletes in the log")
}

pub(super) fn sizes(name: &'static str) -> Made {
    let shape = Shape {
        zone_size: 512 << 10,
        ..Shape::SMALL
    };
    let mut scene = Scene::format(name, shape);
    scene.boot(Options::default());
    for length in [0, 1, 65_535, 65_536, 65_537, 150_000] {
        let key = format!("value of {length}");
        scene.put(&key, Content::of(&key, 1, length));
    }
    scene.drive().optimize();
    let mut batch = Vec::new();
    for length in [0, 1, 65_537] {
        let key = format!("later value of {length}");
        batch.push(scene.putting(&key, Content::of(&key, 1, length)));
    }
    scene.drive().commit(batch, Durability::WriteThrough);
    scene.finished("sealed values of none, one and several chunks, in runs and in the log")
}

pub(super) fn large(name: &'static str) -> Made {
    let shape = Shape {
        zone_size: 4 << 20,
        ..Shape::PLAIN
    };
    let mut scene = Scene::format(name, shape);
    scene.boot(Options::default());
    for length in [(1 << 20) - 1, 1 << 20] {
        let key = format!("value of {length}");
        scene.put(&key, Content::of(&key, 1, length));
    }
    scene.drive().optimize();
    let mut batch = Vec::new();
    for length in [600_000, 700_000] {
        let key = format!("value of {length} in a batch");
        batch.push(scene.putting(&key, Content::of(&key, 1, length)));
    }
    scene.drive().commit(batch, Durability::WriteThrough);
    scene.finished("values of up to 1 MiB in zones of 4 MiB, and a group on blocks of the disk")
}

const SETTINGS: &str = r#"{"version": 1, "clusterVersion": 7, "acl": [{"identity": 1}]}"#;

pub(super) fn settings(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    scene.put("key", Content::of("key", 1, 10));
    for settings in [
        text("long settings, ", 20_000),
        text(SETTINGS, SETTINGS.len()),
    ] {
        let written = scene.drive().store.write_settings(&settings);
        written.expect("a disk in memory takes them");
        scene.settings = settings;
    }
    scene.finished("settings of a server that followed longer ones")
}

pub(super) fn locked(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    for number in 0..20 {
        let key = format!("flushed {number}");
        scene.put(&key, Content::of(&key, 1, 100));
    }
    scene.drive().optimize();
    let kdf = Kdf {
        salt: *b"salt of the PIN.",
        rounds: 1000,
    };
    let pin = "2580";
    let protection = Protection::Pin(kdf.key_of(pin.as_bytes()), kdf);
    let store = scene.drive().store.clone();
    store
        .protect(protection)
        .expect("a disk in memory takes it");
    store
        .write_settings(SETTINGS.as_bytes())
        .expect("and these");
    drop(store);
    scene.settings = SETTINGS.into();
    scene.pin = Some(pin);
    for number in 0..5 {
        let key = format!("logged {number}");
        scene.put(&key, Content::of(&key, 1, 100));
    }
    scene.boot(Options::default());
    scene.put("after it was unlocked", Content::of("again", 2, 50));
    scene.finished("a drive with a lock PIN and settings, unlocked once")
}

pub(super) fn manifest(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(eager());
    let first = scene.fact("first frame");
    let mut turn = 0;
    while scene.fact("first frame") == first || scene.fact("frames") == 1 {
        turn += 1;
        assert!(turn < 1000, "the manifest never moves");
        for number in 0..10 {
            let key = format!("key {number}");
            scene.put(&key, Content::of(&key, turn, 200));
        }
        scene.drive().rest();
    }
    scene.finished("a manifest that filled a zone, moved within a boot, and went on")
}

pub(super) fn grown(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    for number in 0..30 {
        let key = format!("before {number}");
        scene.put(&key, Content::of(&key, 1, 500));
    }
    scene.close();
    let small = scene.disk.killed().expect("a disk in memory can be read");
    // Not whole zones: the rest is not used.
    let capacity = small.capacity / 2 * 3 + 5000;
    let longer = small.longer(capacity).expect("and written");
    let growth = grow(&*longer, capacity).expect("it can grow");
    assert_eq!(growth.new.zones, 96);
    let longer = Image::of(&*longer).expect("a disk in memory can be read");
    scene.disk = PowerDisk::of(&longer).expect("and written");
    scene.boot(Options::default());
    for number in 0..30 {
        let key = format!("after {number}");
        scene.put(&key, Content::of(&key, 2, 500));
    }
    scene.finished("a drive that has grown by half")
}

pub(super) fn reused(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::PLAIN);
    scene.boot(tidying());
    for turn in 0..20_000 {
        let number = turn * 17 % 120;
        if turn < 120 || number % 4 != 0 {
            let key = format!("key {number:03}");
            let length = 300 + usize::try_from(number * 7 % 900).unwrap_or_default();
            scene.put(&key, Content::of(&key, turn, length));
        }
        scene.drive().step();
        let name = "entries of earlier lives of zones";
        if turn % 50 == 49 && scene.fact(name).as_u64() >= Some(10) {
            return scene.finished("runs whose entries name zones that hold other values by now");
        }
    }
    panic!("no zone is used again: {:?}", scene.drive().store.status());
}
