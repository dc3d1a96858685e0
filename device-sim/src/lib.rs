//! Simulated fleets with ground truth, over the real wires. Shares no code with `rules/`: what is true is planned here
//! ([`plan`]), before any signal exists, by arithmetic of its own.
//!
//! [`district`] lays out a made-up district, [`plan`] decides who offends when and who only looks like it, [`signal`]
//! turns the plan into readings, [`rtu`] plays Modbus slaves on lines as bad as real ones, [`fleet`] sends them over [`transport`],
//! [`papers`] are what an office keeps about the district, [`obey`] is how devices answer commands, [`fault`] delays, repeats and shuffles them.
//! [`lab`] is the other side: it takes a real device and says what it does wrong.

pub mod district;
pub mod fault;
pub mod fleet;
pub mod jpeg;
pub mod lab;
pub mod load;
pub mod noise;
pub mod obey;
pub mod papers;
pub mod plan;
pub mod registers;
pub mod rtu;
pub mod scene;
pub mod signal;
pub mod transport;
pub mod truth;
