//! Where a Modbus slave is reached, and how a 4G modem (DTU) that dials in names itself. Text that a person writes becomes
//! these types once; what the bytes mean is `protocol::modbus`'s, who opens what is the gateway's.
//!
//! ```text
//! 192.168.1.20:502             Modbus TCP; tcp://… says the same
//! rtu+tcp://192.168.1.21:8899  RTU frames over TCP, dialled: a serial server, a transparent modem that listens
//! dtu://860000000000001        RTU frames over TCP, dialled in: the modem whose registration packet says so
//! /dev/ttyUSB0,9600,8N1        RTU on a serial port of this machine; 9600,8N1 may be left out
//! ```

use crate::register::Register;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A bus: one connection, one outstanding request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `host:port` of a Modbus TCP server.
    Tcp(String),
    /// `host:port` that carries RTU frames.
    RtuOverTcp(String),
    Serial(SerialPort),
    /// What the modem's registration packet names.
    Dtu(String),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialPort {
    /// Below `/dev/`.
    pub path: String,
    pub baud: u32,
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// What is wrong with an address, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EndpointError(String);

pub const BAUD_DEFAULT: u32 = 9_600;
const BAUDS: std::ops::RangeInclusive<u32> = 300..=921_600;
const IDENTITY_CHARS_MAX: usize = 64;
const FORMS: &str =
    "write 192.168.1.20:502, rtu+tcp://192.168.1.21:8899, dtu://860000000000001 or /dev/ttyUSB0,9600,8N1";

impl Endpoint {
    /// RTU frames: unit and check in each, no number that ties an answer to its request.
    pub const fn is_rtu(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// The serial port's path; two buses cannot share it.
    pub fn serial_path(&self) -> Option<&str> {
        match self {
            Self::Serial(port) => Some(&port.path),
            _ => None,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("rtu+tcp://") {
            return host_port(rest).map(Self::RtuOverTcp);
        }
        if let Some(identity) = text.strip_prefix("dtu://") {
            let right =
                (1..=IDENTITY_CHARS_MAX).contains(&identity.len()) && identity.chars().all(|c| c.is_ascii_graphic());
            return if right {
                Ok(Self::Dtu(identity.to_owned()))
            } else {
                Err(EndpointError(format!(
                    "a modem is named by 1 to {IDENTITY_CHARS_MAX} visible ASCII characters: dtu://860000000000001"
                )))
            };
        }
        if let Some(port) = text.strip_prefix("serial:").or(text.starts_with('/').then_some(text)) {
            return serial(port).map(Self::Serial);
        }
        host_port(text.strip_prefix("tcp://").unwrap_or(text)).map(Self::Tcp)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::RtuOverTcp(address) => write!(f, "rtu+tcp://{address}"),
            Self::Dtu(identity) => write!(f, "dtu://{identity}"),
            Self::Serial(SerialPort { path, baud, parity, stop_bits }) => {
                write!(f, "{path},{baud},8{}{stop_bits}", parity.letter())
            }
        }
    }
}

impl Parity {
    pub const fn letter(self) -> char {
        match self {
            Self::None => 'N',
            Self::Even => 'E',
            Self::Odd => 'O',
        }
    }
}

fn host_port(text: &str) -> Result<String, EndpointError> {
    let right = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.contains(|c: char| c == '/' || c.is_whitespace())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if right { Ok(text.to_owned()) } else { Err(EndpointError(format!("{text:?} is no host:port; {FORMS}"))) }
}

fn serial(text: &str) -> Result<SerialPort, EndpointError> {
    let mut parts = text.split(',').map(str::trim);
    let path = parts.next().unwrap_or_default();
    // A path from a form is opened and written to: only what is a device by its place, see also the gateway's check.
    let inside = path.strip_prefix("/dev/").is_some_and(|rest| !rest.is_empty() && !rest.split('/').any(|p| p == ".."));
    if !inside {
        return Err(EndpointError(format!("{path:?} is no serial port; write a path below /dev/, as /dev/ttyUSB0")));
    }
    let baud = match parts.next() {
        None | Some("") => BAUD_DEFAULT,
        Some(text) => text.parse().ok().filter(|baud| BAUDS.contains(baud)).ok_or_else(|| {
            EndpointError(format!("{text:?} is no speed; write {} to {} bit/s, as 9600", BAUDS.start(), BAUDS.end()))
        })?,
    };
    let format = parts.next().unwrap_or("8N1").to_ascii_uppercase();
    let (parity, stop_bits) = match format.as_str() {
        "8N1" => (Parity::None, 1),
        "8N2" => (Parity::None, 2),
        "8E1" => (Parity::Even, 1),
        "8E2" => (Parity::Even, 2),
        "8O1" => (Parity::Odd, 1),
        "8O2" => (Parity::Odd, 2),
        _ => {
            return Err(EndpointError(format!(
                "{format:?} is no character format; write 8N1, 8E1, 8O1, 8N2, 8E2 or 8O2"
            )));
        }
    };
    match parts.next() {
        None => Ok(SerialPort { path: path.to_owned(), baud, parity, stop_bits }),
        Some(more) => Err(EndpointError(format!("{more:?} is too much; write /dev/ttyUSB0,9600,8N1"))),
    }
}

/// Whom a Modbus poller dials, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusPoll {
    /// As [`Endpoint`] is written: `host:port`, `rtu+tcp://host:port`, `dtu://identity`, `/dev/ttyUSB0,9600,8N1`.
    pub address: String,
    pub unit: u8,
    #[serde(default = "poll_ms")]
    pub interval_ms: u32,
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    /// Pause between two requests on one connection.
    #[serde(default)]
    pub pause_ms: u32,
    /// Registers between two wanted ones that may be read along in one block.
    #[serde(default = "max_gap")]
    pub max_gap: u16,
    /// Registers of one request at most; some slaves take fewer than the standard's 125.
    #[serde(default = "max_registers")]
    pub max_registers: u16,
    /// Ask again so often when an answer does not come or is damaged, before the poll counts as failed.
    #[serde(default)]
    pub retries: u8,
    /// Ask again so often when the slave says that it is busy (exceptions 5 and 6).
    #[serde(default)]
    pub busy_retries: u8,
    /// Pause before each of those.
    #[serde(default)]
    pub busy_wait_ms: u32,
    /// Pause between the connection and its first request.
    #[serde(default)]
    pub connect_pause_ms: u32,
    /// Give the connection up after each poll; some gateways serve one client at a time.
    #[serde(default)]
    pub close_after_poll: bool,
    /// Read every register in a request of its own.
    #[serde(default)]
    pub one_by_one: bool,
    /// Coils are read from 0 on; some slaves know no other way.
    #[serde(default)]
    pub coils_from_zero: bool,
    /// For `dtu://…`: what the modem says first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtu: Option<DtuPacket>,
    /// Filled from the profile by the directory.
    #[serde(default)]
    pub registers: Vec<Register>,
}

const fn poll_ms() -> u32 {
    10_000
}
const fn timeout_ms() -> u32 {
    1_000
}
const fn max_gap() -> u16 {
    8
}
const fn max_registers() -> u16 {
    125
}

impl ModbusPoll {
    /// With everything else as it is when it is not written.
    pub fn new(address: impl Into<String>, unit: u8) -> Self {
        Self {
            address: address.into(),
            unit,
            interval_ms: poll_ms(),
            timeout_ms: timeout_ms(),
            pause_ms: 0,
            max_gap: max_gap(),
            max_registers: max_registers(),
            retries: 0,
            busy_retries: 0,
            busy_wait_ms: 0,
            connect_pause_ms: 0,
            close_after_poll: false,
            one_by_one: false,
            coils_from_zero: false,
            dtu: None,
            registers: Vec::new(),
        }
    }
}

/// What a modem sends first, so that it is known whose line it is. All devices behind one modem say the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DtuPacket {
    #[serde(default)]
    pub form: DtuForm,
    /// Before the identity: text, or `hex:FE FE`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Behind the identity, for `framed`: text, or `hex:0D 0A`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
    /// What it sends now and then to keep the line open: text, or `hex:00`. It is no answer to anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub heartbeat: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtuForm {
    /// The identity's characters and no more; nothing ends them.
    #[default]
    Text,
    /// The identity as a line, ended by CR, LF or both.
    Line,
    /// `prefix`, then as many bytes as the identity has pairs of hex digits.
    Hex,
    /// `prefix`, the identity's characters, `suffix`.
    Framed,
}

