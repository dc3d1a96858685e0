//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

mod rules;

pub(crate) use rules::{Diff as RuleDiff, Files as RuleFiles, Rules};

#[derive(Debug, Parser)]
#[command(
    name = "lantian",
    version,
    about = "蓝天: devices, rules and cases of a district's environmental enforcement"
)]
#[command(after_help = "First steps:
  lantian admin create admin          an account; prints a one-time password
  lantian apply config/library        the shipped profiles, limits and rules
  lantian serve                       everything in one process, on embedded stores
  lantian device add --code fume-0001 --profile fume-mqtt    prints the device's credential once")]
pub(crate) struct Cli {
    /// Configuration file; without it the defaults of config/example.toml.
    #[arg(long, global = true, env = "LANTIAN_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all roles in one process.
    Serve,
    /// Accounts.
    #[command(subcommand)]
    Admin(Admin),
    /// Devices and their credentials.
    #[command(subcommand)]
    Device(Device),
    /// Claim codes: a device that shows one gets a credential of its own.
    #[command(subcommand)]
    Claim(Claim),
    /// Channels that speak for several devices, or read everything.
    #[command(subcommand)]
    Bridge(Bridge),
    /// Bring registers, profiles, limits and rules to what the TOML files of a folder say; all or nothing.
    #[command(after_help = "Examples:
  lantian apply config/library --dry-run
  lantian apply my-district/ --credentials credentials.json")]
    Apply(Apply),
    /// Write registers, profiles, limits and rules as files that `apply` reads.
    Export {
        /// A new or empty folder.
        dir: PathBuf,
        /// Write into a folder that is not empty; files of an earlier export that are no more are removed.
        #[arg(long)]
        force: bool,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Copy all data into a folder. The server must not run.
    Backup {
        /// A new or empty folder.
        to: PathBuf,
    },
    /// Bring a backup back into the configured, empty data folder.
    Restore { from: PathBuf },
    /// Print what was decided (episodes, alerts, cases) as lines of JSON.
    Dump(Wanted),
    /// Decide everything anew from the journal alone and print it like `dump`; changes nothing. The server must not run.
    #[command(after_help = "Example:
  diff <(lantian dump --decided) <(lantian replay --decided) && echo 'the same'

What people did (moves, notes, acknowledgements) is not in the journal and is not derived. --decided leaves out what
depends on it: once a person has closed a case, a later episode opens another one.")]
    Replay(Wanted),
    /// Explain a frame byte by byte: what each field says, what is wrong and where. HJ 212, JT/T 808, Modbus (TCP and RTU), MQTT packets and their JSON. Needs no configuration.
    #[command(after_help = "Examples:
  lantian explain '7e 00 02 00 00 01 39 00 00 00 42 00 01 79 7e'
  lantian explain '##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901'
  lantian explain '01 03 04 00 00 00 42 7A 02'
  lantian explain '{\"ts\":1763800000000,\"values\":{\"fume\":1.2}}'
  lantian explain --english < frame.txt
  xxd -p capture.bin | lantian explain")]
    Explain(Explain),
    /// Modbus from the command line.
    #[command(subcommand)]
    Modbus(Modbus),
    /// Write rules without fear: check, test, try on stored data, see what changes, ask why.
    #[command(subcommand)]
    Rules(Rules),
    /// Version, formats on disk.
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Modbus {
    /// Read a slave once: raw registers beside what each type and order of bytes makes of them. Stores nothing.
    #[command(after_help = "Examples:
  lantian modbus probe 192.168.1.20:502 --unit 1 --read 3:0:6
  lantian modbus probe rtu+tcp://192.168.1.21:8899 --scan 1-16
  lantian modbus probe /dev/ttyUSB0,9600,8N1 --read 40001:6
  lantian modbus probe 192.168.1.20:502 --map config/library/profiles-site.toml --profile dust-modbus
  lantian modbus probe listen:0.0.0.0:9502 --read 3:0:6     wait for a 4G modem (DTU), show its registration packet

Many devices and modems serve one master: stop the platform's polling of it first, or the two disturb each other.")]
    Probe(Probe),
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// host:port of Modbus TCP, rtu+tcp://host:port, /dev/ttyUSB0,9600,8N1, or listen:host:port to wait for a modem.
    pub(crate) address: String,
    #[arg(long, default_value_t = 1)]
    pub(crate) unit: u8,
    /// FUNCTION:ADDRESS:COUNT with the address from 0, or a manual's number and a count, as 40001:6. May be given again.
    #[arg(long)]
    pub(crate) read: Vec<String>,
    /// Read what a profile's registers say, from a file such as config/library/profiles-site.toml.
    #[arg(long)]
    pub(crate) map: Option<PathBuf>,
    /// Which profile of that file.
    #[arg(long, requires = "map")]
    pub(crate) profile: Option<String>,
    /// Ask these units, FROM-TO, whether they are there.
    #[arg(long)]
    pub(crate) scan: Option<String>,
    #[arg(long, default_value_t = 1_000)]
    pub(crate) timeout_ms: u64,
    /// Pause before each question.
    #[arg(long, default_value_t = 20)]
    pub(crate) pause_ms: u64,
    /// Words in English.
    #[arg(long)]
    pub(crate) english: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The frame: text that starts with ##, or hex with or without spaces. Without it standard input is read.
    pub(crate) frame: Vec<String>,
    /// Words in English.
    #[arg(long)]
    pub(crate) english: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Wanted {
    /// Only the verdict set: alerts, and when a case fell due; without case files and without what people did.
    #[arg(long)]
    decided: bool,
}

impl Wanted {
    pub(crate) const fn part(self) -> Part {
        if self.decided { Part::Decided } else { Part::All }
    }
}

/// What of a dump is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Decided,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Create an administrator; prints a one-time password that must be changed at the first login.
    Create { name: String },
    /// Let an account log in again that wrong passwords have made wait; its password stays.
    Unlock { name: String },
    /// Give an account a one-time password; ends its sessions and its waiting.
    Reset { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Add a device; prints its credential, once.
    #[command(after_help = "Examples:
  lantian device add --code fume-0001 --profile fume-mqtt --subject r-0001
  lantian device add --code dust-1 --profile dust-hj212-ug --identity 4101000000000000000000A1")]
    Add(DeviceAdd),
    /// Make many devices with their credentials out of a CSV table; all or nothing.
    #[command(after_help = "Examples:
  lantian device import devices.csv --dry-run
  lantian device import devices.csv --credentials handed-out.csv

Columns: code, protocol, identity, profile, and if wanted name, vendor, enabled, password (HJ 212: one that the device has
already), terminal (JT/T 808: the only terminal that may register). Chinese headers do as well: 编码 协议 标识 型号配置 密码 终端.")]
    Import(DeviceImport),
    /// Give a device a new credential; the old one ends at once, and another JT/T 808 terminal may take the phone.
    Rotate {
        code: String,
        /// The only JT/T 808 terminal that may take it: its terminal id, or maker/terminal id. Else the first that asks.
        #[arg(long)]
        terminal: Option<String>,
    },
    /// Put a command in a device's line; the running server sends it.
    #[command(after_help = "Examples:
  lantian device command dust-1 '{\"kind\":\"hj212_set_time\"}'
  lantian device command dust-1 '{\"kind\":\"hj212_history\",\"what\":\"minute\",\"from\":\"2026-01-01T08:00:00+08:00\",\"to\":\"2026-01-01T09:00:00+08:00\"}'
  lantian device command truck-7 '{\"kind\":\"jt808_text\",\"text\":\"请覆盖篷布\"}' --wait-s 3600")]
    Command {
        code: String,
        /// JSON; docs/commands.md lists the kinds.
        command: String,
        /// Seconds it may wait for the device and its answer, 10 to 604800.
        #[arg(long, default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(10..=604_800))]
        wait_s: u64,
    },
    /// What a device was told and what became of it, newest first.
    Commands { code: String },
}

#[derive(Debug, Args)]
pub(crate) struct DeviceImport {
    pub(crate) file: PathBuf,
    /// Tell every problem at its line and column, change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// New file for the credentials of the new devices, as CSV (readable by you only); they are shown nowhere else.
    #[arg(long, required_unless_present = "dry_run")]
    pub(crate) credentials: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Claim {
    /// Make a claim code; prints it, once.
    #[command(after_help = "Examples:
  lantian claim add 'street 7' --profile fume-mqtt --prefix s7- --count 200 --days 30
  lantian claim add 'spring delivery' --profile dust-hj212-ug --count 50 --days 14 --pending")]
    Add(ClaimAdd),
    /// List the claim codes.
    List,
    /// No device gets anything for it any more; those it made stay.
    Revoke { id: i64 },
}

#[derive(Debug, Args)]
pub(crate) struct ClaimAdd {
    /// For the list.
    pub(crate) name: String,
    #[arg(long)]
    pub(crate) profile: String,
    /// Codes of its devices begin so; their serial follows.
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,
    #[arg(long, default_value = "")]
    pub(crate) vendor: String,
    /// Devices it may make.
    #[arg(long)]
    pub(crate) count: u32,
    #[arg(long)]
    pub(crate) days: u16,
    /// Its devices wait, switched off, until a person switches them on.
    #[arg(long)]
    pub(crate) pending: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bridge {
    /// Add a channel; prints its MQTT credential, once.
    #[command(after_help = "Examples:
  lantian bridge add staff-tool --observer
  lantian bridge add street-7 --prefix fume-07
  lantian bridge add modem-3 --device dust-3 --device noise-3")]
    Add(BridgeAdd),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("grant").required(true)))]
pub(crate) struct BridgeAdd {
    pub(crate) name: String,
    /// Reads all streams, publishes nothing.
    #[arg(long, group = "grant")]
    pub(crate) observer: bool,
    /// Speaks for every device whose code begins so.
    #[arg(long, group = "grant")]
    pub(crate) prefix: Option<String>,
    /// Speaks for this device; may be given several times.
    #[arg(long, group = "grant", value_name = "CODE")]
    pub(crate) device: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceAdd {
    /// Unique name, small letters, digits and hyphens.
    #[arg(long)]
    pub(crate) code: String,
    #[arg(long)]
    pub(crate) profile: String,
    /// MN (HJ 212), phone (JT/T 808) or MQTT user name; for MQTT and Modbus the code when left out.
    #[arg(long)]
    pub(crate) identity: Option<String>,
    /// The only JT/T 808 terminal that may register: its terminal id, or maker/terminal id. Else the first that asks.
    #[arg(long)]
    pub(crate) terminal: Option<String>,
    /// Shown name.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    #[arg(long, default_value = "")]
    pub(crate) vendor: String,
    /// Code of the restaurant, site, gate or truck it is installed at.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Where a Modbus device is polled: `host:port`, `rtu+tcp://host:port`, `dtu://identity` or `/dev/ttyUSB0,9600,8N1`.
    #[arg(long)]
    pub(crate) modbus: Option<String>,
    #[arg(long, default_value_t = 1)]
    pub(crate) modbus_unit: u8,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    pub(crate) dir: PathBuf,
    /// Say what would change, change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Hand out credentials to the devices of the registers that have none, into this file (readable by you only).
    #[arg(long)]
    pub(crate) credentials: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration file; names every problem with its key.
    Check,
}
