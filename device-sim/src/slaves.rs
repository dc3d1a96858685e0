//! `device-sim slaves`: Modbus RTU slaves over TCP, dialled or dialling, for trying a platform, a probe or a map.

use anyhow::{Context, Result, ensure};
use clap::Args;
use device_sim::rtu::{Bus, LineFaults, Modem, Slaves, dial, listen};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("way").required(true)))]
pub(crate) struct SlavesArgs {
    /// Be a serial server at this address.
    #[arg(long, group = "way")]
    listen: Option<String>,
    /// Be a modem that dials this address.
    #[arg(long, group = "way")]
    dial: Option<String>,
    /// What the modem says first: text, or hex:FEFE01.
    #[arg(long, default_value = "860000000000001", requires = "dial")]
    registration: String,
    /// What it says now and then.
    #[arg(long, default_value = "", requires = "dial")]
    heartbeat: String,
    #[arg(long, default_value_t = 30)]
    heartbeat_s: u64,
    /// Units that answer; a question to another is not answered, as by a dead slave.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    units: Vec<u8>,
    /// Registers from address 0 on, of every unit: a dust instrument with TSP 120, PM10 66 and PM2.5 35.
    #[arg(long, value_delimiter = ',', default_value = "0,120,0,66,0,35")]
    registers: Vec<u16>,
    /// Share of answers that come late.
    #[arg(long, default_value_t = 0.0)]
    late: f64,
    #[arg(long, default_value_t = 1_300)]
    late_ms: u64,
    /// Share of answers with a wrong check.
    #[arg(long, default_value_t = 0.0)]
    damaged: f64,
    /// Share of questions answered by "busy".
    #[arg(long, default_value_t = 0.0)]
    busy: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

struct Alike {
    units: Vec<u8>,
    registers: Vec<u16>,
}

impl Slaves for Alike {
    fn registers(&self, unit: u8) -> Option<Vec<u16>> {
        self.units.contains(&unit).then(|| self.registers.clone())
    }
}

pub(crate) async fn run(wanted: SlavesArgs) -> Result<()> {
    let share = |share: f64| (0.0..=1.0).contains(&share);
    let SlavesArgs { late, damaged, busy, .. } = wanted;
    ensure!(
        share(late) && share(damaged) && share(busy) && late + damaged + busy <= 1.0,
        "take shares of 0 to 1 in all"
    );
    let faults = LineFaults { late, late_by: Duration::from_millis(wanted.late_ms), damaged, busy };
    let slaves = Arc::new(Alike { units: wanted.units, registers: wanted.registers });
    let bus = Bus { slaves, faults, seed: wanted.seed };
    let bytes = |text: &str| model::modbus::DtuPacket::bytes(text).map_err(anyhow::Error::msg);
    if let Some(address) = wanted.listen {
        listen(address.parse().with_context(|| format!("read the address {address:?}"))?, bus).await?;
        println!("slaves {address}");
    } else if let Some(target) = wanted.dial {
        let modem = Modem {
            registration: bytes(&wanted.registration).context("read --registration")?,
            heartbeat: bytes(&wanted.heartbeat).context("read --heartbeat")?,
            heartbeat_every: Duration::from_secs(wanted.heartbeat_s),
        };
        tokio::spawn(async move { dial(&target, &modem, &bus).await });
    }
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")
}
