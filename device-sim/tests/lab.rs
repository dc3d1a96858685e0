//! The lab over real sockets: our own simulated devices pass it, faulty ones are told what they did, at which byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use device_sim::district::{District, Size, Wire};
use device_sim::fleet::{Secret, Tally};
use device_sim::lab::book::{Protocol, Status};
use device_sim::lab::listen::{Lab, Options};
use device_sim::lab::modbus::Target;
use device_sim::lab::report::{Device, Report};
use device_sim::lab::screen::Screen;
use device_sim::lab::trial::Pace;
use device_sim::obey::{Manners, no_memory};
use device_sim::transport::{self, Payload, Person, Targets};
use model::geo::Wgs84;
use model::time::{Clock, SystemClock};
use protocol::explain::Language;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const PACE: Pace =
    Pace { warm_frames: 1, withhold_ms: 6_000, answer_ms: 3_000, cut_ms: 3_000, back_ms: 20_000, heartbeat_s: 1 };

fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn options(listen: &[Protocol], modbus: Vec<Target>) -> Options {
    Options {
        listen: listen.iter().map(|protocol| (*protocol, any())).collect(),
        modbus,
        poll: Duration::from_millis(50),
        poll_timeout: Duration::from_millis(500),
        pace: Some(PACE),
        until_done: true,
    }
}

async fn run(lab: Lab, stop: CancellationToken) -> (Report, String) {
    let mut screen = Screen::new(Language::Chinese, 80, false);
    let mut out = Vec::new();
    let running = lab.run(Arc::new(SystemClock), stop.clone(), &mut screen, &mut out, None);
    let report = tokio::time::timeout(Duration::from_secs(90), running).await.unwrap().unwrap();
    (report, String::from_utf8(out).unwrap())
}

