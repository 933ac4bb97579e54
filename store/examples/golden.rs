//! Golden images: makes those of the present version of the format, checks a folder of them, and
//! makes a raw image of one.
//!
//! `cargo run -p kinetic-store --example golden -- make DIR` writes `NAME.gz` and `NAME.json` for
//! each image, and `structures.txt`, and changes nothing that is there already; `check DIR` opens
//! each image and compares; `unpack FILE IMAGE` makes one that `kinetic drive` and kineticd open.
#![expect(clippy::print_stdout, reason = "an example prints what it does")]

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

#[path = "../tests/golden/check.rs"]
mod check;
#[path = "../tests/golden/drive.rs"]
mod drive;
#[path = "../tests/golden/expected.rs"]
mod expected;
#[path = "../tests/golden/facts.rs"]
mod facts;
#[path = "../tests/golden/image.rs"]
mod image;
#[path = "../tests/golden/making/mod.rs"]
mod making;
#[path = "../tests/golden/structures.rs"]
mod structures;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", folder] => make(Path::new(folder)),
        ["check", folder] => check_all(Path::new(folder)),
        ["unpack", packed, raw] => unpack(Path::new(packed), Path::new(raw)),
        _ => Err("usage: golden make DIR | check DIR | unpack FILE IMAGE".into()),
    }
}

fn make(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (name, make) in making::IMAGES {
        let made = make(name);
        let packed = made.image.packed()?;
        println!("{name}: {} bytes, {}", packed.len(), made.expected.what);
        new_file(&folder.join(format!("{name}.gz")))?.write_all(&packed)?;
        let text = made.expected.text();
        new_file(&folder.join(format!("{name}.json")))?.write_all(text.as_bytes())?;
    }
    let structures = structures::text();
    new_file(&folder.join("structures.txt"))?.write_all(structures.as_bytes())?;
    Ok(())
}

/// What is there is never changed.
fn new_file(path: &Path) -> Result<File, Box<dyn Error>> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.map_err(|error| format!("{}: {error}", path.display()).into())
}

fn check_all(folder: &Path) -> Result<(), Box<dyn Error>> {
    for file in fs::read_dir(folder)? {
        let list = file?.path();
        if list.extension().is_some_and(|ending| ending == "json") {
            let expected = expected::Expected::of(&fs::read_to_string(&list)?)?;
            let image = image::Image::unpacked(&fs::read(list.with_extension("gz"))?)?;
            check::check(&image, &expected);
            println!("{}: as it must be", list.display());
        }
    }
    Ok(())
}

fn unpack(packed: &Path, raw: &Path) -> Result<(), Box<dyn Error>> {
    let image = image::Image::unpacked(&fs::read(packed)?)?;
    let mut file = new_file(raw)?;
    image.write_to(&mut file)?;
    Ok(())
}
