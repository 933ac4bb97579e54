//! What is measured: sizes, operations, shapes of load, and how many requests make a measurement.

/// Value sizes in bytes.
pub(crate) const SIZES: [u64; 4] = [1 << 10, 4 << 10, 64 << 10, 1 << 20];

/// What each request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Put,
    Get,
}

/// How many connections, and how many requests are in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) connections: u64,
    pub(crate) depth: u64,
}

/// Lightest first.
pub(crate) const SHAPES: [Shape; 3] = [
    Shape {
        connections: 1,
        depth: 1,
    },
    Shape {
        connections: 1,
        depth: 16,
    },
    Shape {
        connections: 16,
        depth: 16,
    },
];

/// Writers that each wait for their WRITETHROUGH.
pub(crate) const WRITERS: [u64; 2] = [1, 16];

/// Value size of the WRITETHROUGH measurements, in bytes.
pub(crate) const DURABLE_SIZE: u64 = 4 << 10;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) size: u64,
    pub(crate) operation: Operation,
    pub(crate) shape: Shape,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds over all targets, of which the median is taken.
    pub(crate) rounds: usize,
    /// Divides the number of requests: 1 for figures, more for a glance.
    pub(crate) divisor: u64,
}

/// Different keys, so many that their values take at most 128 MiB.
pub(crate) fn keys(size: u64) -> u64 {
    ((128 << 20) / size).min(10_000)
}

/// Requests of one measurement: about a second or two, and at most 1.5 GiB of values.
pub(crate) fn requests(cell: Cell, effort: Effort) -> u64 {
    let Shape { connections, depth } = cell.shape;
    let by_load = match (connections, depth) {
        (1, 1) => 30_000,
        (1, _) => 150_000,
        _ => 300_000,
    };
    let by_bytes = (3 << 29) / cell.size;
    (by_load.min(by_bytes) / effort.divisor).max(connections * depth)
}

/// Requests of one WRITETHROUGH measurement.
pub(crate) fn durable_requests(writers: u64, effort: Effort) -> u64 {
    (writers * 1_500 / effort.divisor).max(writers * 10)
}

/// The middle of an odd number of values, the mean of the two middle ones otherwise.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|at| values.get(at)).copied();
    lower.map_or(f64::NAN, |lower| f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn no_measurement_moves_more_than_its_bytes() {
        for size in SIZES {
            for shape in SHAPES {
                let cell = Cell {
                    size,
                    operation: Operation::Put,
                    shape,
                };
                let count = requests(
                    cell,
                    Effort {
                        rounds: 1,
                        divisor: 1,
                    },
                );
                assert!(count * size <= 3 << 29, "{cell:?}");
            }
        }
    }
}
