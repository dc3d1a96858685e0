//! Who speaks on a channel and for which devices.

use crate::envelope::ProtocolKind;
use crate::id::{DeviceId, PrincipalId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which devices a principal may speak for. A payload or topic may name a device only within these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grants {
    /// One device: the ordinary case.
    One(DeviceId),
    /// A list: a multi-factor logger or gateway.
    Many(Vec<DeviceId>),
    /// Devices whose code starts so: a bridge. Resolved by [`crate::seams::DeviceDirectory::device_by_code`].
    Prefix(String),
    /// Reads the fan-out of everything and publishes nothing: staff tools.
    Observer,
}

/// An authenticated channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub id: PrincipalId,
    pub name: Arc<str>,
    pub grants: Grants,
    /// Raised when the credential changes; a connection with an older one is cut.
    pub credential_version: u32,
}

impl Grants {
    /// Whether they hold the device of that id and code.
    pub fn hold(&self, device: DeviceId, code: &str) -> bool {
        match self {
            Self::One(own) => *own == device,
            Self::Many(list) => list.contains(&device),
            Self::Prefix(prefix) => code.starts_with(prefix.as_str()),
            Self::Observer => false,
        }
    }
}

impl Principal {
    /// Whether it may speak for the device; not whether the device is switched on.
    pub fn speaks_for(&self, device: &DeviceAtEdge) -> bool {
        self.grants.hold(device.id, &device.code)
    }
}

/// What a channel shows to be let in.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// User name = device code (or bridge name), password = token.
    Mqtt { client_id: &'a str, username: Option<&'a str>, password: Option<&'a [u8]> },
    /// MN and PW of each frame.
    Hj212 { mn: &'a str, password: &'a str },
    /// 0x0102: authentication code bound to the phone (hex digits of the header's BCD).
    Jt808 { phone: &'a str, auth_code: &'a [u8] },
}

/// The answer to an [`Attempt`].
#[derive(Debug, Clone)]
pub enum Admission {
    Granted(Arc<Principal>),
    /// The identity is known, the secret is wrong. Never an acknowledgement.
    WrongSecret,
    /// Goes to the quarantine list.
    UnknownIdentity,
    /// Known and switched off.
    Disabled,
}

/// The answer to a JT/T 808 terminal that asks for its authentication code (0x0100).
#[derive(Debug, Clone)]
pub enum Registration {
    /// It holds the phone, and that is on disk.
    Granted(Bytes),
    /// It is the first under this credential: the answer comes once that is on disk.
    Pending,
    /// Another terminal holds the phone. `holder`: its name; `None`: the code was set by hand and no terminal may ask.
    Taken { device: Arc<DeviceAtEdge>, holder: Option<Arc<str>> },
    /// The phone is of no device that has a credential.
    Unknown,
    /// It could not be written down. No answer: the terminal asks again.
    Unavailable,
}

/// A strictness toward wrong check codes and lengths, per device profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// Not acknowledged; a sample of the raw bytes is kept.
    #[default]
    Reject,
    /// Acknowledged, stored with a remark, counted.
    Warn,
    /// Acknowledged, stored with a remark.
    Accept,
}

/// What the edge must know of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceAtEdge {
    pub id: DeviceId,
    /// Unique name in topics and lists: `[a-z0-9][a-z0-9-]{0,47}`.
    pub code: Arc<str>,
    pub protocol: ProtocolKind,
    /// MN, phone digits, MQTT user name, or the Modbus target.
    pub identity: Arc<str>,
    pub strictness: Strictness,
    /// Minutes its clock is ahead of UTC.
    pub offset_minutes: i32,
    /// The principal when the device connects by itself.
    pub principal: PrincipalId,
    /// For Modbus devices: whom to dial and how; see [`crate::register::ModbusPoll`].
    pub poll: Option<Arc<crate::register::ModbusPoll>>,
    pub enabled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_speaks_for_what_it_is_granted_and_an_observer_for_nothing() {
        let held = |grants: Grants| {
            [(1, "fume-1"), (2, "fume-2"), (3, "dust-1")].map(|(id, code)| grants.hold(DeviceId(id), code))
        };
        assert_eq!(held(Grants::One(DeviceId(2))), [false, true, false]);
        assert_eq!(held(Grants::Many(vec![DeviceId(1), DeviceId(3)])), [true, false, true]);
        assert_eq!(held(Grants::Prefix("fume-".into())), [true, true, false]);
        assert_eq!(held(Grants::Observer), [false; 3]);
    }
}
