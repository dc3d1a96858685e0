//! Moves and queries on both engines.

use super::*;
use crate::dto::AlertQuery;
use crate::testing::{START, facts, journal, run};
use database::both;
use model::id::AlertId;

const NOW: IngestTime = IngestTime(START + 3_600_000);

fn actor(role: &str, office: Option<i64>) -> Actor {
    Actor { user: UserId(5), name: "工号 5".into(), roles: vec![role.into()], office: office.map(OfficeId) }
}

fn request(wanted: CaseMove, version: i64) -> MoveRequest {
    MoveRequest { wanted, version, reason: String::new(), note: String::new(), office: None, idempotency_key: None }
}

async fn one_case(db: &Database) -> (Cases, CaseRow) {
    run(db, &facts(1, 200), &journal(1), &[], &[], &[]).await;
    let cases = Cases::new(db.clone());
    let query = CaseQuery { rule: Some("fume-exceedance".into()), ..CaseQuery::default() };
    let case = cases.list(&query).await.unwrap().rows.remove(0);
    (cases, case)
}

#[test]
fn a_case_walks_its_life_and_each_step_is_in_its_history() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let mut version = case.version;
        let dispatch = MoveRequest { office: Some(OfficeId(9)), ..request(CaseMove::Dispatch, 0) };
        let steps = [
            ("acceptor", request(CaseMove::Verify, 0)),
            ("shift_leader", request(CaseMove::File, 0)),
            ("dispatcher", dispatch),
            ("squadron", request(CaseMove::Handle, 0)),
            ("reviewer", request(CaseMove::Close, 0)),
        ];
        for (role, step) in steps {
            let step = MoveRequest { version, ..step };
            version = cases.apply(case.id, &actor(role, Some(9)), &step, NOW).await.unwrap().case.version;
        }
        let detail = cases.get(case.id).await.unwrap();
        assert_eq!(
            (detail.case.state, detail.case.closed, detail.case.office),
            (CaseState::Closed, Some(NOW), Some(OfficeId(9)))
        );
        assert!(detail.moves.is_empty());
        let moves: Vec<_> = detail.history.iter().filter_map(|line| line.wanted).collect();
        assert_eq!(moves, [CaseMove::Verify, CaseMove::File, CaseMove::Dispatch, CaseMove::Handle, CaseMove::Close]);
        assert_eq!(cases.list(&CaseQuery { open: Some(false), ..CaseQuery::default() }).await.unwrap().total, 1);
        let counts = cases.counts(&CaseQuery::default()).await.unwrap();
        assert!(counts.contains(&(CaseState::Closed, 1)), "{counts:?}");
    });
}

#[test]
fn what_is_not_allowed_changes_nothing() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let leader = actor("shift_leader", None);
        let refused = cases.apply(case.id, &leader, &request(CaseMove::File, case.version), NOW).await;
        assert!(matches!(refused, Err(FlowError::Illegal(_))), "no filing without verification: {refused:?}");
        let refused = cases.apply(case.id, &actor("viewer", None), &request(CaseMove::Verify, case.version), NOW).await;
        assert!(matches!(refused, Err(FlowError::Forbidden(CaseMove::Verify))));
        let refused = cases.apply(case.id, &leader, &request(CaseMove::Verify, case.version + 1), NOW).await;
        assert!(matches!(refused, Err(FlowError::Stale { current }) if current == case.version));
        let refused = cases.apply(case.id, &leader, &request(CaseMove::Reject, case.version), NOW).await;
        assert!(matches!(refused, Err(FlowError::ReasonMissing)));
        let long = MoveRequest { note: "长".repeat(2_001), ..request(CaseMove::Verify, case.version) };
        assert!(matches!(cases.apply(case.id, &leader, &long, NOW).await, Err(FlowError::TooLong(_))));
        assert_eq!(cases.get(case.id).await.unwrap().case, case);
    });
}

