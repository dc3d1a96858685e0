//! Sparkplug B → records. Metrics of one moment are one record; the moment is the metric's own, else the payload's, else that of receipt. Names go
//! through the profile's factors as JSON keys do. A metric named by alias alone is what the birth said ([`crate::settle::births`]). What a node
//! kept while it was away is remarked [`HISTORICAL`], and is no current value. A death is an event `offline`.

use super::{Named, Unmapped, put};
use crate::settle::births::{Births, View};
use crate::settle::draft::{Decoded, Draft, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::hash;
use crate::settle::profile::Profile;
use model::envelope::{Envelope, Position};
use model::record::{Flag, Happening, RecordKey, RecordKind, Statistic};
use model::time::EventTime;
use protocol::mqtt::titled;
use protocol::sparkplug::{BD_SEQ, Metric, Payload, ROOT, Topic, Value};
use std::collections::BTreeMap;

/// Remark of a record that was kept by the node while it was away.
pub const HISTORICAL: &str = "historical";
/// What a death is called.
const OFFLINE: &str = "offline";
/// Metrics that steer the node.
const CONTROL: [&str; 2] = ["Node Control/", "Device Control/"];

/// A publish, with its parts told apart.
#[derive(Debug)]
pub struct Read<'a> {
    topic: Topic<'a>,
    payload: Payload<'a>,
}

impl<'a> Read<'a> {
    pub fn of(raw: &'a [u8]) -> Result<Self, Fault> {
        let (topic, payload) = titled::split(raw).ok_or_else(|| Fault::not_understood("no topic"))?;
        let topic = topic.strip_prefix(ROOT).and_then(Topic::parse);
        let topic = topic.ok_or_else(|| Fault::not_understood("topic"))?;
        let payload = Payload::read(payload).map_err(|error| Fault::not_understood(error.to_string()))?;
        Ok(Self { topic, payload })
    }

    /// Takes the message into what is known of births.
    pub fn see<'b>(&self, births: &'b mut Births, position: Position) -> View<'b> {
        births.see(position, &self.topic, &self.payload)
    }
}

/// One publish. Without a view of births only metrics with names are read.
pub fn decode<'p>(
    envelope: &Envelope,
    read: &Read<'_>,
    view: View<'_>,
    profile: &'p Profile,
    foreign: &mut Foreign,
) -> Decoded<'p> {
    let Read { topic, payload } = read;
    if topic.kind.is_death() {
        return if view.stale { Decoded::Nothing } else { Decoded::Drafts(vec![death(envelope, topic)]) };
    }
    let mut drafts: BTreeMap<(EventTime, bool), Draft<'p>> = BTreeMap::new();
    for metric in &payload.metrics {
        let at = metric.timestamp.or(payload.timestamp).map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        let at = at.map_or(EventTime(envelope.received.0), EventTime);
        let key = RecordKey { device: envelope.device, kind: RecordKind::Instant, slot: 0, at };
        let place = (at, metric.is_historical);
        let Some(told) = told(metric, view) else {
            let alias = metric.alias.map_or_else(String::new, |alias| alias.to_string());
            drafts.entry(place).or_insert_with(|| Draft::new(key)).remark("unknown_alias", &alias);
            continue;
        };
        if told.name == BD_SEQ || CONTROL.iter().any(|prefix| told.name.starts_with(prefix)) || metric.is_null {
            continue;
        }
        let Some(wire) = metric.value.number(told.datatype) else {
            // Makers tell serial numbers and versions as metrics; only a code that should be a number is worth a remark.
            if profile.factor(told.name).is_some() && metric.value != Value::Absent {
                let draft = drafts.entry(place).or_insert_with(|| Draft::new(key));
                draft.remark("value_not_a_number", told.name);
            }
            continue;
        };
        let draft = drafts.entry(place).or_insert_with(|| Draft::new(key));
        let flag = if told.doubtful { Flag::Unknown } else { Flag::Normal };
        let named = Named { code: told.name, statistic: None, default: Statistic::Instant, flag, wire };
        put(draft, profile, foreign, Unmapped::BuiltInOrForeign, named);
        if told.doubtful && !draft.remarks.iter().any(|remark| remark.code == "sequence_gap") {
            draft.remark("sequence_gap", "until the next birth");
        }
    }
    if drafts.is_empty() {
        return Decoded::Nothing;
    }
    let finish = |((_, historical), mut draft): ((EventTime, bool), Draft<'p>)| {
        if historical {
            draft.remark(HISTORICAL, "");
        }
        draft
    };
    Decoded::Drafts(drafts.into_iter().map(finish).collect())
}

/// What a metric is.
struct Told<'a> {
    name: &'a str,
    datatype: Option<u32>,
    /// Known by an alias that may mean something else by now.
    doubtful: bool,
}

fn told<'a>(metric: &Metric<'a>, view: View<'a>) -> Option<Told<'a>> {
    if let Some(name) = metric.name.filter(|name| !name.is_empty()) {
        let datatype = metric.datatype.or_else(|| view.by_name(name)?.datatype);
        return Some(Told { name, datatype, doubtful: false });
    }
    let born = view.by_alias(metric.alias?)?;
    Some(Told { name: &born.name, datatype: metric.datatype.or(born.datatype), doubtful: view.doubtful })
}

fn death<'p>(envelope: &Envelope, topic: &Topic<'_>) -> Draft<'p> {
    // The will was written when the node connected, so its own time says nothing of the death.
    let at = EventTime(envelope.received.0);
    let slot = hash::slot(OFFLINE, None);
    let mut draft = Draft::new(RecordKey { device: envelope.device, kind: RecordKind::Event, slot, at });
    let mut attributes = vec![("edge".to_owned(), topic.edge.to_owned()), ("group".to_owned(), topic.group.to_owned())];
    attributes.extend(topic.device.map(|device| ("device".to_owned(), device.to_owned())));
    attributes.sort();
    draft.happening = Some(Box::new(Happening {
        what: OFFLINE.to_owned(),
        end: None,
        plate: None,
        attributes,
        pictures: Vec::new(),
    }));
    draft
}
