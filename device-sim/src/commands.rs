//! `device-sim lab`: its arguments, and what they start.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use device_sim::lab::book::Protocol;
use device_sim::lab::listen::{Lab, Options};
use device_sim::lab::modbus::Target;
use device_sim::lab::record::{Recorder, check};
use device_sim::lab::report::Report;
use device_sim::lab::screen::Screen;
use device_sim::lab::trial::Pace;
use model::time::{Clock, SystemClock};
use protocol::explain::Language;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Point the device at this machine and watch. The lab answers as the platform would (9013, 9014, 0x8100, 0x8001,
PUBACK), explains each frame, and tries the device: it withholds one answer, sends the time (HJ 212 1012) or parameters and
text (JT/T 808), and cuts the connection once. On Ctrl-C, or after --for, it prints every check as pass, fail or not seen.

Examples:
  device-sim lab --listen 0.0.0.0                                  HJ 212 on 9212, JT/T 808 on 9808, MQTT on 1883
  device-sim lab --listen 0.0.0.0 --for 10m --report acceptance    acceptance.json and acceptance.md
  device-sim lab --modbus tcp://192.168.1.30:502 --unit 1 --registers 3:0:6
  device-sim lab --modbus rtu://192.168.1.30:8899 --unit 1 --registers 4:0:10 --for 2m
  device-sim lab --listen 0.0.0.0 --log frames.log                 and later: device-sim lab check frames.log
  device-sim lab check capture.txt                                 hex or ##… one frame a line

Exit code: 0 passed, 1 a check failed, 2 inconclusive (something that must be seen was not; never of recorded frames)."
)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    command: Option<LabCommand>,
    /// Address to listen at; 0.0.0.0 for every network of this machine.
    #[arg(long, default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Listen for these protocols only: hj212, jt808, mqtt.
    #[arg(long, value_delimiter = ',', default_value = "hj212,jt808,mqtt")]
    only: Vec<String>,
    #[arg(long, default_value_t = 9212)]
    hj212_port: u16,
    #[arg(long, default_value_t = 9808)]
    jt808_port: u16,
    #[arg(long, default_value_t = 1883)]
    mqtt_port: u16,
    /// Poll a Modbus slave: tcp://HOST:PORT, or rtu://HOST:PORT for RTU frames over TCP. May be given several times.
    #[arg(long)]
    modbus: Vec<String>,
    /// Its unit (slave address).
    #[arg(long, default_value_t = 1)]
    unit: u8,
    /// What to read of it: FUNCTION:REGISTER:COUNT, registers from 0.
    #[arg(long, default_value = "3:0:6")]
    registers: String,
    /// Seconds between two polls.
    #[arg(long, default_value_t = 2.0)]
    poll: f64,
    /// End after so long: 90s, 10m, 1h. Without it Ctrl-C ends the run.
    #[arg(long = "for", value_parser = duration)]
    length: Option<Duration>,
    /// End as soon as every device's tests are over.
    #[arg(long)]
    until_done: bool,
    /// Only watch: no answer withheld, no command, no cut.
    #[arg(long)]
    passive: bool,
    /// Shorten the waits of the tests, for a device that repeats and reconnects within seconds.
    #[arg(long)]
    quick: bool,
    /// Write FILE.json and FILE.md.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Record every frame, at most 64 MiB.
    #[arg(long)]
    log: Option<PathBuf>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Clone, Copy, Args)]
struct Look {
    /// Language of the screen and of the report.
    #[arg(long, value_enum, default_value = "zh")]
    lang: Lang,
    /// Columns; without it the terminal's.
    #[arg(long)]
    width: Option<usize>,
    /// Every frame field by field, not only the first of its kind.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lang {
    Zh,
    En,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Check recorded frames: a log of the lab, or one frame a line as hex or ##… text.
    Check {
        file: PathBuf,
        /// Write FILE.json and FILE.md.
        #[arg(long)]
        report: Option<PathBuf>,
        #[command(flatten)]
        look: Look,
    },
}

impl Look {
    fn screen(self) -> Screen {
        let width = self.width.or_else(terminal_width).unwrap_or(100);
        Screen::new(self.language(), width, self.full)
    }