#[test]
fn a_squadron_moves_only_what_was_dispatched_to_its_office() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let admin = actor("administrator", None);
        let mut version = case.version;
        for step in [request(CaseMove::Verify, 0), request(CaseMove::File, 0)] {
            version = cases.apply(case.id, &admin, &MoveRequest { version, ..step }, NOW).await.unwrap().case.version;
        }
        let dispatch = MoveRequest { office: Some(OfficeId(9)), ..request(CaseMove::Dispatch, version) };
        version = cases.apply(case.id, &admin, &dispatch, NOW).await.unwrap().case.version;
        let handle = request(CaseMove::Handle, version);
        let foreign = cases.apply(case.id, &actor("squadron", Some(8)), &handle, NOW).await;
        assert!(matches!(foreign, Err(FlowError::Forbidden(_))));
        assert!(cases.apply(case.id, &actor("squadron", Some(9)), &handle, NOW).await.is_ok());
    });
}

#[test]
fn a_move_sent_twice_is_made_once() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let wanted = MoveRequest { idempotency_key: Some("k1".into()), ..request(CaseMove::Verify, case.version) };
        let acceptor = actor("acceptor", None);
        let first = cases.apply(case.id, &acceptor, &wanted, NOW).await.unwrap();
        let second = cases.apply(case.id, &acceptor, &wanted, NOW.plus_ms(5)).await.unwrap();
        assert_eq!(first, second);
    });
}

#[test]
fn a_key_of_another_move_or_of_another_person_is_refused_and_changes_nothing() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let wanted = MoveRequest { idempotency_key: Some("k1".into()), ..request(CaseMove::Verify, case.version) };
        let acceptor = actor("acceptor", None);
        let made = cases.apply(case.id, &acceptor, &wanted, NOW).await.unwrap();
        let other = Actor { user: UserId(6), ..acceptor.clone() };
        let rejects = MoveRequest { wanted: CaseMove::Reject, reason: "查无实据".into(), ..wanted.clone() };
        let reworded = MoveRequest { note: "改口".into(), ..wanted.clone() };
        for (who, what) in [(&other, &wanted), (&acceptor, &rejects), (&acceptor, &reworded)] {
            let refused = cases.apply(case.id, who, what, NOW).await;
            assert!(matches!(refused, Err(FlowError::KeyReused)), "{refused:?}");
        }
        assert_eq!(cases.get(case.id).await.unwrap(), made);
    });
}

#[test]
fn of_two_people_who_move_at_once_one_is_told_to_look_again() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let (a, b) = (actor("acceptor", None), actor("shift_leader", None));
        let wanted = request(CaseMove::Verify, case.version);
        let (first, second) =
            tokio::join!(cases.apply(case.id, &a, &wanted, NOW), cases.apply(case.id, &b, &wanted, NOW));
        assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
        assert_eq!(cases.get(case.id).await.unwrap().case.version, case.version + 1);
    });
}

#[test]
fn a_new_episode_after_closing_opens_a_new_case() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        let cut = items.partition_point(|item| crate::judge::journal_time(item).0 < START + 13 * 60_000);
        let mut judge = crate::testing::judge(&db, &facts).await;
        judge.on_batch(crate::testing::batch(&items[..cut])).await.unwrap();
        let cases = Cases::new(db.clone());
        let case = cases.list(&CaseQuery::default()).await.unwrap().rows.remove(0);
        let reject = MoveRequest { reason: "查无实据".into(), ..request(CaseMove::Reject, case.version) };
        cases.apply(case.id, &actor("acceptor", None), &reject, NOW).await.unwrap();
        judge.on_batch(crate::testing::batch(&items[cut..])).await.unwrap();
        let query = CaseQuery { rule: Some("fume-exceedance".into()), ..CaseQuery::default() };
        assert_eq!(cases.list(&query).await.unwrap().total, 2);
    });
}

