//! Drives that push to each other.

mod pushing;
