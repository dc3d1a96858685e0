//! Stock clients work against the server as they come: mosquitto's, paho-mqtt, `printf | nc`, and pymodbus as the device.

use anyhow::{Context, Result, ensure};
use e2e::{Server, Setup, eventually, tools};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A server with the shipped library, one MQTT device and an observer.
pub(crate) async fn started(folder: &std::path::Path) -> Result<(Server, String)> {
    let mut server = Server::prepare(folder, Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    let token = add(&server, &["--code", "fume-a", "--profile", "fume-mqtt"])?;
    server.start().await?;
    Ok((server, token))
}

/// Adds a device and returns its secret.
pub(crate) fn add(server: &Server, arguments: &[&str]) -> Result<String> {
    let mut all = vec!["device", "add"];
    all.extend(arguments);
    let text = server.command(&all)?;
    let secret =
        text.lines().find(|l| ["password", "pw", "auth_code"].iter().any(|n| l.split_whitespace().next() == Some(n)));
    Ok(secret.and_then(|l| l.split_whitespace().last()).context("no secret was printed")?.to_owned())
}

fn mosquitto(server: &Server, program: &str, version: &str, token: &str, arguments: &[&str]) -> Result<Command> {
    let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
    let mut command = tools::command(program)?;
    command
        .args(["-h", host, "-p", port, "-V", version, "-u", "fume-a", "-P", token])
        .args(arguments)
        .stdin(Stdio::null());
    Ok(command)
}

#[tokio::test]
async fn mosquitto_pub_is_acknowledged_in_both_versions_and_all_qualities() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let mut sent = 0;
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            sent += 1;
            let payload = format!(r#"{{"ts":{},"values":{{"fume":1.{sent}}}}}"#, 1_790_000_000_000_i64 + sent);
            let arguments = ["-t", "lantian/v1/fume-a/telemetry", "-q", qos, "-m", &payload];
            let done = mosquitto(&server, "mosquitto_pub", version, &token, &arguments)?.output()?;
            ensure!(done.status.success(), "{version} QoS {qos}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }
    let api = server.administrator().await?;
    eventually("all are stored", Duration::from_secs(10), || async {
        let devices = api.get("/api/v1/devices?q=fume-a").await?;
        let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
        let loss = api.get(&format!("/api/v1/devices/{id}/loss?from_day=2026-09-15&to_day=2026-11-30")).await?;
        let stored: i64 = loss.as_array().context("loss days")?.iter().filter_map(|d| d["stored"].as_i64()).sum();
        Ok((stored == sent).then_some(()))
    })
    .await?;
    server.stop()
}

#[tokio::test]
async fn a_persistent_session_is_let_in_again_after_our_restart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let topic = "lantian/v1/fume-a/command";
    // Subscribe once, so that the session is kept; then go away.
    let first = ["-i", "keeper", "-c", "-q", "1", "-t", topic, "-E"];
    let done = mosquitto(&server, "mosquitto_sub", "mqttv311", &token, &first)?.output()?;
    ensure!(done.status.success(), "subscribe: {}", String::from_utf8_lossy(&done.stderr));
    server.stop()?;
    server.start().await?;
    let again = ["-i", "keeper", "-c", "-q", "1", "-t", topic, "-W", "2", "-d"];
    let done = mosquitto(&server, "mosquitto_sub", "mqttv311", &token, &again)?.output()?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(said.contains("received CONNACK (0)"), "{said}");
    server.stop()
}

/// A staff tool that reads everything.
fn observer(server: &Server) -> Result<String> {
    let text = server.command(&["bridge", "add", "staff", "--observer"])?;
    let line =
        text.lines().find(|l| l.split_whitespace().next() == Some("password")).context("no secret was printed")?;
    Ok(line.split_whitespace().last().context("no secret was printed")?.to_owned())
}

fn as_observer(server: &Server, version: &str, secret: &str, arguments: &[&str]) -> Result<Command> {
    let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
    let mut command = tools::command("mosquitto_sub")?;
    command
        .args(["-h", host, "-p", port, "-V", version, "-u", "staff", "-P", secret])
        .args(arguments)
        .stdin(Stdio::null());
    Ok(command)
}

#[tokio::test]
async fn mosquitto_sub_gets_retained_messages_wills_and_what_came_while_it_was_away() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let staff = observer(&server)?;
    let status = "lantian/v1/fume-a/status";
    // The running server takes the new credential over within a second or two.
    eventually("the observer is let in", Duration::from_secs(15), || async {
        let done = as_observer(
            &server,
            "mqttv5",
            &staff,
            &["-i", "keeper", "-c", "-x", "600", "-q", "1", "-t", status, "-E"],
        )?
        .output()?;
        Ok(done.status.success().then_some(()))
    })
    .await?;
    let retained = [r#"{"door":1}"#, "-r"];
    let done = mosquitto(
        &server,
        "mosquitto_pub",
        "mqttv311",
        &token,
        &["-t", status, "-q", "1", "-m", retained[0], retained[1]],
    )?
    .output()?;
    ensure!(done.status.success(), "publish retained: {}", String::from_utf8_lossy(&done.stderr));
    server.stop()?;
    server.start().await?;
    for version in ["mqttv311", "mqttv5"] {
        let done = as_observer(&server, version, &staff, &["-t", status, "-C", "1", "-W", "5"])?.output()?;
        ensure!(
            String::from_utf8_lossy(&done.stdout).contains("door"),
            "{version}: no retained message after our restart"
        );
    }
    let away = as_observer(
        &server,
        "mqttv5",
        &staff,
        &["-i", "keeper", "-c", "-x", "600", "-q", "1", "-t", status, "-C", "1", "-W", "5"],
    )?;
    let done = { away }.output()?;
    ensure!(String::from_utf8_lossy(&done.stdout).contains("door"), "what came while the session was away is gone");
    will_is_published(&server, &token, &staff)?;
    server.stop()
}

/// A client that ends without a DISCONNECT leaves its will to who listens.
fn will_is_published(server: &Server, token: &str, staff: &str) -> Result<()> {
    let status = "lantian/v1/fume-a/status";
    let mut listener = as_observer(server, "mqttv311", staff, &["-R", "-t", status, "-C", "1", "-W", "15", "-q", "1"])?;
    let listener = listener.stdout(Stdio::piped()).spawn()?;
    let script = r#"
import os, sys, threading, time
import paho.mqtt.client as mqtt
c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id='mortal', protocol=mqtt.MQTTv311)
c.username_pw_set('fume-a', sys.argv[3])
c.will_set('lantian/v1/fume-a/status', '{"gone": 1}', qos=1)
up = threading.Event()
c.on_connect = lambda *a: up.set()
c.connect(sys.argv[1], int(sys.argv[2]))
c.loop_start()
assert up.wait(5)
time.sleep(1)  # the listener may still be on its way
os._exit(0)
"#;
    let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
    let done = tools::python().args(["-c", script, host, port, token]).stdin(Stdio::null()).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let heard = listener.wait_with_output()?;
    ensure!(String::from_utf8_lossy(&heard.stdout).contains("gone"), "the will was not published");
    Ok(())
}

