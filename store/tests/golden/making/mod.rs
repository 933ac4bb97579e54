//! How the golden images are made: each a history that leads to one state of a drive.
//!
//! Guarantee: all entropy comes from the image's name, so that one program makes the same bytes
//! each time. Another program may make others, since when it flushes is its own affair; what is
//! stored on them stays the same, and each history makes sure that its image shows what it is for.
//! Not here: images of earlier versions, which nobody can make any more.

mod power;

mod scene;

mod whole;

mod broken;

pub(crate) use scene::Made;

/// Makes the image of this name.
type Maker = fn(&'static str) -> Made;

/// Every image of the present version: its name, and how it is made.
pub(crate) const IMAGES: [(&str, Maker); 18] = [
    ("empty", whole::empty),
    ("empty-plain", whole::empty_plain),
    ("log", whole::log),
    ("runs", whole::runs),
    ("deep", whole::deep),
    ("wide", whole::wide),
    ("sizes", whole::sizes),
    ("large", whole::large),
    ("settings", whole::settings),
    ("locked", whole::locked),
    ("manifest", whole::manifest),
    ("grown", whole::grown),
    ("reused", whole::reused),
    ("cold", broken::cold),
    ("killed", broken::killed),
    ("cut", broken::cut),
    ("erasing", broken::erasing),
    ("settings-cut", broken::settings_cut),
];
