//! What the author of a condition sees, and what a condition makes of readings.

use crate::definition::{Kind, check};
use crate::engine::tests::world::{MINUTE, RESTAURANT, Run, World};
use crate::{JudgedState, NotJudged};
use model::record::Flag;
use model::time::EventTime;

fn rule(parts: &str) -> String {
    format!(
        "code = \"c\"\nname_zh = \"条件\"\nname_en = \"condition\"\nkind = \"condition\"\nclass = \"doubtful_data\"\n\
         [scope]\nsubject_kind = \"restaurant\"\n[[basis]]\nlaw = \"测试\"\n{parts}"
    )
}

fn problems(parts: &str) -> Vec<String> {
    check(&rule(parts)).expect_err("must be refused").iter().map(ToString::to_string).collect()
}

fn refused(when: &str, part: &str) {
    let all = problems(&format!("[condition]\nwhen = \"{when}\"\n"));
    assert!(all.iter().any(|line| line.contains(part)), "{when}: {all:#?}");
}

#[test]
fn a_wrong_condition_is_told_with_its_place_and_what_to_write() {
    refused(
        "fumee > 2.0 mg/m3",
        "line 11: condition.when: \"fumee\" is no field (at character 1) (did you mean \"fume\"?)",
    );
    refused("meen(fume, 1h) > 2 mg/m3", "\"meen\" is no operator (at character 1) (did you mean \"mean\"?)");
    refused("fume > 2.0", "the number has no unit, the other side is in mg/m3 (at character 8) (write 2 mg/m3)");
    refused("fume > 2.0 m/s", "compares mg/m3 with m/s");
    refused("fume", "is a number, not a condition");
    refused("fan_on + 1 > (fume > 1 mg/m3)", "is a condition, not a number");
    refused("mean(fume, 2s) > 1 mg/m3", "has an impossible window");
    refused("mean(fume, 400d) > 1 mg/m3", "has an impossible window");
    refused("mean(fume) > 1 mg/m3", "has too few arguments");
    refused("mean(fume, 1h, 2h) > 1 mg/m3", "has no place for this");
    refused("peak()", "rests on no reading");
    refused("flagged(fume, 'XYZ')", "knows no such flag");
    refused("fume > 1 mg/m3 &&", "something is missing at the end");
    refused("fume = 1 mg/m3", "compare with ==");
    let many = (0..60).map(|n| format!("fume > {n}.5 mg/m3")).collect::<Vec<_>>().join(" || ");
    refused(&many, "too many comparisons");
}

#[test]
fn every_problem_is_told_at_once() {
    let all = problems(
        "[signals]\na = \"b > 1\"\nb = \"a\"\nfume = \"pm10\"\n[condition]\nwhen = \"fume > 2 mg/m3\"\n\
         clear = \"fume <\"\ncount = \"7 of 3\"\nschedule = [\"25:00-26:00\"]\nfor = \"10 cows\"\nwhile = \"x\"\n",
    );
    let has = |part: &str| assert!(all.iter().any(|line| line.contains(part)), "{part}: {all:#?}");
    has("is made of itself");
    has("signals.fume: is a field already");
    has("condition.clear: something is missing");
    has("condition.count: \"7 of 3\" is no count");
    has("condition.schedule: \"25:00-26:00\" is no window");
    has("condition.for: \"10 cows\" is no time");
    has("condition.while: is not a key");
}

#[test]
fn a_window_longer_than_the_horizon_is_refused() {
    let all = problems("[condition]\nwhen = \"mean(fume, 12h) > 2 mg/m3\"\n");
    assert!(all[0].contains("horizon: is shorter than the 12h"), "{all:#?}");
}

