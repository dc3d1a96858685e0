//! What every protocol's desk is: bytes and time in, bytes and things to show out. No sockets here, so that recorded frames
//! and tests go the same way as a live device.

use super::book::{Book, Finding, Label2, Protocol};
use protocol::explain::Explained;
use std::fmt::Debug;

/// Devices that one desk keeps books of.
pub const DEVICES_MAX: usize = 64;

/// A frame to be shown.
#[derive(Debug, Clone)]
pub struct Shown {
    pub protocol: Protocol,
    pub link: u64,
    /// Empty until the device has named itself.
    pub device: String,
    pub up: bool,
    /// Of the device's frames, from 1.
    pub number: u64,
    pub at_ms: i64,
    pub explained: Explained,
    /// What is wrong beyond what the explanation says, and new.
    pub findings: Vec<Finding>,
    /// As on the wire, to be recorded.
    pub wire: Vec<u8>,
}

#[derive(Debug, Clone)]
pub enum Action {
    Show(Box<Shown>),
    Send(Vec<u8>),
    Close,
    /// What the lab does, in words.
    Say(Label2),
}

/// One protocol's side of the lab.
pub trait Desk: Send + Debug {
    fn opened(&mut self, link: u64, now: i64, out: &mut Vec<Action>);
    fn heard(&mut self, link: u64, bytes: &[u8], now: i64, out: &mut Vec<Action>);
    /// Time passed; called a few times a second for each open link.
    fn tick(&mut self, link: u64, now: i64, out: &mut Vec<Action>);
    fn closed(&mut self, link: u64, now: i64);
    /// The run is over: what can only be told now.
    fn finish(&mut self, now: i64);
    fn books(&self) -> Vec<&Book>;
    /// Every device's tests are over, and there is one.
    fn is_done(&self) -> bool;
}

pub fn say(zh: impl Into<String>, en: impl Into<String>) -> Action {
    Action::Say(Label2 { zh: zh.into(), en: en.into() })
}
