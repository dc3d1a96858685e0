//! One `lantian serve` on free ports with its data in a folder, started, killed and started again.

use crate::process::{Running, binary, output};
use crate::{Api, eventually};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Lines of configuration beside the listeners.
    pub config: String,
    /// `None`: SQLite.
    pub postgres_url: Option<String>,
    /// Wrap the command: `["strace", "-f", …]`.
    pub wrap: Vec<String>,
    /// A page folder to serve instead of the embedded one.
    pub web_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Addresses {
    pub mqtt: String,
    pub hj212: String,
    /// TCP and UDP.
    pub jt808: String,
    /// Files of alarms.
    pub attachments: String,
    pub web: String,
    pub metrics: String,
    /// Where modems dial in.
    pub dtu: String,
}

#[derive(Debug)]
pub struct Server {
    pub folder: PathBuf,
    setup: Setup,
    running: Option<Running>,
    addresses: Option<Addresses>,
}

impl Server {
    /// Writes the configuration; nothing runs yet. Ports are chosen once, so that clients find the server again.
    pub fn prepare(folder: &Path, setup: Setup) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let first = crate::free_ports(7)?;
        let address = |n: u16| format!("127.0.0.1:{}", first + n);
        let mut config = format!(
            "data.dir = {:?}\nmqtt.listen = {:?}\nhj212.listen = {:?}\njt808.listen = {:?}\njt808.udp_listen = {:?}\njt808.attachments.listen = {:?}\njt808.attachments.advertise = {:?}\nweb.listen = {:?}\nmetrics.listen = {:?}\nmodbus.dtu_listen = {:?}\n",
            folder.join("data"),
            address(0),
            address(1),
            address(2),
            address(2),
            address(5),
            address(5),
            address(3),
            address(4),
            address(6),
        );
        if let Some(url) = &setup.postgres_url {
            let file = folder.join("database-url");
            std::fs::write(&file, url)?;
            config += &format!("data.database_url_file = {file:?}\n");
        }
        if let Some(dir) = &setup.web_dir {
            config += &format!("web.dir = {dir:?}\n");
        }
        config += &setup.config;
        std::fs::write(folder.join("lantian.toml"), config)?;
        let addresses = Addresses {
            mqtt: address(0),
            hj212: address(1),
            jt808: address(2),
            attachments: address(5),
            web: address(3),
            metrics: address(4),
            dtu: address(6),
        };
        Ok(Self { folder: folder.to_owned(), setup, running: None, addresses: Some(addresses) })
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.join("lantian.toml")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn log_file(&self) -> PathBuf {
        self.folder.join("lantian.log")
    }

    pub fn addresses(&self) -> &Addresses {
        self.addresses.as_ref().expect("addresses are set by prepare")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addresses().web)
    }

    /// Runs a `lantian` subcommand with this server's configuration.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let config = self.config_file();
        let mut all: Vec<&std::ffi::OsStr> = vec!["--config".as_ref(), config.as_os_str()];
        all.extend(arguments.iter().map(|a| std::ffi::OsStr::new(*a)));
        output(&binary("lantian")?, all)
    }

    /// Starts the server and waits until it is ready.
    pub async fn start(&mut self) -> Result<()> {
        let program = binary("lantian")?;
        let mut command = match self.setup.wrap.split_first() {
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg("--config").arg(self.config_file()).arg("serve");
        self.running = Some(Running::start("lantian", command, &self.log_file())?);
        self.ready(Duration::from_secs(60)).await
    }

    async fn ready(&mut self, limit: Duration) -> Result<()> {
        let url = format!("{}/readyz", self.url());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        let until = tokio::time::Instant::now() + limit;
        loop {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.running.as_mut().context("the server was never started")?.check()?;
            ensure!(tokio::time::Instant::now() < until, "the server is not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub fn pid(&self) -> Result<u32> {
        Ok(self.running.as_ref().context("the server does not run")?.id())
    }

    pub fn kill(&mut self) -> Result<()> {
        match self.running.take() {
            Some(mut running) => running.kill(),
            None => Ok(()),
        }
    }

    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            let status = running.stop(Duration::from_secs(40))?;
            ensure!(status.success(), "a clean stop ended with {status}:\n{}", self.log());
        }
        Ok(())
    }

    pub fn check(&mut self) -> Result<()> {
        self.running.as_mut().context("the server does not run")?.check()
    }

    /// Creates the first account and returns an API client that is logged in with a password of its own.
    pub async fn administrator(&self) -> Result<Api> {
        let text = self.command(&["admin", "create", "admin"])?;
        let once = password_in(&text)?;
        Api::login_first(&self.url(), "admin", &once, "a-long-enough-pass-1").await
    }

    pub async fn log_in(&self) -> Result<Api> {
        Api::login(&self.url(), "admin", "a-long-enough-pass-1").await
    }

    /// Lines of the log at WARN or ERROR.
    pub fn complaints(&self) -> Vec<String> {
        self.log().lines().filter(|l| l.contains(" WARN ") || l.contains(" ERROR ")).map(str::to_owned).collect()
    }

    /// The value of a metric, summed over its labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let url = format!("http://{}/metrics", self.addresses().metrics);
        let text = reqwest::get(url).await?.text().await?;
        let own =
            |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'));
        Ok(text
            .lines()
            .filter(|line| own(line))
            .filter_map(|line| line.rsplit(' ').next())
            .filter_map(|v| v.parse::<f64>().ok())
            .sum())
    }

    pub async fn metric_reaches(&self, name: &str, value: f64, limit: Duration) -> Result<()> {
        eventually(&format!("{name} reaches {value}"), limit, || async {
            Ok((self.metric(name).await? >= value).then_some(()))
        })
        .await
    }
}

/// The one-time password in what `lantian admin create` printed: the last word of the line that names it.
pub fn password_in(text: &str) -> Result<String> {
    let line = text.lines().find(|l| l.contains("password")).with_context(|| format!("no password in {text:?}"))?;
    Ok(line.split_whitespace().last().context("no password")?.to_owned())
}
