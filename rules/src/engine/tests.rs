//! Verdicts per rule, with the innocent look-alikes. `world.rs` builds the registers and journals, `verdicts.rs` holds the
//! property that the set that stands does not depend on how it came.

mod offline;
mod property;
mod world;

use crate::explain::{JudgedState, NotJudged};
use model::episode::{EpisodeChange, EpisodeClass};
use model::id::SubjectId;
use model::record::Flag;
use world::{FUME, MINUTE, Run, START, TRUCK, World};

/// A restaurant's hour before, at a harmless level.
fn calm(run: &mut Run, minutes: std::ops::Range<i64>) {
    for minute in minutes {
        run.fume(minute * MINUTE, 0.5, Flag::Normal);
    }
}

#[test]
fn an_hour_of_mean_above_the_limit_is_an_episode_that_pins_its_limit() {
    let mut run = Run::new(World::library());
    calm(&mut run, 0..60);
    for minute in 60..180 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    calm(&mut run, 180..300);
    let standing = run.standing_of("fume-exceedance");
    assert_eq!(standing.len(), 1, "{standing:#?}");
    let episode = &standing[0];
    // 60 minutes of 0.5 turning into 4.0: the mean passes 2.0 with the 26th minute of 4.0.
    assert_eq!(episode.start.0 - START, 85 * MINUTE);
    assert_eq!((episode.threshold, episode.limit.map(|id| id.0), episode.rule_version), (2.0, Some(1), 1));
    assert!((episode.extreme - 4.0).abs() < 1e-9);
    assert!(episode.end.is_some());
    assert!(!episode.evidence.is_empty());
}

