//! Simulated fleets with ground truth, over the real wires. Shares no code with `rules/`: what is true is planned here
//! ([`plan`]), before any signal exists, by arithmetic of its own.
//!
//! [`district`] lays out a made-up district, [`plan`] decides who offends when and who only looks like it, [`signal`]
//! turns the plan into readings, [`rtu`] plays Modbus slaves on lines as bad as real ones, [`fleet`] sends them over [`transport`],
//! [`obey`] is how they answer commands, [`fault`] delays, repeats and shuffles them.

pub mod district;
pub mod fault;
pub mod fleet;
pub mod jpeg;
pub mod load;
pub mod noise;
pub mod obey;
pub mod plan;
pub mod registers;
pub mod rtu;
pub mod scene;
pub mod signal;
pub mod transport;
pub mod truth;