impl DtuPacket {
    /// The bytes of a text field.
    ///
    /// # Errors
    /// `hex:` is followed by something else than pairs of hex digits, or there are more than 64 bytes.
    pub fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
        const BYTES_MAX: usize = 64;
        let bytes = match text.strip_prefix("hex:") {
            None => text.as_bytes().to_vec(),
            Some(hex) => {
                let digits: Option<Vec<u8>> = hex
                    .chars()
                    .filter(|c| !c.is_whitespace())
                    .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
                    .collect();
                let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
                let digits = digits.ok_or("write hex:, then pairs of hex digits, as hex:FE FE")?;
                digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
            }
        };
        if bytes.len() > BYTES_MAX { Err("write at most 64 bytes") } else { Ok(bytes) }
    }

    /// What does not fit together, by field.
    pub fn problems(&self, identity: &str) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        for (field, text) in [("prefix", &self.prefix), ("suffix", &self.suffix), ("heartbeat", &self.heartbeat)] {
            problems.extend(Self::bytes(text).err().map(|why| (field, why)));
        }
        let wanted = match self.form {
            DtuForm::Text | DtuForm::Line => (false, false),
            DtuForm::Hex => (true, false),
            DtuForm::Framed => (true, true),
        };
        if !wanted.0 && !self.prefix.is_empty() {
            problems.push(("prefix", "only the forms hex and framed have a prefix"));
        }
        if !wanted.1 && !self.suffix.is_empty() {
            problems.push(("suffix", "only the form framed has a suffix"));
        }
        if self.form == DtuForm::Framed && self.suffix.is_empty() {
            problems.push(("suffix", "write what ends the identity, or use the form text"));
        }
        let hex =
            !identity.is_empty() && identity.len().is_multiple_of(2) && identity.chars().all(|c| c.is_ascii_hexdigit());
        if self.form == DtuForm::Hex && !hex {
            problems.push(("form", "the identity of the form hex is written as pairs of hex digits: dtu://12345678"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_read_and_written() {
        for (text, again) in [
            ("192.168.1.20:502", "192.168.1.20:502"),
            ("tcp://plc.example:502", "plc.example:502"),
            ("[::1]:502", "[::1]:502"),
            ("rtu+tcp://10.0.0.7:8899", "rtu+tcp://10.0.0.7:8899"),
            ("dtu://860000000000001", "dtu://860000000000001"),
            ("/dev/ttyUSB0", "/dev/ttyUSB0,9600,8N1"),
            ("serial:/dev/ttyS1, 19200, 8e1", "/dev/ttyS1,19200,8E1"),
            ("/dev/pts/3,115200,8O2", "/dev/pts/3,115200,8O2"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(endpoint.to_string(), again);
            assert_eq!(again.parse::<Endpoint>().unwrap(), endpoint);
        }
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for (text, says) in [
            ("192.168.1.20", "host:port"),
            ("http://10.0.0.1:80", "host:port"),
            ("10.0.0.1:0", "host:port"),
            ("/etc/passwd", "below /dev/"),
            ("/dev/../etc/passwd", "below /dev/"),
            ("/dev/ttyUSB0,12", "bit/s"),
            ("/dev/ttyUSB0,9600,7E1", "8N1"),
            ("/dev/ttyUSB0,9600,8N1,x", "too much"),
            ("dtu://", "named"),
            ("dtu://a b", "named"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_packets_bytes_are_text_or_hex() {
        assert_eq!(DtuPacket::bytes("REG:"), Ok(b"REG:".to_vec()));
        assert_eq!(DtuPacket::bytes("hex:FE fe 00"), Ok(vec![0xFE, 0xFE, 0]));
        assert!(DtuPacket::bytes("hex:F").is_err() && DtuPacket::bytes("hex:xy").is_err());
        let packet = DtuPacket { form: DtuForm::Hex, suffix: "#".into(), ..DtuPacket::default() };
        let fields: Vec<_> = packet.problems("123").into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["suffix", "form"]);
        assert!(DtuPacket::default().problems("anything").is_empty());
    }
}
