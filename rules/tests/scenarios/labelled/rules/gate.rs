//! At the gate: not washed, washed too short, trucks nobody licensed, trucks that leave uncovered.

use super::super::district::{
    GATE, GATE_2, SITE, TRUCK as T, TRUCK_2 as T2, TRUCK_FREE, camera, permit, plate, washer,
};
use super::super::haul::EXIT_S;
use super::super::story::{Story, event};
use super::super::{Scenario, innocent, offence};
use model::quantity::Quantity;
use serde_json::json;

const UNWASHED: &str = "truck-not-washed";
const SHORT: &str = "wash-too-short";
const UNLICENSED: &str = "gate-unlicensed-truck";
const UNCOVERED: &str = "truck-uncovered";

const WHO: [i64; 3] = [GATE, SITE, T];
const CLEAN: &[(&str, &str)] = &[("covered", "true"), ("load", "loaded")];

/// The second of an evening at which a truck passes the gate.
fn exit_time(story: &mut Story) -> i64 {
    (1_270 + story.dice.whole(0, 120)) * 60 + story.dice.whole(0, 59)
}

/// A violation at the gate is a moment: it begins with the exit or with what led to it.
fn at_gate(story: &mut Story, rule: &'static str, who: &[i64], exit_s: i64) {
    let minute = exit_s / 60;
    story.expect_within(rule, who, (minute - 30, minute + 2), (minute - 3, minute + 35));
}

/// The truck's fixes of a lawful trip that passes the gate at that second.
fn drives(
    story: &mut Story,
    exit_s: i64,
    edit: impl FnMut(&mut super::super::haul::Fixed, &mut super::super::dice::Dice),
) {
    let begin = exit_s - EXIT_S;
    story.way(T, begin, super::super::district::SITE_AT, &super::super::haul::lawful_trip(), edit);
}

/// Washed for a minute and gone half a minute later.
fn washed_exit(story: &mut Story, exit_s: i64, seconds: i64) {
    story.wash(exit_s - 20 - seconds, seconds);
    story.exit(exit_s, T, CLEAN);
}

