//! A drive that an image is made of, and what was stored on it.
//!
//! Guarantee: what was stored is known from what was asked for, not from what the drive shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use kinetic_store::disk::{Disk, MemoryDisk};
use kinetic_store::{
    Attributes, Durability, Expected as Precondition, FormatOptions, Mutation, Options, PinKey,
    Seal, format_as, kdf_of,
};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::power::PowerDisk;
use crate::drive::Drive;
use crate::expected::{Expected, Stored};
use crate::facts::facts;
use crate::image::{Image, sum};

/// An image and what must be found on it.
pub(crate) struct Made {
    /// The image.
    pub(crate) image: Image,
    /// What must be found.
    pub(crate) expected: Expected,
}

/// How a drive is formatted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Bytes of a zone.
    pub(crate) zone_size: u32,
    /// Zones.
    pub(crate) zones: u64,
    /// How it is sealed.
    pub(crate) seal: Seal,
}

impl Shape {
    /// The smallest drive that there is.
    pub(crate) const SMALL: Self = Self {
        zone_size: 64 << 10,
        zones: 64,
        seal: Seal::Sealed,
    };
    /// The same, not sealed.
    pub(crate) const PLAIN: Self = Self {
        seal: Seal::Plain,
        ..Self::SMALL
    };
}

/// What is stored under a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    /// Version of the entry.
    pub(crate) version: Vec<u8>,
    /// Tag of the value.
    pub(crate) tag: Vec<u8>,
    /// Algorithm of the tag.
    pub(crate) algorithm: Option<i32>,
    /// The value.
    pub(crate) value: Vec<u8>,
}

impl Content {
    /// A value of so many bytes, which name the key and its turn, with a version and a tag.
    pub(crate) fn of(key: &str, turn: u32, length: usize) -> Self {
        Self {
            version: format!("version {turn}").into_bytes(),
            tag: format!("tag of {key}").into_bytes(),
            algorithm: Some(2),
            value: text(&format!("{key}, turn {turn}; "), length),
        }
    }
}

/// Words again and again, up to a length.
pub(crate) fn text(words: &str, length: usize) -> Vec<u8> {
    words.bytes().cycle().take(length).collect()
}

/// A drive under way to an image.
pub(crate) struct Scene {
    /// Name of the image.
    pub(crate) name: &'static str,
    /// The disk.
    pub(crate) disk: Arc<PowerDisk>,
    /// The drive while it is open.
    pub(crate) drive: Option<Drive>,
    /// What is stored.
    pub(crate) entries: BTreeMap<Vec<u8>, Stored>,
    /// What was, and is not any more.
    pub(crate) gone: BTreeSet<Vec<u8>>,
    /// The server's settings.
    pub(crate) settings: Vec<u8>,
    /// The lock PIN.
    pub(crate) pin: Option<&'static str>,
    boots: u32,
}

impl Scene {
    /// An empty drive.
    pub(crate) fn format(name: &'static str, shape: Shape) -> Self {
        let disk = MemoryDisk::new(shape.zones * u64::from(shape.zone_size));
        let options = FormatOptions {
            uuid: entropy(name, "uuid")
                .first_chunk()
                .copied()
                .unwrap_or_default(),
            entropy: entropy(name, "format"),
            zone_size: Some(shape.zone_size),
        };
        format_as(&disk, &options, shape.seal).expect("a disk in memory can be formatted");
        let image = Image::of(&disk).expect("a disk in memory can be read");
        Self {
            name,
            disk: PowerDisk::of(&image).expect("a disk in memory can be written"),
            drive: None,
            entries: BTreeMap::new(),
            gone: BTreeSet::new(),
            settings: Vec::new(),
            pin: None,
            boots: 0,
        }
    }

    /// Opens the drive; the one that was open before is closed.
    pub(crate) fn boot(&mut self, options: Options) -> &mut Drive {
        self.close();
        let drive = self.try_boot(options).expect("the drive can be opened");
        self.drive.insert(drive)
    }

    /// Tries to open it.
    pub(crate) fn try_boot(&mut self, options: Options) -> Result<Drive, String> {
        self.boots += 1;
        let entropy = entropy(self.name, &format!("boot {}", self.boots));
        let pin = key_of(&*self.disk, self.pin);
        Drive::open(self.shared_disk(), options, entropy, pin.as_ref())
            .map_err(|error| error.to_string())
    }

