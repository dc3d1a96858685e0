//! The subcommands other than `serve`. Each opens what it needs, does one thing, says what it did.

use crate::args::{Admin, Apply, Bridge, BridgeAdd, Claim, Command, ConfigCommand, Device, DeviceAdd};
use crate::compose::{self, Stores};
use crate::config::{Config, Environment, Problem};
use crate::telemetry;
use anyhow::{Context, Result, bail};
use ledger::{Author, Issued, NewPerson, Role, Wanted};
use model::envelope::ProtocolKind;
use model::id::{DeviceId, InstallationId, SubjectId};
use model::principal::Grants;
use model::register::{Installation, ModbusPoll, Object};
use model::time::{Clock, EventTime, SystemClock};
use std::path::Path;

mod accounts;
mod backup;
mod claims;
mod credentials;
mod downlink;
mod explain;
mod modbus;
mod replay;
mod rules;

pub(crate) use backup::lock;
pub(crate) use replay::text as dump_text;

/// Format of the data folder as a whole; its stores carry versions of their own.
const DATA_FORMAT: &str = "1";
/// Lines of a plan that are printed for each kind of change.
const LINES_MAX: usize = 40;

/// Reads and validates the configuration, or its defaults; for the commands that use them also the files of the certificate.
///
/// # Errors
/// Every problem with its key.
pub(crate) fn read_config(path: Option<&Path>, command: &Command) -> Result<Config, Vec<Problem>> {
    let text = match path {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            vec![Problem { key: path.display().to_string(), message: format!("cannot be read: {error}") }]
        })?,
    };
    let config = Config::parse(&text, &Environment(Box::new(|name| std::env::var(name).ok())))?;
    if matches!(command, Command::Serve | Command::Config(_)) {
        config.look_at_certificate(SystemClock.now())?;
        let problems = config.look_at_brokers();
        if !problems.is_empty() {
            return Err(problems);
        }
    }
    Ok(config)
}

/// Runs a command that needs no configuration, so that a wrong or unreadable one does not stand in its way; `None` for others.
pub(crate) fn without_config(command: &Command) -> Option<Result<()>> {
    match command {
        Command::Explain(arguments) => Some(explain::run(arguments)),
        Command::Rules(arguments) => rules::without_config(arguments),
        _ => None,
    }
}

/// Most commands make no new data folder: a wrong `data.dir` must not look like an empty district.
fn ensure_data(data_dir: &Path) -> Result<()> {
    if !data_dir.join("format").is_file() {
        bail!("find data in {}: look at data.dir in the configuration", data_dir.display());
    }
    Ok(())
}

/// Refuses a data folder that a newer program wrote; notes the format in a new one.
pub(crate) fn check_format(data_dir: &Path) -> Result<()> {
    let file = data_dir.join("format");
    match std::fs::read_to_string(&file) {
        Ok(found) if found.trim() == DATA_FORMAT => Ok(()),
        Ok(found) => {
            bail!("use {}: it has format {}, this program knows {DATA_FORMAT}", data_dir.display(), found.trim())
        }
        Err(_) => std::fs::write(&file, DATA_FORMAT).with_context(|| format!("write {}", file.display())),
    }
}

/// A backup is a whole data folder of a format that this program knows. `in_files`: its databases are files.
fn check_backup(dir: &Path, in_files: bool) -> Result<()> {
    let found = std::fs::read_to_string(dir.join("format"))
        .with_context(|| format!("read {}: is it a backup?", dir.display()))?;
    if found.trim() != DATA_FORMAT {
        bail!("use {}: it has format {}, this program knows {DATA_FORMAT}", dir.display(), found.trim());
    }
    let wanted = [("secret.key", true), ("lantian.db", in_files), ("chunks.db", in_files)];
    let missing: Vec<&str> =
        wanted.into_iter().filter(|(name, wanted)| *wanted && !dir.join(name).exists()).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        bail!(
            "use {}: {} is missing, so it is no whole backup; nothing was restored",
            dir.display(),
            missing.join(", ")
        );
    }
    Ok(())
}

