//! Promises of the packed form.

use super::*;
use model::record::{Happening, Remark};
use model::verdict::Verdict;
use proptest::prelude::*;

fn packed(records: &[SettledRecord]) -> Result<Vec<u8>, Damage> {
    Packer::new()?.pack(records)
}

fn any_value() -> impl Strategy<Value = Value> {
    (0u16..4, 1u8..6, 0u8..10, any::<f64>()).prop_map(|(quantity, statistic, flag, value)| Value {
        quantity: Quantity(quantity + 998),
        statistic: Statistic::from_u8(statistic).unwrap(),
        flag: Flag::from_u8(flag).unwrap(),
        value,
    })
}

fn any_fix() -> impl Strategy<Value = Fix> {
    (any::<(f64, f64, f64, u16, i16, bool)>(), any::<(u32, u32)>()).prop_map(
        |((lon, lat, speed_kmh, heading_deg, altitude_m, fixed), (status, alarm))| Fix {
            place: Wgs84 { lon, lat },
            speed_kmh,
            heading_deg,
            altitude_m,
            fixed,
            status,
            alarm,
        },
    )
}

fn any_record() -> impl Strategy<Value = SettledRecord> {
    let key = any::<(i64, i64, u64, u32)>();
    let body = (prop::collection::vec(any_value(), 0..6), prop::option::of(any_fix()), any::<bool>());
    (key, body, 0i64..3, any::<bool>(), ".{0,6}").prop_map(
        |((at, received, seq, slot), body, subject, revised, text)| {
            let (mut values, fix, event) = body;
            values.sort_by_key(|value| (value.quantity, value.statistic));
            values.dedup_by_key(|value| (value.quantity, value.statistic));
            let happening = event.then(|| {
                Box::new(Happening {
                    what: text.clone(),
                    end: Some(EventTime(at)),
                    plate: None,
                    attributes: vec![("a".into(), text.clone())],
                    pictures: Vec::new(),
                })
            });
            let remarks = if subject == 0 { vec![Remark { code: "c".into(), place: text }] } else { Vec::new() };
            SettledRecord {
                key: RecordKey { device: DeviceId(7), kind: RecordKind::Instant, slot, at: EventTime(at) },
                subject: (subject != 0).then_some(SubjectId(subject)),
                received: IngestTime(received),
                position: Position { partition: 0, seq },
                verdict: if revised { Verdict::Revised } else { Verdict::Stored },
                body: Body { values, fix, happening },
                remarks,
            }
        },
    )
}

/// Comparable bit for bit, also for numbers that are none.
fn bits(record: &SettledRecord) -> (String, Vec<u64>) {
    let mut record = record.clone();
    let mut words = Vec::new();
    for value in &mut record.body.values {
        words.push(std::mem::take(&mut value.value).to_bits());
    }
    if let Some(fix) = &mut record.body.fix {
        for number in [&mut fix.place.lon, &mut fix.place.lat, &mut fix.speed_kmh] {
            words.push(std::mem::take(number).to_bits());
        }
    }
    (format!("{record:?}"), words)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_read_is_bit_for_bit_what_was_written(
        records in prop::collection::vec(any_record(), 0..120),
    ) {
        let chunk = Chunk::open(&packed(&records).unwrap()).unwrap();
        let read = chunk.records(DeviceId(7), RecordKind::Instant, 0).unwrap();
        prop_assert_eq!(read.iter().map(bits).collect::<Vec<_>>(), records.iter().map(bits).collect::<Vec<_>>());
        let keys = chunk.keys().unwrap();
        let expected: Vec<_> = records.iter().map(|r| (r.key.at, r.key.slot, r.position.seq)).collect();
        prop_assert_eq!(keys, expected);
        let (quantity, statistic) = (Quantity(999), Statistic::Mean);
        let column = chunk.column(quantity, statistic).unwrap();
        let expected: Vec<_> = records
            .iter()
            .enumerate()
            .filter_map(|(row, r)| r.body.value(quantity, statistic).map(|v| (row, v.value.to_bits())))
            .collect();
        let found = column.map(|c| c.rows.into_iter().zip(c.numbers.into_iter().map(f64::to_bits)).collect::<Vec<_>>());
        prop_assert_eq!(found.unwrap_or_default(), expected);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic(
        records in prop::collection::vec(any_record(), 1..5),
        at in any::<prop::sample::Index>(),
        bit in 0u32..8,
    ) {
        let mut packed = packed(&records).unwrap();
        let at = at.index(packed.len());
        packed[at] ^= 1 << bit;
        if let Ok(chunk) = Chunk::open(&packed) {
            chunk.records(DeviceId(7), RecordKind::Instant, 0).ok();
            chunk.keys().ok();
            chunk.column(Quantity(999), Statistic::Mean).ok();
        }
    }
}

#[test]
fn a_day_of_readings_takes_few_bytes_a_value() {
    let records: Vec<_> = (0..3_600_i64)
        .map(|second| SettledRecord {
            key: RecordKey { device: DeviceId(7), kind: RecordKind::Instant, slot: 0, at: EventTime(second * 1_000) },
            subject: Some(SubjectId(1)),
            received: IngestTime(second * 1_000 + 20 + second % 7),
            position: Position { partition: 0, seq: second.unsigned_abs() * 100 },
            verdict: Verdict::Stored,
            body: Body {
                values: (1..=6)
                    .map(|quantity| Value {
                        quantity: Quantity(quantity),
                        statistic: Statistic::Instant,
                        flag: Flag::Normal,
                        value: f64::from(i32::try_from((second * i64::from(quantity) * 7919) % 200).unwrap()) / 100.0,
                    })
                    .collect(),
                fix: None,
                happening: None,
            },
            remarks: Vec::new(),
        })
        .collect();
    let bytes = packed(&records).unwrap().len();
    assert!(bytes < records.len() * 6 * 3, "{bytes} bytes for {} values", records.len() * 6);
}
