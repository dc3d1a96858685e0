//! How long texts and lists of the registers may be.

use super::Told;
use model::register::{Object, SubjectDetails};
use serde_json::Value;

/// The bounds of free texts (characters) and lists (entries), one table for all registers. What has a grammar of its own (codes,
/// names, identities, plates, a rule's text) is bounded where that is checked.
pub(super) fn bounded(object: &Object, told: &mut Told<'_>) {
    plain(object, told);
    texts(object, told);
    lists(object, told);
}

fn texts(object: &Object, told: &mut Told<'_>) {
    let mut text = |field: &str, text: &str, most: usize| {
        let long = text.chars().count();
        told.must(long <= most, field, &format!("has {long} characters; write at most {most}"));
    };
    match object {
        Object::Limit(row) => {
            text("region", &row.region, WORD_MAX);
            text("standard", &row.standard, TITLE_MAX);
            text("class", &row.class, WORD_MAX);
            text("source", &row.source, SENTENCE_MAX);
        }
        Object::Subject(row) => match &row.details {
            SubjectDetails::Restaurant { address, licence, contact, phone, .. } => {
                text("details.address", address, SENTENCE_MAX);
                text("details.licence", licence, TITLE_MAX);
                text("details.contact", contact, TITLE_MAX);
                text("details.phone", phone, WORD_MAX);
            }
            SubjectDetails::Site { address, builder, .. } => {
                text("details.address", address, SENTENCE_MAX);
                text("details.builder", builder, TITLE_MAX);
            }
            SubjectDetails::Truck { plate_colour, company, .. } => {
                text("details.plate_colour", plate_colour, WORD_MAX);
                text("details.company", company, TITLE_MAX);
            }
            SubjectDetails::Gate { .. } | SubjectDetails::DisposalSite { .. } => {}
        },
        Object::Device(row) => {
            text("name", &row.name, TITLE_MAX);
            text("vendor", &row.vendor, TITLE_MAX);
            text("profile", &row.profile, WORD_MAX);
            text("poll.address", row.poll.as_ref().map_or("", |poll| poll.address.as_str()), 300);
        }
        Object::Installation(row) => text("point", &row.point, TITLE_MAX),
        Object::Profile(row) => {
            for (index, factor) in row.factors.iter().enumerate().take(FACTORS_MAX) {
                text(&format!("factors[{index}].code"), &factor.code, WORD_MAX);
            }
            for (index, rule) in row.events.iter().enumerate().take(EVENTS_MAX) {
                text(&format!("events[{index}].topic"), &rule.topic, TITLE_MAX);
                text(&format!("events[{index}].event"), &rule.event, WORD_MAX);
                text(&format!("events[{index}].plate"), &rule.plate, WORD_MAX);
                let told = rule.attributes.iter().flat_map(|mapped| [&mapped.item, &mapped.name]);
                let words = rule.when.iter().map(|when| &when.item).chain(told).chain(&rule.pictures);
                words.for_each(|word| text(&format!("events[{index}]"), word, TITLE_MAX));
            }
        }
        Object::Permit(_)
        | Object::Notice(_)
        | Object::NightPermit(_)
        | Object::Cleaning(_)
        | Object::Maintenance(_)
        | Object::Background(_) => papers(object, text),
        Object::Office(_)
        | Object::Grid(_)
        | Object::Calendar(_)
        | Object::Rule(_)
        | Object::Area(_)
        | Object::Manifest(_)
        | Object::Schedule(_) => {}
    }
}

/// The texts of what people write about the subjects.
fn papers(object: &Object, mut text: impl FnMut(&str, &str, usize)) {
    match object {
        Object::Permit(row) => {
            for (index, one) in row.suspensions.iter().enumerate().take(SUSPENSIONS_MAX) {
                text(&format!("suspensions[{index}].why"), &one.why, SENTENCE_MAX);
            }
        }
        Object::Notice(row) => {
            text("region", &row.region, WORD_MAX);
            text("source", &row.source, PAGE_MAX);
        }
        Object::NightPermit(row) => {
            text("issuer", &row.issuer, TITLE_MAX);
            text("reason", &row.reason, SENTENCE_MAX);
        }
        Object::Cleaning(row) => {
            text("cleaned_by", &row.cleaned_by, TITLE_MAX);
            text("picture", &row.picture, TITLE_MAX);
            text("note", &row.note, SENTENCE_MAX);
        }
        Object::Maintenance(row) => text("why", &row.why, SENTENCE_MAX),
        Object::Background(row) => {
            text("region", &row.region, WORD_MAX);
            text("source", &row.source, SENTENCE_MAX);
        }
        _ => {}
    }
}

fn lists(object: &Object, told: &mut Told<'_>) {
    let mut list = |field: &str, long: usize, most: usize| {
        told.must(long <= most, field, &format!("has {long} entries; write at most {most}"));
    };
    match object {
        Object::Profile(row) => {
            list("factors", row.factors.len(), FACTORS_MAX);
            list("registers", row.registers.len(), REGISTERS_MAX);
            list("events", row.events.len(), EVENTS_MAX);
            for (index, rule) in row.events.iter().enumerate().take(EVENTS_MAX) {
                let most = rule.when.len().max(rule.pictures.len()).max(rule.attributes.len());
                list(&format!("events[{index}]"), most, EVENT_PARTS_MAX);
            }
        }
        Object::Permit(row) => {
            list("trucks", row.trucks.len(), TRUCKS_MAX);
            list("windows", row.windows.len(), WINDOWS_MAX);
            list("suspensions", row.suspensions.len(), SUSPENSIONS_MAX);
        }
        Object::Area(row) => list("windows", row.windows.len(), WINDOWS_MAX),
        Object::NightPermit(row) => list("windows", row.windows.len(), WINDOWS_MAX),
        Object::Notice(row) => list("grids", row.grids.len(), GRIDS_MAX),
        Object::Schedule(row) => {
            list("open", row.open.len(), WINDOWS_MAX);
            list("peaks", row.peaks.len(), WINDOWS_MAX);
        }
        Object::Calendar(row) => {
            list("hours", row.hours.len(), WINDOWS_MAX);
            list("holidays", row.holidays.len(), DAYS_MAX);
            list("workdays", row.workdays.len(), DAYS_MAX);
        }
        _ => {}
    }
}

