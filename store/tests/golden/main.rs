//! Golden images: drives of every version of the format, which must open for ever.
//!
//! What it is: `v1/NAME.gz` is an image, `v1/NAME.json` what must be found on it. An image that is
//! committed is never changed; a new version of the format comes with a folder of its own.
//! Guarantee: each image is seen without opening it as it was left, opens, shows exactly what was
//! stored, and goes on; and today's program still writes the format, structure by structure.
//!
//! `cargo run -p kinetic-store --example golden -- make DIR` makes those of the present version.

mod image;

mod expected;

mod drive;

mod facts;

mod making;

mod check;

mod structures;

mod opening;

mod versions;
