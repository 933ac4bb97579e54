//! Every engine does what is asked of it: a tiny pass, so that the benchmark cannot rot.

use clap::Parser as _;

use crate::data::{self, Data};
use crate::engines::Kind;
use crate::figure::Figure;
use crate::pass::{self, Plan};

#[test]
fn every_engine_finishes_a_tiny_pass_with_every_figure() {
    let pool = data::pool();
    for value in [1024, 64 << 10] {
        let data = Data::new(&pool, value);
        let plan = Plan {
            threads: 2,
            keys: 300,
            synced: 4,
            cold: 10,
        };
        for kind in Kind::ALL {
            let folder = tempfile::tempdir().unwrap();
            let figures = pass::run(kind, folder.path(), &data, &plan).unwrap();
            // Not every host says what its disk writes.
            let operations = figures.keys().filter(|figure| **figure != Figure::Written);
            assert_eq!(operations.count(), 10, "{kind:?}");
            assert!(figures[&Figure::Put].rate > 0.0, "{kind:?}");
        }
    }
}

#[test]
fn keys_and_values_differ_and_are_the_same_each_time() {
    let pool = data::pool();
    let data = Data::new(&pool, 100);
    assert_ne!(data::key(1), data::key(2));
    assert_eq!(data.value(7), data.value(7));
    assert!(data.is_value(7, &data.value(7)));
    assert!(!data.is_value(7, &data.value(8)));
    let mut order = data::shuffled(0..1000);
    assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    order.sort_unstable();
    assert_eq!(order, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_command_line_as_it_is_documented_is_understood() {
    let line = [
        "engines", "--rounds", "3", "--dir", "/tmp", "--only", "1024",
    ];
    let args = crate::Args::try_parse_from(line).unwrap();
    assert_eq!((args.rounds, args.only), (3, vec![1024]));
    assert_eq!(args.threads, [1, 4]);
}
