//! The part of a key behind its prefix, as a path.
//!
//! Guarantees: a [`SafePath`] has at least one component, and each is a plain name: it leads
//! nowhere but down. Not here: links on the disk (`tree`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::limits::MAX_FILE_NAME_BYTES;

/// A path that leads nowhere but down: names of directories, and the name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SafePath {
    directories: Vec<OsString>,
    file: OsString,
}

/// Why a key is no safe path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsafePath {
    #[error("nothing is left of it behind the prefix")]
    Empty,
    #[error("it is an absolute path behind the prefix; is the prefix lacking its slash?")]
    Absolute,
    #[error("it has an empty component")]
    EmptyComponent,
    #[error("it has the component .")]
    Dot,
    #[error("it has the component ..")]
    DotDot,
    #[error("it has a zero byte, which no path can have")]
    Nul,
    #[error("it has a component of {0} bytes, and a file name has at most {MAX_FILE_NAME_BYTES}")]
    NameTooLong(usize),
}

impl SafePath {
    /// Checks what is left of a key behind its prefix.
    pub(crate) fn parse(rest: &[u8]) -> Result<Self, UnsafePath> {
        if rest.is_empty() {
            return Err(UnsafePath::Empty);
        }
        if rest.starts_with(b"/") {
            return Err(UnsafePath::Absolute);
        }
        let mut names = Vec::new();
        for name in rest.split(|byte| *byte == b'/') {
            names.push(checked_name(name)?);
        }
        let file = names.pop().ok_or(UnsafePath::Empty)?;
        Ok(Self {
            directories: names,
            file,
        })
    }

    pub(crate) fn directories(&self) -> impl Iterator<Item = &OsStr> {
        self.directories.iter().map(OsString::as_os_str)
    }

    pub(crate) fn file(&self) -> &OsStr {
        &self.file
    }
}

fn checked_name(name: &[u8]) -> Result<OsString, UnsafePath> {
    match name {
        b"" => Err(UnsafePath::EmptyComponent),
        b"." => Err(UnsafePath::Dot),
        b".." => Err(UnsafePath::DotDot),
        name if name.contains(&0) => Err(UnsafePath::Nul),
        name if name.len() > MAX_FILE_NAME_BYTES => Err(UnsafePath::NameTooLong(name.len())),
        name => Ok(OsStr::from_bytes(name).to_os_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_plain_names_is_a_path() {
        let path = SafePath::parse(b"a/b c/\xff.txt").unwrap();
        assert_eq!(path.directories().collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(path.file().as_bytes(), b"\xff.txt");
    }

    #[test]
    fn names_that_only_look_dangerous_are_names() {
        for name in [
            &b"..."[..],
            b"..a",
            b"a..",
            b".hidden",
            b"a\\..\\b",
            b"~",
            b"C:",
            b"a\nb",
        ] {
            assert!(SafePath::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn every_way_out_is_refused() {
        let attacks: [(&[u8], UnsafePath); 14] = [
            (b"", UnsafePath::Empty),
            (b"/", UnsafePath::Absolute),
            (b"/etc/passwd", UnsafePath::Absolute),
            (b"//etc/passwd", UnsafePath::Absolute),
            (b"..", UnsafePath::DotDot),
            (b"../outside", UnsafePath::DotDot),
            (b"a/../../outside", UnsafePath::DotDot),
            (b"a/..", UnsafePath::DotDot),
            (b".", UnsafePath::Dot),
            (b"a/./b", UnsafePath::Dot),
            (b"a//b", UnsafePath::EmptyComponent),
            (b"a/", UnsafePath::EmptyComponent),
            (b"a\0/../b", UnsafePath::Nul),
            (b"a\0", UnsafePath::Nul),
        ];
        for (rest, expected) in attacks {
            assert_eq!(SafePath::parse(rest), Err(expected), "{rest:?}");
        }
        let long = [b'a'; 256];
        assert_eq!(SafePath::parse(&long), Err(UnsafePath::NameTooLong(256)));
        assert!(SafePath::parse(&long[1..]).is_ok());
    }
}
