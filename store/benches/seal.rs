//! What sealing adds to one request: the code that the writer and the reader use, beside the
//! checksum that a plain drive makes and verifies of the same bytes.
//!
//! `cargo bench -p kinetic-store`; under `cargo test` every case runs once. A record stands for a
//! group with one; with more of them they share one seal. Not here: the disk.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kinetic_store::layout::checksum::{ZoneStamp, checksum};
use kinetic_store::layout::geometry::ZoneId;
use kinetic_store::seal::cipher::Kind;
use kinetic_store::seal::{Cipher, DataKey, Spot};
use zeroize::Zeroizing;

/// Bytes of a record with its key, version and tag.
const RECORD: usize = 100;

/// Bytes of the header before the records, which is associated with them.
const HEAD: [u8; 48] = [7; 48];

const VALUES: [(&str, usize); 4] = [
    ("1 KiB", 1 << 10),
    ("4 KiB", 4 << 10),
    ("64 KiB", 64 << 10),
    ("1 MiB", 1 << 20),
];

/// Between the value and the buffer behind it, as between a request and the writer's buffer: copies
/// between places whose last twelve bits are almost the same are slow on some processors, and two
/// allocations of one size, one behind the other, are such places.
const SKEW: usize = 1500;

fn cipher() -> Cipher {
    Cipher::of_boot(&DataKey::new(Zeroizing::new([9; 32])), &[1; 16])
}

/// Lives of a zone, one after the other: nothing is sealed twice in the same one.
fn lives() -> impl FnMut() -> ZoneStamp {
    let mut epoch = 0;
    move || {
        epoch += 1;
        ZoneStamp {
            drive: 1,
            zone: ZoneId(2),
            epoch,
            salt: 3,
        }
    }
}

fn spot<'a>(cipher: &'a Cipher, stamp: &'a ZoneStamp) -> Spot<'a> {
    Spot {
        cipher,
        stamp,
        offset: 4096,
    }
}

fn records(criterion: &mut Criterion) {
    let (cipher, mut next) = (cipher(), lives());
    let mut buffer = Vec::with_capacity(2 * RECORD);
    criterion.bench_function("seal a record of 100 B", |bench| {
        bench.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&[5; RECORD]));
            let stamp = next();
            spot(&cipher, &stamp).seal(Kind::Records, &HEAD, (&mut buffer, 0));
        });
    });
    let stamp = next();
    let spot = spot(&cipher, &stamp);
    let mut sealed = vec![5; RECORD];
    spot.seal(Kind::Records, &HEAD, (&mut sealed, 0));
    criterion.bench_function("open a record of 100 B", |bench| {
        bench.iter(|| {
            buffer.clear();
            buffer.extend_from_slice(black_box(&sealed));
            spot.open(Kind::Records, &HEAD, &mut buffer)
        });
    });
}

fn values(criterion: &mut Criterion) {
    for (name, length) in VALUES {
        let (cipher, mut next) = (cipher(), lives());
        let request = vec![5; length + SKEW];
        let value = request.get(..length).unwrap_or_default();
        let mut group = criterion.benchmark_group("value");
        group.throughput(Throughput::Bytes(length as u64));
        let mut buffer = Vec::with_capacity(cipher.stored(length));
        group.bench_function(BenchmarkId::new("seal", name), |bench| {
            bench.iter(|| {
                buffer.clear();
                let stamp = next();
                spot(&cipher, &stamp).seal_value(black_box(value), &mut buffer);
            });
        });
        let (stamp, mut sealed) = (next(), Vec::new());
        let spot = spot(&cipher, &stamp);
        spot.seal_value(value, &mut sealed);
        // The copy that is opened is made outside what is measured; the reader has it from the
        // disk.
        group.bench_function(BenchmarkId::new("open", name), |bench| {
            let open = |bytes: &mut Vec<u8>| spot.open_value(bytes, length);
            bench.iter_batched_ref(|| sealed.clone(), open, BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("checksum", name), |bench| {
            bench.iter(|| checksum(black_box(value)));
        });
        group.finish();
    }
}

criterion_group!(seal, records, values);
criterion_main!(seal);
