//! TLS with stock clients: mosquitto's, openssl's and curl; and a certificate that is replaced while the server runs.

use crate::stock::add;
use anyhow::{Context, Result, ensure};
use e2e::{Server, Setup, eventually, tools};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tls::testing::{Authority, Issued};

struct Secured {
    server: Server,
    authority: Authority,
    /// The authority's certificate.
    ca: String,
    mqtt: u16,
    hj212: u16,
    web: u16,
    first: Issued,
}

const MN: &str = "4101000000000000000000A1";

fn prepared(folder: &Path) -> Result<Secured> {
    let authority = Authority::new("district");
    let ca = authority.write(folder).to_string_lossy().into_owned();
    let first = authority.server();
    let files = first.write(folder);
    let ports = e2e::free_ports(3)?;
    let (mqtt, hj212, web) = (ports, ports + 1, ports + 2);
    let config = format!(
        "mqtt.tls_listen = \"127.0.0.1:{mqtt}\"\nhj212.tls_listen = \"127.0.0.1:{hj212}\"\nweb.tls_listen = \"127.0.0.1:{web}\"\n\
         tls.certificate = {:?}\ntls.key = {:?}\ntls.reload_s = 86400\n",
        files.certificate, files.key
    );
    let server = Server::prepare(folder, Setup { config, ..Setup::default() })?;
    let checked = server.command(&["config", "check"])?;
    ensure!(checked.contains("the configuration is right") && !checked.contains("warning"), "{checked}");
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    Ok(Secured { server, authority, ca, mqtt, hj212, web, first })
}

#[tokio::test]
async fn stock_clients_speak_mqtt_hj212_and_https_over_both_versions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Secured { mut server, ca, mqtt, hj212, web, .. } = prepared(folder.path())?;
    let token = add(&server, &["--code", "fume-a", "--profile", "fume-mqtt"])?;
    let password = add(&server, &["--code", "dust-a", "--profile", "dust-hj212-ug", "--identity", MN])?;
    let once = e2e::server::password_in(&server.command(&["admin", "create", "admin"])?)?;
    server.start().await?;
    for (number, version) in ["1.2", "1.3"].into_iter().enumerate() {
        let payload = format!(r#"{{"ts":{},"values":{{"fume":1.5}}}}"#, 1_790_000_000_000_u64 + number as u64);
        let done = tools::command("mosquitto_pub")?
            .args(["-h", "localhost", "-p", &mqtt.to_string(), "--cafile", &ca, "--tls-version"])
            .arg(format!("tlsv{version}"))
            .args(["-u", "fume-a", "-P", &token, "-q", "1", "-t", "lantian/v1/fume-a/telemetry", "-m", &payload])
            .stdin(Stdio::null())
            .output()?;
        ensure!(done.status.success(), "mosquitto_pub {version}: {}", String::from_utf8_lossy(&done.stderr));
        let qn = format!("2026100108000{number}000");
        let data = format!("DataTime=2026100108000{number};a34002-Rtd=61.5,a34002-Flag=N");
        let frame = crate::wire::hj212_frame(MN, &password, &qn, &data);
        let answer = said_over(hj212, &ca, version, &frame)?;
        ensure!(answer.contains(&format!("QN={qn};ST=91;CN=9014")), "openssl {version}: {answer:?}");
    }
    let health = curl(&["--cacert", &ca, &format!("https://localhost:{web}/healthz")])?;
    ensure!(health == "ok", "{health}");
    let plain = curl(&[&format!("http://localhost:{web}/healthz")])?;
    ensure!(plain.contains("this port speaks TLS"), "{plain}");
    let login = format!(r#"{{"name":"admin","password":"{once}"}}"#);
    let url = format!("https://localhost:{web}/api/v1/auth/login");
    let head = ["-o", "/dev/null", "-D", "-", "-H", "content-type: application/json"];
    let answer = curl(&[&["--cacert", &ca, "-d", &login][..], &head, &[&url]].concat())?;
    ensure!(answer.contains("; Secure"), "{answer}");
    server.metric_reaches("tls_handshakes_total", 6.0, Duration::from_secs(5)).await?;
    ensure!(server.metric("tls_certificate_expires_days").await? > 1_000.0, "expiry is not told");
    ensure!(server.complaints().is_empty(), "{:?}", server.complaints());
    server.stop()
}

/// Sends a frame through `openssl s_client` and returns the first line of the answer.
fn said_over(port: u16, ca: &str, version: &str, frame: &[u8]) -> Result<String> {
    let mut client = Command::new("timeout")
        .args(["10", "openssl", "s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"])
        .args(["-CAfile", ca, "-connect", &format!("127.0.0.1:{port}")])
        .arg(if version == "1.2" { "-tls1_2" } else { "-tls1_3" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = client.stdin.take().context("its input")?;
    input.write_all(frame)?;
    input.flush()?;
    let mut line = Vec::new();
    BufReader::new(client.stdout.take().context("its output")?).read_until(b'\n', &mut line)?;
    client.kill()?;
    client.wait()?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn curl(arguments: &[&str]) -> Result<String> {
    let done = Command::new("curl").args(["-sS", "-m", "10"]).args(arguments).stdin(Stdio::null()).output()?;
    ensure!(done.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether a new connection is shown this certificate.
fn shows(port: u16, issued: &Issued) -> Result<bool> {
    let done = Command::new("timeout")
        .args(["10", "openssl", "s_client", "-connect", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::null())
        .output()?;
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    Ok(bare(&String::from_utf8_lossy(&done.stdout)).contains(&bare(&issued.certificate)))
}

fn hang_up(server: &Server) -> Result<()> {
    let status = Command::new("kill").args(["-HUP", &server.pid()?.to_string()]).status()?;
    ensure!(status.success(), "kill -HUP");
    Ok(())
}

#[tokio::test]
async fn sighup_takes_a_new_certificate_and_a_bad_one_leaves_the_old() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Secured { mut server, authority, mqtt, first, .. } = prepared(folder.path())?;
    server.start().await?;
    ensure!(shows(mqtt, &first)?, "the first certificate is not shown");
    let second = authority.server();
    second.write(folder.path());
    ensure!(shows(mqtt, &first)?, "nobody asked for the second yet");
    hang_up(&server)?;
    let limit = Duration::from_secs(10);
    eventually("the second certificate is shown", limit, || async { Ok(shows(mqtt, &second)?.then_some(())) }).await?;
    Issued { key: first.key.clone(), ..authority.server() }.write(folder.path());
    hang_up(&server)?;
    server.metric_reaches("tls_certificate_files_bad", 1.0, limit).await?;
    ensure!(shows(mqtt, &second)?, "the old certificate did not stay");
    let complaints = server.complaints();
    ensure!(complaints.len() == 1 && complaints[0].contains("does not belong to"), "{complaints:?}");
    server.stop()
}
