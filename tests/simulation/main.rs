//! Power cuts: seeded histories of the production engine on a simulated disk.
//!
//! Guarantee: many histories keep every promise and meet every fault and every place to stop that
//! the atlas names; a seed repeats to the last byte; and each of eleven deliberate bugs is
//! noticed, so that silence means something. A failure is one line that replays its seed.
//! Not here: what a history is (`kinetic_simulator::history`), and `kill -9` of the real process
//! (`durability`).

mod growing;

mod promises;

mod repeats;

mod sabotage;

mod rules;