pub(crate) fn run(command: Command, config: Config) -> Result<()> {
    match command {
        Command::Version => {
            println!("lantian {}\ndata format {DATA_FORMAT}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::Config(ConfigCommand::Check) => {
            for warning in config.look_at_certificate(SystemClock.now()).unwrap_or_default() {
                println!("warning: {warning}");
            }
            println!("the configuration is right");
            Ok(())
        }
        Command::Modbus(arguments) => runtime()?.block_on(modbus::run(&arguments)),
        Command::Backup { to } => backup::backup(&config, &to),
        Command::Restore { from } => backup::restore(&config, &from),
        Command::Serve => {
            telemetry::start_log(&config.log)?;
            runtime()?.block_on(compose::serve(config))
        }
        Command::Replay(wanted) => runtime()?.block_on(replay::replay(&config, wanted.part())),
        other => runtime()?.block_on(with_registers(other, &config)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")
}

fn author() -> Author {
    Author::new(std::env::var("USER").unwrap_or_else(|_| "console".into()), "command line")
}

async fn with_registers(command: Command, config: &Config) -> Result<()> {
    // The first account and the first registers may make a new data folder, and say so; nothing else does.
    if !matches!(command, Command::Admin(Admin::Create { .. }) | Command::Apply(_)) {
        ensure_data(&config.data_dir)?;
    } else if !config.data_dir.join("format").is_file() {
        if matches!(&command, Command::Apply(apply) if apply.dry_run) {
            ensure_data(&config.data_dir)?;
        }
        println!("a new data folder: {}", config.data_dir.display());
    }
    let stores = compose::open_stores(config).await?;
    let done = match command {
        Command::Admin(Admin::Create { name }) => create_administrator(&stores, name).await,
        Command::Admin(Admin::Unlock { name }) => accounts::unlock(&stores, &name).await,
        Command::Admin(Admin::Reset { name }) => accounts::reset(&stores, &name).await,
        Command::Claim(Claim::Add(wanted)) => claims::add(&stores, wanted).await,
        Command::Claim(Claim::List) => claims::list(&stores).await,
        Command::Claim(Claim::Revoke { id }) => claims::revoke(&stores, id).await,
        Command::Device(Device::Import(wanted)) => credentials::import(&stores, &author(), &wanted).await,
        Command::Device(Device::Add(device)) => add_device(&stores, device).await,
        Command::Device(Device::Rotate { code, terminal }) => rotate(&stores, &code, terminal.as_deref()).await,
        Command::Device(Device::Command { code, command, wait_s }) => {
            downlink::order(&stores, &author(), &code, &command, wait_s).await
        }
        Command::Device(Device::Commands { code }) => downlink::list(&stores, &code).await,
        Command::Bridge(Bridge::Add(bridge)) => add_bridge(&stores, bridge).await,
        Command::Apply(apply) => apply_dir(&stores, &apply).await,
        Command::Export { dir, force } => export(&stores, &dir, force).await,
        Command::Rules(wanted) => rules::with_registers(&stores, &wanted).await,
        Command::Dump(wanted) => replay::dump(&stores, wanted.part()).await,
        Command::Serve
        | Command::Replay(_)
        | Command::Version
        | Command::Explain(_)
        | Command::Modbus(_)
        | Command::Config(_)
        | Command::Backup { .. }
        | Command::Restore { .. } => Ok(()),
    };
    stores.main.close().await;
    stores.chunks.close().await;
    done
}

async fn export(stores: &Stores, dir: &Path, force: bool) -> Result<()> {
    let existing = if force { ledger::Existing::Replace } else { ledger::Existing::Refuse };
    let done = stores.ledger.export_dir(dir, existing).await.context("export the registers")?;
    println!("{} files in {}", done.written.len(), dir.display());
    for name in &done.removed {
        println!("removed {name}: it was written by an earlier export and is no more");
    }
    for name in &done.left {
        println!("left alone {name}: no export wrote it, but `apply` reads it");
    }
    Ok(())
}

async fn create_administrator(stores: &Stores, name: String) -> Result<()> {
    let new = NewPerson {
        login: name.clone(),
        name: name.clone(),
        role: Role::Administrator,
        office: None,
        vendor: String::new(),
    };
    let (_, password) = stores.ledger.people().create(&author(), new).await.context("create the account")?;
    println!("account: {name}\none-time password: {password}");
    Ok(())
}

fn print_issued(issued: &Issued) {
    println!("Set this on the device; the secret is not shown again:");
    for setting in &issued.settings {
        println!("  {:<10} {}", setting.name, setting.value);
    }
}

async fn add_device(stores: &Stores, wanted: DeviceAdd) -> Result<()> {
    let facts = stores.ledger.facts_now();
    let Some(profile) = facts.profiles.get(&wanted.profile) else {
        let known: Vec<&str> = facts.profiles.keys().map(String::as_str).collect();
        bail!("add the device: no profile {:?}; known: {}", wanted.profile, known.join(", "));
    };
    check_terminal(wanted.terminal.as_deref(), profile.protocol)?;
    if wanted.identity.is_none() {
        match profile.protocol {
            ProtocolKind::Hj212 => bail!("add the device: give its MN with --identity; nothing was changed"),
            ProtocolKind::Jt808 => bail!("add the device: give its phone with --identity; nothing was changed"),
            ProtocolKind::Mqtt | ProtocolKind::Modbus => {}
        }
    }
    let subject = match &wanted.subject {
        None => None,
        Some(code) => Some(
            facts.subjects.values().find(|s| s.code == *code).with_context(|| format!("find the subject {code:?}"))?.id,
        ),
    };
    let poll = wanted.modbus.map(|address| ModbusPoll::new(address, wanted.modbus_unit));
    let device = model::register::Device {
        id: DeviceId(-1),
        identity: wanted.identity.unwrap_or_else(|| wanted.code.clone()),
        code: wanted.code.clone(),
        name: wanted.name,
        protocol: profile.protocol,
        profile: wanted.profile,
        vendor: wanted.vendor,
        enabled: true,
        poll,
    };
    let mut objects = vec![Object::Device(device)];
    objects.extend(subject.map(|subject: SubjectId| {
        Object::Installation(Installation {
            id: InstallationId(0),
            device: DeviceId(-1),
            subject,
            point: String::new(),
            valid_from: EventTime(0),
            valid_to: None,
        })
    }));
    let credential = Wanted { code: wanted.code, password: None, terminal: wanted.terminal };
    let (_, issued) =
        stores.ledger.edit_and_issue(&author(), objects, &[credential]).await.context("add the device")?;
    issued.iter().for_each(print_issued);
    Ok(())
}

/// Before anything is written: a credential must not go out without the hold that was asked for.
fn check_terminal(terminal: Option<&str>, protocol: ProtocolKind) -> Result<()> {
    let Some(terminal) = terminal else { return Ok(()) };
    if protocol != ProtocolKind::Jt808 {
        bail!("take --terminal: only a JT/T 808 device has a terminal id; nothing was changed");
    }
    ledger::check_terminal_name(terminal).context("take --terminal; nothing was changed")
}

async fn add_bridge(stores: &Stores, wanted: BridgeAdd) -> Result<()> {
    let grants = match wanted.prefix {
        Some(prefix) => Grants::Prefix(prefix),
        None if wanted.device.is_empty() => Grants::Observer,
        None => Grants::Many(wanted.device.iter().map(|code| find_device(stores, code)).collect::<Result<_>>()?),
    };
    let issued = stores.ledger.credentials().issue_bridge(&author(), &wanted.name, grants).await;
    print_issued(&issued.with_context(|| format!("add the bridge {}", wanted.name))?);
    Ok(())
}

fn find_device(stores: &Stores, code: &str) -> Result<DeviceId> {
    let facts = stores.ledger.facts_now();
    let device = facts.devices.values().find(|device| device.code == code);
    Ok(device.with_context(|| format!("find the device {code:?}"))?.id)
}

async fn rotate(stores: &Stores, code: &str, terminal: Option<&str>) -> Result<()> {
    let id = find_device(stores, code)?;
    let protocol = stores.ledger.facts_now().devices.get(&id).map_or(ProtocolKind::Mqtt, |device| device.protocol);
    check_terminal(terminal, protocol)?;
    if stores.ledger.credentials().state(id).is_none() {
        bail!("rotate the credential: {code} has none yet; nothing was changed");
    }
    let credential = Wanted { code: code.to_owned(), password: None, terminal: terminal.map(str::to_owned) };
    let issued = stores.ledger.edit_and_issue(&author(), Vec::new(), &[credential]).await;
    issued.context("rotate the credential")?.1.iter().for_each(print_issued);
    Ok(())
}

/// The check of a rule's text that the registers use.
pub(crate) fn check_rule(text: &str) -> Vec<ledger::Problem> {
    match ::rules::check(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|p| ledger::Problem::new(p.place.clone(), p.to_string())).collect(),
    }
}

fn print_plan(plan: &ledger::Plan) {
    for (word, changes) in [("new", &plan.new), ("changed", &plan.changed)] {
        for change in changes.iter().take(LINES_MAX) {
            println!("{word:<8} {} {}", change.kind, change.name);
        }
        if changes.len() > LINES_MAX {
            println!("{word:<8} … and {} more", changes.len() - LINES_MAX);
        }
    }
    println!("{} new, {} changed, {} unchanged", plan.new.len(), plan.changed.len(), plan.unchanged);
}

async fn apply_dir(stores: &Stores, apply: &Apply) -> Result<()> {
    let plan = if apply.dry_run {
        match stores.ledger.plan_dir(&apply.dir, &check_rule).await {
            Ok(plan) if !plan.problems.is_empty() => Err(ledger::LedgerError::Invalid(plan.problems)),
            other => other,
        }
    } else {
        stores.ledger.apply_dir(&author(), &apply.dir, &check_rule).await
    };
    match plan {
        Ok(plan) => {
            print_plan(&plan);
            if apply.dry_run {
                println!("nothing was changed (--dry-run)");
            }
        }
        Err(ledger::LedgerError::Invalid(problems)) => {
            for problem in &problems {
                println!("{problem}");
            }
            bail!("apply {}: {} problems; nothing was changed", apply.dir.display(), problems.len());
        }
        Err(error) => return Err(error).with_context(|| format!("apply {}", apply.dir.display())),
    }
    match &apply.credentials {
        Some(file) if !apply.dry_run => credentials::hand_out(stores, &author(), file).await,
        _ => Ok(()),
    }
}
