//! The tables: medians of all rounds, and what they are of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::load::Rate;
use crate::plan::{Cell, DURABLE_SIZE, Operation, median};
use crate::servers::{TARGETS, Target};

/// Everything measured, every round of it.
pub(crate) type Results = BTreeMap<(Cell, Target), Vec<Rate>>;

/// One row of the table of durable writes.
pub(crate) struct DurableRow {
    pub(crate) writers: u64,
    pub(crate) drive: Vec<Rate>,
    /// None where the drive was not measured without its seal.
    pub(crate) unsealed: Vec<Rate>,
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
    let cells: BTreeSet<Cell> = results.keys().map(|(cell, _)| *cell).collect();
    for cell in cells {
        let [kineticd, redis, canned] = TARGETS.map(|target| medians(results, cell, target));
        write_cell(out, cell)?;
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

/// What sealing costs: the same drive with and without, WRITETHROUGH last.
pub(crate) fn write_sealing(
    out: &mut impl Write,
    results: &Results,
    durable: &[DurableRow],
) -> io::Result<()> {
    writeln!(
        out,
        "| value | operation | connections x depth | sealed /s | p99 us | CPU us | \
        not sealed /s | p99 us | CPU us | sealed of not sealed |"
    )?;
    writeln!(out, "| --- | --- | --- {}|", "| ---: ".repeat(7))?;
    let row = |out: &mut dyn Write, sealed: Rate, unsealed: Rate| -> io::Result<()> {
        for Rate {
            per_second,
            p99_us,
            cpu_us,
        } in [sealed, unsealed]
        {
            write!(out, "| {per_second:.0} | {p99_us:.0} | {cpu_us:.1} ")?;
        }
        let share = sealed.per_second / unsealed.per_second;
        writeln!(out, "| {share:.2} |")
    };
    for cell in results
        .keys()
        .map(|(cell, _)| *cell)
        .collect::<BTreeSet<Cell>>()
    {
        let of = |target| medians(results, cell, target);
        write_cell(out, cell)?;
        row(out, of(Target::Kineticd), of(Target::Unsealed))?;
    }
    for durable in durable {
        write!(out, "| {} | PUT WRITETHROUGH ", size_name(DURABLE_SIZE))?;
        write!(out, "| {} x 1 ", durable.writers)?;
        row(
            out,
            median_rate(&durable.drive),
            median_rate(&durable.unsealed),
        )?;
    }
    Ok(())
}

fn write_cell(out: &mut impl Write, cell: Cell) -> io::Result<()> {
    let operation = match cell.operation {
        Operation::Put => "PUT",
        Operation::Get => "GET",
    };
    write!(out, "| {} | {operation} ", size_name(cell.size))?;
    write!(out, "| {} x {} ", cell.shape.connections, cell.shape.depth)
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

        results.insert((cell, Target::Unsealed), vec![rate(640.0)]);
        let durable = DurableRow {
            writers: 16,
            drive: vec![rate(30.0)],
            unsealed: vec![rate(40.0)],
            written_file: Vec::new(),
            sparse_file: Vec::new(),
        };
        let mut out = Vec::new();
        write_sealing(&mut out, &results, &[durable]).expect("a table");
        let text = String::from_utf8(out).expect("text");
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| 4 KiB | PUT | 1 x 16 | 512 | 7 | 2.5 | 640 | 7 | 2.5 | 0.80 |",
                "| 4 KiB | PUT WRITETHROUGH | 16 x 1 | 30 | 7 | 2.5 | 40 | 7 | 2.5 | 0.75 |",
            ]
        );
    }
}
