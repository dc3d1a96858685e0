//! ONVIF events → event records, by the rows `events` of the device's profile. An event that no row is for keeps its topic as its name and its
//! items as attributes. Items that a factor names are values too, also when they come as quoted text.

use super::{Named, Unmapped, number, put};
use crate::settle::draft::{Decoded, Draft, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::hash;
use crate::settle::profile::Profile;
use model::envelope::Envelope;
use model::event_rule::EventRule;
use model::record::{Flag, Happening, RecordKey, RecordKind, Statistic};
use model::time::EventTime;
use protocol::mqtt::onvif::{self, Event, Item};
use protocol::mqtt::payload::Scalar;
use protocol::mqtt::titled;

/// Of a topic that becomes a name, and of a text that becomes an attribute.
const NAME_CHARS_MAX: usize = 96;
const TEXT_CHARS_MAX: usize = 512;
const ATTRIBUTES_MAX: usize = 64;

pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile, foreign: &mut Foreign) -> Decoded<'p> {
    let Some((topic, payload)) = titled::split(&envelope.raw) else {
        return Decoded::Unreadable(Fault::not_understood("no topic"));
    };
    // A property that is no more: the camera was in contact, nothing happened.
    if payload.is_empty() {
        return Decoded::Nothing;
    }
    let topic = topic.split_once("/onvif-ej/").map_or(topic, |(_, topic)| topic);
    let topic = onvif::plain_topic(topic);
    let event = match onvif::read(payload) {
        Ok(event) => event,
        Err(problem) => return Decoded::Unreadable(Fault::not_understood(problem.to_string())),
    };
    let rule = profile.source.events.iter().find(|rule| fits(rule, &topic, &event));
    let happening = happening(rule, &topic, &event);
    let slot = hash::slot(&happening.what, happening.plate.as_deref());
    let at = EventTime(event.at.unwrap_or(envelope.received.0));
    let mut draft = Draft::new(RecordKey { device: envelope.device, kind: RecordKind::Event, slot, at });
    if let Some(text) = &event.at_unreadable {
        draft.fault = Some(Fault::no_time(format!("UtcTime {text}")));
    }
    if event.dropped > 0 {
        draft.remark("items_dropped", &event.dropped.to_string());
    }
    for item in event.data.iter().filter(|item| profile.factor(&item.name).is_some()) {
        match wire(&item.value) {
            Ok(wire) => {
                let (code, default) = (item.name.as_str(), Statistic::Instant);
                let named = Named { code, statistic: None, default, flag: Flag::Normal, wire };
                put(&mut draft, profile, foreign, Unmapped::Foreign, named);
            }
            Err(code) => draft.remark(code, &item.name),
        }
    }
    draft.happening = Some(Box::new(happening));
    Decoded::Drafts(vec![draft])
}

fn fits(rule: &EventRule, topic: &str, event: &Event<'_>) -> bool {
    rule.is_for(topic)
        && rule.when.iter().all(|condition| {
            let value = event.item(&condition.item).map(text);
            condition.holds(value.as_deref())
        })
}

fn happening(rule: Option<&EventRule>, topic: &str, event: &Event<'_>) -> Happening {
    let named = |name: &str| event.item(name).map(text).filter(|text| !text.is_empty());
    let plate = rule.and_then(|rule| named(&rule.plate));
    let pictures = rule.map(|rule| rule.pictures.iter().filter_map(|name| named(name)).collect()).unwrap_or_default();
    let mut attributes: Vec<(String, String)> = Vec::new();
    for item in &event.data {
        let last = item.name.rsplit('.').next().unwrap_or_default();
        let is_said = |name: &String| *name == item.name || name == last;
        if rule.is_some_and(|rule| is_said(&rule.plate) || rule.pictures.iter().any(is_said)) {
            continue;
        }
        let value = text(item);
        let mapped = rule.and_then(|rule| rule.attributes.iter().find(|mapped| is_said(&mapped.item)));
        match mapped {
            Some(mapped) => attributes.push((mapped.name.clone(), mapped.told(&value).to_owned())),
            None => attributes.push((item.name.clone(), value)),
        }
    }
    attributes.extend(event.source.iter().map(|item| (format!("source.{}", item.name), text(item))));
    attributes.sort();
    attributes.dedup_by(|one, other| one.0 == other.0);
    attributes.truncate(ATTRIBUTES_MAX);
    let what = rule.map_or_else(|| topic.chars().take(NAME_CHARS_MAX).collect(), |rule| rule.event.clone());
    Happening { what, end: None, plate, attributes, pictures }
}

fn text(item: &Item<'_>) -> String {
    item.value.to_string().trim().chars().take(TEXT_CHARS_MAX).collect()
}

fn wire(value: &Scalar<'_>) -> Result<f64, &'static str> {
    match value {
        Scalar::Number(number) => Ok(*number),
        Scalar::Bool(on) => Ok(f64::from(u8::from(*on))),
        Scalar::Text(text) => number(text),
        Scalar::Null => Err("value_not_a_number"),
    }
}
