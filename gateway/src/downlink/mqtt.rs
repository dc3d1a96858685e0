//! MQTT: a command as JSON, and the device's reply.
//!
//! ```text
//! → lantian/v1/{device}/command  {"id":17,"at":"2026-01-01T00:00:00.000Z","deadline":"…","command":{…}}
//! ← lantian/v1/{device}/reply    {"id":17,"state":"accepted"}                        taken, and at work
//!                                {"id":17,"state":"done","result":{…}}               done; without `state` too
//!                                {"id":17,"state":"failed","error":"the fan is stuck"}
//! ```

use model::downlink::{Command, Order, Told, Wrong};
use model::id::CommandId;
use model::time::IngestTime;
use serde::Deserialize;
use serde_json::Value;

/// Bytes of a command's JSON.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a reply that is looked at, and of a result that is kept.
const REPLY_BYTES_MAX: usize = 64 * 1024;
const RESULT_BYTES_MAX: usize = 16 * 1024;
const ERROR_CHARS_MAX: usize = 400;

pub(super) fn check(command: &Command) -> Result<(), Wrong> {
    let Command::Mqtt { payload } = command else { return Err(Wrong::new("kind", "is no command of MQTT")) };
    if payload.is_null() {
        return Err(Wrong::new("payload", "write the JSON that the device understands"));
    }
    if payload.to_string().len() > PAYLOAD_BYTES_MAX {
        return Err(Wrong::new("payload", "at most 16 KiB"));
    }
    Ok(())
}

/// `None` for what is no command of MQTT.
pub(crate) fn payload(order: &Order, now: IngestTime) -> Option<String> {
    let Command::Mqtt { payload } = &order.command else { return None };
    let envelope = serde_json::json!({
        "id": order.id,
        "at": now.to_rfc3339(),
        "deadline": order.deadline.to_rfc3339(),
        "command": payload,
    });
    Some(envelope.to_string())
}

#[derive(Deserialize)]
struct Reply {
    id: Id,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

/// Devices' JSON libraries turn numbers into text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Text(String),
}

/// What a reply says, and of which command; `None` when it names none.
pub(crate) fn read(raw: &[u8]) -> Option<(CommandId, Told)> {
    if raw.len() > REPLY_BYTES_MAX {
        return None;
    }
    let reply: Reply = serde_json::from_slice(raw).ok()?;
    let id = match reply.id {
        Id::Number(number) => number,
        Id::Text(text) => text.parse().ok()?,
    };
    let error = reply.error.filter(|error| !error.is_null()).map(|error| match error {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let told = match (reply.state.as_deref(), error) {
        (Some("accepted" | "confirmed"), _) => Told::Confirmed { text: String::new() },
        (Some("failed" | "refused"), error) => failed(error),
        (_, Some(error)) => failed(Some(error)),
        (_, None) => {
            let result = reply.result.map(|result| result.to_string());
            Told::Done { text: String::new(), result: result.filter(|text| text.len() <= RESULT_BYTES_MAX) }
        }
    };
    Some((CommandId(id), told))
}

fn failed(error: Option<String>) -> Told {
    let text = error.unwrap_or_default().chars().take(ERROR_CHARS_MAX).collect();
    Told::Failed { why: "not_done", text }
}