#[tokio::test]
async fn paho_publishes_and_is_refused_what_it_must_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let script = r#"
import sys, threading
import paho.mqtt.client as mqtt
host, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for version in (mqtt.MQTTv311, mqtt.MQTTv5):
    c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id='paho', protocol=version)
    c.username_pw_set('fume-a', token)
    c.connect(host, port)
    c.loop_start()
    for n, qos in enumerate((0, 1, 2)):
        info = c.publish('lantian/v1/fume-a/telemetry', '{"fume": 0.%d}' % (n + 1), qos=qos)
        info.wait_for_publish(5)
        assert info.is_published(), (version, qos)
    refused = threading.Event()
    def on_subscribe(client, userdata, mid, codes, properties):
        if codes[0].is_failure:
            refused.set()
    c.on_subscribe = on_subscribe
    c.subscribe('lantian/v1/other/telemetry')
    assert refused.wait(5), 'the subscription to another device was granted'
    c.disconnect()
    c.loop_stop()
print('fine')
"#;
    let (host, port) = server.addresses().mqtt.rsplit_once(':').context("an address")?;
    let done = tools::python().args(["-c", script, host, port, &token]).stdin(Stdio::null()).output()?;
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    ensure!(done.status.success() && out.contains("fine"), "{out}{err}");
    server.stop()
}

