//! `import` and `export`: trees of files that go to a drive and come back as they were.
//!
//! In layer order: `tree` (making and comparing them), and the two commands.

mod tree;

mod export;
mod import;
