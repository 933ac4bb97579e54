//! What a drive does with its medium when it is asked to: `scan`.

mod scan;

use super::connect;

pub(super) use scan::scan;