#[tokio::test]
async fn frames_by_printf_and_nc_get_the_right_answers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let mn = "4101000000000000000000A1";
    let password = add(&server, &["--code", "dust-a", "--profile", "dust-hj212-ug", "--identity", mn])?;
    let phone = "013900000001";
    add(&server, &["--code", "truck-a", "--profile", "truck-jt808", "--identity", phone])?;
    // The running server takes over what another process wrote within a second or two.
    let frame = crate::wire::hj212_frame(
        mn,
        &password,
        "20261001080000000",
        "DataTime=20261001080000;a34002-Rtd=61.5,a34002-Flag=N",
    );
    let wanted = format!("QN=20261001080000000;ST=91;CN=9014;PW={password};MN={mn};Flag=4;CP=&&&&");
    let shown = String::from_utf8_lossy(&frame).replace('%', "%%").replace('\r', "\\r").replace('\n', "\\n");
    eventually("nc gets a 9014", Duration::from_secs(15), || async {
        let answer = nc(&server.addresses().hj212, &shown)?;
        Ok(String::from_utf8_lossy(&answer).contains(&wanted).then_some(()))
    })
    .await?;
    // 0x0100 of a 2013 terminal: the reply is 0x8100, result 0, with a code.
    let register = protocol::jt808::encode(
        protocol::jt808::Version::V2013,
        &protocol::jt808::Phone::from_digits(phone, protocol::jt808::Version::V2013).context("a phone")?,
        7,
        &protocol::jt808::Message::Register(protocol::jt808::Register {
            form: protocol::jt808::RegisterForm::V2013,
            province: 41,
            city: 100,
            maker: b"MAKER",
            model: b"M",
            terminal_id: b"T",
            plate_colour: 2,
            plate: b"X",
        }),
    );
    let shown = register.iter().fold(String::new(), |text, byte| text + &format!("\\{byte:03o}"));
    let answer = nc(&server.addresses().jt808, &shown)?;
    ensure!(answer.get(1..3) == Some(&[0x81, 0x00]), "{answer:02x?}");
    ensure!(answer.get(13..16) == Some(&[0, 7, 0]), "serial and result of {answer:02x?}");
    server.stop()
}

fn nc(address: &str, printf: &str) -> Result<Vec<u8>> {
    let (host, port) = address.rsplit_once(':').context("an address")?;
    let nc = tools::program("nc.openbsd").or_else(|_| tools::program("nc"))?;
    let done = Command::new("sh")
        .args(["-c", "printf \"$1\" | \"$2\" -w 2 \"$3\" \"$4\"", "sh", printf])
        .arg(nc)
        .args([host, port])
        .stdin(Stdio::null())
        .output()?;
    Ok(done.stdout)
}

#[tokio::test]
async fn pymodbus_is_polled_as_a_washer() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let port = e2e::free_port()?;
    let script = r"
import sys
from pymodbus.server import StartTcpServer
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusSlaveContext, ModbusServerContext
block = ModbusSequentialDataBlock(1, [1, 1850, 420, 1260, 45, 7] + [0] * 20)
context = ModbusServerContext(slaves=ModbusSlaveContext(hr=block, ir=block), single=True)
StartTcpServer(context, address=('127.0.0.1', int(sys.argv[1])))
";
    let mut slave = tools::python();
    slave.args(["-c", script, &port.to_string()]);
    let _slave = e2e::Running::start("pymodbus", slave, &folder.path().join("pymodbus.log"))?;
    let address = format!("127.0.0.1:{port}");
    server.command(&["device", "add", "--code", "washer-a", "--profile", "washer-modbus", "--modbus", &address])?;
    let api = server.administrator().await?;
    eventually("the washer's readings arrive", Duration::from_secs(40), || async {
        let devices = api.get("/api/v1/devices?q=washer-a").await?;
        let id = devices["items"][0]["id"].as_i64().context("the device's id")?;
        let device = api.get(&format!("/api/v1/devices/{id}")).await?;
        Ok(device.to_string().contains("washer_flow").then_some(()))
    })
    .await?;
    server.stop()
}
