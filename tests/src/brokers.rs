//! MQTT brokers that keep sessions, each on a port and in a folder of its own, ended and started again at the same place:
//! Mosquitto, NATS with `JetStream`, `RabbitMQ`.

use crate::process::Running;
use crate::{free_port, free_ports, tools};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Mosquitto,
    Nats,
    Rabbit,
}

#[derive(Debug)]
pub struct Broker {
    kind: Kind,
    folder: PathBuf,
    ports: u16,
    /// More lines of Mosquitto's configuration.
    more: String,
    running: Option<Running>,
}

impl Broker {
    pub async fn start(kind: Kind, folder: &Path) -> Result<Self> {
        Self::start_with(kind, folder, String::new()).await
    }

    /// `more`: for Mosquitto's listener.
    pub async fn start_with(kind: Kind, folder: &Path, more: String) -> Result<Self> {
        let folder = folder.join("broker");
        std::fs::create_dir_all(&folder)?;
        let ports = if kind == Kind::Mosquitto { free_port()? } else { free_ports(4)? };
        let mut broker = Self { kind, folder, ports, more, running: None };
        broker.again().await?;
        Ok(broker)
    }

    /// `127.0.0.1:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports)
    }

    /// User name and password, where there must be some.
    pub const fn login(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Mosquitto => ("", ""),
            // It takes any, but not an empty one.
            Kind::Nats => ("lantian", "lantian"),
            Kind::Rabbit => ("guest", "guest"),
        }
    }

    /// Starts it at its place with what it has kept.
    pub async fn again(&mut self) -> Result<()> {
        let command = match self.kind {
            Kind::Mosquitto => self.mosquitto()?,
            Kind::Nats => self.nats()?,
            Kind::Rabbit => self.rabbit()?,
        };
        self.running = Some(Running::start(&format!("{:?}", self.kind), command, &self.folder.join("log"))?);
        // RabbitMQ compiles and makes its database first; on two busy cores that takes a while.
        let limit = Duration::from_secs(if self.kind == Kind::Rabbit { 120 } else { 30 });
        tools::accepts_within(&self.address(), limit).await
    }

    /// SIGTERM: it keeps what it has.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.stop(Duration::from_secs(40))?;
        }
        Ok(())
    }

    /// `kill -9`: what it had not written is lost to it.
    pub fn kill(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.kill())
    }

    fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }

    fn mosquitto(&self) -> Result<Command> {
        let config = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nautosave_on_changes true\nautosave_interval 1\nlog_type error\nuser root\n{}\n",
            self.ports,
            self.folder.display(),
            self.more
        );
        let mut command = tools::command("mosquitto")?;
        command.arg("-c").arg(self.file("mosquitto.conf", &config)?);
        Ok(command)
    }

    fn nats(&self) -> Result<Command> {
        let config = format!(
            "server_name: lantian-test\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: {:?} }}\nmqtt {{ listen: \"127.0.0.1:{}\" }}\n",
            self.ports + 1,
            self.folder.join("jetstream"),
            self.ports
        );
        let mut command = tools::command("nats-server")?;
        command.arg("-c").arg(self.file("nats.conf", &config)?);
        Ok(command)
    }

    fn rabbit(&self) -> Result<Command> {
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nmqtt.listeners.tcp.1 = 127.0.0.1:{}\nmqtt.allow_anonymous = false\n",
            self.ports + 1,
            self.ports
        );
        self.file("rabbitmq.conf", &config)?;
        let plugins = self.file("enabled_plugins", "[rabbitmq_mqtt].")?;
        let root = tools::tools().join("root");
        let home = std::fs::read_dir(root.join("usr/lib/rabbitmq/lib"))
            .context("find RabbitMQ; run `cargo xtask tools`")?
            .next()
            .context("RabbitMQ is missing; run `cargo xtask tools`")??
            .path();
        let erlang = root.join("usr/lib/erlang");
        let path = format!("{}:{}", erlang.join("bin").display(), "/usr/local/bin:/usr/bin:/bin");
        // Its port mapper first: RabbitMQ does not always wait for one that it starts itself.
        let mapper = Command::new(erlang.join("bin/epmd"))
            .args(["-port", &(self.ports + 3).to_string(), "-address", "127.0.0.1", "-daemon"])
            .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
            .status()
            .context("start Erlang's port mapper")?;
        anyhow::ensure!(mapper.success(), "Erlang's port mapper ended with {mapper}");
        let mut command = Command::new(home.join("sbin/rabbitmq-server"));
        command
            // Where Erlang leaves its dumps.
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("ERL_ROOTDIR", &erlang)
            .env("HOME", &self.folder)
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("logs"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbitmq"))
            .env("RABBITMQ_NODENAME", format!("lt{}@localhost", self.ports))
            .env("RABBITMQ_DIST_PORT", (self.ports + 2).to_string())
            .env("ERL_EPMD_PORT", (self.ports + 3).to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
        Ok(command)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Erlang's own port mapper outlives RabbitMQ; it ends when it is told to.
        let was_rabbit = self.kind == Kind::Rabbit;
        drop(self.running.take());
        if was_rabbit {
            let epmd = tools::tools().join("root/usr/lib/erlang/bin/epmd");
            let mut command = Command::new(epmd);
            command.args(["-port", &(self.ports + 3).to_string(), "-kill"]);
            command.output().ok(); // gone already is as good
        }
    }
}
