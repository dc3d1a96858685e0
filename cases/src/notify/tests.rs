//! The planner and the outbox on both engines, over alerts that are written as the judge writes them.

mod outbox;
mod script;

use super::*;
use crate::flow::{Actor, Cases, NewSilence, SilenceMatch};
use database::both;
use model::facts::Facts;
use model::id::{AlertId, MaintenanceId, UserId};
use model::notice::MessageKind;
use model::register::Maintenance;
use model::time::{EventTime, IngestTime};
use script::{Script, T0, minute};
use std::sync::Arc;

fn route(code: &str, channels: &[i64]) -> Route {
    Route {
        code: code.into(),
        name: String::new(),
        enabled: true,
        scope: Scope::default(),
        hours: None,
        channels: channels.to_vec(),
        group_by: vec![],
        group_wait_s: 0,
        group_interval_s: 0,
        ended: false,
    }
}

fn policy(routes: Vec<Route>) -> Policy {
    Policy { routes, ..Policy::first() }
}

#[test]
fn alerts_that_have_in_common_what_a_route_groups_by_share_a_message() {
    both(async |db| {
        let grouped =
            Route { group_by: vec![GroupBy::Rule], group_wait_s: 30, group_interval_s: 300, ..route("all", &[1]) };
        let mut it = Script::new(db, policy(vec![grouped])).await;
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.raise(2, "fume-exceedance", 2, T0 + 10_000).await;
        it.raise(3, "data-gap", 3, T0 + 20_000).await;
        it.run(T0 + 29_999).await;
        assert!(it.log().await.is_empty(), "they wait for more");
        it.run(T0 + 60_000).await;
        assert_eq!(it.told().await, ["raised 1: 1,2", "raised 1: 3"]);
        // The next of the group waits for the interval.
        it.raise(4, "fume-exceedance", 4, T0 + 70_000).await;
        it.run(T0 + 329_000).await;
        assert_eq!(it.told().await.len(), 2);
        it.run(T0 + 331_000).await;
        assert_eq!(it.told().await.last().unwrap(), "raised 1: 4");
    });
}

#[test]
fn a_route_takes_alerts_by_rule_class_severity_office_and_time_of_day_and_a_channel_is_told_once() {
    both(async |db| {
        let of_rule =
            Route { scope: Scope { rules: vec!["data-gap".into()], ..Scope::default() }, ..route("gap", &[1]) };
        let urgent =
            Route { scope: Scope { severities: vec!["urgent".into()], ..Scope::default() }, ..route("urgent", &[1]) };
        let other = Scope { offices: vec![model::id::OfficeId(99)], ..Scope::default() };
        let office = Route { scope: other, ..route("office", &[1]) };
        // T0 is 2026-11-20 18:40 in Beijing.
        let day =
            Route { hours: Some(Hours { from_minute: 540, to_minute: 1_020, weekdays: vec![] }), ..route("day", &[1]) };
        let evening = Route {
            hours: Some(Hours { from_minute: 1_020, to_minute: 540, weekdays: vec![] }),
            ..route("evening", &[2])
        };
        let off = Route { enabled: false, ..route("off", &[1]) };
        let twice = route("twice", &[2]);
        let mut it = Script::new(db, policy(vec![of_rule, urgent, office, day, evening, off, twice])).await;
        it.raise(1, "data-gap", 1, T0).await;
        it.raise(2, "fume-exceedance", 2, T0 + 1).await;
        it.run(minute(1)).await;
        assert_eq!(it.told().await, ["raised 1: 1", "raised 2: 1", "raised 2: 2"]);
    });
}

#[test]
fn a_silenced_alert_is_told_when_the_silence_ends_and_it_still_lasts() {
    both(async |db| {
        let mut it = Script::new(db, policy(vec![route("all", &[1])])).await;
        let matches = SilenceMatch { rule: Some("fume-exceedance".into()), ..SilenceMatch::default() };
        let silence = |until| NewSilence {
            matches: matches.clone(),
            from: None,
            until: IngestTime(until),
            reason: "检修".into(),
        };
        let made = it.cases.silence(&person(), &silence(minute(10)), IngestTime(T0)).await.unwrap();
        it.raise(1, "fume-exceedance", 1, minute(1)).await;
        it.raise(2, "fume-exceedance", 2, minute(2)).await;
        it.raise(3, "data-gap", 3, minute(2)).await;
        it.end(2, minute(5)).await;
        it.run(minute(9)).await;
        assert_eq!(it.told().await, ["raised 1: 3"]);
        let log = it.log().await;
        let hushed: Vec<_> = log.iter().filter(|row| row.state == DeliveryState::Suppressed).collect();
        assert_eq!(hushed.len(), 2);
        assert!(hushed.iter().all(|row| row.reason == format!("silence:{}", made.id)));
        it.run(minute(11)).await;
        assert_eq!(it.told().await, ["raised 1: 3", "raised 1: 1"], "the one that lasts");
        // Ended early: at that moment.
        let made = it.cases.silence(&person(), &silence(minute(60)), IngestTime(minute(11))).await.unwrap();
        it.raise(4, "fume-exceedance", 4, minute(12)).await;
        it.run(minute(13)).await;
        assert_eq!(it.told().await.len(), 2);
        it.cases.end_silence(made.id, &person(), IngestTime(minute(14))).await.unwrap();
        it.run(minute(15)).await;
        assert_eq!(it.told().await.last().unwrap(), "raised 1: 4");
    });
}

