//! A simulated district on a server: registers applied, credentials handed out, and its fleet.

use crate::Server;
use crate::process::{Running, binary, output};
use anyhow::{Context, Result};
use device_sim::district::{District, Size};
use device_sim::fleet::Secrets;
use std::path::PathBuf;
use std::process::Command;

/// What a fleet is given.
#[derive(Debug, Clone)]
pub struct Staged {
    pub size: Size,
    pub first_modbus_port: u16,
    pub registers: PathBuf,
    pub credentials: PathBuf,
}

/// Writes the registers of a district, applies them with the shipped library, and hands out credentials. `rules` is
/// `config/library` or `config/demo`.
pub fn stage(server: &Server, size: Size, rules: &str) -> Result<Staged> {
    let registers = server.folder.join("district");
    let first_modbus_port = crate::free_ports(u16::try_from(size.sites).context("too many sites")?.max(1))?;
    // The demonstration has papers; the others compare with a truth that knows none.
    let papers = (rules == "config/demo").then(|| "--papers".to_owned());
    output(
        &binary("device-sim")?,
        [
            "district".to_owned(),
            format!("--seed={}", size.seed),
            format!("--restaurants={}", size.restaurants),
            format!("--sites={}", size.sites),
            format!("--trucks={}", size.trucks),
            format!("--modbus-first-port={first_modbus_port}"),
            "--modems".to_owned(),
            format!("--out={}", registers.display()),
        ]
        .into_iter()
        .chain(papers),
    )?;
    let credentials = server.folder.join("credentials.json");
    let root = crate::tools::root();
    // The library without its rules, then the rules: each rule's first version is the one that judges.
    let library = server.folder.join("library");
    std::fs::create_dir_all(&library)?;
    for entry in std::fs::read_dir(root.join("config/library"))? {
        let path = entry?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            std::fs::copy(&path, library.join(name))?;
        }
    }
    server.command(&["apply", &library.to_string_lossy()])?;
    server.command(&["apply", &root.join(rules).to_string_lossy()])?;
    server.command(&["apply", &registers.to_string_lossy(), "--credentials", &credentials.to_string_lossy()])?;
    Ok(Staged { size, first_modbus_port, registers, credentials })
}

impl Staged {
    pub fn district(&self) -> District {
        District::generate(self.size)
    }

    pub fn secrets(&self) -> Result<Secrets> {
        let text = std::fs::read_to_string(&self.credentials).context("read the credentials")?;
        serde_json::from_str(&text).context("read the credentials")
    }

    /// Starts `device-sim fleet` against the server, with more arguments.
    pub fn fleet(&self, server: &Server, more: &[&str]) -> Result<Running> {
        let to = server.addresses();
        let mut command = Command::new(binary("device-sim")?);
        command.arg("fleet").args([
            format!("--seed={}", self.size.seed),
            format!("--restaurants={}", self.size.restaurants),
            format!("--sites={}", self.size.sites),
            format!("--trucks={}", self.size.trucks),
            format!("--mqtt={}", to.mqtt),
            format!("--hj212={}", to.hj212),
            format!("--jt808={}", to.jt808),
            format!("--dtu={}", to.dtu),
            format!("--modbus-first-port={}", self.first_modbus_port),
            format!("--credentials={}", self.credentials.display()),
        ]);
        command.args(more);
        Running::start("device-sim", command, &server.folder.join("device-sim.log"))
    }
}
