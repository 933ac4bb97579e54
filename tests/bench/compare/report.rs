//! The tables: medians of all rounds, and what they are of the others.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::load::Rate;
use crate::plan::{Cell, Operation, median};
use crate::servers::{TARGETS, Target};

/// Everything measured, every round of it.
pub(crate) type Results = BTreeMap<(Cell, Target), Vec<Rate>>;

/// One row of the table of durable writes.
pub(crate) struct DurableRow {
    pub(crate) writers: u64,
    pub(crate) drive: Vec<Rate>,
    pub(crate) written_file: Vec<f64>,
    pub(crate) sparse_file: Vec<f64>,
}

/// The table of sizes, operations and shapes.
pub(crate) fn write_comparison(out: &mut impl Write, results: &Results) -> io::Result<()> {
    writeln!(
        out,
        "| value | operation | connections x depth | kineticd /s | MiB/s | p99 us | \
        CPU us | redis /s | p99 us | CPU us | canned /s | CPU us | of redis | of canned |"
    )?;
    writeln!(out, "| --- | --- | --- {}|", "| ---: ".repeat(11))?;
    let cells: std::collections::BTreeSet<Cell> = results.keys().map(|(cell, _)| *cell).collect();
    for cell in cells {
        let [kineticd, redis, canned] = TARGETS.map(|target| medians(results, cell, target));
        let operation = match cell.operation {
            Operation::Put => "PUT",
            Operation::Get => "GET",
        };
        write!(out, "| {} | {operation} ", size_name(cell.size))?;
        write!(out, "| {} x {} ", cell.shape.connections, cell.shape.depth)?;
        let bytes = kineticd.per_second * cell.size as f64;
        write!(
            out,
            "| {:.0} | {:.0} ",
            kineticd.per_second,
            bytes / f64::from(1 << 20)
        )?;
        write!(out, "| {:.0} | {:.1} ", kineticd.p99_us, kineticd.cpu_us)?;
        write!(
            out,
            "| {:.0} | {:.0} | {:.1} ",
            redis.per_second, redis.p99_us, redis.cpu_us
        )?;
        write!(out, "| {:.0} | {:.1} ", canned.per_second, canned.cpu_us)?;
        let of = |other: Rate| kineticd.per_second / other.per_second;
        writeln!(out, "| {:.2} | {:.2} |", of(redis), of(canned))?;
    }
    Ok(())
}

/// The table of WRITETHROUGH.
pub(crate) fn write_durable(out: &mut impl Write, rows: &[DurableRow]) -> io::Result<()> {
    writeln!(
        out,
        "| writers | kineticd /s | p99 us | CPU us | bare loop, written file /s | \
        bare loop, sparse file /s | of written | of sparse |"
    )?;
    writeln!(out, "{}|", "| ---: ".repeat(8))?;
    for row in rows {
        let drive = median_rate(&row.drive);
        let [written, sparse] = [&row.written_file, &row.sparse_file].map(|it| median(it.clone()));
        write!(out, "| {} | {:.0} ", row.writers, drive.per_second)?;
        write!(out, "| {:.0} | {:.1} ", drive.p99_us, drive.cpu_us)?;
        write!(out, "| {written:.0} | {sparse:.0} ")?;
        let of = |other: f64| drive.per_second / other;
        writeln!(out, "| {:.2} | {:.2} |", of(written), of(sparse))?;
    }
    Ok(())
}

fn medians(results: &Results, cell: Cell, target: Target) -> Rate {
    median_rate(results.get(&(cell, target)).map_or(&[], Vec::as_slice))
}

/// Each figure's own median.
fn median_rate(rates: &[Rate]) -> Rate {
    let of = |figure: fn(&Rate) -> f64| median(rates.iter().map(figure).collect());
    Rate {
        per_second: of(|rate| rate.per_second),
        p99_us: of(|rate| rate.p99_us),
        cpu_us: of(|rate| rate.cpu_us),
    }
}

fn size_name(bytes: u64) -> String {
    if bytes >= 1 << 20 {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{SHAPES, Shape};

    #[test]
    fn a_row_shows_medians_and_ratios() {
        let shape: Shape = SHAPES[1];
        let cell = Cell {
            size: 4096,
            operation: Operation::Put,
            shape,
        };
        let rate = |per_second| Rate {
            per_second,
            p99_us: 7.0,
            cpu_us: 2.5,
        };
        let mut results = Results::new();
        results.insert(
            (cell, Target::Kineticd),
            [10.0, 512.0, 900.0].map(rate).to_vec(),
        );
        results.insert((cell, Target::Redis), vec![rate(256.0)]);
        results.insert((cell, Target::Canned), vec![rate(1024.0)]);
        let mut out = Vec::new();
        write_comparison(&mut out, &results).expect("a table");
        let text = String::from_utf8(out).expect("text");
        let row = text.lines().last().expect("a row");
        assert!(
            row.starts_with("| 4 KiB | PUT | 1 x 16 | 512 | 2 | 7 | 2.5 | 256 |"),
            "{row}"
        );
        assert!(row.ends_with("| 2.00 | 0.50 |"), "{row}");
    }
}