/// A device of ours that sends what it measures every second until it is stopped.
async fn drive(wire: Wire, identity: &str, targets: Targets, stop: CancellationToken) {
    let secret = Secret { identity: identity.to_owned(), secret: "123456".to_owned() };
    let who = Person { name: identity, secret: &secret, manners: Manners::Obey, memory: no_memory() };
    let mut link = transport::connect(wire, &who, &targets).unwrap().with_answer_wait(Duration::from_secs(1));
    let tally = Tally::default();
    let topic = format!("lantian/v1/{identity}/telemetry");
    while !stop.is_cancelled() {
        let at_ms = SystemClock.now().as_ms();
        let payload = match wire {
            Wire::Hj212 => Payload::Hj212 {
                cn: 2011,
                at_ms,
                items: "a34041-Rtd=1.2,a34041-Flag=N;a01002-Rtd=40,a01002-Flag=N".to_owned(),
            },
            Wire::Jt808 => Payload::Position {
                place: Wgs84 { lon: 113.6, lat: 34.8 },
                speed_kmh: 42.0,
                heading_deg: 90,
                fixed: true,
                at_ms,
            },
            _ => Payload::Json { topic: topic.clone(), text: format!(r#"{{"ts":{at_ms},"values":{{"fume":1.2}}}}"#) },
        };
        let sending = async {
            link.send(payload, &tally).await.unwrap();
            link.idle(Duration::from_secs(1), &tally).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sending => {}
        }
    }
}

fn device<'r>(report: &'r Report, protocol: &str) -> &'r Device {
    report
        .devices
        .iter()
        .find(|device| device.protocol == protocol)
        .unwrap_or_else(|| panic!("{protocol}: {report:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_devices_pass_the_lab_over_their_own_wires() {
    let district = Arc::new(District::generate(Size { seed: 7, restaurants: 1, sites: 1, trucks: 1 }));
    let free = TcpListener::bind(any()).await.unwrap().local_addr().unwrap();
    let washer = transport::modbus::Washer::new(district, 0);
    washer.show(&Payload::Polled { at_ms: SystemClock.now().as_ms() });
    washer.listen(free).await.unwrap();
    let target = Target::parse(&format!("tcp://{free}"), 1, "3:0:6").unwrap();
    let lab = Lab::open(options(&[Protocol::Hj212, Protocol::Jt808, Protocol::Mqtt], vec![target])).await.unwrap();
    let at = |protocol| lab.address(protocol).unwrap().to_string();
    let targets = Targets {
        mqtt: at(Protocol::Mqtt),
        hj212: at(Protocol::Hj212),
        jt808: at(Protocol::Jt808),
        modbus_host: "127.0.0.1".to_owned(),
        modbus_first_port: 0,
        dtu: None,
    };
    let stop = CancellationToken::new();
    let devices = [(Wire::Hj212, "LT41010000000001"), (Wire::Jt808, "13900000042"), (Wire::Mqtt, "fume-1")];
    let driven: Vec<_> = devices
        .into_iter()
        .map(|(wire, identity)| tokio::spawn(drive(wire, identity, targets.clone(), stop.clone())))
        .collect();
    let (report, screen) = run(lab, CancellationToken::new()).await;
    stop.cancel();
    for task in driven {
        task.await.unwrap();
    }
    for word in ["hj212", "jt808", "mqtt", "modbus"] {
        let device = device(&report, word);
        let failed: Vec<_> = device.checks.iter().filter(|check| check.status == Status::Fail).collect();
        assert!(failed.is_empty(), "{word}: {failed:#?}");
        let missed: Vec<_> = device
            .checks
            .iter()
            .filter(|check| check.needed && check.status != Status::Pass)
            .map(|check| check.id)
            .collect();
        assert!(missed.is_empty(), "{word}: {missed:?}\n{screen}");
    }
    for (word, check) in
        [("hj212", "backlog"), ("hj212", "ask_interval"), ("jt808", "backlog"), ("jt808", "query"), ("mqtt", "backlog")]
    {
        let line = device(&report, word).checks.iter().find(|line| line.id == check).unwrap();
        assert_eq!(line.status, Status::Pass, "{word} {line:#?}");
    }
    assert_eq!((report.result, report.exit_code()), (Status::Pass, 0));
    assert!(screen.contains("油烟") && screen.contains("位置信息汇报") && screen.contains("PUBLISH"), "{screen}");
}

/// Sends once, reads what is answered until the peer is quiet or gone.
async fn say(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = [0; 1024];
    tokio::time::timeout(Duration::from_millis(300), stream.read(&mut answer)).await.ok();
}

#[tokio::test]
async fn faulty_devices_are_told_what_at_which_byte_and_by_which_clause() {
    let lab = Lab::open(Options {
        pace: None,
        until_done: false,
        ..options(&[Protocol::Hj212, Protocol::Jt808, Protocol::Mqtt], Vec::new())
    })
    .await
    .unwrap();
    let at = |protocol| lab.address(protocol).unwrap();
    let (hj212, jt808, mqtt) = (at(Protocol::Hj212), at(Protocol::Jt808), at(Protocol::Mqtt));
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(lab, stop.clone()));
    // A Modbus CRC in place of the standard's; a position before authentication with a wrong check; a publish without CONNECT.
    say(hj212, b"##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&0123\r\n").await;
    say(
        jt808,
        &[
            0x7e, 0, 2, 0, 0, 1, 0x39, 0, 0, 0, 0x42, 0, 1, 0x79, 0x7e, 0x7e, 0, 2, 0, 0, 1, 0x39, 0, 0, 0, 0x42, 0, 2,
            0x79, 0x7e,
        ],
    )
    .await;
    say(mqtt, &[0x30, 4, 0, 1, b'a', b'x']).await;
    // Connections without end are bounded, and noise neither stops the lab nor makes a book.
    for _ in 0..20 {
        say(hj212, &[0xff; 3_000]).await;
    }
    stop.cancel();
    let (report, _) = running.await.unwrap();
    let found = |protocol: &str, check: &str| {
        let line = device(&report, protocol).checks.iter().find(|line| line.id == check).unwrap();
        line.findings.iter().map(|said| (said.code, said.offset, said.clause)).collect::<Vec<_>>()
    };
    assert_eq!(found("hj212", "check"), [("check_other_algorithm", Some(83), "HJ 212-2017 附录A")]);
    assert_eq!(found("jt808", "first"), [("not_authenticated", Some(1), "JT/T 808 通信连接")]);
    assert_eq!(found("jt808", "check"), [("check_bad", Some(13), "JT/T 808 校验码")]);
    assert_eq!(found("mqtt", "first"), [("not_connect", Some(0), "MQTT-3.1.0-1")]);
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn recorded_frames_are_checked_from_the_command_line_and_the_exit_code_says_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("frames.txt");
    let good = "##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901";
    let run = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let report = dir.path().join("report");
        let mut command = Command::new(env!("CARGO_BIN_EXE_device-sim"));
        let output = command
            .args(["lab", "check", "--lang", "en", "--width", "80", "--report"])
            .arg(&report)
            .arg(&file)
            .output()
            .unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(report.with_extension("json")).unwrap()).unwrap();
        assert!(std::fs::read_to_string(report.with_extension("md")).unwrap().contains("| `check` |"));
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), json)
    };
    let (code, text, json) = run(good);
    assert_eq!((code, json["result"].as_str()), (Some(0), Some("pass")), "{text}");
    let (code, text, json) = run(&good.replace("C901", "C900"));
    assert_eq!((code, json["result"].as_str()), (Some(1), Some("fail")), "{text}");
    assert!(text.contains("@83+4") && text.contains("C901 expected, C900 found"), "{text}");
}