#[test]
fn under_maintenance_nobody_is_told_and_after_it_whoever_lasts_is() {
    both(async |db| {
        let mut it = Script::new(db, policy(vec![route("all", &[1])])).await;
        let window = Maintenance {
            id: MaintenanceId(4),
            device: Some(model::id::DeviceId(1)),
            subject: None,
            valid_from: EventTime(T0),
            valid_to: Some(EventTime(minute(45))),
            why: "校准".into(),
            void: false,
        };
        let mut facts = Facts::default();
        facts.maintenances.insert(window.id, Arc::new(window));
        *it.registers.lock().unwrap() = Arc::new(facts);
        it.raise(1, "fume-exceedance", 1, minute(1)).await;
        it.raise(2, "fume-exceedance", 2, minute(1)).await;
        it.run(minute(44)).await;
        assert_eq!(it.told().await, ["raised 1: 2"]);
        let hushed = it.log().await.into_iter().filter(|row| row.reason == "maintenance:4").count();
        assert_eq!(hushed, 1, "said once, however often it is looked at");
        it.run(minute(46)).await;
        assert_eq!(it.told().await, ["raised 1: 2", "raised 1: 1"]);
    });
}

#[test]
fn an_offline_device_speaks_for_what_follows_from_it() {
    both(async |db| {
        let mut it = Script::new(db, policy(vec![route("all", &[1])])).await;
        it.raise(1, "device-offline", 1, T0).await;
        it.raise(2, "data-gap", 1, minute(1)).await;
        it.raise(3, "data-gap", 2, minute(1)).await;
        it.raise(4, "fume-exceedance", 1, minute(1)).await;
        it.run(minute(2)).await;
        assert_eq!(it.told().await, ["raised 1: 1", "raised 1: 3", "raised 1: 4"]);
        assert!(it.log().await.iter().any(|row| row.reason == "alert:1" && row.alerts == [AlertId(2)]));
        it.end(1, minute(3)).await;
        it.run(minute(4)).await;
        assert_eq!(it.told().await.last().unwrap(), "raised 1: 2", "it lasts without its cause");
    });
}

#[test]
fn what_is_withdrawn_before_it_was_sent_is_not_told_and_after_it_is_followed_up() {
    both(async |db| {
        let slow = Route { group_wait_s: 60, ..route("slow", &[2]) };
        let mut it = Script::new(db, policy(vec![route("all", &[1]), slow])).await;
        for id in 1..=3 {
            it.raise(id, "fume-exceedance", id, T0 + id).await;
        }
        it.run(T0 + 30_000).await;
        // The first is sent on channel 1, the others wait; on channel 2 all wait in their group.
        let sent = it.claim(1).await.unwrap();
        it.notify.sent(sent.id, IngestTime(T0)).await.unwrap();
        it.withdraw(1, T0 + 31_000).await;
        it.withdraw(2, T0 + 31_000).await;
        it.run(minute(5)).await;
        assert_eq!(it.told().await, ["raised 1: 1", "raised 1: 3", "withdrawn 1: 1", "raised 2: 3"]);
        let log = it.log().await;
        let gone = log.iter().filter(|row| row.reason == "withdrawn").count();
        assert_eq!(gone, 3, "one in the queue of channel 1, two in the group of channel 2: {log:#?}");
        let queued = it.claim(2).await.unwrap();
        assert!(queued.message.title.contains("对象3") && !queued.message.title.contains("等"), "{:?}", queued.message);
        // Being sent: the receiver may have it.
        it.withdraw(3, minute(6)).await;
        it.run(minute(7)).await;
        let last = it.told().await.pop().unwrap();
        assert_eq!(last, "withdrawn 2: 3");
        assert!(it.claim(2).await.is_none(), "not before what it takes back");
    });
}

#[test]
fn the_end_is_told_where_a_route_wants_it_and_the_beginning_was_told() {
    both(async |db| {
        let mut it =
            Script::new(db, policy(vec![Route { ended: true, ..route("all", &[1]) }, route("no", &[2])])).await;
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.raise(2, "fume-exceedance", 2, T0 + 1).await;
        it.run(minute(1)).await;
        for channel in [1, 2] {
            let sent = it.claim(channel).await.unwrap();
            it.notify.sent(sent.id, IngestTime(minute(1))).await.unwrap();
        }
        it.end(1, minute(2)).await;
        it.end(2, minute(2)).await;
        it.run(minute(3)).await;
        assert_eq!(it.told().await.iter().filter(|line| line.starts_with("ended")).collect::<Vec<_>>(), ["ended 1: 1"]);
    });
}

