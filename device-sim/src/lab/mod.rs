//! The lab: takes a real device on its wire, explains each frame live, answers as the platform would, tries how it takes a
//! withheld answer, a command and a cut, and lists what it did wrong, with clause and byte offset.
//!
//! [`desk`] is what each protocol's side is ([`hj212`], [`jt808`], [`mqtt`]; [`modbus`] polls), pure and without sockets;
//! [`trial`] the tests in their order; [`book`] what is written down under the checks of [`catalogue`]; [`listen`] the sockets;
//! [`screen`] and [`report`] what people see; [`record`] frames in files.

pub mod book;
pub mod catalogue;
mod clock;
pub mod desk;
pub mod hj212;
pub mod jt808;
pub mod listen;
pub mod modbus;
pub mod mqtt;
pub mod record;
pub mod report;
pub mod screen;
pub mod trial;
mod values;
