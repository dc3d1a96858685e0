//! Test servers on free loopback ports in temporary folders: InfluxDB 1.6, VictoriaMetrics, Mosquitto, PostgreSQL. Brokers
//! that keep sessions are in [`crate::brokers`].
//! Their programs come from `target/tools` (see `cargo xtask tools`) or from the machine.

use crate::process::{Running, output};
use crate::{eventually, free_port, free_ports};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// A program out of the unpacked packages, else of the machine.
pub fn program(name: &str) -> Result<PathBuf> {
    let unpacked = tools().join("root");
    let mut places = Vec::new();
    for bin in ["usr/bin", "usr/sbin", "bin", "usr/lib/postgresql/15/bin"] {
        places.push(unpacked.join(bin).join(name));
        places.push(Path::new("/").join(bin).join(name));
    }
    places.push(Path::new("/usr/local/bin").join(name));
    places
        .into_iter()
        .find(|place| place.is_file())
        .with_context(|| format!("{name} is missing; run `cargo xtask tools`"))
}

/// A command of the test tools, with its libraries.
pub fn command(name: &str) -> Result<Command> {
    let mut command = Command::new(program(name)?);
    let lib = tools().join("root/usr/lib/x86_64-linux-gnu");
    if lib.is_dir() {
        command.env("LD_LIBRARY_PATH", lib);
    }
    Ok(command)
}

/// `python3` with the MQTT and Modbus clients.
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tools().join("python"));
    command
}

async fn answers(url: &str) -> Result<()> {
    eventually(&format!("{url} answers"), LIMIT, || async {
        Ok(reqwest::get(url).await.is_ok_and(|a| a.status().is_success()).then_some(()))
    })
    .await
}

pub(crate) async fn accepts(address: &str) -> Result<()> {
    accepts_within(address, LIMIT).await
}

pub(crate) async fn accepts_within(address: &str, limit: Duration) -> Result<()> {
    eventually(&format!("{address} accepts"), limit, || async {
        Ok(tokio::net::TcpStream::connect(address).await.ok().map(drop))
    })
    .await
}

/// InfluxDB 1.6 with its 1.x API.
#[derive(Debug)]
pub struct Influx {
    pub url: String,
    pub running: Running,
    folder: PathBuf,
    port: u16,
}

impl Influx {
    pub async fn start(folder: &Path) -> Result<Self> {
        let ports = free_ports(2)?;
        let this = Self::start_at(folder, ports).await?;
        this.query("CREATE DATABASE lantian", true).await?;
        Ok(this)
    }

    async fn start_at(folder: &Path, port: u16) -> Result<Self> {
        let data = folder.join("influx");
        std::fs::create_dir_all(&data)?;
        let config = format!(
            "reporting-disabled = true\nbind-address = \"127.0.0.1:{}\"\n[meta]\ndir = {:?}\n[data]\ndir = {:?}\nwal-dir = {:?}\n[http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n",
            port + 1,
            data.join("meta"),
            data.join("data"),
            data.join("wal"),
        );
        let file = data.join("influxdb.conf");
        std::fs::write(&file, config)?;
        let mut command = command("influxd")?;
        command.arg("-config").arg(&file);
        let running = Running::start("influxd", command, &data.join("log"))?;
        let url = format!("http://127.0.0.1:{port}");
        answers(&format!("{url}/ping")).await?;
        Ok(Self { url, running, folder: folder.to_owned(), port })
    }

    /// Kills it and starts it again at the same place once `between` is done.
    pub async fn outage<F: Future<Output = Result<()>>>(mut self, between: F) -> Result<Self> {
        self.running.kill()?;
        between.await?;
        Self::start_at(&self.folder, self.port).await
    }

    /// The JSON answer of a query in `InfluxQL`.
    pub async fn query(&self, query: &str, post: bool) -> Result<serde_json::Value> {
        let client = reqwest::Client::new();
        let url = format!("{}/query", self.url);
        let request = if post { client.post(url) } else { client.get(url) };
        let answer = request.query(&[("db", "lantian"), ("q", query), ("epoch", "ms")]).send().await?;
        Ok(serde_json::from_str(&answer.text().await?)?)
    }
}

