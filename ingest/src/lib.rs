//! Journal, settle, chunk store, loss ledger, quarantine, live hub and projections: everything between the edge's
//! [`model::seams::Inlet`] and the judge.
//!
//! | module | what it is |
//! |---|---|
//! | [`journal`] | the durable log of frames and of everything else that can change a verdict |
//! | [`settle`] | the one decoder: entries → settled records, each with one verdict; pure and deterministic |
//! | [`chunks`] | packed columns of settled records in SQL, the open hours in memory, queries over both |
//! | [`blobs`] | pictures and files, named by their hash, bounded, pinned by evidence |
//! | [`loss`] | per device and day: what came and how it ended; it balances |
//! | [`quarantine`] | what was not stored and why, who knocked, who is connected |
//! | [`live`] | the latest of each device, pushed to subscribers |
//! | [`worker`] | the thread that drives settle and hands on what it did |
//! | [`projections`] | copies for other tools (InfluxDB), each with its own cursor |

pub mod blobs;
pub mod chunks;
pub mod journal;
pub mod live;
pub mod loss;
pub mod metrics;
pub mod projections;
pub mod quarantine;
pub mod settle;
pub mod worker;

#[cfg(test)]
mod testing;
