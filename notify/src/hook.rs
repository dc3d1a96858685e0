//! Bodies for hooks, and what their answers mean. Pure.
//!
//! | channel | body | good answer |
//! |---|---|---|
//! | WeCom | `{"msgtype":"text","text":{"content"}}`, 2048 bytes | `{"errcode":0}` |
//! | DingTalk | `{"msgtype":"text","text":{"content"}}`, signed in the address | `{"errcode":0}` |
//! | Feishu | `{"msg_type":"text","content":{"text"},"timestamp","sign"}` | `{"code":0}` |
//! | webhook | a `CloudEvents` 1.0 structure, `Lantian-Signature`, `Idempotency-Key` | any 2xx |

use crate::sign;
use model::notice::{ChannelKind, Failure, Message, cut};
use model::time::IngestTime;
use reqwest::Url;
use serde_json::{Value, json};

/// A request that is ready to go.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

pub(crate) fn request(
    kind: ChannelKind,
    mut url: Url,
    secret: &str,
    message: &Message,
    (source, now): (&str, IngestTime),
) -> Request {
    let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    let body = match kind {
        ChannelKind::Wecom => json!({"msgtype": "text", "text": {"content": text(message, WECOM_BYTES)}}),
        ChannelKind::Dingtalk => {
            if !secret.is_empty() {
                let at = now.as_ms();
                url.query_pairs_mut()
                    .append_pair("timestamp", &at.to_string())
                    .append_pair("sign", &sign::dingtalk(secret, at));
            }
            json!({"msgtype": "text", "text": {"content": text(message, DINGTALK_BYTES)}})
        }
        ChannelKind::Feishu => {
            let mut body = json!({"msg_type": "text", "content": {"text": text(message, FEISHU_BYTES)}});
            if let Some(body) = body.as_object_mut().filter(|_| !secret.is_empty()) {
                let at = now.as_ms() / 1_000;
                body.insert("timestamp".into(), json!(at.to_string()));
                body.insert("sign".into(), json!(sign::feishu(secret, at)));
            }
            body
        }
        ChannelKind::Webhook | ChannelKind::Email => cloud_event(message, source),
    };
    let body = body.to_string().into_bytes();
    if kind == ChannelKind::Webhook {
        headers = vec![
            ("content-type", "application/cloudevents+json; charset=utf-8".to_owned()),
            ("idempotency-key", message.key.clone()),
        ];
        if !secret.is_empty() {
            headers.push(("lantian-signature", sign::webhook(secret, now.as_ms() / 1_000, &body)));
        }
    }
    Request { url, body, headers }
}

/// Title and lines; cut to what the receiver takes.
fn text(message: &Message, bytes_max: usize) -> String {
    let lines: Vec<&str> =
        std::iter::once(message.title.as_str()).chain(message.lines.iter().map(String::as_str)).collect();
    cut(&lines.join("\n"), bytes_max)
}

fn cloud_event(message: &Message, source: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": message.key,
        "source": source,
        "type": format!("lantian.alert.{}", message.kind.code()),
        "time": message.made.to_rfc3339(),
        "datacontenttype": "application/json",
        "data": {"title": message.title, "lines": message.lines, "alert": message.data},
    })
}

/// What an answer means.
pub(crate) fn judge(kind: ChannelKind, status: u16, wait: Option<&str>, body: &[u8]) -> Result<(), Failure> {
    let wait_ms = wait.and_then(|text| text.trim().parse::<i64>().ok()).map(|seconds| seconds.clamp(0, 3_600) * 1_000);
    if !(200..300).contains(&status) {
        let asks = matches!(status, 408 | 425 | 429) || status >= 500;
        let reason = match status {
            300..400 => format!("HTTP {status}: redirects are not followed; enter the address it leads to"),
            _ => format!("HTTP {status}{}", said(body)),
        };
        return Err(Failure { reason, lasting: !asks, maybe: false, wait_ms });
    }
    let codes: &[&str] = match kind {
        ChannelKind::Wecom | ChannelKind::Dingtalk => &["errcode"],
        ChannelKind::Feishu => &["code", "StatusCode"],
        ChannelKind::Webhook | ChannelKind::Email => return Ok(()),
    };
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match codes.iter().find_map(|code| answer.get(code)).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => {
            // Too many in a minute, as each maker numbers it, and trouble of its own.
            let busy = [-1, 45_009, 130_101, 410_100, 11_232, 11_233].contains(&code);
            let wait_ms = wait_ms.or_else(|| busy.then_some(60_000));
            Err(Failure { reason: format!("{code}{}", said(body)), lasting: !busy, maybe: false, wait_ms })
        }
        None => Err(Failure {
            reason: format!("the answer is not one of this kind of robot{}", said(body)),
            lasting: false,
            maybe: true,
            wait_ms,
        }),
    }
}

