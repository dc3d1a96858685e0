//! Promise 2: the set that stands is the same for any order, delay, duplication or restart within the horizon.

use super::world::{MINUTE, Run, Said, World, library, tick};
use crate::engine::Engine;
use model::episode::EpisodeClass;
use model::record::Flag;
use model::verdict::Verdict;
use proptest::prelude::*;

type Key = (String, i64, i64, Option<i64>, u64, EpisodeClass, Option<i64>, Option<i64>);

fn standing(run: &Run) -> Vec<Key> {
    let mut set: Vec<Key> = run
        .standing()
        .into_iter()
        .map(|e| {
            let (limit, permit) = (e.limit.map(|id| id.0), e.permit.map(|id| id.0));
            (e.rule, e.subject.0, e.start.0, e.end.map(|end| end.0), e.extreme.to_bits(), e.class, limit, permit)
        })
        .collect();
    set.sort();
    set
}

/// Short windows, so that a short stream holds many episodes; a horizon that some of the stream leaves behind.
fn world() -> World {
    let short = |code: &str, edits: &[(&str, &str)]| {
        let text = library(code)
            .replace("horizon = \"6h\"", "horizon = \"20min\"")
            .replace("horizon = \"24h\"", "horizon = \"20min\"");
        edits.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{code}: {from}");
            text.replace(from, to)
        })
    };
    World::with(vec![
        (
            "fume-exceedance",
            short(
                "fume-exceedance",
                &[
                    ("window = \"60min\"", "window = \"3min\""),
                    ("0.75", "0.6"),
                    ("for = \"0s\"", "for = \"60s\""),
                    ("clear_for = \"10min\"", "clear_for = \"1min\""),
                ],
            ),
        ),
        ("device-offline", short("device-offline", &[("longer_than = \"30min\"", "longer_than = \"4min\"")])),
        ("data-gap", short("data-gap", &[("longer_than = \"60min\"", "longer_than = \"6min\"")])),
        (
            "truck-off-route",
            short(
                "truck-off-route",
                &[
                    ("for = \"10min\"", "for = \"1min\""),
                    ("fixes_min = 5", "fixes_min = 2"),
                    ("gap = \"3min\"", "gap = \"2min\""),
                ],
            ),
        ),
    ])
}

/// A stream in event-time order, no two at one time per device.
fn stream() -> impl Strategy<Value = Vec<Said>> {
    let flag = prop_oneof![9 => Just(Flag::Normal), 1 => Just(Flag::Calibration)];
    let level = prop_oneof![Just(0.5), Just(1.9), Just(2.5), Just(7.0)];
    let pause = || prop_oneof![8 => Just(0i64), 1 => 1..8i64];
    let fumes = prop::collection::vec((level, flag, pause(), 0..50_000i64), 10..40);
    let aside = prop_oneof![3 => Just(5.0), 1 => Just(40.0), 3 => Just(200.0), 1 => Just(9_000.0)];
    let fixes = prop::collection::vec((aside, prop::bool::weighted(0.95), pause(), 0..9_000i64, 1..4usize), 5..25);
    (fumes, fixes).prop_map(|(fumes, fixes)| {
        let mut all = Vec::new();
        let mut minute = 0;
        for (value, flag, pause, jitter) in fumes {
            minute += 1 + pause;
            all.push(Said::Fume { at: minute * MINUTE + jitter, value, flag });
        }
        let mut step = 0;
        for (aside, fixed, pause, jitter, repeat) in fixes {
            step += pause * 3;
            for _ in 0..repeat {
                step += 1;
                all.push(Said::Fix { at: step * 20_000 + jitter, along: step, aside, fixed });
            }
        }
        all.sort_by_key(Said::at);
        all
    })
}

/// Judges the stream with each record `delays` late; restarts before the journal entries at `restarts`.
fn judge(world: &World, stream: &[Said], delays: &[i64], restarts: &[usize], duplicates: bool) -> Run {
    let mut arrivals: Vec<(i64, &Said)> =
        stream.iter().zip(delays.iter().cycle()).map(|(said, delay)| (said.at() + delay, said)).collect();
    arrivals.sort_by_key(|(at, _)| *at);
    let mut run = Run::new(world.clone());
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut now, mut entry) = (0, 0);
    let end = 150 * MINUTE;
    while now < end {
        let item = if let Some((at, said)) = arrivals.next_if(|(at, _)| *at < now + 30_000) {
            let record = said.record(at, run.next_seq(), Verdict::Stored);
            if duplicates && entry % 5 == 0 {
                run.item(&record);
                entry += 1;
                continue_duplicate(&mut run, said, at);
                continue;
            }
            record
        } else {
            now += 30_000;
            tick(now, run.next_seq())
        };
        if restarts.contains(&entry) {
            run.restart();
        }
        run.item(&item);
        entry += 1;
    }
    run
}

/// What settle makes of a duplicate: contact, no record.
fn continue_duplicate(run: &mut Run, said: &Said, at: i64) {
    if matches!(said, Said::Fume { .. }) {
        run.contact_now(at, Some(Verdict::Duplicate));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_readings_give_the_same_verdicts(
        stream in stream(),
        delays in prop::collection::vec(prop_oneof![4 => Just(0i64), 1 => 0..9 * MINUTE], 60),
        shuffled in prop::collection::vec(0..9 * MINUTE, 60),
        restarts in prop::collection::vec(0..400usize, 0..4),
    ) {
        let world = world();
        let in_order = judge(&world, &stream, &[0], &[], false);
        let expected = standing(&in_order);
        let late = judge(&world, &stream, &delays, &restarts, true);
        prop_assert_eq!(&standing(&late), &expected, "a fifth late, restarts, duplicates");
        let mixed = judge(&world, &stream, &shuffled, &[], false);
        prop_assert_eq!(&standing(&mixed), &expected, "everything shuffled");
        prop_assert_eq!(late.engine.counters().beyond_horizon, 0);
    }

    #[test]
    fn a_restart_changes_no_byte_of_history(
        stream in stream(),
        delays in prop::collection::vec(prop_oneof![4 => Just(0i64), 1 => 0..9 * MINUTE], 60),
        restarts in prop::collection::vec(0..400usize, 1..6),
    ) {
        let world = world();
        let straight = judge(&world, &stream, &delays, &[], false);
        let restarted = judge(&world, &stream, &delays, &restarts, false);
        prop_assert_eq!(&straight.changes, &restarted.changes);
        let (mut a, mut b) = (straight.engine, restarted.engine);
        a.mark_all_dirty();
        b.mark_all_dirty();
        prop_assert_eq!(Engine::save(&mut a), Engine::save(&mut b));
    }
}
