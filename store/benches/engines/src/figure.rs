//! What is measured, and what it is called.

use std::collections::BTreeMap;

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Puts a second, as they return.
    Put,
    /// The same until a sync after the last one.
    PutToDisk,
    /// Puts a second that are synced each.
    PutSynced,
    /// GETs a second in a random order from the page cache.
    GetCached,
    /// GETs a second in a random order after the engine was opened and the page cache was emptied.
    GetCold,
    /// Keys a second of a scan.
    Keys,
    /// Keys a second of a scan with values.
    Entries,
    /// Deletes a second, as they return.
    Delete,
    /// The same until a sync after the last one.
    DeleteToDisk,
    /// Deletes a second that are synced each.
    DeleteSynced,
    /// Bytes written to the disk for each byte put, the index merged; with those of others that
    /// write meanwhile.
    Written,
}

impl Figure {
    /// What the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::PutToDisk => "PUT, sync at the end",
            Self::PutSynced => "PUT, each synced",
            Self::GetCached => "GET, page cache",
            Self::GetCold => "GET, disk",
            Self::Keys => "range, keys",
            Self::Entries => "range, values",
            Self::Delete => "delete",
            Self::DeleteToDisk => "delete, sync at the end",
            Self::DeleteSynced => "delete, each synced",
            Self::Written => "bytes written for each put",
        }
    }
}

/// What a pass has measured of one thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// Operations a second, or bytes for each byte.
    pub(crate) rate: f64,
    /// Microseconds of processors for each operation.
    pub(crate) processor_us: Option<f64>,
}

/// What a pass has measured.
pub(crate) type Figures = BTreeMap<Figure, Sample>;