#[test]
fn nobody_acknowledges_so_the_next_is_told_in_working_time_until_somebody_does() {
    both(async |db| {
        let step = |after_minutes, assignee: Option<i64>, to: &str| Step {
            after_minutes,
            channels: vec![2],
            assignee: assignee.map(UserId),
            to: to.into(),
        };
        let rise = Escalation {
            code: "duty".into(),
            name: String::new(),
            enabled: true,
            scope: Scope::default(),
            steps: vec![step(30, Some(8), "值班长"), step(60, None, "分管领导")],
        };
        let policy = Policy { escalations: vec![rise], ..policy(vec![route("all", &[1])]) };
        let mut it = Script::new(db, policy).await;
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.raise(2, "fume-exceedance", 2, T0).await;
        it.raise(3, "fume-exceedance", 3, T0).await;
        it.run(minute(10)).await;
        it.cases.acknowledge(AlertId(2), &person(), "", IngestTime(minute(11))).await.unwrap();
        it.end(3, minute(12)).await;
        // Working time runs at half speed in this test.
        it.run(minute(59)).await;
        assert!(it.told().await.iter().all(|line| line.starts_with("raised")));
        it.run(minute(61)).await;
        assert_eq!(it.told().await.last().unwrap(), "escalated 2: 1");
        let alert = it.cases.alert(AlertId(1)).await.unwrap();
        assert_eq!(alert.assignee, Some(UserId(8)));
        let last = it.cases.alert_history(AlertId(1)).await.unwrap().pop().unwrap();
        assert_eq!((last.what.as_str(), last.note.as_str(), last.at.0), ("escalated", "duty 1 值班长", minute(60)));
        it.run(minute(119)).await;
        assert_eq!(it.told().await.iter().filter(|line| line.starts_with("escalated")).count(), 1);
        it.run(minute(121)).await;
        assert_eq!(it.told().await.iter().filter(|line| line.starts_with("escalated")).count(), 2);
        it.run(minute(1_000)).await;
        assert_eq!(it.told().await.len(), 5, "the steps are used up");
    });
}

/// The same story, whatever the planner's pace: looking every ten seconds, rarely, or only once after being away.
#[test]
fn a_planner_that_was_away_plans_what_it_would_have_planned() {
    both(async |db| {
        let mut logs = Vec::new();
        let mut own = Some(db);
        for pace in [10_000, 95_000, 7 * 60_000, i64::MAX / 4] {
            let dir = tempfile::tempdir().unwrap();
            let db = match own.take() {
                Some(db) => db,
                None => Database::open(database::Options::sqlite(dir.path().join("t.db"))).await.unwrap(),
            };
            let grouped =
                Route { group_by: vec![GroupBy::Rule], group_wait_s: 45, group_interval_s: 200, ..route("all", &[1]) };
            let rise = Escalation {
                code: "duty".into(),
                name: String::new(),
                enabled: true,
                scope: Scope::default(),
                steps: vec![Step {
                    after_minutes: 5,
                    channels: vec![2],
                    assignee: Some(UserId(8)),
                    to: "值班长".into(),
                }],
            };
            let policy = Policy { escalations: vec![rise], ..policy(vec![grouped, route("each", &[2])]) };
            let mut it = Script::new(db, policy).await;
            let matches = SilenceMatch { device: Some(model::id::DeviceId(2)), ..SilenceMatch::default() };
            let silence = NewSilence { matches, from: None, until: IngestTime(minute(12)), reason: "检修".into() };
            it.cases.silence(&person(), &silence, IngestTime(T0)).await.unwrap();
            let mut looked = T0;
            for step in 0..60i64 {
                let at = T0 + 1 + step * 20_000;
                match step {
                    s if s % 5 == 0 => it.raise(s + 1, "fume-exceedance", s % 3 + 1, at).await,
                    s if s % 7 == 3 => it.raise(s + 1, "device-offline", s % 3 + 1, at).await,
                    s if s % 11 == 2 => it.raise(s + 1, "data-gap", s % 3 + 1, at).await,
                    23 | 44 => it.end(11, at).await,
                    27 => it.withdraw(21, at).await,
                    36 => it.end(4, at).await,
                    _ => {}
                }
                if at - looked >= pace {
                    it.run(at).await;
                    looked = at;
                }
            }
            it.run(minute(60)).await;
            let mut log = it.log().await;
            log.reverse();
            logs.push(
                log.iter()
                    .map(|row| (row.made.0, row.channel, row.kind, row.state, row.reason.clone(), row.alerts.clone()))
                    .collect::<Vec<_>>(),
            );
        }
        assert!(logs[0].len() > 20 && logs[0].iter().any(|line| line.2 == MessageKind::Escalated), "{:#?}", logs[0]);
        for other in &logs[1..] {
            assert_eq!(*other, logs[0]);
        }
    });
}

fn person() -> Actor {
    Actor { user: UserId(5), name: "工号 5".into(), roles: vec!["shift_leader".into()], office: None }
}