    /// Closes it, if it is open.
    pub(crate) fn close(&mut self) {
        if let Some(drive) = self.drive.take() {
            drive.close();
        }
    }

    /// The drive, which is open.
    pub(crate) fn drive(&mut self) -> &mut Drive {
        self.drive.as_mut().expect("the drive is open")
    }

    /// The disk, as those want it who know no other.
    pub(crate) fn shared_disk(&self) -> Arc<dyn Disk> {
        Arc::<PowerDisk>::clone(&self.disk)
    }

    /// Stores something.
    pub(crate) fn put(&mut self, key: impl AsRef<[u8]>, content: Content) {
        let put = self.putting(key, content);
        self.drive().commit(vec![put], Durability::WriteBack);
    }

    /// Something to store: counts as stored from now on.
    pub(crate) fn putting(&mut self, key: impl AsRef<[u8]>, content: Content) -> Mutation {
        let key = key.as_ref().to_vec();
        let Content {
            version,
            tag,
            algorithm,
            value,
        } = content;
        let attributes = Attributes::new(&version, &tag, algorithm);
        let stored = Stored {
            version,
            tag,
            algorithm,
            length: value.len() as u64,
            sum: sum(&value),
        };
        self.gone.remove(&key);
        self.entries.insert(key.clone(), stored);
        Mutation::Put {
            key: Bytes::from(key),
            value: Bytes::from(value),
            attributes,
            expected: Precondition::Any,
        }
    }

    /// Deletes something.
    pub(crate) fn delete(&mut self, key: impl AsRef<[u8]>) {
        let delete = self.deleting(key);
        self.drive().commit(vec![delete], Durability::WriteBack);
    }

    /// Something to delete: counts as deleted from now on.
    pub(crate) fn deleting(&mut self, key: impl AsRef<[u8]>) -> Mutation {
        let key = key.as_ref().to_vec();
        self.entries.remove(&key);
        self.gone.insert(key.clone());
        Mutation::Delete {
            key: Bytes::from(key),
            expected: Precondition::Any,
        }
    }

    /// What is seen of it now.
    pub(crate) fn fact(&self, name: &str) -> Value {
        let pin = key_of(&*self.disk, self.pin);
        let facts = facts(&self.shared_disk(), pin.as_ref()).expect("a drive of ours");
        facts.get(name).cloned().unwrap_or_default()
    }

    /// The image of the drive, closed.
    pub(crate) fn finished(mut self, what: &str) -> Made {
        self.close();
        self.left(what)
    }

    /// The image of it as it is.
    pub(crate) fn left(self, what: &str) -> Made {
        let image = self.disk.killed().expect("a disk in memory can be read");
        self.into_image(what, image)
    }

    /// The drive with this image of it.
    pub(crate) fn into_image(self, what: &str, image: Image) -> Made {
        let disk: Arc<dyn Disk> = image.disk().expect("a disk in memory can be written");
        let pin = key_of(&*disk, self.pin);
        let expected = Expected {
            what: what.to_owned(),
            image: image.sum(),
            pin: self.pin.map(str::to_owned),
            settings: self.settings,
            facts: facts(&disk, pin.as_ref()).expect("a drive of ours"),
            entries: self.entries,
            gone: self.gone,
        };
        Made { image, expected }
    }
}

/// Random bytes of an image.
pub(crate) fn entropy(name: &str, purpose: &str) -> [u8; 32] {
    let digest = digest(
        &SHA256,
        format!("golden image {name}: {purpose}").as_bytes(),
    );
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The key of a PIN on a drive that has one.
pub(crate) fn key_of(disk: &dyn Disk, pin: Option<&str>) -> Option<PinKey> {
    let kdf = kdf_of(disk).expect("a drive of ours");
    kdf.zip(pin).map(|(kdf, pin)| kdf.key_of(pin.as_bytes()))
}

/// Options by which little is flushed and merged.
pub(crate) fn eager() -> Options {
    Options {
        memtable_bytes: 6 << 10,
        log_bytes: 64 << 10,
        ..Options::default()
    }
}

/// The same, with reclaim at work from the beginning, so that little has to be stored for it.
pub(crate) fn tidying() -> Options {
    Options {
        free_share: 800,
        ..eager()
    }
}
