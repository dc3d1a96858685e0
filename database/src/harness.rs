//! Runs a test body on SQLite and on PostgreSQL.
//!
//! The PostgreSQL is our own: started once per test process on a free loopback port in a temporary folder (as another
//! user when we are root, since it refuses root), stopped when the process ends in whatever way: a shell that waits on a
//! pipe from us stops it when the pipe closes. Its programs are looked for in `LANTIAN_PG_BIN`, on `PATH` and under
//! `/usr/lib/postgresql/*/bin`. `LANTIAN_PG_URL` names a running server instead. With `CI=true` a missing PostgreSQL is a failure; elsewhere the
//! body runs on SQLite only and says so.

use crate::pool::{Database, Options};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Runs `body` on a fresh database of each engine, in a runtime of its own.
///
/// # Panics
/// When the body does, or when PostgreSQL is missing in CI.
pub fn both<F>(body: F)
where
    F: AsyncFn(Database),
{
    for target in targets() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime can be built");
        let _names_the_engine = Told(target.name);
        runtime.block_on(async {
            let database = Database::open(target.options.clone()).await.expect("the test database opens");
            body(database.clone()).await;
            database.close().await;
        });
    }
}

/// Where a test's database may be, for tests that open it themselves (restart, two handles).
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    pub options: Options,
    _dir: Option<tempfile::TempDir>,
}

/// A fresh place on each engine that is there.
///
/// # Panics
/// When PostgreSQL is missing in CI.
pub fn targets() -> Vec<Target> {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let options = Options::sqlite(dir.path().join("test.db"));
    let mut targets = vec![Target { name: "SQLite", options, _dir: Some(dir) }];
    match postgres_url() {
        Ok(url) => {
            static NEXT: AtomicU32 = AtomicU32::new(1);
            let schema = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let options = Options::url(url).expect("the server's URL is right").schema(&schema);
            targets.push(Target { name: "PostgreSQL", options, _dir: None });
        }
        Err(why) => {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "PostgreSQL is required in CI: {why}");
            say(&format!("not run on PostgreSQL: {why}"));
        }
    }
    targets
}

/// Prints the engine's name when the body panics.
struct Told(&'static str);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("the test failed on {}", self.0));
        }
    }
}

fn say(text: &str) {
    // Nothing to do when a test's standard error is closed.
    writeln!(io::stderr(), "{text}").ok();
}

/// The URL of the test server, started at the first call.
fn postgres_url() -> Result<&'static str, &'static str> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var("LANTIAN_PG_URL") {
        Ok(url) => Ok(Server { url, _guard: None }),
        Err(_) => start().map_err(|error| error.to_string()),
    });
    server.as_ref().map(|server| server.url.as_str()).map_err(String::as_str)
}

struct Server {
    url: String,
    /// Holds the pipe's end; the kernel closes it with the process.
    _guard: Option<Child>,
}

fn start() -> io::Result<Server> {
    let bin = find_bin().ok_or_else(|| io::Error::other("no initdb in LANTIAN_PG_BIN, PATH or /usr/lib/postgresql"))?;
    let dir = tempfile::Builder::new().prefix("lantian-pg-").tempdir()?.keep();
    let user = other_user(&dir)?;
    if let Some(user) = user {
        chown(&dir, Some(user), Some(user))?;
    }
    let data = dir.join("data");
    let mut initdb = Command::new(bin.join("initdb"));
    initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=lantian", "-D"]).arg(&data);
    let output = as_user(&mut initdb, user).current_dir(&dir).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("initdb: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let mut last = io::Error::other("no free port");
    for _ in 0..3 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        match launch(&bin, &dir, user, port) {
            Ok(guard) => {
                return Ok(Server {
                    url: format!("postgres://lantian@127.0.0.1:{port}/postgres"),
                    _guard: Some(guard),
                });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A shell that runs the server until its standard input closes, then removes the folder.
fn launch(bin: &Path, dir: &Path, user: Option<u32>, port: u16) -> io::Result<Child> {
    const SCRIPT: &str = r#""$1/postgres" -D "$2/data" -k "$2" -h 127.0.0.1 -p "$3" -F -c max_connections=200 \
        -c shared_buffers=32MB -c max_pred_locks_per_transaction=256 >"$2/log" 2>&1 &
        server=$!; while read -r _; do :; done; kill -QUIT $server; wait $server; rm -rf "$2""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, "sh"]).arg(bin).arg(dir).arg(port.to_string());
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(dir).process_group(0);
    let guard = as_user(&mut shell, user).spawn()?;
    for _ in 0..300 {
        let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
        if log.contains("ready to accept connections") && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(guard);
        }
        if log.contains("FATAL") {
            return Err(io::Error::other(log));
        }
        wait_a_little();
    }
    Err(io::Error::other("PostgreSQL did not start within 30 s"))
}

/// A process that we did not write tells of its start only by answering.
fn wait_a_little() {
    std::thread::park_timeout(Duration::from_millis(100));
}

fn as_user(command: &mut Command, user: Option<u32>) -> &mut Command {
    match user {
        Some(user) => command.uid(user).gid(user),
        None => command,
    }
}

/// A user other than root when we are root: `postgres` if there is one, else `nobody`.
fn other_user(dir: &Path) -> io::Result<Option<u32>> {
    if std::fs::metadata(dir)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse::<u32>().ok()
    };
    Ok(Some(id("postgres").or_else(|| id("nobody")).unwrap_or(65_534)))
}

fn find_bin() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("LANTIAN_PG_BIN").map(PathBuf::from).into_iter().collect();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        places.extend(versions.into_iter().rev());
    }
    places.into_iter().find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}