    const fn language(self) -> Language {
        match self.lang {
            Lang::Zh => Language::Chinese,
            Lang::En => Language::English,
        }
    }
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The exit code.
pub(crate) async fn lab(arguments: LabArgs) -> Result<u8> {
    let mut out = std::io::stdout();
    if let Some(LabCommand::Check { file, report, look }) = arguments.command {
        let mut screen = look.screen();
        let found = check(&file, &mut screen, &mut out, SystemClock.now())?;
        return finish(&found, report.as_ref(), &screen, &mut out);
    }
    let options = options(&arguments)?;
    let mut screen = arguments.look.screen();
    let recorder = arguments.log.as_deref().map(Recorder::create).transpose()?;
    let lab = Lab::open(options.clone()).await?;
    for (protocol, address) in lab.addresses() {
        writeln!(out, "{} {} {address}", screen.word("等待设备：", "waiting for devices:"), protocol.name())
            .context("write")?;
    }
    for target in &options.modbus {
        writeln!(out, "{} Modbus {}/{}", screen.word("轮询：", "polling:"), target.address, target.unit)
            .context("write")?;
    }
    writeln!(out, "{}", screen.word("按 Ctrl-C 结束并给出报告", "Ctrl-C ends the run and prints the report"))
        .context("write")?;
    let stop = CancellationToken::new();
    let ending = {
        let (stop, length) = (stop.clone(), arguments.length);
        async move {
            let over = async {
                match length {
                    Some(length) => tokio::time::sleep(length).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = over => {}
            }
            stop.cancel();
            std::future::pending::<()>().await;
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let running = lab.run(clock, stop, &mut screen, &mut out, recorder);
    let found = tokio::select! {
        found = running => found?,
        () = ending => bail!("end the run"), // never: it only cancels
    };
    finish(&found, arguments.report.as_ref(), &screen, &mut std::io::stdout())
}

fn finish(found: &Report, file: Option<&PathBuf>, screen: &Screen, out: &mut dyn Write) -> Result<u8> {
    out.write_all(found.screen(screen).as_bytes()).context("write the report")?;
    if let Some(file) = file {
        found.write(file, screen.language)?;
        let (json, markdown) = (file.with_extension("json"), file.with_extension("md"));
        writeln!(out, "{} {} {}", screen.word("报告：", "report:"), json.display(), markdown.display())
            .context("write")?;
    }
    Ok(found.exit_code())
}

fn options(arguments: &LabArgs) -> Result<Options> {
    let mut listen = Vec::new();
    for word in &arguments.only {
        let protocol = Protocol::from_word(word.trim()).filter(|protocol| *protocol != Protocol::Modbus);
        let Some(protocol) = protocol else { bail!("read --only: {word:?} is none of hj212, jt808, mqtt") };
        let port = match protocol {
            Protocol::Hj212 => arguments.hj212_port,
            Protocol::Jt808 => arguments.jt808_port,
            Protocol::Mqtt | Protocol::Modbus => arguments.mqtt_port,
        };
        listen.push((protocol, SocketAddr::new(arguments.listen, port)));
    }
    let modbus: Vec<Target> = arguments
        .modbus
        .iter()
        .map(|address| Target::parse(address, arguments.unit, &arguments.registers).map_err(anyhow::Error::msg))
        .collect::<Result<_>>()
        .context("read --modbus and --registers")?;
    if !(0.05..=3600.0).contains(&arguments.poll) {
        bail!("read --poll: between 0.05 and 3600 seconds");
    }
    let quick = Pace {
        withhold_ms: 15_000,
        answer_ms: 10_000,
        cut_ms: 4_000,
        back_ms: 30_000,
        heartbeat_s: 5,
        ..Pace::default()
    };
    let pace = if arguments.quick { quick } else { Pace::default() };
    Ok(Options {
        // Who names a slave and no protocol wants to poll alone.
        listen: if modbus.is_empty() || arguments.only.len() < 3 { listen } else { Vec::new() },
        modbus,
        poll: Duration::from_secs_f64(arguments.poll),
        poll_timeout: Duration::from_secs(1),
        pace: (!arguments.passive).then_some(pace),
        until_done: arguments.until_done,
    })
}

/// `90s`, `10m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time: write 90s, 10m or 1h");
    let (number, factor) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('s') => (number, 1),
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) => (number, 3_600),
        None => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(factor)
        .filter(|seconds| (1..=7 * 86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}