#[test]
fn what_the_machine_decided_is_dumped_the_same_whatever_people_did() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        let untouched = {
            let dir = tempfile::tempdir().unwrap();
            let own = Database::open(database::Options::sqlite(dir.path().join("t.db"))).await.unwrap();
            run(&own, &facts, &items, &[], &[], &[]).await;
            let dump = crate::dump_decided(&own).await.unwrap();
            own.close().await;
            dump
        };
        // A person closes the case before the second episode, which then opens a file of its own.
        let cut = items.partition_point(|item| crate::judge::journal_time(item).0 < START + 13 * 60_000);
        let mut judge = crate::testing::judge(&db, &facts).await;
        judge.on_batch(crate::testing::batch(&items[..cut])).await.unwrap();
        let cases = Cases::new(db.clone());
        let acceptor = actor("acceptor", None);
        let alert = cases.alerts(&AlertQuery::default()).await.unwrap().rows.remove(0);
        cases.acknowledge(alert.id, &acceptor, "已通知", NOW).await.unwrap();
        let case = cases.list(&CaseQuery::default()).await.unwrap().rows.remove(0);
        let reject = MoveRequest { reason: "查无实据".into(), ..request(CaseMove::Reject, case.version) };
        cases.apply(case.id, &acceptor, &reject, NOW).await.unwrap();
        judge.on_batch(crate::testing::batch(&items[cut..])).await.unwrap();
        judge.flush().await.unwrap();
        assert_eq!(crate::dump_decided(&db).await.unwrap(), untouched);
        assert!(untouched.contains("{\"case_due\":"));
        let all = crate::dump_canonical(&db).await.unwrap();
        let (machine, people) = all.split_once("{\"section\":\"people").unwrap();
        assert!(machine.starts_with(&untouched) && people.contains("查无实据") && people.contains("已通知"));
    });
}

#[test]
fn alerts_are_acknowledged_once_and_found_by_their_marks() {
    both(async |db| {
        let (cases, case) = one_case(&db).await;
        let acceptor = actor("acceptor", None);
        let alerts = cases.alerts(&AlertQuery { case: Some(case.id), ..AlertQuery::default() }).await.unwrap();
        assert_eq!(alerts.total, 2);
        let id = alerts.rows[0].id;
        let seen = cases.acknowledge(id, &acceptor, "已通知", NOW).await.unwrap();
        assert_eq!((seen.acknowledged_by, seen.acknowledged_at), (Some(UserId(5)), Some(NOW)));
        assert!(seen.seq > alerts.rows[0].seq);
        let again = cases.acknowledge(id, &actor("shift_leader", None), "", NOW.plus_ms(9)).await.unwrap();
        assert_eq!(again.acknowledged_at, Some(NOW));
        cases.comment_alert(id, &acceptor, "复查", NOW).await.unwrap();
        let told = cases.alert_history(id).await.unwrap();
        assert_eq!(told.last().map(|line| (line.what.as_str(), line.note.as_str())), Some(("comment", "复查")));
        let none = AlertQuery { devices: Some(vec![]), ..AlertQuery::default() };
        assert_eq!(cases.alerts(&none).await.unwrap().total, 0);
        let own = AlertQuery { devices: Some(vec![model::id::DeviceId(1)]), ..AlertQuery::default() };
        assert!(cases.alerts(&own).await.unwrap().total > 0);
        assert!(matches!(cases.alert(AlertId(9_999)).await, Err(FlowError::NotFound)));
        assert!(matches!(cases.acknowledge(AlertId(9_999), &acceptor, "", NOW).await, Err(FlowError::NotFound)));
        let line = cases.comment(case.id, &acceptor, "现场核实", NOW).await.unwrap();
        assert_eq!(line.what, "comment");
        let text = CaseQuery { text: Some("餐馆".into()), ..CaseQuery::default() };
        assert!(cases.list(&text).await.unwrap().total > 0);
    });
}

#[test]
fn an_alert_is_given_to_a_person_and_stands_first_in_that_persons_list() {
    both(async |db| {
        let (cases, _) = one_case(&db).await;
        let leader = actor("shift_leader", None);
        let all = cases.alerts(&AlertQuery::default()).await.unwrap();
        let oldest = all.rows.last().unwrap().clone();
        let given = cases.assign(oldest.id, &leader, Some((UserId(8), "工号 8")), "请处理", NOW).await.unwrap();
        assert_eq!(given.assignee, Some(UserId(8)));
        assert!(given.seq > all.rows[0].seq);
        // Over already, so it is found but not put first.
        let mine = AlertQuery { assignee: Some(UserId(8)), ..AlertQuery::default() };
        assert_eq!(cases.alerts(&mine).await.unwrap().rows[0].id, oldest.id);
        database::transaction!(db, |tx| -> Result<(), DbError> {
            let open = sqlx::query("UPDATE alert SET state = 'open' WHERE id = $1").bind(oldest.id.0);
            open.execute(&mut *tx).await?;
            Ok(())
        })
        .unwrap();
        let first = AlertQuery { first_of: Some(UserId(8)), ..AlertQuery::default() };
        assert_eq!(cases.alerts(&first).await.unwrap().rows[0].id, oldest.id);
        let same = cases.assign(oldest.id, &leader, Some((UserId(8), "工号 8")), "", NOW).await.unwrap();
        assert_eq!(same.seq, given.seq, "nothing changed");
        cases.assign(oldest.id, &leader, None, "", NOW).await.unwrap();
        let told: Vec<_> =
            cases.alert_history(oldest.id).await.unwrap().into_iter().filter(|l| l.user.is_some()).collect();
        let told: Vec<_> = told.iter().map(|line| (line.what.as_str(), line.note.as_str())).collect();
        assert_eq!(told, [("assigned", "工号 8: 请处理"), ("unassigned", "")]);
    });
}

