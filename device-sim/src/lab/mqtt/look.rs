//! What the desk looks at in a packet, and under which check a fault of it goes.

use super::super::book::{Finding, Weight, place_of};
use super::super::values;
use super::{Came, Client, mixed};
use protocol::explain::{Explained, Trouble};
use protocol::mqtt::packet::Publish;
use protocol::mqtt::payload::{self, Scalar, When};

impl Client {
    pub(super) fn look_at_packet_id(&mut self, publish: &Publish<'_>, explained: &Explained, new: &mut Vec<Finding>) {
        if publish.qos == 0 {
            return;
        }
        let reused = self.unanswered.get(&publish.id).is_some_and(|content| *content != mixed(publish.payload));
        if reused {
            let text = Finding::new(
                "packet_id",
                "packet_id_reused",
                "报文标识符在应答之前被重用",
                "a packet id used again before it was answered",
            );
            self.add(text.at(place_of(&explained.explanation, "packet_id")).detail(publish.id.to_string()), new);
        } else if publish.id != 0 {
            self.book.kept("packet_id");
        }
    }

    /// The time of the newest record, and what is odd about times and values.
    pub(super) fn look_at_records(
        &mut self,
        publish: &Publish<'_>,
        came: &Came<'_>,
        repeated: bool,
        new: &mut Vec<Finding>,
    ) -> Option<i64> {
        let Ok(document) = payload::read(publish.payload) else { return None };
        let explanation = &came.explained.explanation;
        let member = |name: &str| {
            let span =
                explanation.spans.iter().find(|span| span.name == name || span.name.ends_with(&format!(".{name}")));
            span.or_else(|| explanation.spans.iter().find(|span| span.name == "payload"))
                .map(|span| (span.at, span.len))
        };
        let mut newest = None;
        for reading in &document.readings {
            match reading.at {
                When::Absent => {
                    let text = Finding::new(
                        "ts",
                        "ts_missing",
                        "记录没有 ts，只能用接收时间",
                        "a record without ts gets the time it was received",
                    );
                    self.add(text.at(member("payload")), new);
                }
                When::At(ms) => {
                    self.book.kept("ts");
                    newest = Some(newest.map_or(ms, |known: i64| known.max(ms)));
                }
                When::Unreadable => {}
            }
            for field in &reading.values {
                if let Scalar::Number(value) = field.value
                    && let Some(finding) = values::judge(&field.name, value)
                {
                    self.add(finding.at(member(&field.name)), new);
                }
            }
            if !reading.values.is_empty() || reading.position.is_some() || reading.event.is_some() {
                self.book.kept("value");
            }
        }
        if let Some(at) = newest.filter(|_| came.timed && !repeated && self.trial.is_live() && !publish.dup) {
            self.clock.heard(at, came.now, 0);
            self.clock.judge(&mut self.book, member("ts"), true);
        }
        newest
    }

    pub(super) fn look_at_troubles(&mut self, explained: &Explained) {
        let mut hit: Vec<&str> = Vec::new();
        for (place, trouble) in explained.explanation.all_troubles() {
            let (check, weight) = check_of(trouble, place.is_some());
            hit.push(check);
            let mut finding = Finding::of_trouble(check, place, trouble, weight);
            finding.frame = self.book.frames_up;
            self.book.found(finding);
        }
        let has_payload = explained.explanation.spans.iter().any(|span| span.name == "payload");
        for check in ["packet", "payload"] {
            if !hit.contains(&check) && (check == "packet" || has_payload) {
                self.book.kept(check);
            }
        }
    }
}

/// Which check a problem belongs to, and whether the check fails by it.
fn check_of(trouble: &Trouble, has_place: bool) -> (&'static str, Weight) {
    match trouble.code {
        // A packet that ends early has no place of its own; JSON that does has one.
        "truncated" if has_place => ("payload", Weight::Must),
        "packet_id_zero" => ("packet_id", Weight::Must),
        "topic_bad" => ("topic", Weight::Must),
        "time_unreadable" | "time_in_seconds" | "time_far_future" | "time_far_past" => ("ts", Weight::Must),
        "duplicate_name" | "too_many_pictures" => ("payload", Weight::Should),
        code if payload_code(code) => ("payload", Weight::Must),
        _ => ("packet", Weight::Must),
    }
}

fn payload_code(code: &str) -> bool {
    matches!(
        code,
        "not_json"
            | "too_deep"
            | "no_record"
            | "too_many_records"
            | "too_many_fields"
            | "name_too_long"
            | "text_too_long"
            | "number_out_of_range"
            | "not_a_value"
            | "position_unusable"
            | "flag_unknown"
            | "event_unnamed"
            | "end_before_start"
            | "picture_unusable"
    )
}
