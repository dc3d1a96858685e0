//! A polled washer's pump becomes the event of a wash.

use super::*;
use crate::testing::{factor, profile, revision};
use model::envelope::ProtocolKind;
use model::record::Happening;
use model::register::{AddressBase, Object, Register, RegisterKind, WordOrder};
use model::time::EventTime;
use model::unit::Unit;
use protocol::modbus::{Answer, Function, Reading, reading::BlockAnswer};

fn washer() -> World {
    let mut world = World::new();
    let factors = vec![factor("pump", "washer_pump_on", Unit::One), factor("seconds", "wash_seconds", Unit::Second)];
    let mut map = profile("p-modbus", ProtocolKind::Modbus, factors);
    map.registers = [("pump", 0), ("seconds", 1)]
        .map(|(code, address)| Register {
            code: code.into(),
            function: 3,
            address,
            base: AddressBase::Zero,
            kind: RegisterKind::U16,
            order: WordOrder::Abcd,
            bit: None,
            mask: None,
            length: None,
            sentinel: None,
            valid: None,
            alone: false,
            split: false,
        })
        .to_vec();
    world.put(&Entry::Revision(Box::new(revision(1_000, Object::Profile(map)))));
    world
}

fn read(second: i64, pump: u16) -> Entry {
    let answer = Answer::Registers(vec![pump, 45]);
    let block = BlockAnswer { function: Function::HoldingRegisters, address: 0, count: 2, answer };
    let raw = Reading { unit: 1, blocks: vec![block] }.encode();
    frame(MODBUS, Channel::ModbusReading, IngestTime(now().0 + second * 1_000), &raw)
}

/// What a reading tells: begin and end in seconds.
fn told(world: &mut World, second: i64, pump: u16) -> Option<(i64, Option<i64>)> {
    let out = world.put(&read(second, pump));
    let of = |time: EventTime| (time.0 - now().0) / 1_000;
    let event = records(&out).into_iter().find(|record| record.key.kind == RecordKind::Event)?;
    let Happening { what, end, attributes, .. } = event.body.happening.as_deref().unwrap();
    assert_eq!(what, "wash");
    assert_eq!(attributes.len(), usize::from(end.is_some()));
    assert_eq!(event.verdict, if end.is_some() { Verdict::Revised } else { Verdict::Stored });
    Some((of(event.key.at), end.map(of)))
}

#[test]
fn a_wash_is_told_when_it_begins_and_again_with_its_end() {
    let mut world = washer();
    let cases = [
        (0, 0, None),
        (10, 1, Some((10, None))),
        (20, 1, None),
        (30, 0, Some((10, Some(30)))),
        (40, 0, None),
        (50, 1, Some((50, None))),
        (60, 0, Some((50, Some(60)))),
    ];
    for (second, pump, expected) in cases {
        assert_eq!(told(&mut world, second, pump), expected, "at {second}");
    }
    assert!(total(&world).balances());
}

#[test]
fn what_was_not_seen_is_not_made_up() {
    let mut world = washer();
    assert_eq!(told(&mut world, 0, 1), None, "it may have begun at any time");
    assert_eq!(told(&mut world, 10, 0), None);
    assert_eq!(told(&mut world, 20, 1), Some((20, None)));
    assert_eq!(told(&mut world, 30, 1), None);
    // Ten minutes of silence: it lasted at least as long as it was seen.
    assert_eq!(told(&mut world, 630, 1), Some((20, Some(30))));
    assert_eq!(told(&mut world, 640, 0), None);
    assert_eq!(told(&mut world, 1_640, 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wherever the process restarts: the same events, each ended once at most, none within another.
    #[test]
    fn a_restart_makes_no_other_washes(steps in prop::collection::vec((1_i64..400, 0_u16..2, any::<bool>()), 1..60)) {
        let run = |restarts: bool| {
            let mut world = washer();
            let mut second = 0;
            for (step, pump, here) in &steps {
                second += step;
                world.put(&read(second, *pump));
                if restarts && *here {
                    trains::restart(&mut world);
                }
            }
            (world.total.items, world.total.loss)
        };
        prop_assert_eq!(run(true), run(false));
    }
}
