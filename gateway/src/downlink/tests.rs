//! Commands on the wire without a socket: what is written, and how the talks end.

use super::hj212::{Talk, Voice};
use super::jt808::Exchange;
use super::{check, mqtt};
use model::downlink::{Command, Order, Told};
use model::id::{CommandId, DeviceId};
use model::time::IngestTime;
use protocol::hj212::{ExeRtn, Message, Parts, QnRtn, QnSource, Reply, Version, reply_data};
use protocol::jt808::{self, Framer, Phone, ShootReply};

const NOW: IngestTime = IngestTime(1_767_240_000_000);

fn command(text: &str) -> Command {
    serde_json::from_str(text).unwrap()
}

fn order(text: &str) -> Order {
    let deadline = NOW.plus_ms(3_600_000);
    Order { id: CommandId(7), device: DeviceId(1), command: command(text), number: None, deadline }
}

fn refused(text: &str) -> String {
    let wrong = check(&command(text)).unwrap_err();
    format!("{}: {}", wrong.field, wrong.message)
}

#[test]
fn a_value_that_is_not_allowed_is_refused_before_it_is_queued_with_its_field() {
    for (text, expected) in [
        (r#"{"kind":"hj212_set_real_time_interval","seconds":29}"#, "seconds: RtdInterval: write 30 to 3600 seconds"),
        (r#"{"kind":"hj212_set_password","password":"12345"}"#, "password: write 6 to 24 letters and digits"),
        (r#"{"kind":"hj212_set_info","pol":"a;b","info":"i13004","value":"1"}"#, "pol: PolId is empty"),
        (
            r#"{"kind":"hj212_history","what":"hour","from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#,
            "to: the end is before the beginning",
        ),
        (r#"{"kind":"jt808_text","text":"🚚"}"#, "text: has a character that GBK does not have"),
        (
            r#"{"kind":"jt808_set_parameters","parameters":[{"id":41,"value":"x"}]}"#,
            "parameters[0].value: parameter 0x0029",
        ),
        (r#"{"kind":"jt808_track","interval_s":5}"#, "validity_s: write for how many seconds"),
        (
            r#"{"kind":"jt808_route","id":1,"points":[{"place":[113.5,34.8],"width_m":50}]}"#,
            "points: 2 to 4000 entries, not 1",
        ),
        (r#"{"kind":"jt808_confirm_alarm","kinds":2}"#, "kinds: alarm bits 0, 3"),
        (r#"{"kind":"mqtt","payload":null}"#, "payload: write the JSON"),
    ] {
        let told = refused(text);
        assert!(told.starts_with(expected), "{told}");
    }
}

fn voice() -> Voice {
    Voice { mn: "A1".into(), st: "39".into(), version: Version::V2017, offset_minutes: 480 }
}

fn talk(text: &str) -> (Talk, String) {
    let (talk, outcome) = Talk::start(order(text), &voice(), "123456", &mut QnSource::default(), NOW).unwrap();
    (talk, String::from_utf8(outcome.frame.unwrap()).unwrap())
}

fn answer(reply: Reply) -> String {
    let (cn, data) = reply_data(reply);
    format!("QN=20260101120000000;ST=91;CN={cn};PW=123456;MN=A1;Flag=4;CP=&&{data}&&")
}

fn hear(talk: &mut Talk, text: &str, now: IngestTime) -> (Option<Told>, bool) {
    let outcome = talk.hear(&Message::parse(text).0, now);
    (outcome.told, outcome.ended)
}

#[test]
fn a_time_set_says_the_devices_time_anew_with_each_send_and_ends_by_its_9012() {
    let (mut talk, frame) = talk(r#"{"kind":"hj212_set_time"}"#);
    assert!(Parts::split(frame.as_bytes()).crc_ok());
    assert!(
        frame.contains("QN=20260101120000000;ST=39;CN=1012;PW=123456;MN=A1;Flag=5;CP=&&SystemTime=20260101120000&&")
    );
    let again = talk.on_time(&voice(), "123456", NOW.plus_ms(10_000));
    let frame = String::from_utf8(again.frame.unwrap()).unwrap();
    assert!(frame.contains("QN=20260101120000000;") && frame.contains("SystemTime=20260101120010"), "{frame}");
    assert_eq!(again.told, Some(Told::Again { send: 2 }));
    let ready = answer(Reply::Request(Some(QnRtn::Ready)));
    assert_eq!(hear(&mut talk, &ready, NOW).0, Some(Told::Confirmed { text: "QnRtn=1".into() }));
    assert_eq!(hear(&mut talk, &ready, NOW), (None, false));
    let done = answer(Reply::Result(Some(ExeRtn::Done)));
    assert_eq!(hear(&mut talk, &done, NOW), (Some(Told::Done { text: String::new(), result: None }), true));
}

#[test]
fn a_9012_without_a_readable_result_is_never_taken_for_done() {
    for data in ["", "ExeRtn=", "ExeRtn=abc", "ExeRtn=-999", "ExeRtn=99999"] {
        let (mut talk, _) = talk(r#"{"kind":"hj212_set_time"}"#);
        let text = format!("QN=20260101120000000;ST=91;CN=9012;MN=A1;Flag=4;CP=&&{data}&&");
        let told = Told::Failed { why: "no_result", text: "9012: ExeRtn=?".into() };
        assert_eq!(hear(&mut talk, &text, NOW), (Some(told), true), "{data}");
    }
}

#[test]
fn a_question_keeps_its_values_and_a_refusal_its_reason() {
    let (mut asked, _) = talk(r#"{"kind":"hj212_get_time"}"#);
    let upload = "QN=20260101120000000;ST=39;CN=1011;MN=A1;Flag=4;CP=&&SystemTime=20260101120001&&";
    hear(&mut asked, &answer(Reply::Request(Some(QnRtn::Ready))), NOW);
    assert_eq!(hear(&mut asked, upload, NOW).0, Some(Told::Upload { count: 1 }));
    let Some(Told::Done { result: Some(result), .. }) =
        hear(&mut asked, &answer(Reply::Result(Some(ExeRtn::Done))), NOW).0
    else {
        panic!("it is done")
    };
    assert_eq!(result, r#"{"values":{"SystemTime":"20260101120001"}}"#);

    let (mut refused, _) = talk(r#"{"kind":"hj212_set_real_time_interval","seconds":60}"#);
    let told = hear(&mut refused, &answer(Reply::Request(Some(QnRtn::PasswordWrong))), NOW);
    assert_eq!(told, (Some(Told::Failed { why: "refused", text: "QnRtn=3 PW 错误".into() }), true));

    let (mut silent, _) = talk(r#"{"kind":"hj212_stop_real_time"}"#);
    let mut now;
    let ended = loop {
        now = silent.next_time().unwrap();
        let outcome = silent.on_time(&voice(), "123456", now);
        if outcome.ended {
            break outcome.told;
        }
    };
    assert_eq!(ended, Some(Told::Failed { why: "no_answer", text: "sends=3".into() }));
    assert_eq!(now, NOW.plus_ms(30_000));
}

fn phone() -> Phone {
    Phone::from_digits("13800000001", jt808::Version::V2013).unwrap()
}

fn exchange(text: &str) -> (Exchange, Vec<u8>) {
    let (exchange, outcome) = Exchange::start(order(text), (jt808::Version::V2013, &phone()), 40, 480, NOW).unwrap();
    (exchange, outcome.bytes)
}

fn frames(bytes: &[u8]) -> Vec<(jt808::Header, Vec<u8>)> {
    let mut framer = Framer::new();
    framer.push(bytes);
    std::iter::from_fn(|| framer.next_event())
        .map(|event| {
            let jt808::Event::Frame { raw, .. } = event else { panic!("a frame") };
            let parts = jt808::Parts::split(&raw).unwrap();
            (parts.header, parts.body.to_vec())
        })
        .collect()
}

fn route(points: usize) -> String {
    let points: Vec<_> = (0..points)
        .map(|at| serde_json::json!({"place": [113.5 + f64::from(u32::try_from(at).unwrap()) / 1e4, 34.8], "width_m": 60}))
        .collect();
    serde_json::json!({"kind": "jt808_route", "id": 9, "name": "弃土路线", "points": points}).to_string()
}

fn reply(serial: u16, result: u8) -> jt808::Message<'static> {
    jt808::Message::TerminalReply { serial, id: jt808::id::ROUTE, result }
}

#[test]
fn a_route_of_the_register_arrives_as_it_was_written_also_in_sub_packets() {
    let (mut exchange, bytes) = exchange(&route(2));
    let [(header, body)] = &frames(&bytes)[..] else { panic!("one frame") };
    assert_eq!((header.id, header.serial), (jt808::id::ROUTE, 40));
    let jt808::Message::Route(read) = jt808::Decoded::read(header, body).message else { panic!("a route") };
    assert_eq!((read.id, read.points.len(), read.points[1].point.lon_e6), (9, 2, 113_500_100));
    let outcome = exchange.hear(&reply(40, 0), NOW);
    assert!(outcome.ended && matches!(outcome.told, Some(Told::Done { .. })));

    let (mut long, bytes) = self::exchange(&route(130));
    let sent = frames(&bytes);
    assert_eq!((sent.len(), long.serials(), sent[2].0.serial), (3, 3, 42));
    let whole: Vec<u8> = sent.iter().flat_map(|(_, body)| body.clone()).collect();
    let read = jt808::Decoded::read_whole(jt808::id::ROUTE, jt808::Version::V2013, &whole);
    assert!(
        matches!(read.message, jt808::Message::Route(route) if route.points.len() == 130) && read.problems.is_empty()
    );
    // The terminal lacks the second.
    let wanted = jt808::Message::ResendUp(jt808::Resend { first: 40, numbers: vec![2, 9] });
    let again = frames(&long.hear(&wanted, NOW).bytes);
    assert_eq!((again.len(), again[0].0.serial), (1, 41));
    assert!(!long.hear(&reply(40, 0), NOW).ended);
    assert!(long.hear(&reply(42, 0), NOW).ended);
}

#[test]
fn silence_is_asked_again_with_growing_pauses_under_the_same_serial() {
    let (mut exchange, first) = exchange(r#"{"kind":"jt808_text","text":"请覆盖篷布","speak":true}"#);
    let mut at = Vec::new();
    let ended = loop {
        let now = exchange.next_time();
        at.push(now.since_ms(NOW) / 1000);
        let outcome = exchange.on_time(now);
        if outcome.ended {
            break outcome.told;
        }
        assert_eq!(outcome.bytes, first);
    };
    assert_eq!(at, [10, 30, 90]);
    assert_eq!(ended, Some(Told::Failed { why: "no_answer", text: "sends=3".into() }));
}

#[test]
fn an_answer_of_its_own_is_matched_by_the_serial_it_names() {
    let (mut photo, _) = exchange(r#"{"kind":"jt808_photo","channel":1}"#);
    let confirmed = jt808::Message::TerminalReply { serial: 40, id: jt808::id::SHOOT, result: 0 };
    assert!(matches!(photo.hear(&confirmed, NOW).told, Some(Told::Confirmed { .. })));
    let foreign = jt808::Message::ShootReply(ShootReply { serial: 39, result: 0, ids: None });
    assert_eq!(photo.hear(&foreign, NOW).told, None);
    let own = jt808::Message::ShootReply(ShootReply { serial: 40, result: 0, ids: Some(vec![5]) });
    let outcome = photo.hear(&own, NOW);
    assert_eq!(outcome.told, Some(Told::Done { text: "0x0805".into(), result: Some(r#"{"media":[5]}"#.into()) }));

    let (mut unsupported, _) = exchange(r#"{"kind":"jt808_get_areas","shape":"route"}"#);
    let no = jt808::Message::TerminalReply { serial: 40, id: jt808::id::AREAS_WANTED, result: 3 };
    let told = unsupported.hear(&no, NOW).told;
    assert_eq!(told, Some(Told::Failed { why: "refused", text: "0x0001: 3 不支持".into() }));
}

#[test]
fn an_mqtt_reply_names_its_command() {
    let read = |text: &str| mqtt::read(text.as_bytes());
    let done = |result: Option<&str>| Told::Done { text: String::new(), result: result.map(str::to_owned) };
    let failed = |text: &str| Told::Failed { why: "not_done", text: text.into() };
    assert_eq!(read(r#"{"id":7,"result":{"fan":"on"}}"#), Some((CommandId(7), done(Some(r#"{"fan":"on"}"#)))));
    assert_eq!(read(r#"{"id":"7"}"#), Some((CommandId(7), done(None))));
    assert_eq!(read(r#"{"id":7,"error":"stuck"}"#), Some((CommandId(7), failed("stuck"))));
    assert_eq!(read(r#"{"id":7,"state":"accepted"}"#), Some((CommandId(7), Told::Confirmed { text: String::new() })));
    assert_eq!((read(r#"{"values":{}}"#), read("no json")), (None, None));
}
