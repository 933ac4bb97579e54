//! The index put in order on demand: one run is left, what was deleted is gone, and it always ends.

use super::*;

impl Drive {
    /// Asks for it and steps until it is done, with a put now and then where asked for.
    fn optimize(&mut self, load: Option<&mut Choices>) {
        let asked = self.store.optimize();
        let mut load = load;
        for turn in 0..50_000 {
            if self.store.is_optimized(asked) {
                return;
            }
            self.step();
            if let Some(choices) = load.as_deref_mut()
                && turn % 3 == 0
            {
                let key = model_key(choices);
                self.put(&key, &[7; 900]).unwrap();
            }
        }
        panic!("it never ends: {:?}", self.store.status());
    }
}

#[test]
fn one_run_without_tombstones_is_left_and_dead_zones_are_free() {
    let mut drive = Drive::new();
    let keys: Vec<Vec<u8>> = (0..3000_u32)
        .map(|key| key.to_be_bytes().to_vec())
        .collect();
    for key in &keys {
        drive.put(key, &[1; 1000]).unwrap();
    }
    drive.settle();
    for key in &keys[500..1100] {
        let gone = vec![delete(key, Expected::Any)];
        let token = drive.submit(gone, Durability::WriteBack);
        drive.finish(token).unwrap();
    }
    let before = drive.store.status();
    assert!(before.runs > 1, "{before:?}");
    drive.optimize(None);
    let view = drive.store.inner.shared.view();
    assert_eq!((view.runs.len(), view.runs[0].meta().tombstones), (1, 0));
    assert_eq!(view.runs[0].meta().entries, 2400);
    drop(view);
    drive.settle();
    assert!(drive.store.status().used_bytes < before.used_bytes);
    for (key, number) in keys.iter().zip(0..) {
        assert_eq!(drive.value(key).is_ok(), !(500..1100).contains(&number));
    }
}

#[test]
fn it_ends_where_there_is_nothing_to_do_and_where_writes_go_on() {
    let mut drive = Drive::new();
    drive.optimize(None);
    drive.put(b"key", b"value").unwrap();
    drive.optimize(None);
    assert_eq!(drive.store.status().runs, 1);
    drive.optimize(None);
    let mut choices = Choices(3);
    for _ in 0..3 {
        drive.optimize(Some(&mut choices));
    }
    assert_eq!(drive.value(b"key").unwrap(), &b"value"[..]);
}

#[test]
fn two_who_ask_at_once_wait_for_the_same() {
    let mut drive = Drive::new();
    drive.put(b"key", b"value").unwrap();
    let (one, other) = (drive.store.optimize(), drive.store.optimize());
    assert_eq!(one, other);
    drive.optimize(None);
    assert!(drive.store.is_optimized(one));
    assert!(drive.store.optimize() > one);
}
