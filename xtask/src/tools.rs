//! Test servers from Debian's packages, unpacked under `target/tools` without installing or starting a service, and the
//! Python clients beside them. Chromium needs its libraries and fonts installed; that takes root once.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const SERVERS: &[&str] = &[
    "influxdb",
    "victoria-metrics",
    "mosquitto",
    "mosquitto-clients",
    "nats-server",
    "rabbitmq-server",
    "postgresql-15",
    "netcat-openbsd",
    "strace",
];
const BROWSER: &[&str] = &["chromium", "fonts-noto-cjk"];
const PYTHON: &[&str] = &["paho-mqtt==2.1.0", "pymodbus==3.8.6"];

pub(crate) fn folder() -> Result<PathBuf> {
    Ok(std::env::current_dir().context("find the current folder")?.join("target/tools"))
}

pub(crate) fn fetch() -> Result<()> {
    let tools = folder()?;
    std::fs::create_dir_all(tools.join("packages")).context("create target/tools")?;
    servers(&tools)?;
    python(&tools)?;
    browser()?;
    println!("tools: ready in {}", tools.display());
    Ok(())
}

fn servers(tools: &Path) -> Result<()> {
    let stamp = tools.join("servers.done");
    let wanted = SERVERS.join(" ");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    println!("tools: fetching {wanted}");
    // What installing would add on this machine: the packages and those of their libraries that are not here yet.
    let mut names = simulate(SERVERS);
    if names.is_err() && is_root() {
        println!("tools: refreshing the package lists");
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        names = simulate(SERVERS);
    }
    let names = names.context("ask apt-get which packages are needed; as root run `apt-get update` first")?;
    for name in &names {
        let folder = tools.join("packages");
        run(Command::new("apt-get").args(["download", "-qq", name]).current_dir(&folder))
            .with_context(|| format!("download the Debian package {name}"))?;
    }
    for entry in std::fs::read_dir(tools.join("packages")).context("list packages")? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&path).arg(tools.join("root")))?;
            std::fs::remove_file(&path).ok(); // unpacked; only saves space
        }
    }
    relocate_erlang(&tools.join("root"))?;
    std::fs::write(stamp, wanted).context("note the servers as done")
}

/// Debian's start script of Erlang (for `RabbitMQ`) holds the folder it is installed in; unpacked elsewhere it must be told.
fn relocate_erlang(root: &Path) -> Result<()> {
    let script = root.join("usr/lib/erlang/bin/erl");
    let text = std::fs::read_to_string(&script).with_context(|| format!("read {}", script.display()))?;
    let told = text.replace("ROOTDIR=/usr/lib/erlang\n", "ROOTDIR=\"${ERL_ROOTDIR:-/usr/lib/erlang}\"\n");
    // The unpacked script may be a link into the runtime's own folder; a file of its own is as good.
    std::fs::remove_file(&script).with_context(|| format!("replace {}", script.display()))?;
    std::fs::write(&script, told).with_context(|| format!("write {}", script.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).with_context(|| format!("make {} executable", script.display()))
}

fn simulate(packages: &[&str]) -> Result<Vec<String>> {
    let output = Command::new("apt-get")
        .args(["-s", "-qq", "--no-install-recommends", "install"])
        .args(packages)
        .output()
        .context("run apt-get; Debian is needed for the test servers")?;
    ensure!(output.status.success(), "apt-get: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|l| l.strip_prefix("Inst "))
        .filter_map(|l| l.split(' ').next())
        .map(str::to_owned)
        .collect())
}

fn python(tools: &Path) -> Result<()> {
    let stamp = tools.join("python.done");
    let wanted = PYTHON.join(" ");
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    println!("tools: fetching {wanted}");
    let target = tools.join("python");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
    run(pip.arg(&target).args(PYTHON)).context("install the Python clients; needed: python3 with pip")?;
    std::fs::write(stamp, wanted).context("note the Python clients as done")
}

fn browser() -> Result<()> {
    if Path::new("/usr/bin/chromium").exists() && Path::new("/usr/share/fonts/opentype/noto").exists() {
        return Ok(());
    }
    if !is_root() {
        bail!("missing: Chromium and a Chinese font. As root: apt-get install {}", BROWSER.join(" "));
    }
    println!("tools: installing {}", BROWSER.join(" "));
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(BROWSER)
        .env("DEBIAN_FRONTEND", "noninteractive");
    if run(&mut install).is_err() {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(&mut install)?;
    }
    Ok(())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(std::process::Stdio::null()).output().with_context(|| format!("run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
