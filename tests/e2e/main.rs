//! Whole-system tests. One binary; each test starts its own servers on free loopback ports in a folder of its own. A
//! test's name is the promise it keeps.

mod access;
mod crash;
mod durability;
mod operator;
mod projection;
mod stock;
mod verdicts;
mod wire;
