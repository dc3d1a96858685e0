//! Hooks against a real HTTP server on a socket: what arrives, what an answer does, and the bounds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

extern crate lantian_notify as notify;

mod server;

use model::notice::{Channel, ChannelKind, ChannelSecret, ChannelSettings, Language, Message, MessageKind};
use model::time::IngestTime;
use notify::{Limits, Sender};
use server::{Answer, Http};
use std::time::Duration;

const NOW: IngestTime = IngestTime(1_700_000_000_500);

fn limits() -> Limits {
    Limits {
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        private_addresses: true,
        ca_file: None,
        source: "urn:lantian:test".into(),
    }
}

fn channel(kind: ChannelKind, url: String, secret: &str) -> Channel {
    let settings = ChannelSettings { language: Language::Zh, per_minute_max: 20, deadline_minutes: 60, email: None };
    Channel { id: 1, name: "群".into(), kind, settings, secret: ChannelSecret { url, secret: secret.into() } }
}

fn message() -> Message {
    Message {
        key: "19a-7".into(),
        kind: MessageKind::Raised,
        made: IngestTime(1_700_000_000_000),
        title: "【告警】油烟浓度超标：老蔡记".into(),
        lines: vec!["开始 2026-11-20 18:39".into()],
        data: serde_json::json!({"total": 1}),
    }
}

#[tokio::test]
async fn every_robot_and_the_webhook_take_what_we_send() {
    let http = Http::start(|_| Answer::json(200, r#"{"errcode":0,"code":0}"#)).await;
    let sender = Sender::new(limits()).unwrap();
    for kind in [ChannelKind::Wecom, ChannelKind::Dingtalk, ChannelKind::Feishu, ChannelKind::Webhook] {
        let one = channel(kind, http.url("/hook?key=k"), "geheim");
        sender.send(&one, &message(), NOW).await.unwrap();
    }
    let asked = http.asked();
    let text = |at: usize| asked[at].body["text"]["content"].as_str().unwrap_or_default().to_owned();
    assert_eq!(text(0), "【告警】油烟浓度超标：老蔡记\n开始 2026-11-20 18:39");
    assert!(asked[1].path.contains("&timestamp=1700000000500&sign=") && text(1) == text(0));
    assert_eq!(asked[2].body["content"]["text"], text(0));
    assert!(asked[2].body["sign"].is_string());
    assert_eq!(asked[3].header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(asked[3].header("idempotency-key"), "19a-7");
    assert!(asked[3].header("lantian-signature").starts_with("t=1700000000,v1="));
    assert_eq!(asked[3].body["type"], "lantian.alert.raised");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let target = Http::start(|_| Answer::json(200, "{}")).await;
    let to = target.url("/private");
    let http = Http::start(move |_| Answer { extra: format!("location: {to}\r\n"), ..Answer::json(302, "") }).await;
    let one = channel(ChannelKind::Webhook, http.url("/"), "");
    let failure = Sender::new(limits()).unwrap().send(&one, &message(), NOW).await.unwrap_err();
    assert!(failure.reason.contains("redirects are not followed") && failure.lasting, "{failure:?}");
    assert!(target.asked().is_empty());
}

#[tokio::test]
async fn a_private_address_is_refused_by_number_and_by_name_unless_it_is_allowed() {
    let http = Http::start(|_| Answer::json(200, "{}")).await;
    let sender = Sender::new(Limits { private_addresses: false, ..limits() }).unwrap();
    let by_name = http.url("/").replace("127.0.0.1", "localhost");
    for url in [
        http.url("/"),
        by_name,
        "http://[::1]:1/".into(),
        "http://169.254.169.254/".into(),
        "http://2130706433/".into(),
    ] {
        let one = channel(ChannelKind::Webhook, url.clone(), "");
        let failure = sender.send(&one, &message(), NOW).await.unwrap_err();
        assert!(failure.lasting && failure.reason.contains("private"), "{url}: {failure:?}");
    }
    assert!(http.asked().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_and_one_that_never_comes_are_cut() {
    let endless = Http::start(|_| Answer { body: "x".repeat(8 << 20), ..Answer::json(200, "") }).await;
    let sender = Sender::new(limits()).unwrap();
    let one = channel(ChannelKind::Webhook, endless.url("/"), "");
    sender.send(&one, &message(), NOW).await.unwrap();
    let silent = Http::start(|_| Answer { never: true, ..Answer::json(200, "") }).await;
    let quick = Sender::new(Limits { timeout: Duration::from_millis(300), ..limits() }).unwrap();
    let one = channel(ChannelKind::Webhook, silent.url("/"), "");
    let failure = quick.send(&one, &message(), NOW).await.unwrap_err();
    assert!(failure.maybe && !failure.lasting, "it may have been taken: {failure:?}");
}

#[tokio::test]
async fn what_is_told_of_a_failure_holds_no_secret() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let one = channel(ChannelKind::Wecom, format!("http://127.0.0.1:{port}/send?key=geheim-1"), "geheim-2");
    let failure = Sender::new(limits()).unwrap().send(&one, &message(), NOW).await.unwrap_err();
    assert!(!failure.maybe && !failure.lasting, "nobody listens: {failure:?}");
    assert!(!format!("{failure:?}").contains("geheim"), "{failure:?}");
}
