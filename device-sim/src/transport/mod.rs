//! The wires: one [`Link`] a device. A link connects by itself, again after a loss, and sends again what was not
//! acknowledged; so a server sees what a real fleet would send.

mod hj212;
mod jt808;
pub mod modbus;
mod mqtt;
mod tcp;

pub(crate) use hj212::Logger;
pub(crate) use jt808::Terminal;
pub(crate) use tcp::{Dialect, Heard};

use crate::district::Wire;
use crate::fleet::{Secret, Tally};
use crate::obey::{Manners, Memory};
use anyhow::{Result, bail};
use model::geo::Wgs84;
use std::time::Duration;

/// Where the server listens.
#[derive(Debug, Clone)]
pub struct Targets {
    pub mqtt: String,
    pub hj212: String,
    pub jt808: String,
    /// Washers answer Modbus at this host, one port each from this one up.
    pub modbus_host: String,
    pub modbus_first_port: u16,
    /// Where modems dial in; without it their sites are dialled.
    pub dtu: Option<String>,
}

/// One message of a device, before its frame is built.
#[derive(Debug, Clone)]
pub enum Payload {
    Json {
        topic: String,
        text: String,
    },
    /// HJ 212 data: command number, data time, `code-field=value` items.
    Hj212 {
        cn: u16,
        at_ms: i64,
        items: String,
    },
    /// Where a truck is.
    Position {
        place: Wgs84,
        speed_kmh: f64,
        heading_deg: u16,
        fixed: bool,
        at_ms: i64,
    },
    /// What a truck's camera saw, in sub-packets.
    Picture {
        place: Wgs84,
        speed_kmh: f64,
        heading_deg: u16,
        at_ms: i64,
        jpeg: Vec<u8>,
    },
    /// An alarm of active safety (Su-biao) whose picture is sent when the platform asks for it.
    Alarm {
        place: Wgs84,
        speed_kmh: f64,
        heading_deg: u16,
        at_ms: i64,
    },
    /// Nothing is sent; a Modbus server answers when it is asked.
    Polled {
        at_ms: i64,
    },
}

#[derive(Debug)]
pub enum Link {
    Mqtt(Box<mqtt::MqttLink>),
    Hj212(tcp::FrameLink<Logger>),
    Jt808(tcp::FrameLink<Terminal>),
    Modbus(modbus::Washer),
}

/// Who a device is on its wire.
#[derive(Clone)]
pub struct Person<'a> {
    /// Its code.
    pub name: &'a str,
    pub secret: &'a Secret,
    pub manners: Manners,
    pub memory: Memory,
}

impl std::fmt::Debug for Person<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("name", &self.name).field("manners", &self.manners).finish_non_exhaustive()
    }
}

/// A link over a device's wire; it connects when it first sends.
pub fn connect(wire: Wire, who: &Person<'_>, targets: &Targets) -> Result<Link> {
    let secret = who.secret;
    Ok(match wire {
        Wire::Mqtt => Link::Mqtt(Box::new(mqtt::MqttLink::new(&targets.mqtt, who)?)),
        Wire::Hj212 => Link::Hj212(tcp::FrameLink::new(&targets.hj212, Logger::of(who))),
        Wire::Jt808 => {
            let terminal = Terminal::with(&secret.identity, who.manners)?;
            Link::Jt808(tcp::FrameLink::new(&targets.jt808, terminal))
        }
        Wire::Modbus => bail!("a Modbus device is polled; it has no link of its own"),
    })
}

impl Link {
    pub async fn send(&mut self, payload: Payload, tally: &Tally) -> Result<()> {
        match self {
            Self::Mqtt(link) => link.send(payload, tally).await,
            Self::Hj212(link) => link.send(&payload, tally).await,
            Self::Jt808(link) => link.send(&payload, tally).await,
            Self::Modbus(washer) => {
                washer.show(&payload);
                tally.acknowledged.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Waits, reading answers meanwhile.
    pub async fn idle(&mut self, time: Duration, tally: &Tally) {
        match self {
            Self::Mqtt(link) => link.idle(time, tally).await,
            Self::Hj212(link) => link.idle(time, tally).await,
            Self::Jt808(link) => link.idle(time, tally).await,
            Self::Modbus(_) => tokio::time::sleep(time).await,
        }
    }

    /// Waits until everything sent is acknowledged.
    ///
    /// # Errors
    /// When it is not within `time`.
    pub async fn drain(&mut self, time: Duration, tally: &Tally) -> Result<()> {
        match self {
            Self::Mqtt(link) => link.drain(time, tally).await,
            Self::Hj212(link) => link.drain(time, tally).await,
            Self::Jt808(link) => link.drain(time, tally).await,
            Self::Modbus(_) => Ok(()),
        }
    }
}
