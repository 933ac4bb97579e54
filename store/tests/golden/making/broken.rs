//! Images of drives that were killed, or whose power was cut.

use kinetic_store::{Durability, EraseOptions, Kept, Options, erase, write_settings};
use serde_json::{Value, json};

use super::power::{Fate, PowerDisk};
use super::scene::{Content, Made, Scene, Shape, eager, entropy, tidying};

pub(super) fn cold(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(tidying());
    for number in 0..120 {
        let key = format!("key {number:03}");
        scene.put(&key, Content::of(&key, 0, 1500 + number * 7 % 900));
    }
    scene.drive().rest();
    for turn in 1..5000 {
        let number = turn * 17 % 120;
        if number % 4 != 0 {
            let key = format!("key {number:03}");
            scene.put(&key, Content::of(&key, turn, 300));
        }
        scene.drive().step();
        let live = scene.fact("live bytes in them");
        let cold = live.get(1).and_then(Value::as_u64).unwrap_or_default();
        let moves = scene.fact("moves behind it").as_u64().unwrap_or_default();
        if cold > 0 && moves >= 3 {
            return scene.left(
                "values that were moved to cold zones, some moves in runs and some to be replayed",
            );
        }
    }
    panic!("nothing is ever moved: {:?}", scene.drive().store.status());
}

pub(super) fn killed(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(eager());
    for turn in 0..5000_u32 {
        let key = format!("key {:03}", turn * 13 % 200);
        scene.put(&key, Content::of(&key, turn, 150));
        scene.drive().step();
        if scene.drive().store.under_way().merge && scene.disk.unsynced() > 0 {
            return scene.left("a drive whose process was killed while it merged runs");
        }
    }
    panic!("nothing is ever merged: {:?}", scene.drive().store.status());
}

pub(super) fn cut(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    for number in 0..10 {
        let key = format!("durable {number}");
        scene.put(&key, Content::of(&key, 1, 700));
    }
    scene.drive().rest();
    scene.drive().commit(Vec::new(), Durability::Flush);
    assert_eq!(scene.disk.unsynced(), 0);
    for number in 0..3 {
        let key = format!("written {number}");
        let put = scene.putting(&key, Content::of(&key, 1, 700));
        scene.drive().write(vec![put], Durability::WriteBack);
    }
    let (entries, gone) = (scene.entries.clone(), scene.gone.clone());
    for number in 3..6 {
        let key = format!("written {number}");
        let put = scene.putting(&key, Content::of(&key, 1, 700));
        scene.drive().write(vec![put], Durability::WriteBack);
    }
    let lost = scene
        .entries
        .keys()
        .filter(|key| !entries.contains_key(*key));
    scene.gone = lost.cloned().chain(gone).collect();
    scene.entries = entries;
    assert_eq!(scene.disk.unsynced(), 6);
    let fate = |number| if number == 3 { Fate::Torn } else { Fate::Kept };
    let torn = scene.disk.cut(fate).expect("a disk in memory can be read");
    scene.drive = None;
    scene.disk = PowerDisk::of(&torn).expect("and written");
    // The next boot makes its number durable in one slot, and gets no further.
    scene.disk.fail_after(2);
    assert!(scene.try_boot(Options::default()).is_err());
    let left = scene.disk.cut(|_| Fate::Kept).expect("it can be read");
    scene.into_image(
        "power failed with a torn group before intact ones, and again between the two superblocks",
        left,
    )
}

pub(super) fn erasing(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    for number in 0..10 {
        let key = format!("key {number}");
        scene.put(&key, Content::of(&key, 1, 300));
    }
    scene.drive().optimize();
    scene.put("logged", Content::of("logged", 1, 300));
    let settings = br#"{"what": "settings before the erase"}"#;
    let written = scene.drive().store.write_settings(settings);
    written.expect("a disk in memory takes them");
    scene.settings = settings.to_vec();
    scene.close();
    scene.disk.fail_after(2);
    let options = EraseOptions {
        entropy: entropy(name, "erase"),
        settings: b"never written".to_vec(),
    };
    assert!(erase(&*scene.disk, &options).is_err());
    let left = scene.disk.cut(|_| Fate::Kept).expect("it can be read");
    scene
        .gone
        .extend(std::mem::take(&mut scene.entries).into_keys());
    let made = scene.into_image(
        "an erase that was cut short between the two superblocks",
        left,
    );
    assert_eq!(made.expected.facts.get("state"), Some(&json!(1)));
    made
}

pub(super) fn settings_cut(name: &'static str) -> Made {
    let mut scene = Scene::format(name, Shape::SMALL);
    scene.boot(Options::default());
    scene.put("key", Content::of("key", 1, 10));
    let store = scene.drive().store.clone();
    store
        .write_settings(b"first")
        .expect("a disk in memory takes them");
    drop(store);
    scene.close();
    // One slot is written and synced, and not the other.
    scene.disk.fail_after(2);
    let kept = write_settings(&*scene.disk, b"second");
    assert!(matches!(kept, Ok(Kept::Once(_))), "{kept:?}");
    scene.settings = b"second".to_vec();
    let left = scene.disk.cut(|_| Fate::Kept).expect("it can be read");
    scene.into_image(
        "a change of settings that was cut short between its two copies",
        left,
    )
}