/// VictoriaMetrics, which takes InfluxDB's v2 writes.
#[derive(Debug)]
pub struct Victoria {
    pub url: String,
    pub running: Running,
}

impl Victoria {
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let data = folder.join("victoria");
        std::fs::create_dir_all(&data)?;
        let mut command = command("victoria-metrics")?;
        command.arg(format!("-storageDataPath={}", data.join("data").display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}")).arg("-retentionPeriod=100y");
        let running = Running::start("victoria-metrics", command, &data.join("log"))?;
        let url = format!("http://127.0.0.1:{port}");
        answers(&format!("{url}/health")).await?;
        Ok(Self { url, running })
    }

    /// Every sample, as lines of JSON.
    pub async fn export(&self) -> Result<String> {
        reqwest::get(format!("{}/internal/force_flush", self.url)).await?;
        let url = format!("{}/api/v1/export?match[]={{__name__!=\"\"}}", self.url);
        Ok(reqwest::get(url).await?.text().await?)
    }
}

/// Mosquitto, storing nothing, for comparison.
#[derive(Debug)]
pub struct Mosquitto {
    pub address: String,
    pub running: Running,
}

impl Mosquitto {
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let file = folder.join("mosquitto.conf");
        std::fs::write(
            &file,
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\nlog_type error\n"
            ),
        )?;
        let mut command = command("mosquitto")?;
        command.arg("-c").arg(&file);
        let running = Running::start("mosquitto", command, &folder.join("mosquitto.log"))?;
        let address = format!("127.0.0.1:{port}");
        accepts(&address).await?;
        Ok(Self { address, running })
    }
}

/// PostgreSQL as a user that is not root.
#[derive(Debug)]
pub struct Postgres {
    /// `postgres://…/lantian`
    pub url: String,
    pub running: Running,
}

impl Postgres {
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let data = folder.join("postgres");
        std::fs::create_dir_all(&data)?;
        let root = output(Path::new("id"), ["-u"])?.trim() == "0";
        // PostgreSQL refuses to run as root: then `nobody` owns the folder and runs it.
        let as_user = |name: &str| -> Result<Command> {
            let own = command(name)?;
            if !root {
                return Ok(own);
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(own.get_program());
            command.envs(own.get_envs().filter_map(|(k, v)| v.map(|v| (k.to_owned(), v.to_owned()))));
            Ok(command)
        };
        if root {
            output(Path::new("chown"), [Path::new("nobody:nogroup"), &data])?;
            open_way(folder)?;
        }
        let mut init = as_user("initdb")?;
        init.args(["-A", "trust", "-U", "lantian", "-E", "UTF8", "--no-sync", "-D"])
            .arg(data.join("db"))
            .current_dir("/");
        let done = init.output().context("run initdb")?;
        if !done.status.success() {
            bail!("initdb: {}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        }
        let mut command = as_user("postgres")?;
        command.arg("-D").arg(data.join("db")).args([
            "-p",
            &port.to_string(),
            "-k",
            "",
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        command.args(["-c", "fsync=off"]).current_dir("/");
        let running = Running::start("postgres", command, &folder.join("postgres.log"))?;
        let base = format!("postgres://lantian@127.0.0.1:{port}");
        accepts(&format!("127.0.0.1:{port}")).await?;
        eventually("the database is made", LIMIT, || async {
            let mut psql = self::command("psql").unwrap_or_else(|_| Command::new("psql"));
            let made = psql.args([&format!("{base}/postgres"), "-c", "CREATE DATABASE lantian"]).output()?;
            Ok(made.status.success().then_some(()))
        })
        .await?;
        Ok(Self { url: format!("{base}/lantian"), running })
    }
}

/// Lets other users walk down to `folder` (temporary folders are private).
fn open_way(folder: &Path) -> Result<()> {
    for dir in folder.ancestors().take_while(|d| d.starts_with(std::env::temp_dir()) && *d != std::env::temp_dir()) {
        output(Path::new("chmod"), [Path::new("a+rx"), dir])?;
    }
    Ok(())
}
