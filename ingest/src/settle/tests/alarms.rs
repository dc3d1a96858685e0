//! Edges of alarms.

use super::*;
use protocol::jt808::{Position as Wire, time_bcd};

/// A position with an alarm word, `second` seconds after 07:00 on the terminal's clock.
fn position(second: u16, alarm: u32) -> Wire<'static> {
    let (minute, second) = (u8::try_from(second / 60).unwrap(), u8::try_from(second % 60).unwrap());
    let time_bcd = time_bcd((2026, 11, 22, 7, minute, second, 0));
    Wire { alarm, status: 3, lat_e6: 34_800_000, lon_e6: 113_600_000, time_bcd, ..Wire::default() }
}

fn sent(second: u16, alarm: u32) -> Entry {
    frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_position(&position(second, alarm)))
}

/// The alarms that an entry begins.
fn told(world: &mut World, entry: &Entry) -> Vec<String> {
    let out = world.put(entry);
    let events = records(&out).into_iter().filter(|record| record.key.kind == RecordKind::Event);
    let events = events.filter_map(|record| record.body.happening.as_ref());
    events
        .map(|event| {
            assert_eq!(event.what, "device_alarm");
            event.attributes[0].1.clone()
        })
        .collect()
}

#[test]
fn an_alarm_is_told_when_it_begins_and_not_while_it_lasts() {
    let mut world = World::new();
    let cases: [(u32, &[&str]); 6] = [
        (0, &[]),
        (1, &["sos"]),
        (1, &[]),
        (1 | 1 << 8, &["supply_cut"]),
        (0, &[]),
        (1 | 1 << 1, &["sos", "overspeed"]),
    ];
    for (second, (alarm, expected)) in (0..).zip(cases) {
        assert_eq!(told(&mut world, &sent(second, alarm)), expected, "at {second}");
    }
    // A copy begins nothing.
    assert!(told(&mut world, &sent(5, 3)).is_empty());
    let sum = total(&world);
    assert_eq!((sum.records, sum.stored, sum.duplicate), (11, 10, 1));
    assert!(sum.balances());
}

#[test]
fn an_alarm_in_a_late_batch_is_told_once_and_disturbs_nothing() {
    let mut world = World::new();
    assert!(told(&mut world, &sent(1_000, 0)).is_empty());
    let batch = [position(10, 0), position(20, 1), position(30, 1), position(40, 0)];
    let batch = frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_batch(&batch));
    assert_eq!(told(&mut world, &batch), ["sos"]);
    assert!(told(&mut world, &sent(1_010, 0)).is_empty());
    assert_eq!(told(&mut world, &sent(1_020, 1)), ["sos"]);
}

#[test]
fn a_damaged_position_begins_no_alarm() {
    let mut world = World::new();
    assert!(told(&mut world, &streams::damaged(sent(1, 1))).is_empty());
    assert_eq!(told(&mut world, &sent(2, 1)), ["sos"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the process restarts: the same events.
    #[test]
    fn a_restart_begins_no_alarm_and_forgets_none(
        words in prop::collection::vec((0_u16..3_000, 0_u32..4, any::<bool>()), 1..40),
    ) {
        let run = |restarts: bool| {
            let mut world = World::new();
            for (second, alarm, here) in &words {
                world.put(&sent(*second, *alarm));
                if restarts && *here {
                    trains::restart(&mut world);
                }
            }
            (world.total.items, world.total.loss)
        };
        prop_assert_eq!(run(true), run(false));
    }
}