/// The beginning of what the receiver said, on one line.
fn said(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {}", cut(text, SAID_BYTES)) }
}

/// What the makers of the robots document for a text.
const WECOM_BYTES: usize = 2_048;
const DINGTALK_BYTES: usize = 16_000;
const FEISHU_BYTES: usize = 18_000;
const SAID_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use model::notice::MessageKind;

    fn message() -> Message {
        Message {
            key: "19a-7".into(),
            kind: MessageKind::Raised,
            made: IngestTime(1_700_000_000_000),
            title: "【告警】油烟浓度超标：老蔡记".into(),
            lines: vec!["开始 10:05".repeat(400)],
            data: json!({"total": 1}),
        }
    }

    fn made(kind: ChannelKind, secret: &str) -> (Request, Value) {
        let url = Url::parse("https://hook.example/send?key=k").unwrap();
        let request = request(kind, url, secret, &message(), ("urn:lantian:test", IngestTime(1_700_000_000_500)));
        let body = serde_json::from_slice(&request.body).unwrap();
        (request, body)
    }

    #[test]
    fn each_robot_gets_its_own_form_within_its_bound() {
        let (_, body) = made(ChannelKind::Wecom, "");
        let content = body["text"]["content"].as_str().unwrap();
        assert!(content.starts_with("【告警】") && content.len() <= 2_048 && content.ends_with('…'));
        let (request, body) = made(ChannelKind::Dingtalk, "SECabc");
        assert_eq!(body["msgtype"], "text");
        let pairs: Vec<_> =
            request.url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        assert_eq!(pairs[1], ("timestamp".into(), "1700000000500".into()));
        assert_eq!(pairs[2].1, sign::dingtalk("SECabc", 1_700_000_000_500));
        let (request, body) = made(ChannelKind::Feishu, "demo");
        assert_eq!((body["timestamp"].as_str(), request.url.query()), (Some("1700000000"), Some("key=k")));
        assert_eq!(body["sign"], sign::feishu("demo", 1_700_000_000));
        assert!(made(ChannelKind::Feishu, "").1.get("sign").is_none());
    }

    #[test]
    fn a_webhook_is_a_cloud_event_with_key_and_signature() {
        let (request, body) = made(ChannelKind::Webhook, "key");
        assert_eq!((body["specversion"].as_str(), body["type"].as_str()), (Some("1.0"), Some("lantian.alert.raised")));
        assert_eq!((body["id"].as_str(), body["source"].as_str()), (Some("19a-7"), Some("urn:lantian:test")));
        let header = |name: &str| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("idempotency-key"), Some("19a-7"));
        assert_eq!(header("lantian-signature"), Some(sign::webhook("key", 1_700_000_000, &request.body).as_str()));
    }

    #[test]
    fn an_answer_is_good_final_or_worth_another_try() {
        let ask = |kind, status, body: &str| judge(kind, status, None, body.as_bytes());
        assert_eq!(ask(ChannelKind::Wecom, 200, r#"{"errcode":0,"errmsg":"ok"}"#), Ok(()));
        assert_eq!(ask(ChannelKind::Feishu, 200, r#"{"StatusCode":0}"#), Ok(()));
        assert_eq!(ask(ChannelKind::Webhook, 204, ""), Ok(()));
        let busy = ask(ChannelKind::Wecom, 200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#).unwrap_err();
        assert_eq!((busy.lasting, busy.wait_ms), (false, Some(60_000)));
        let wrong = ask(ChannelKind::Dingtalk, 200, r#"{"errcode":310000,"errmsg":"sign not match"}"#).unwrap_err();
        assert!(wrong.lasting && wrong.reason.contains("sign not match"));
        assert!(!ask(ChannelKind::Webhook, 503, "").unwrap_err().lasting);
        assert!(ask(ChannelKind::Webhook, 401, "no").unwrap_err().lasting);
        assert!(ask(ChannelKind::Webhook, 302, "").unwrap_err().reason.contains("redirects"));
        let odd = ask(ChannelKind::Feishu, 200, "<html>").unwrap_err();
        assert!(odd.maybe && !odd.lasting);
        assert_eq!(judge(ChannelKind::Webhook, 429, Some("30"), b"").unwrap_err().wait_ms, Some(30_000));
    }
}