pub const ALL: &[Scenario] = &[
    offence(UNWASHED, "leaves without a wash", |s| {
        let at = exit_time(s);
        s.exit(at, T, CLEAN);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    offence(UNWASHED, "the camera says so itself", |s| {
        let at = exit_time(s);
        s.exit(at, T, &[("washed", "false"), ("covered", "true")]);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    offence(UNWASHED, "the wash was hours ago", |s| {
        let at = exit_time(s);
        s.wash(at - 4 * 3_600, 60);
        s.exit(at, T, CLEAN);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    offence(UNWASHED, "another gate's washer ran", |s| {
        let at = exit_time(s);
        let end = s.base + (at - 20) * 1_000;
        s.at_gate(washer(GATE_2), GATE_2, at - 80, event("wash", Some(end), None, &[]));
        s.exit(at, T, CLEAN);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    offence(UNWASHED, "one wash, two trucks: the second is dirty", |s| {
        let at = exit_time(s);
        s.wash(at - 80, 60);
        s.exit(at, T2, CLEAN);
        s.exit(at + 600, T, CLEAN);
        at_gate(s, UNWASHED, &WHO, at + 600);
    }),
    offence(UNWASHED, "the camera was cut off and told three hours later", |s| {
        let at = exit_time(s);
        s.exit(at, T, CLEAN);
        s.delay(camera(GATE), at / 60 - 5, at / 60 + 5, at / 60 + 180);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    offence(UNWASHED, "the wash began after the exit", |s| {
        let at = exit_time(s);
        s.exit(at, T, CLEAN);
        s.wash(at + 40, 60);
        at_gate(s, UNWASHED, &WHO, at);
    }),
    innocent(UNWASHED, "washed for a minute", |s| {
        let at = exit_time(s);
        let seconds = s.dice.whole(40, 120);
        washed_exit(s, at, seconds);
    }),
    innocent(UNWASHED, "the washer told of it three hours later", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 60);
        s.delay(washer(GATE), at / 60 - 5, at / 60 + 5, at / 60 + 180);
    }),
    innocent(UNWASHED, "the exit came before the wash in the journal", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 60);
        s.delay(washer(GATE), at / 60 - 5, at / 60 + 5, at / 60 + 3);
    }),
    innocent(UNWASHED, "every message twice", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 60);
        s.repeat(camera(GATE));
        s.repeat(washer(GATE));
    }),
    innocent(UNWASHED, "over midnight", |s| {
        washed_exit(s, 1_440 * 60 + 30, 70);
    }),
    innocent(UNWASHED, "an entry is no exit", |s| {
        let at = exit_time(s);
        s.entry(at, T);
    }),
    offence(SHORT, "ten seconds", |s| {
        let at = exit_time(s);
        let seconds = s.dice.whole(5, 20);
        washed_exit(s, at, seconds);
        at_gate(s, SHORT, &WHO, at);
    }),
    offence(SHORT, "twenty-four seconds", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 24);
        at_gate(s, SHORT, &WHO, at);
    }),
    offence(SHORT, "told three hours late", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 12);
        s.delay(washer(GATE), at / 60 - 5, at / 60 + 5, at / 60 + 180);
        at_gate(s, SHORT, &WHO, at);
    }),
    offence(SHORT, "every message twice", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 15);
        s.repeat(washer(GATE));
        at_gate(s, SHORT, &WHO, at);
    }),
    offence(SHORT, "two trucks, the second in haste", |s| {
        let at = exit_time(s);
        s.wash(at - 80, 60);
        s.exit(at, T2, CLEAN);
        washed_exit(s, at + 400, 10);
        at_gate(s, SHORT, &WHO, at + 400);
    }),
    innocent(SHORT, "thirty-five seconds", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 35);
    }),
    innocent(SHORT, "two minutes", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 120);
    }),
    innocent(SHORT, "not washed at all is another rule's", |s| {
        let at = exit_time(s);
        s.exit(at, T, CLEAN);
    }),
    innocent(SHORT, "the pump ran twice for the same truck", |s| {
        let at = exit_time(s);
        s.wash(at - 90, 25);
        s.wash(at - 50, 32);
        s.exit(at, T, CLEAN);
    }),
    innocent(SHORT, "the end of the wash is not known", |s| {
        let at = exit_time(s);
        s.at_gate(washer(GATE), GATE, at - 80, event("wash", None, None, &[]));
        s.exit(at, T, CLEAN);
    }),
    offence(UNLICENSED, "a plate of no register", |s| {
        let at = exit_time(s);
        s.wash(at - 80, 60);
        s.exit_of(at, Some("豫A99999"), CLEAN);
        at_gate(s, UNLICENSED, &[GATE, SITE], at);
    }),
    offence(UNLICENSED, "registered, no permit at all", |s| {
        let at = exit_time(s);
        s.exit(at, TRUCK_FREE, CLEAN);
        at_gate(s, UNLICENSED, &[GATE, SITE, TRUCK_FREE], at);
    }),
    offence(UNLICENSED, "its permit ran out yesterday", |s| {
        let at = exit_time(s);
        let end = s.base - 3_600_000;
        s.given.push(permit(5, &[TRUCK_FREE], |row| row["valid_to"] = json!(end)));
        s.exit(at, TRUCK_FREE, CLEAN);
        at_gate(s, UNLICENSED, &[GATE, SITE, TRUCK_FREE], at);
    }),
    offence(UNLICENSED, "its permit is for another site", |s| {
        let at = exit_time(s);
        s.given.push(permit(5, &[TRUCK_FREE], |row| row["site"] = json!(super::super::district::SITE_2)));
        s.exit(at, TRUCK_FREE, CLEAN);
        at_gate(s, UNLICENSED, &[GATE, SITE, TRUCK_FREE], at);
    }),
    offence(UNLICENSED, "its permit is suspended", |s| {
        let at = exit_time(s);
        s.given.push(permit(5, &[TRUCK_FREE], |row| row["suspended"] = json!(true)));
        s.exit(at, TRUCK_FREE, CLEAN);
        at_gate(s, UNLICENSED, &[GATE, SITE, TRUCK_FREE], at);
    }),
    offence(UNLICENSED, "told three hours late", |s| {
        let at = exit_time(s);
        s.exit_of(at, Some("豫A88888"), CLEAN);
        s.delay(camera(GATE), at / 60 - 5, at / 60 + 5, at / 60 + 180);
        at_gate(s, UNLICENSED, &[GATE, SITE], at);
    }),
    innocent(UNLICENSED, "permitted", |s| {
        let at = exit_time(s);
        washed_exit(s, at, 60);
    }),
    innocent(UNLICENSED, "its permit begins today", |s| {
        let at = exit_time(s);
        let from = s.base;
        s.given.push(permit(5, &[TRUCK_FREE], |row| row["valid_from"] = json!(from)));
        s.exit(at, TRUCK_FREE, CLEAN);
    }),
    innocent(UNLICENSED, "the camera could not read the plate", |s| {
        let at = exit_time(s);
        s.exit_of(at, None, CLEAN);
    }),
    innocent(UNLICENSED, "the plate is written with a dot and in small letters", |s| {
        let at = exit_time(s);
        let written = plate(T).replace("豫A", "豫a·");
        s.exit_of(at, Some(&written), CLEAN);
    }),
    innocent(UNLICENSED, "a passenger car", |s| {
        let at = exit_time(s);
        s.exit_of(at, Some("豫A77777"), &[("vehicle", "car")]);
    }),
    offence(UNCOVERED, "drives loaded with an open cover", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.load > 0.5 && fix.since_s > EXIT_S {
                fix.cover_open = 1.0;
            }
        });
        s.expect_within(UNCOVERED, &[T], (at / 60 - 12, at / 60 + 6), (at / 60 + 10, at / 60 + 25));
    }),
    offence(UNCOVERED, "opens it half way", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.load > 0.5 && fix.since_s > EXIT_S + 300 && fix.speed > 0.0 {
                fix.cover_open = 1.0;
            }
        });
        s.expect_within(UNCOVERED, &[T], (at / 60 + 3, at / 60 + 11), (at / 60 + 10, at / 60 + 25));
    }),
    offence(UNCOVERED, "told three hours late", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.load > 0.5 && fix.since_s > EXIT_S {
                fix.cover_open = 1.0;
            }
        });
        s.delay(super::super::district::logger(T), at / 60 - 15, at / 60 + 60, at / 60 + 240);
        s.expect_within(UNCOVERED, &[T], (at / 60 - 12, at / 60 + 6), (at / 60 + 10, at / 60 + 25));
    }),
    offence(UNCOVERED, "half loaded", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.load > 0.5 {
                fix.load = 1.0;
                if fix.since_s > EXIT_S {
                    fix.cover_open = 1.0;
                }
            }
        });
        s.expect_within(UNCOVERED, &[T], (at / 60 - 12, at / 60 + 6), (at / 60 + 10, at / 60 + 25));
    }),
    offence(UNCOVERED, "over midnight", |s| {
        let at = 1_435 * 60;
        drives(s, at, |fix, _| {
            if fix.load > 0.5 && fix.since_s > EXIT_S {
                fix.cover_open = 1.0;
            }
        });
        s.expect_within(UNCOVERED, &[T], (at / 60 - 12, at / 60 + 6), (at / 60 + 10, at / 60 + 25));
    }),
    innocent(UNCOVERED, "a lawful trip", |s| {
        let at = exit_time(s);
        drives(s, at, |_, _| ());
    }),
    innocent(UNCOVERED, "open and empty on the way back", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.load < 0.5 {
                fix.cover_open = 1.0;
            }
        });
    }),
    innocent(UNCOVERED, "one fix with a wrong bit", |s| {
        let (at, one) = (exit_time(s), s.dice.whole(45, 60));
        drives(s, at, |fix, _| {
            if fix.since_s / 20 == one {
                fix.cover_open = 1.0;
            }
        });
    }),
    innocent(UNCOVERED, "a truck without a cover sensor", |s| {
        let at = exit_time(s);
        drives(s, at, |_, _| ());
        for said in &mut s.said {
            said.body.values.retain(|value| value.quantity != Quantity::COVER_OPEN);
        }
    }),
    innocent(UNCOVERED, "loading in the yard", |s| {
        let at = exit_time(s);
        drives(s, at, |fix, _| {
            if fix.since_s < EXIT_S {
                (fix.cover_open, fix.load) = (1.0, 2.0);
            }
        });
    }),
];