#[test]
fn peaks_calibration_and_thin_data_are_no_exceedance() {
    // One minute of 60 mg/m³ in an hour: the mean stays below.
    let mut run = Run::new(World::library());
    calm(&mut run, 0..60);
    run.fume(60 * MINUTE, 60.0, Flag::Normal);
    calm(&mut run, 61..120);
    assert!(run.standing_of("fume-exceedance").is_empty());

    // Twenty minutes of calibration gas, flagged.
    let mut run = Run::new(World::library());
    calm(&mut run, 0..60);
    for minute in 60..80 {
        run.fume(minute * MINUTE, 100.0, Flag::Calibration);
    }
    calm(&mut run, 80..120);
    assert!(run.standing_of("fume-exceedance").is_empty());

    // Half an hour of high values only: 30 of 60 minutes are too few to judge.
    let mut run = Run::new(World::library());
    for minute in 0..30 {
        run.fume(minute * MINUTE, 9.0, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());
    let explained = run.engine.explain(SubjectId(10), Some(FUME), &run.world.facts);
    let thin = NotJudged::TooFewValid { valid: 30, expected: 60, needed: 45 };
    let fume = explained.iter().find(|e| e.rule == "fume-exceedance").unwrap();
    assert_eq!(fume.state, JudgedState::NotJudged { reason: thin });

    // Exactly at the limit is not above it.
    let mut run = Run::new(World::library());
    for minute in 0..120 {
        run.fume(minute * MINUTE, 2.0, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());

    // A burst of sixty samples within one minute is one minute.
    let mut run = Run::new(World::library());
    for second in 0..60 {
        run.fume(second * 1_000, 50.0, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());
}

#[test]
fn without_a_limit_row_nothing_is_judged() {
    let mut run = Run::new(World::library().without_limits());
    for minute in 0..120 {
        run.fume(minute * MINUTE, 50.0, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());
    let explained = run.engine.explain(SubjectId(10), Some(FUME), &run.world.facts);
    assert!(explained.iter().any(|e| e.state == JudgedState::NotJudged { reason: NotJudged::NoLimit }));
}

#[test]
fn a_stricter_row_for_the_class_wins_and_a_new_row_is_judged_within_the_horizon() {
    let mut run = Run::new(World::library());
    for minute in 0..120 {
        run.fume(minute * MINUTE, 1.5, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());
    run.limit(2, 1.0, "medium");
    let standing = run.standing_of("fume-exceedance");
    assert_eq!(standing.len(), 1);
    assert_eq!((standing[0].limit.map(|id| id.0), standing[0].threshold), (Some(2), 1.0));
    // The row is withdrawn again: so is the episode.
    run.limit(2, 1.0, "large");
    assert!(run.standing_of("fume-exceedance").is_empty());
    assert!(matches!(run.changes.last(), Some(EpisodeChange::Fell { .. })));
}

#[test]
fn a_revised_value_takes_an_episode_back() {
    let mut run = Run::new(World::library());
    for minute in 0..60 {
        run.fume(minute * MINUTE, if minute == 30 { 200.0 } else { 1.0 }, Flag::Normal);
    }
    assert_eq!(run.standing_of("fume-exceedance").len(), 1);
    run.revise_fume(30 * MINUTE, 1.0);
    assert!(run.standing_of("fume-exceedance").is_empty());
}

#[test]
fn a_truck_ten_minutes_beyond_its_corridor_is_off_route() {
    let mut run = Run::new(World::library());
    for step in 0..20 {
        run.fix(step * 20_000, step, 10.0);
    }
    for step in 20..80 {
        run.fix(step * 20_000, step, 300.0);
    }
    for step in 80..120 {
        run.fix(step * 20_000, step, 10.0);
    }
    let standing = run.standing_of("truck-off-route");
    assert_eq!(standing.len(), 1, "{standing:#?}");
    let episode = &standing[0];
    let span = (episode.start.0 - START, episode.end.map(|end| end.0 - START));
    assert_eq!(span, (20 * 20_000, Some(80 * 20_000)));
    assert!((episode.extreme - 300.0).abs() < 2.0, "{}", episode.extreme);
    assert_eq!((episode.threshold, episode.permit.map(|id| id.0)), (50.0, Some(1)));
    assert!(episode.place.is_some());
}

#[test]
fn trucks_that_look_like_it_are_innocent() {
    let off_route = |drive: &dyn Fn(&mut Run)| {
        let mut run = Run::new(World::library());
        drive(&mut run);
        run.standing_of("truck-off-route").len()
    };
    // A parallel road 45 m away.
    assert_eq!(off_route(&|run| (0..100).for_each(|step| run.fix(step * 20_000, step, 45.0))), 0);
    // Jitter at the edge.
    let jitter = |step: i64| if step % 3 == 0 { 60.0 } else { 25.0 };
    assert_eq!(off_route(&|run| (0..200).for_each(|step| run.fix(step * 20_000, step, jitter(step)))), 0);
    // A detour of nine minutes.
    let detour = |step: i64| if (20..47).contains(&step) { 400.0 } else { 0.0 };
    assert_eq!(off_route(&|run| (0..100).for_each(|step| run.fix(step * 20_000, step, detour(step)))), 0);
    // A single jump of the receiver by 20 km.
    let jump = |step: i64| if step == 50 { 20_000.0 } else { 0.0 };
    assert_eq!(off_route(&|run| (0..100).for_each(|step| run.fix(step * 20_000, step, jump(step)))), 0);
    // A tunnel: the last fix before is a little out, nothing for twenty minutes, then back on the road.
    let tunnel = |run: &mut Run| {
        (0..20).for_each(|step| run.fix(step * 20_000, step, 0.0));
        run.fix(20 * 20_000, 20, 80.0);
        run.fix(80 * 20_000, 80, 80.0);
        (81..120).for_each(|step| run.fix(step * 20_000, step, 0.0));
    };
    assert_eq!(off_route(&tunnel), 0);
    // Parked far away without a fix.
    assert_eq!(off_route(&|run| (0..100).for_each(|step| run.stale_fix(step * 20_000, 5_000.0))), 0);
    // Far away, but the permit's night has not begun.
    assert_eq!(off_route(&|run| (0..100).for_each(|step| run.fix(12 * 60 * MINUTE + step * 20_000, step, 900.0))), 0);
    let mut run = Run::new(World::library());
    run.fix(12 * 60 * MINUTE, 0, 900.0);
    let explained = run.engine.explain(TRUCK, None, &run.world.facts);
    assert!(explained.iter().any(|e| e.state == JudgedState::NotJudged { reason: NotJudged::OutsideHours }));
}

#[test]
fn late_data_merges_two_episodes_into_the_older_and_splits_keep_the_first_id() {
    let mut run = Run::new(World::library());
    let hole = 60..75;
    for step in (0..140).filter(|step| !hole.contains(step)) {
        run.fix(step * 20_000, step, if step < 10 { 0.0 } else { 300.0 });
    }
    let before = run.standing_of("truck-off-route");
    assert_eq!(before.len(), 2, "a pause longer than three minutes parts them: {before:#?}");
    for step in hole.clone() {
        run.fix(step * 20_000, step, 300.0);
    }
    let after = run.standing_of("truck-off-route");
    assert_eq!((after.len(), after[0].id), (1, before[0].id));
    let merged = model::episode::Standing::MergedInto(before[0].id);
    assert!(
        run.changes.iter().any(|change| change.episode().id == before[1].id && change.episode().standing == merged)
    );
    // Corrected fixes put the truck back on the road in between: two again, the first keeps its id.
    for step in hole {
        run.revise_fix(step * 20_000, step, 0.0);
    }
    let parted = run.standing_of("truck-off-route");
    assert_eq!((parted.len(), parted[0].id), (2, before[0].id));
    assert!(parted[1].id > before[1].id);
}

#[test]
fn a_new_rule_version_keeps_the_id_of_what_lasts() {
    let mut run = Run::new(World::library());
    for minute in 0..90 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    let before = run.standing_of("fume-exceedance");
    run.rule_version(2, |text| text.replace("clear_for = \"10min\"", "clear_for = \"20min\""));
    for minute in 90..120 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    let after = run.standing_of("fume-exceedance");
    assert_eq!((after.len(), after[0].id, after[0].rule_version), (1, before[0].id, 1));
}

#[test]
fn an_episode_keeps_the_class_settle_time_and_limit_of_the_version_it_began_under() {
    let mut run = Run::new(World::library());
    for minute in 0..50 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    let raised = run.standing_of("fume-exceedance")[0].clone();
    // The new version wants a standard that has no row, waits for hours and is of another class.
    run.rule_version(2, |text| {
        text.replace("settle = \"10min\"", "settle = \"5h\"")
            .replace("class = \"violation\"", "class = \"doubtful_data\"")
            .replace("unit = \"mg/m3\"", "unit = \"mg/m3\"\nstandard = \"DB 0000\"")
    });
    run.restart();
    for minute in 50..70 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    run.tick_to(90 * MINUTE);
    let standing = run.standing_of("fume-exceedance");
    assert_eq!(standing.len(), 1, "{standing:#?}");
    let kept = &standing[0];
    assert_eq!((kept.id, kept.rule_version, kept.class), (raised.id, 1, EpisodeClass::Violation));
    assert_eq!((kept.start, kept.limit), (raised.start, raised.limit), "no new version takes a limit back");
    assert!(kept.end.is_some(), "without a limit the new version judges nothing: it ends where that begins");
    let settled = run.changes.iter().filter_map(|change| match change {
        EpisodeChange::Settled { episode } if episode.rule == "fume-exceedance" => Some(episode.class),
        _ => None,
    });
    assert_eq!(settled.collect::<Vec<_>>(), [EpisodeClass::Violation], "after ten minutes, not after five hours");
}

#[test]
fn what_begins_after_an_activation_is_of_the_new_version() {
    let mut run = Run::new(World::library());
    calm(&mut run, 0..60);
    run.rule_version(2, |text| text.replace("class = \"violation\"", "class = \"doubtful_data\""));
    for minute in 60..150 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    let standing = run.standing_of("fume-exceedance");
    assert_eq!(standing.len(), 1);
    assert_eq!((standing[0].rule_version, standing[0].class), (2, EpisodeClass::DoubtfulData));
}

#[test]
fn a_more_patient_version_takes_no_silence_back_that_the_old_one_found() {
    let mut run = Run::new(World::library());
    calm(&mut run, 0..5);
    run.tick_to(45 * MINUTE);
    let before = run.standing_of("device-offline");
    assert_eq!((before.len(), before[0].end), (1, None));
    run.version_of("device-offline", 2, |text| text.replace("longer_than = \"30min\"", "longer_than = \"6h\""));
    calm(&mut run, 60..65);
    run.tick_to(70 * MINUTE);
    let after = run.standing_of("device-offline");
    assert_eq!((after.len(), after[0].id, after[0].rule_version), (1, before[0].id, 1), "{after:#?}");
    assert_eq!(after[0].end.map(|end| end.0 - START), Some(60 * MINUTE));
}

#[test]
fn a_case_waits_for_the_settle_time() {
    let mut run = Run::new(World::library());
    for minute in 0..50 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    let settled = |run: &Run| run.changes.iter().filter(|c| matches!(c, EpisodeChange::Settled { .. })).count();
    let raised_at = run.standing_of("fume-exceedance")[0].raised.0;
    run.tick_to(raised_at + 9 * MINUTE);
    assert_eq!(settled(&run), 0);
    run.tick_to(raised_at + 11 * MINUTE);
    assert_eq!(settled(&run), 1);
    run.tick_to(raised_at + 100 * MINUTE);
    let fume = run
        .changes
        .iter()
        .filter(|c| matches!(c, EpisodeChange::Settled { episode } if episode.rule == "fume-exceedance"));
    assert_eq!(fume.count(), 1);
}

#[test]
fn data_beyond_the_horizon_is_counted_and_not_judged() {
    let mut run = Run::new(World::library());
    calm(&mut run, 480..481);
    for minute in 0..60 {
        run.fume(minute * MINUTE, 40.0, Flag::Normal);
    }
    assert!(run.standing_of("fume-exceedance").is_empty());
    assert!(run.engine.counters().beyond_horizon >= 60);
}

#[test]
fn every_shipped_rule_passes_the_check() {
    let mut count = 0;
    for folder in ["library", "demo"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(folder).join("rules");
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(".test.toml") {
                continue;
            }
            let rule = crate::check(&std::fs::read_to_string(&path).unwrap());
            let rule = rule.unwrap_or_else(|problems| panic!("{}: {problems:#?}", path.display()));
            assert_eq!(rule.demo, folder == "demo", "{}", path.display());
            assert_eq!(Some(rule.code.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
            count += 1;
        }
    }
    assert!(count >= 8);
}

#[test]
fn an_exceedance_ends_when_the_fan_goes_off_although_the_logger_goes_on() {
    let mut run = Run::new(World::library());
    for minute in 0..90 {
        run.fume(minute * MINUTE, 4.0, Flag::Normal);
    }
    assert_eq!(run.standing_of("fume-exceedance")[0].end, None);
    for minute in 90..160 {
        run.fume(minute * MINUTE, 0.1, Flag::Stopped);
    }
    let standing = run.standing_of("fume-exceedance");
    assert_eq!((standing.len(), standing[0].end.map(|end| end.0 - START)), (1, Some(89 * MINUTE)));
}

#[test]
fn a_more_impatient_version_is_heeded_from_its_first_reading_on() {
    let mut run = Run::new(World::library());
    calm(&mut run, 0..5);
    run.version_of("device-offline", 2, |text| text.replace("longer_than = \"30min\"", "longer_than = \"10min\""));
    run.tick_to(5 * MINUTE);
    calm(&mut run, 5..6);
    run.tick_to(17 * MINUTE);
    let standing = run.standing_of("device-offline");
    assert_eq!((standing.len(), standing[0].rule_version), (1, 2));
    assert_eq!(standing[0].raised.0 - START, 15 * MINUTE);
}
