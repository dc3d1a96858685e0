//! Silence, gaps, and what is not the device's fault.

use super::world::{MINUTE, Run, World};
use crate::engine::Engine;
use model::episode::EpisodeChange;
use model::record::Flag;
use model::verdict::Verdict;

fn talk(run: &mut Run, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        run.fume(minute * MINUTE, 0.5, Flag::Normal);
    }
}

#[test]
fn half_an_hour_of_silence_is_raised_while_it_lasts_and_ends_with_the_next_record() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    run.tick_to(38 * MINUTE);
    assert!(run.standing_of("device-offline").is_empty());
    run.tick_to(40 * MINUTE);
    let open = run.standing_of("device-offline");
    assert_eq!((open.len(), open[0].start.0 - super::world::START, open[0].end), (1, 9 * MINUTE, None));
    talk(&mut run, 50..60);
    let closed = run.standing_of("device-offline");
    assert_eq!((closed.len(), closed[0].id, closed[0].extreme), (1, open[0].id, 41.0 * 60.0));
    assert_eq!(closed[0].end.map(|end| end.0 - super::world::START), Some(50 * MINUTE));
}

#[test]
fn a_device_that_was_only_delayed_is_not_offline() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    run.tick_to(60 * MINUTE);
    assert_eq!(run.standing_of("device-offline").len(), 1);
    // It sends what it kept, oldest first.
    talk(&mut run, 10..61);
    assert!(run.standing_of("device-offline").is_empty());
    assert!(run.standing_of("data-gap").is_empty());
    assert!(run.changes.iter().any(|change| matches!(change, EpisodeChange::Fell { .. })));
}

#[test]
fn our_own_outage_counts_against_nobody() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    run.outage(10 * MINUTE, 45 * MINUTE);
    run.tick_to(60 * MINUTE);
    assert!(run.standing_of("device-offline").is_empty(), "15 minutes of it are its own");
    run.tick_to(80 * MINUTE);
    assert_eq!(run.standing_of("device-offline").len(), 1);

    // An outage that becomes known later takes the episode back.
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    run.tick_to(50 * MINUTE);
    talk(&mut run, 50..60);
    assert_eq!(run.standing_of("device-offline").len(), 1);
    run.outage(10 * MINUTE, 45 * MINUTE);
    assert!(run.standing_of("device-offline").is_empty());
}

#[test]
fn ticks_that_are_missing_are_an_outage_of_ours() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    // The process was away for two hours: no tick in between.
    let late = super::world::tick(130 * MINUTE, 9_000);
    run.item(&late);
    assert!(run.standing_of("device-offline").is_empty());
}

#[test]
fn a_heartbeat_ends_silence_but_fills_no_gap() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    for minute in 10..120 {
        run.contact(minute * MINUTE, None);
    }
    assert!(run.standing_of("device-offline").is_empty());
    assert_eq!(run.standing_of("data-gap").len(), 1);
    talk(&mut run, 120..130);
    let length = run.standing_of("data-gap")[0].extreme;
    assert!((length - 111.0 * 60.0).abs() < 1e-9, "{length}");
}

#[test]
fn a_duplicate_shows_contact_and_is_no_new_moment() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    run.contact(30 * MINUTE, Some(Verdict::Duplicate));
    run.tick_to(50 * MINUTE);
    assert!(run.standing_of("device-offline").is_empty());
    talk(&mut run, 60..61);
    let length = run.standing_of("device-offline")[0].extreme;
    assert!((length - 51.0 * 60.0).abs() < 1e-9, "{length}");
}

#[test]
fn a_pause_just_short_is_none() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..1);
    run.fume(30 * MINUTE - 1, 0.5, Flag::Normal);
    assert!(run.standing_of("device-offline").is_empty());
}

#[test]
fn a_silent_neighbour_stalls_nobody() {
    let mut run = Run::new(World::library());
    run.fix(0, 0, 0.0);
    for minute in 0..120 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    assert_eq!(run.standing_of("fume-exceedance").len(), 1);
}

#[test]
fn state_survives_a_restart_byte_for_byte() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    for step in 0..60 {
        run.fix(10 * MINUTE + step * 20_000, step, 300.0);
    }
    run.tick_to(45 * MINUTE);
    run.restart();
    let rows: Vec<_> = run.rows.values().cloned().collect();
    let mut again = Engine::restore(&run.world.facts, &rows).unwrap();
    again.mark_all_dirty();
    let mut saved = again.save();
    saved.sort_by(|a, b| (&a.rule, a.subject, a.device).cmp(&(&b.rule, b.subject, b.device)));
    assert_eq!(saved, rows);
}

#[test]
fn damaged_state_is_told_not_believed() {
    let mut run = Run::new(World::library());
    talk(&mut run, 0..10);
    let rows = run.engine.save();
    for index in 0..rows.len() {
        for cut in 0..rows[index].blob.len() {
            let mut damaged = rows.clone();
            damaged[index].blob.truncate(cut);
            assert!(Engine::restore(&run.world.facts, &damaged).is_err());
        }
        let mut newer = rows.clone();
        newer[index].blob[0] = 9;
        assert!(Engine::restore(&run.world.facts, &newer).is_err());
    }
}
