//! Drives that push to each other, and finding drives.

mod discovering;
mod pushing;
