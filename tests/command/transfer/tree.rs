//! Trees of files: one with everything that is awkward, and what a folder holds.
//!
//! Guarantees: links are not followed; every name and every byte counts. Not here: modes, owners
//! and times, which a drive does not keep.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use kinetic_simulator::Rng;

/// What an end of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leaf {
    File(Vec<u8>),
    Link(PathBuf),
    EmptyFolder,
}

/// Everything below a folder, by its path within it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(pub(super) BTreeMap<PathBuf, Leaf>);

impl Tree {
    /// What a folder holds.
    pub(super) fn of(folder: &Path) -> Self {
        let mut tree = Self::default();
        tree.add(folder, Path::new(""));
        tree
    }

    fn add(&mut self, root: &Path, path: &Path) {
        for entry in fs::read_dir(root.join(path)).expect("a folder") {
            let entry = entry.expect("an entry");
            let below = path.join(entry.file_name());
            let kind = entry.file_type().expect("its kind");
            if kind.is_dir() {
                let mut inside = fs::read_dir(entry.path()).expect("a folder");
                if inside.next().is_none() {
                    self.0.insert(below, Leaf::EmptyFolder);
                } else {
                    self.add(root, &below);
                }
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).expect("a link");
                self.0.insert(below, Leaf::Link(target));
            } else {
                let bytes = fs::read(entry.path()).expect("a file");
                self.0.insert(below, Leaf::File(bytes));
            }
        }
    }

    /// The paths at which two trees are not the same.
    pub(super) fn differences(&self, other: &Self) -> BTreeSet<PathBuf> {
        let paths = self.0.keys().chain(other.0.keys());
        let differ = |path: &&PathBuf| self.0.get(*path) != other.0.get(*path);
        paths.filter(differ).cloned().collect()
    }

    pub(super) fn file_bytes(&self) -> usize {
        let size = |leaf: &Leaf| match leaf {
            Leaf::File(bytes) => bytes.len(),
            Leaf::Link(_) | Leaf::EmptyFolder => 0,
        };
        self.0.values().map(size).sum()
    }
}

/// Makes a tree of about 300 files, every one of which a drive can take; the same each time.
pub(super) fn make(root: &Path) {
    let mut rng = Rng::new(7);
    for number in 0..290 {
        let folder = match number % 5 {
            0 => String::new(),
            1 => format!("folder {}", number % 7),
            2 => format!("deep/er/{}", number % 3),
            3 => format!("deep/er/{}/and deeper still", number % 3),
            _ => "many".to_owned(),
        };
        let size = rng.below(if number % 20 == 0 { 60_000 } else { 3_000 });
        let bytes = (0..size).map(|_| rng.below(256).to_le_bytes()[0]).collect();
        write(
            root,
            Path::new(&folder).join(format!("file-{number}")),
            bytes,
        );
    }
    let names: [&[u8]; 10] = [
        b" blank at both ends ",
        b"two\nlines",
        b"tab\tand\rreturn",
        b"\xff\xfe no text",
        b"half a letter \xc3",
        "gr\u{fc}n \u{1f600}".as_bytes(),
        b"-dash",
        b"hex:00",
        b"back\\slash\"quote",
        b"...",
    ];
    for name in names {
        let below = Path::new(OsStr::from_bytes(name)).join(OsStr::from_bytes(name));
        write(root, Path::new("names").join(below), name.to_vec());
    }
    write(root, "empty".into(), Vec::new());
    write(root, "of the limit".into(), vec![0xa5; 1 << 20]);
    let longest = "n".repeat(255);
    write(
        root,
        longest.into(),
        b"a name as long as they come".to_vec(),
    );
}

/// Adds what a drive cannot take.
pub(super) fn make_unstorable(root: &Path) {
    write(root, "over the limit".into(), vec![0x5a; (1 << 20) + 1]);
    write(root, "deep/er/far over".into(), vec![0x5a; 3 << 20]);
    symlink("empty", root.join("link to a file")).expect("a link");
    symlink("..", root.join("deep/link\nup")).expect("a link");
    symlink("nowhere", root.join(OsStr::from_bytes(b"link \xff"))).expect("a link");
    fs::create_dir_all(root.join("empty folder")).expect("a folder");
    fs::create_dir_all(root.join("deep/with one/empty inside")).expect("a folder");
}

pub(super) fn write(root: &Path, path: PathBuf, bytes: Vec<u8>) {
    let path = root.join(path);
    let parent = path.parent().expect("it is below the root");
    fs::create_dir_all(parent).expect("a folder");
    fs::write(path, bytes).expect("a file");
}
