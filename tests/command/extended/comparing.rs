//! Comparisons of two drives against maps of what is on them.

use std::collections::{BTreeMap, BTreeSet};

use kinetic_client::{Client, Config, Difference};

use super::put;
use crate::Served;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A small generator of repeatable choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        let product = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = product.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn store(served: &Served, model: &Model) {
    let mut talk = served.talk();
    for (key, value) in model {
        put(&mut talk, key, value);
    }
}

/// What differs, by looking at all of both.
fn expected((one, other): (&Model, &Model)) -> Vec<Difference> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let difference = |key: &Vec<u8>| match (one.get(key), other.get(key)) {
        (Some(_), None) => Some(Difference::OnlyFirst(key.clone().into())),
        (None, Some(_)) => Some(Difference::OnlySecond(key.clone().into())),
        (one, other) if one == other => None,
        _ => Some(Difference::Differs(key.clone().into())),
    };
    keys.into_iter().filter_map(difference).collect()
}

async fn differences(drives: (&Client, &Client), entries: u32) -> Vec<Difference> {
    let mut comparison = drives.0.compare::<&[u8]>(drives.1, ..);
    comparison = comparison.with_values().entries(entries);
    let mut found = Vec::new();
    while let Some(difference) = comparison.next().await.expect("an answer") {
        found.push(difference);
    }
    found
}

#[tokio::test]
async fn comparisons_of_drives_agree_with_maps() {
    for seed in 0..3 {
        let mut choices = Choices(seed);
        let (mut one, mut other) = (Model::new(), Model::new());
        for number in 0..1500_u32 {
            let key = format!("{:05}", number * 7).into_bytes();
            let value = vec![b'v'; usize::try_from(choices.below(20)).expect("a few")];
            one.insert(key.clone(), value.clone());
            other.insert(key, value);
        }
        // Few differences here and there, and a stretch that only one of them has.
        for _ in 0..8 {
            let key = format!("{:05}", choices.below(11_000)).into_bytes();
            match choices.below(3) {
                0 => drop(one.remove(&key)),
                1 => drop(other.remove(&key)),
                _ => drop(other.insert(key, b"another".to_vec())),
            }
        }
        let stretch = |key: &[u8]| seed == 1 && (&b"03"[..]..&b"06"[..]).contains(&key);
        other.retain(|key, _| !stretch(key));
        if seed == 2 {
            one.clear();
        }
        let (first, second) = (Served::new(), Served::new());
        store(&first, &one);
        store(&second, &other);
        let connect = |served: &Served| Client::connect(served.drive.plain(), Config::default());
        let clients = (connect(&first).await, connect(&second).await);
        let (a, b) = (clients.0.expect("a drive"), clients.1.expect("a drive"));
        // Wide parts, and so narrow ones that an answer does not hold them all.
        for entries in [4096, 300, 3, 1] {
            let found = differences((&a, &b), entries).await;
            assert_eq!(found, expected((&one, &other)), "seed {seed}, {entries}");
            let found = differences((&b, &a), entries).await;
            assert_eq!(found, expected((&other, &one)), "seed {seed}, {entries}");
        }
    }
}
