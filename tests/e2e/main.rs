//! Whole-system tests. One binary; each test starts its own servers on free loopback ports in a folder of its own. A
//! test's name is the promise it keeps.
#![allow(clippy::unnecessary_debug_formatting, reason = "paths are quoted into TOML files")]
#![allow(clippy::duration_suboptimal_units, reason = "limits are compared in seconds")]

mod access;
mod adversary;
mod audit;
mod brokers;
mod commands;
mod conventions;
mod crash;
mod durability;
mod modbus;
mod notify;
mod operator;
mod packets;
mod pictures;
mod projection;
mod secured;
mod stock;
mod verdicts;
mod wire;
