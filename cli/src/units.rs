//! Sizes and spans of time as people write and read them.
//!
//! Guarantees: an ambiguous unit is refused, with those that are understood. Not here: numbers
//! without a unit of their own.

use std::time::Duration;

/// Why a size or a span cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    #[error("a size is a whole number of bytes, or of KiB, MiB, GiB or TiB, such as 4KiB")]
    Size,
    #[error("{0} is more bytes than 64 bits can count")]
    SizeOverflow(String),
    #[error("a time is a number with ms, s, m or h, such as 500ms or 5s; a bare number is seconds")]
    Time,
    #[error("a time of 0 is not allowed; it is above 0, such as 500ms or 5s")]
    NoTime,
}

const SIZES: [(&str, u32); 5] = [("", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

/// Reads a size in bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split_unit(text);
    let number: u64 = number.parse().map_err(|_why| UnitError::Size)?;
    let unit = match unit {
        "B" => "",
        // What most people mean by a single letter.
        "K" | "M" | "G" | "T" => &format!("{unit}iB"),
        other => other,
    };
    let known = SIZES.iter().find(|(name, _)| *name == unit);
    let (_, shift) = known.ok_or(UnitError::Size)?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| UnitError::SizeOverflow(text.to_owned()))
}

/// Reads a span of time.
pub(crate) fn parse_time(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split_unit(text);
    let number: f64 = number.parse().map_err(|_why| UnitError::Time)?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(UnitError::Time),
    };
    let span = Duration::try_from_secs_f64(seconds).map_err(|_why| UnitError::Time)?;
    if span.is_zero() {
        Err(UnitError::NoTime)
    } else {
        Ok(span)
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let is_unit = |c: char| !c.is_ascii_digit() && c != '.';
    let (number, unit) = text.split_at(text.find(is_unit).unwrap_or(text.len()));
    (number, unit.trim_start())
}

/// A size for people, such as 12.5 MiB.
pub(crate) fn size_text(bytes: u64) -> String {
    let (unit, shift) = SIZES
        .iter()
        .rev()
        .find(|(_, shift)| bytes >> shift > 0)
        .copied()
        .unwrap_or_default();
    if shift == 0 {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let number = bytes as f64 / (1u64 << shift) as f64;
    format!("{number:.1} {unit}").replace(".0 ", " ")
}

/// So many things of a kind, such as 1 file or 2 files.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("4KiB"), Ok(4096));
        assert_eq!(parse_size("4 K"), Ok(4096));
        assert_eq!(parse_size("16GiB"), Ok(16 << 30));
        assert_eq!(parse_size("7B"), Ok(7));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "KiB", "4KB", "1.5GiB", "-1", "4 parsecs"] {
            assert_eq!(parse_size(text), Err(UnitError::Size), "{text}");
        }
        assert!(matches!(
            parse_size("99999999TiB"),
            Err(UnitError::SizeOverflow(_))
        ));
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "s", "-1s", "5 fortnights", "1e999", "inf"] {
            assert_eq!(parse_time(text), Err(UnitError::Time), "{text}");
        }
        for text in ["0", "0ms", "0.0s"] {
            assert_eq!(parse_time(text), Err(UnitError::NoTime), "{text}");
        }
    }

    #[test]
    fn one_thing_is_not_several() {
        let told = [0, 1, 2].map(|count| counted(count, "file"));
        assert_eq!(told, ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn sizes_print_short() {
        assert_eq!(size_text(0), "0 bytes");
        assert_eq!(size_text(1000), "1000 bytes");
        assert_eq!(size_text(4096), "4 KiB");
        assert_eq!(size_text(1_600_000), "1.5 MiB");
        assert_eq!(size_text(16 << 30), "16 GiB");
    }
}
