//! HJ 212 → records. 2011 is an instant; 2051, 2061 and 2031 are statistics of a minute, hour and day whose `DataTime` is the period's
//! start (HJ 212-2017 table 4); 2021 and 2041 are states. Everything else is a sign of life and no record.
//!
//! `DataTime` has no zone: it becomes an instant through the profile's offset. Without one that is a real date the record is quarantined;
//! `QN` is when it was sent, not when it was measured, and is never taken for it.

use super::{Named, Unmapped, number, put};
use crate::settle::draft::{Decoded, Draft, Fault, Packet};
use crate::settle::foreign::Foreign;
use crate::settle::profile::Profile;
use model::envelope::Envelope;
use model::record::{Flag, RecordKind, Statistic};
use model::time::{EventTime, LocalStamp};
use protocol::hj212::{DataFlag, Field, Item, Message, Parts, cn};

/// A frame; a packet of a split message is only named.
pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile, foreign: &mut Foreign) -> Decoded<'p> {
    read(envelope, profile, foreign, true)
}

/// A frame or packet as it stands.
pub fn decode_whole<'p>(envelope: &Envelope, profile: &'p Profile, foreign: &mut Foreign) -> Decoded<'p> {
    read(envelope, profile, foreign, false)
}

/// Commands that carry no measurement: notices, answers to requests, logins, heartbeats.
const WITHOUT_DATA: &[&str] = &[
    "1001", "1011", "1013", "1061", "1063", "2081", "3015", "3017", "3018", "3019", "3020", "9011", "9012", "9013",
    "9014", "9015", "9021",
];

fn read<'p>(envelope: &Envelope, profile: &'p Profile, foreign: &mut Foreign, split: bool) -> Decoded<'p> {
    let parts = Parts::split(&envelope.raw);
    let text = parts.text();
    let (message, _) = Message::parse(&text);
    let Some(command) = message.cn else {
        return Decoded::Unreadable(Fault::not_understood("no CN"));
    };
    let (kind, default) = match command {
        cn::REAL_TIME => (RecordKind::Instant, Statistic::Instant),
        cn::MINUTE => (RecordKind::Minute, Statistic::Mean),
        cn::HOUR => (RecordKind::Hour, Statistic::Mean),
        cn::DAY => (RecordKind::Day, Statistic::Mean),
        cn::DEVICE_STATE => (RecordKind::State, Statistic::Instant),
        cn::RUN_TIME => (RecordKind::State, Statistic::Total),
        known if WITHOUT_DATA.contains(&known) => return Decoded::Nothing,
        other => return Decoded::Unreadable(Fault::not_understood(format!("CN={other}"))),
    };
    if split && let (Some(of @ 2..), Some(number @ 1..)) = (message.pnum, message.pno) {
        let key = format!("{command}/{}", message.plain("DataTime").unwrap_or_default());
        return Decoded::Packet(Packet { key, of, number });
    }
    let stamp = message.data_time().and_then(|(year, month, day, hour, minute, second, ms)| {
        LocalStamp::new(year, month, day, hour, minute, second, ms)
    });
    let at = stamp.map(|stamp| stamp.at_offset(profile.source.offset_minutes));
    let mut draft = super::draft(envelope.device, kind, at.unwrap_or(EventTime(envelope.received.0)));
    if at.is_none() {
        let place =
            message.plain("DataTime").map_or_else(|| "no DataTime".to_owned(), |text| format!("DataTime={text}"));
        draft.fault = Some(Fault::no_time(place));
    }
    let times = message.fields().filter(|field| field.suffix.is_empty() && field.code.eq_ignore_ascii_case("DataTime"));
    for second in times.skip(1) {
        draft.remark("data_time_twice", &second.written());
    }
    for item in &message.items {
        read_item(&mut draft, item, default, profile, foreign);
    }
    Decoded::Drafts(vec![draft])
}

fn read_item<'p>(
    draft: &mut Draft<'p>,
    item: &Item<'_>,
    default: Statistic,
    profile: &'p Profile,
    foreign: &mut Foreign,
) {
    for field in &item.fields {
        let Some(meaning) = meaning(field) else {
            look_at_flag(draft, item, field);
            continue;
        };
        let wire = match number(field.text) {
            Ok(wire) => wire,
            Err(remark) => {
                draft.remark(remark, &field.written());
                continue;
            }
        };
        let flag = flag_of(item, field.code);
        let named = |code| Named { code, statistic: meaning.statistic, default, flag, wire };
        if meaning.converted {
            let code = format!("{}-Zs", field.code);
            put(draft, profile, foreign, Unmapped::Foreign, named(&code));
        } else {
            put(draft, profile, foreign, Unmapped::Foreign, named(field.code));
        }
    }
}

/// What a suffix says about a value.
struct Meaning {
    statistic: Option<Statistic>,
    /// `Zs…`: converted to the reference state; another quantity than the measured one, under the factor `code-Zs`.
    converted: bool,
}

/// `None`: the field is no value.
fn meaning(field: &Field<'_>) -> Option<Meaning> {
    let suffix = field.suffix;
    let stripped = suffix.get(..2).filter(|head| head.eq_ignore_ascii_case("Zs")).and_then(|_| suffix.get(2..));
    let (converted, rest) = stripped.map_or((false, suffix), |rest| (true, rest));
    let is = |word: &str| rest.eq_ignore_ascii_case(word);
    let statistic = if is("Rtd") {
        Some(Statistic::Instant)
    } else if is("Avg") {
        Some(Statistic::Mean)
    } else if is("Min") {
        Some(Statistic::Min)
    } else if is("Max") {
        Some(Statistic::Max)
    } else if is("Cou") {
        Some(Statistic::Total)
    } else if is("Data") || is("RS") || is("RT") || (rest.is_empty() && !is_plain_key(field.code)) {
        None
    } else {
        return None;
    };
    Some(Meaning { statistic, converted })
}

fn is_plain_key(code: &str) -> bool {
    const KEYS: [&str; 13] = [
        "DataTime",
        "SystemTime",
        "RestartTime",
        "BeginTime",
        "EndTime",
        "PolId",
        "Flag",
        "QN",
        "RtdInterval",
        "MinInterval",
        "QnRtn",
        "ExeRtn",
        "SN",
    ];
    KEYS.iter().any(|key| key.eq_ignore_ascii_case(code))
}

/// The flag of the code within its item.
fn flag_of(item: &Item<'_>, code: &str) -> Flag {
    let letter = first_flag(item, code).and_then(|field| field.text.bytes().next());
    letter.map_or(Flag::Normal, Flag::from_letter)
}

fn first_flag<'i, 'a>(item: &'i Item<'a>, code: &str) -> Option<&'i Field<'a>> {
    item.fields.iter().find(|field| is_flag(field) && field.code.eq_ignore_ascii_case(code))
}

fn is_flag(field: &Field<'_>) -> bool {
    field.suffix.eq_ignore_ascii_case("Flag")
}

/// Remarks a letter that no edition knows, and a second flag that says otherwise.
fn look_at_flag(draft: &mut Draft<'_>, item: &Item<'_>, field: &Field<'_>) {
    if !is_flag(field) {
        return;
    }
    if matches!(DataFlag::read(field.text), Some(DataFlag::Other(_))) {
        draft.remark("flag_unknown", &field.written());
    }
    if first_flag(item, field.code).is_some_and(|first| first.offset != field.offset && first.text != field.text) {
        draft.remark("duplicate_factor", &field.written());
    }
}