#[test]
fn many_are_acknowledged_at_once_and_what_is_not_there_is_left_out() {
    both(async |db| {
        let (cases, _) = one_case(&db).await;
        let all = cases.alerts(&AlertQuery::default()).await.unwrap().rows;
        let mut ids: Vec<_> = all.iter().map(|row| row.id).collect();
        ids.push(AlertId(9_999));
        let done = cases.acknowledge_all(&ids, &actor("acceptor", None), "批量", NOW).await.unwrap();
        assert_eq!(done.len(), all.len());
        assert!(done.iter().all(|row| row.acknowledged_at == Some(NOW)));
        let many = vec![AlertId(1); AT_ONCE_MAX + 1];
        let refused = cases.acknowledge_all(&many, &actor("acceptor", None), "", NOW).await;
        assert!(matches!(refused, Err(FlowError::TooMany(AT_ONCE_MAX))));
    });
}

#[test]
fn a_silence_covers_its_stretch_of_journal_time_and_is_never_made_backwards() {
    both(async |db| {
        let (cases, _) = one_case(&db).await;
        let alert = cases.alerts(&AlertQuery::default()).await.unwrap().rows.remove(0);
        let leader = actor("shift_leader", None);
        let of = |matches, until| NewSilence { matches, from: None, until, reason: "检修".into() };
        let rule = SilenceMatch { rule: Some(alert.rule.clone()), grid: alert.grid, ..SilenceMatch::default() };
        let until = NOW.plus_ms(3_600_000);
        let made = cases.silence(&leader, &of(rule.clone(), until), NOW).await.unwrap();
        assert!(made.covers(&alert, NOW) && !made.covers(&alert, until) && !made.covers(&alert, NOW.plus_ms(-1)));
        let other = SilenceMatch { subject: Some(model::id::SubjectId(99)), ..rule.clone() };
        assert!(!cases.silence(&leader, &of(other, until), NOW).await.unwrap().covers(&alert, NOW));
        for (wanted, field) in [
            (of(SilenceMatch::default(), until), "rule"),
            (of(rule.clone(), NOW), "until"),
            (NewSilence { reason: " ".into(), ..of(rule.clone(), until) }, "reason"),
            (NewSilence { from: Some(NOW.plus_ms(-1)), ..of(rule.clone(), until) }, "from"),
            (of(rule.clone(), NOW.plus_ms(181 * 86_400_000)), "until"),
        ] {
            let refused = cases.silence(&leader, &wanted, NOW).await;
            assert!(matches!(refused, Err(FlowError::Field(known, _)) if known == field), "{field}: {refused:?}");
        }
        let later = NOW.plus_ms(60_000);
        let ended = cases.end_silence(made.id, &leader, later).await.unwrap();
        assert_eq!((ended.until, ended.ended_by.as_deref()), (later, Some("工号 5")));
        assert!(ended.covers(&alert, NOW.plus_ms(59_999)), "what it covered it has covered");
        assert_eq!(cases.end_silence(made.id, &leader, later.plus_ms(1)).await.unwrap(), ended);
        assert_eq!(cases.silences(Some(later), 10).await.unwrap().total, 1);
        assert_eq!(cases.silences(None, 10).await.unwrap().total, 2);
        assert!(matches!(cases.end_silence(77, &leader, NOW).await, Err(FlowError::NotFound)));
    });
}