/// No text of a register may have a character that is not seen or that turns what is around it: names stand in lists, tables and
/// log lines.
fn plain(object: &Object, told: &mut Told<'_>) {
    // A rule's text has lines, and a grammar of its own.
    if matches!(object, Object::Rule(_)) {
        return;
    }
    if let Ok(value) = serde_json::to_value(object) {
        unseen("", value.get("row").unwrap_or(&value), &mut |field, found| {
            let told_as = format!("has the character U+{:04X}, which is not seen; leave it out", u32::from(found));
            told.must(false, field, &told_as);
        });
    }
}

/// The first such character of each text within, with its field.
fn unseen(field: &str, value: &Value, tell: &mut impl FnMut(&str, char)) {
    match value {
        Value::String(text) => {
            if let Some(found) = text.chars().find(|c| is_unseen(*c)) {
                tell(field, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                unseen(&format!("{field}[{index}]"), item, tell);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                unseen(&inner, value, tell);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Controls, marks and overrides of direction (Unicode `Bidi_Control`), zero-width characters, line and paragraph separators.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

const WORD_MAX: usize = 64;
const TITLE_MAX: usize = 200;
const SENTENCE_MAX: usize = 500;
const FACTORS_MAX: usize = 1_000;
const EVENTS_MAX: usize = 200;
const EVENT_PARTS_MAX: usize = 32;
const REGISTERS_MAX: usize = 5_000;
const TRUCKS_MAX: usize = 2_000;
const WINDOWS_MAX: usize = 200;
const DAYS_MAX: usize = 2_000;
const SUSPENSIONS_MAX: usize = 200;
const GRIDS_MAX: usize = 2_000;
/// The text of a notice as it was published.
const PAGE_MAX: usize = 4_000;

#[cfg(test)]
mod tests {
    use crate::error::LedgerError;
    use crate::testing::{author, device, profile, rig};
    use database::both;
    use model::envelope::ProtocolKind;
    use model::id::LimitId;
    use model::register::{Limit, Object};
    use model::time::EventTime;
    use model::unit::Unit;

    fn limit() -> Limit {
        Limit {
            id: LimitId(0),
            quantity: "fume".into(),
            value: 2.0,
            unit: Unit::MgPerM3,
            region: String::new(),
            standard: "GB 18483-2001".into(),
            class: String::new(),
            subject_kind: String::new(),
            valid_from: EventTime(0),
            valid_to: None,
            source: String::new(),
            verified: false,
            retired: false,
        }
    }

    #[test]
    fn a_text_without_end_is_refused_and_its_field_is_named() {
        both(async |db| {
            let rig = rig(db).await;
            let long = "长".repeat(100_000);
            let cases = [
                ("[0].standard", Object::Limit(Limit { standard: long.clone(), ..limit() })),
                ("[0].source", Object::Limit(Limit { source: long.clone(), ..limit() })),
                ("[0].region", Object::Limit(Limit { region: long.clone(), ..limit() })),
                ("[0].class", Object::Limit(Limit { class: long.clone(), ..limit() })),
            ];
            for (place, object) in cases {
                let refused = rig.ledger.edit(&author(), vec![object]).await;
                let Err(LedgerError::Invalid(problems)) = refused else { panic!("{place}: {refused:?}") };
                let told: Vec<_> = problems.iter().map(|one| one.place.as_str()).collect();
                assert_eq!(told, [place], "{problems:?}");
                assert!(problems[0].message.contains("100000"), "{problems:?}");
            }
            let right = Limit { standard: "长".repeat(200), source: "长".repeat(500), ..limit() };
            rig.ledger.edit(&author(), vec![Object::Limit(right)]).await.unwrap();
            let mut meter = device(-1, "meter-1", ProtocolKind::Mqtt, "meter-1");
            if let Object::Device(row) = &mut meter {
                row.vendor.clone_from(&long);
            }
            let refused = rig.ledger.edit(&author(), vec![profile("p", ProtocolKind::Mqtt), meter]).await;
            let Err(LedgerError::Invalid(problems)) = refused else { panic!("{refused:?}") };
            assert!(problems.iter().any(|one| one.place == "[1].vendor"), "{problems:?}");
        });
    }

    #[test]
    fn a_character_that_is_not_seen_is_refused_and_named() {
        both(async |db| {
            let rig = rig(db).await;
            for (bad, told) in
                [("a\u{202e}b", "U+202E"), ("a\nb", "U+000A"), ("\u{7}", "U+0007"), ("a\u{200b}", "U+200B")]
            {
                let refused =
                    rig.ledger.edit(&author(), vec![Object::Limit(Limit { source: bad.into(), ..limit() })]).await;
                let Err(LedgerError::Invalid(problems)) = refused else { panic!("{bad:?}: {refused:?}") };
                assert_eq!(problems[0].place, "[0].source");
                assert!(problems[0].message.contains(told), "{problems:?}");
            }
            let right = Limit { source: "《饮食业油烟排放标准》 GB 18483—2001".into(), ..limit() };
            rig.ledger.edit(&author(), vec![Object::Limit(right)]).await.unwrap();
        });
    }
}
