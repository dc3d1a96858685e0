//! Settled records as JSON for those who subscribe to `lantian/v1/{device}/settled` over MQTT. Costs nothing while nobody listens.

use bytes::Bytes;
use model::facts::Facts;
use model::quantity::Quantity;
use model::record::{Flag, SettledRecord, Statistic};
use model::seams::FanOut;
use model::stream::{Batch, Item};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Feeds a [`FanOut`] with settled records.
#[derive(Clone)]
pub struct FanOutFeed {
    fan_out: Arc<dyn FanOut>,
    listened: Arc<AtomicBool>,
}

impl std::fmt::Debug for FanOutFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FanOutFeed").field("listened", &self.listened).finish_non_exhaustive()
    }
}

impl FanOutFeed {
    /// `listened` is raised by the fan-out's owner while at least one client subscribes.
    pub fn new(fan_out: Arc<dyn FanOut>, listened: Arc<AtomicBool>) -> Self {
        Self { fan_out, listened }
    }

    /// `code` names foreign quantities.
    pub fn publish(&self, batch: &Batch, facts: &Facts, code: &dyn Fn(Quantity) -> Option<String>) {
        if !self.listened.load(Ordering::Relaxed) {
            return;
        }
        for item in &batch.items {
            if let Item::Record(record) = item
                && let Some(device) = facts.devices.get(&record.key.device)
            {
                let payload = settled_json(record, code).to_string();
                self.fan_out.publish(format!("lantian/v1/{}/settled", device.code), Bytes::from(payload));
            }
        }
    }
}

/// The JSON of a settled record: `{"at","kind","received","position","values":{"fume":1.2},"flags":{…},"fix":{…},"event":{…}}`. A statistic
/// other than the instant is written `pm10.mean`.
pub fn settled_json(record: &SettledRecord, code: &dyn Fn(Quantity) -> Option<String>) -> Value {
    let mut values = Map::new();
    let mut flags = Map::new();
    for value in &record.body.values {
        let Some(mut name) = code(value.quantity) else { continue };
        if value.statistic != Statistic::Instant {
            name = format!("{name}.{}", statistic_word(value.statistic));
        }
        if value.flag != Flag::Normal {
            flags.insert(name.clone(), json!(value.flag));
        }
        values.insert(name, json!(value.value));
    }
    let mut out = json!({
        "at": record.key.at.to_rfc3339(),
        "kind": record.key.kind,
        "received": record.received.to_rfc3339(),
        "position": record.position.to_string(),
        "verdict": record.verdict,
    });
    if let Some(object) = out.as_object_mut() {
        if !values.is_empty() {
            object.insert("values".into(), Value::Object(values));
        }
        if !flags.is_empty() {
            object.insert("flags".into(), Value::Object(flags));
        }
        if let Some(fix) = record.body.fix {
            object.insert("fix".into(), json!(fix));
        }
        if let Some(event) = &record.body.happening {
            object.insert("event".into(), json!(event));
        }
        if let Some(subject) = record.subject {
            object.insert("subject".into(), json!(subject));
        }
    }
    out
}

const fn statistic_word(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Instant => "instant",
        Statistic::Mean => "mean",
        Statistic::Min => "min",
        Statistic::Max => "max",
        Statistic::Total => "total",
    }
}