fn run(condition: &str) -> Run {
    let text = rule(condition);
    let judged = check(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(matches!(judged.kind, Kind::Judged(_)));
    Run::new(World::with(vec![("c", text)]))
}

/// Start and end in minutes.
fn spans(run: &mut Run, to: i64) -> Vec<(i64, Option<i64>)> {
    run.tick_to(to * MINUTE);
    let minutes = |at: EventTime| (at.0 - crate::engine::tests::world::START) / MINUTE;
    run.standing_of("c").iter().map(|episode| (minutes(episode.start), episode.end.map(minutes))).collect()
}

#[test]
fn for_and_clear_make_one_episode_of_a_stretch() {
    let mut run = run(
        "[condition]\nwhen = \"fume > 2 mg/m3\"\nclear = \"fume < 1 mg/m3\"\nfor = \"3min\"\nclear_for = \"2min\"\n",
    );
    for (minute, value) in
        [0.5, 3.0, 3.0, 0.5, 3.0, 3.0, 3.0, 3.5, 1.5, 3.0, 0.5, 0.5, 0.5, 0.5].into_iter().enumerate()
    {
        run.fume(i64::try_from(minute).unwrap() * MINUTE, value, Flag::Normal);
    }
    assert_eq!(spans(&mut run, 14), [(4, Some(10))]);
    let episode = run.standing_of("c").remove(0);
    assert!((episode.extreme - 3.5).abs() < 1e-9 && (episode.threshold - 2.0).abs() < 1e-9);
    assert_eq!(episode.subject, RESTAURANT);
}

#[test]
fn so_many_of_the_last_readings_are_enough() {
    let mut run = run("[condition]\nwhen = \"fume > 2 mg/m3\"\ncount = \"3 of 5\"\n");
    for (minute, value) in [3.0, 0.5, 3.0, 0.5, 0.5, 3.0, 3.0, 0.5, 3.0, 0.5, 0.5, 0.5].into_iter().enumerate() {
        run.fume(i64::try_from(minute).unwrap() * MINUTE, value, Flag::Normal);
    }
    assert_eq!(spans(&mut run, 14), [(6, Some(7)), (8, Some(10))]);
}

#[test]
fn what_is_not_known_is_not_judged_and_says_why() {
    let mut run = run("[condition]\nwhen = \"fume > limit(fume) && fan_on\"\n");
    run.fume(0, 9.0, Flag::Normal);
    let reason = |run: &Run| match run.engine.explain(RESTAURANT, None, &run.world.facts).remove(0).state {
        JudgedState::NotJudged { reason } => Some(reason),
        JudgedState::Judged { .. } => None,
    };
    assert_eq!(reason(&run), Some(NotJudged::NoData), "nothing was heard of the fan");
    run.fume(MINUTE, 9.0, Flag::Calibration);
    assert_eq!(reason(&run), Some(NotJudged::Flagged { flag: Flag::Calibration }));
    run.fume(2 * MINUTE, f64::NAN, Flag::Normal);
    assert_eq!(reason(&run), Some(NotJudged::NotANumber));
    run.fume(3 * MINUTE, 0.5, Flag::Normal);
    assert_eq!(reason(&run), None, "false whatever the fan does");
    assert!(run.standing_of("c").is_empty());
}

#[test]
fn a_limit_row_is_pinned_and_a_new_row_is_judged_within_the_horizon() {
    let mut run = run("[condition]\nwhen = \"mean(fume, 5min) > limit(fume)\"\n");
    for minute in 0..20 {
        run.fume(minute * MINUTE, 1.5, Flag::Normal);
    }
    assert!(run.standing_of("c").is_empty());
    run.limit(2, 1.0, "medium");
    let standing = run.standing_of("c");
    assert_eq!((standing.len(), standing[0].limit.map(|id| id.0)), (1, Some(2)), "{standing:#?}");
    run.limit(2, 1.0, "large");
    assert!(run.standing_of("c").is_empty());
}

#[test]
fn why_tells_each_operand_at_the_moment_asked_for() {
    let mut run = run("[condition]\nwhen = \"mean(fume, 4min) > limit(fume) && fume > 3 mg/m3\"\n");
    for minute in 0..10 {
        run.fume(minute * MINUTE, if minute < 5 { 1.0 } else { 5.0 }, Flag::Normal);
    }
    let start = crate::engine::tests::world::START;
    let at =
        |minute: i64| run.engine.why("c", RESTAURANT, EventTime(start + minute * MINUTE), &run.world.facts).remove(0);
    let operand = |minute: i64, name: &str| at(minute).operands.into_iter().find(|one| one.name == name).unwrap();
    let mean = operand(5, "mean(fume, 4min)");
    assert_eq!((mean.value, mean.threshold, mean.holds), (Some(2.0), Some(2.0), Some(false)));
    assert_eq!(mean.unit, "mg/m3");
    assert_eq!(operand(6, "mean(fume, 4min)").holds, Some(true));
    assert_eq!(operand(3, "fume").holds, Some(false));
    assert!(matches!(at(2).state, JudgedState::NotJudged { .. } | JudgedState::Judged { over: false, .. }));
    assert!(run.engine.why("nothing", RESTAURANT, EventTime(start), &run.world.facts).is_empty());
}

#[test]
fn hours_of_a_schedule_end_what_lasts() {
    // The tests begin at 20:00 in Beijing.
    let mut run = run("[condition]\nwhen = \"fume > 2 mg/m3\"\nschedule = [\"20:05-20:10\"]\n");
    for minute in 0..20 {
        run.fume(minute * MINUTE, 5.0, Flag::Normal);
    }
    assert_eq!(spans(&mut run, 20), [(5, Some(9))]);
}

#[test]
fn a_switched_off_rule_ends_what_lasts_and_a_new_version_goes_on_with_it() {
    let text = rule("[condition]\nwhen = \"fume > 2 mg/m3\"\n");
    let mut run = Run::new(World::with(vec![("c", text.clone())]));
    for minute in 0..5 {
        run.fume(minute * MINUTE, 5.0, Flag::Normal);
    }
    let first = run.standing_of("c").remove(0);
    run.put_rule("c", 2, text.replace("> 2 mg/m3", "> 4 mg/m3"), true);
    run.restart();
    for minute in 5..8 {
        run.fume(minute * MINUTE, 4.5, Flag::Normal);
    }
    let second = run.standing_of("c").remove(0);
    assert_eq!((second.id, second.rule_version, second.end), (first.id, 1, None));
    run.put_rule("c", 3, text, false);
    for minute in 8..10 {
        run.fume(minute * MINUTE, 9.0, Flag::Normal);
    }
    let third = run.standing_of("c").remove(0);
    assert_eq!(third.id, first.id);
    assert!(third.end.is_some(), "{third:#?}");
}
