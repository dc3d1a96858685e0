//! Promise 2: the set that stands is the same for any order, delay, duplication, correction or restart within the horizon;
//! and history is the same, byte by byte, for the same journal. Ten thousand lives, half in each of two tests.

mod play;
mod rules;
mod stream;

use super::world::{MINUTE, World};
use crate::engine::Engine;
use model::episode::EpisodeChange;
use play::{Played, Seen, Way, play, verdicts};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use std::cell::Cell;
use stream::{Life, life};

const CASES: u32 = 5_000;
/// Less than half of the rules' horizon.
const LATE_MS: i64 = 9 * MINUTE;

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// Judges a life in order and in another way, and compares.
fn compare(world: &World, life: &Life, way: &Way, seen: &Cell<Seen>) -> Result<(), TestCaseError> {
    let expected = verdicts(&play(world, life, &Way::default()).run);
    let Played { run, seen: now } = play(world, life, way);
    prop_assert_eq!(&verdicts(&run), &expected);
    prop_assert_eq!(run.engine.counters().beyond_horizon, 0);
    let mut all = seen.get();
    all.add(&now);
    seen.set(all);
    Ok(())
}

#[test]
fn late_doubled_and_corrected_readings_and_restarts_change_no_verdict() {
    let (world, seen) = (rules::world(), Cell::new(Seen::default()));
    let delays = prop::collection::vec(prop_oneof![4 => Just(0i64), 1 => 0..LATE_MS], 61);
    let restarts = prop::collection::vec(0..500usize, 0..4);
    run(CASES, &(life(), delays, restarts), |(life, delays, restarts)| {
        compare(&world, &life, &Way { delays, restarts, twice_every: 5 }, &seen)
    });
    // None of these cases is made up by hand: the generator has to bring them forth.
    let seen = seen.get();
    for (what, count) in [
        ("episodes", seen.episodes),
        ("merged", seen.merged),
        ("split", seen.split),
        ("withdrawn", seen.withdrawn),
        ("over a version", seen.over_a_version),
        ("corrected", seen.corrected),
        ("doubled", seen.doubled),
        ("restarted", seen.restarted),
        ("disordered", seen.disordered),
    ] {
        assert!(count >= u64::from(CASES) / 50, "{what}: {count} in {CASES} lives: {seen:?}");
    }
    println!("{CASES} lives: {seen:?}");
}

#[test]
fn any_order_within_the_horizon_gives_the_same_verdicts() {
    let (world, seen) = (rules::world(), Cell::new(Seen::default()));
    let shuffled = prop::collection::vec(0..LATE_MS, 61);
    run(CASES, &(life(), shuffled), |(life, delays)| compare(&world, &life, &Way { delays, ..Way::default() }, &seen));
    assert!(seen.get().merged > 0 && seen.get().split > 0, "{:?}", seen.get());
}

#[test]
fn every_order_of_the_last_readings_gives_the_same_verdicts() {
    const LAST: usize = 5;
    let world = rules::world();
    run(6, &life(), |mut life| {
        let newest = life.end();
        life.readings.retain(|reading| newest - reading.at < 15 * MINUTE);
        life.readings.truncate(40);
        life.events.clear();
        let expected = verdicts(&play(&world, &life, &Way::default()).run);
        let count = life.readings.len();
        for order in orders(LAST) {
            // The last ones come together after all others, in this order.
            let late = |index: usize| {
                let place = (index + LAST).checked_sub(count)?;
                let rank = order.iter().position(|one| *one == place)?;
                Some(life.end() - life.readings.get(index)?.at + i64::try_from(rank).ok()? * 10)
            };
            // Two delays a reading: of itself and of its correction, which there is none of.
            let delays: Vec<i64> = (0..count).flat_map(|index| [late(index).unwrap_or(0), 0]).collect();
            let own = Life {
                readings: life.readings.iter().map(|r| stream::Reading { wrong: None, ..r.clone() }).collect(),
                events: Vec::new(),
            };
            let played = play(&world, &own, &Way { delays, ..Way::default() });
            prop_assert_eq!(&verdicts(&played.run), &expected, "order {:?}", order);
        }
        Ok(())
    });
}

#[test]
fn a_restart_anywhere_changes_no_byte_of_history() {
    let world = rules::world();
    let delays = prop::collection::vec(prop_oneof![4 => Just(0i64), 1 => 0..LATE_MS], 61);
    run(1_500, &(life(), delays, prop::collection::vec(0..500usize, 1..6)), |(life, delays, restarts)| {
        let way = Way { delays, restarts: Vec::new(), twice_every: 7 };
        let straight = play(&world, &life, &way).run;
        let restarted = play(&world, &life, &Way { restarts, ..way }).run;
        same_history(&straight.changes, &restarted.changes)?;
        let (mut a, mut b) = (straight.engine, restarted.engine);
        a.mark_all_dirty();
        b.mark_all_dirty();
        prop_assert_eq!(Engine::save(&mut a), Engine::save(&mut b));
        Ok(())
    });
}

#[test]
fn a_restart_before_every_single_entry_changes_no_byte_of_history() {
    let world = rules::world();
    let delays = prop::collection::vec(prop_oneof![4 => Just(0i64), 1 => 0..LATE_MS], 61);
    run(60, &(life(), delays), |(life, delays)| {
        let way = Way { delays, restarts: Vec::new(), twice_every: 7 };
        let straight = play(&world, &life, &way).run;
        let restarted = play(&world, &life, &Way { restarts: (0..2_000).collect(), ..way }).run;
        same_history(&straight.changes, &restarted.changes)
    });
}

fn same_history(one: &[EpisodeChange], other: &[EpisodeChange]) -> Result<(), TestCaseError> {
    let place = one.iter().zip(other).position(|(one, other)| one != other);
    let (a, b) = place.map_or((None, None), |place| (one.get(place), other.get(place)));
    prop_assert_eq!(a, b, "at {:?}", place);
    prop_assert_eq!(one.len(), other.len());
    Ok(())
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        let longer = |order: Vec<usize>| {
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, next);
                order
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}
