//! Edits, the outbox and what is left after a crash, on both engines.

use crate::audit::AuditFilter;
use crate::error::LedgerError;
use crate::keys::Keys;
use crate::store::Ledger;
use crate::testing::{author, device, grid, installation, office, permit, profile, rig, site, truck};
use database::both;
use model::envelope::{Position, ProtocolKind};
use model::id::{OfficeId, SubjectId};
use model::register::{Object, Register, SubjectDetails};
use model::time::SystemClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;

const fn at(seq: u64) -> Position {
    Position { partition: 0, seq }
}

#[test]
fn a_batch_may_refer_to_its_own_new_objects_and_gets_ids() {
    both(async |db| {
        let rig = rig(db).await;
        let gate = crate::testing::subject(-3, "gate", SubjectDetails::Gate { site: SubjectId(-2) });
        let batch = vec![gate, site(-2, "site"), grid(0, "g1", -1), office(-1, "o1")];
        let revisions = rig.ledger.edit(&author(), batch).await.unwrap();
        assert_eq!(revisions.iter().map(|r| r.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let facts = rig.ledger.facts_now();
        assert_eq!(facts.grids.values().next().unwrap().office, OfficeId(1));
        let gate = facts.subjects.values().find(|row| row.code == "gate").unwrap();
        let site = facts.subjects.values().find(|row| row.code == "site").unwrap();
        assert_eq!(gate.details, SubjectDetails::Gate { site: site.id });
        assert!(rig.ledger.edit(&author(), vec![office(1, "o1")]).await.unwrap().is_empty());
        let audit = rig.ledger.audit().page(&AuditFilter { limit: 3, ..AuditFilter::default() }).await.unwrap();
        assert_eq!(audit.len(), 3);
        let older = AuditFilter { before_id: Some(audit[2].id), ..AuditFilter::default() };
        assert_eq!(rig.ledger.audit().page(&older).await.unwrap().len(), 1);
    });
}

#[test]
fn register_rows_that_make_no_sense_are_told_by_field() {
    both(async |db| {
        let rig = rig(db).await;
        let row = |text: &str| serde_json::from_str::<Register>(&format!(r#"{{"code": "fume", {text}}}"#)).unwrap();
        let rows = [
            (r#""function": 3, "address": 30001, "base": "table", "kind": "u16""#, Some("address")),
            (r#""function": 3, "address": 65535, "kind": "f32""#, Some("address")),
            (r#""function": 3, "address": 0, "kind": "u16", "mask": 0"#, Some("mask")),
            (r#""function": 3, "address": 0, "kind": "f32", "mask": 1"#, Some("mask")),
            (r#""function": 3, "address": 0, "kind": "u16", "valid": [2, 1]"#, Some("valid")),
            (r#""function": 3, "address": 0, "kind": "text""#, Some("length")),
            (r#""function": 3, "address": 0, "kind": "u16", "length": 2"#, Some("length")),
            (r#""function": 3, "address": 40001, "base": "table", "kind": "u16", "mask": 3840, "valid": [0, 9]"#, None),
            (r#""function": 4, "address": 1, "base": "one", "kind": "u8_high", "split": true"#, None),
            (r#""function": 4, "address": 9, "kind": "text", "length": 8"#, None),
        ];
        for (text, wrong) in rows {
            let mut batch = vec![profile("p-modbus", ProtocolKind::Modbus)];
            if let Some(Object::Profile(profile)) = batch.first_mut() {
                profile.registers = vec![row(text)];
            }
            let places = match rig.ledger.edit(&author(), batch).await {
                Ok(_) => Vec::new(),
                Err(LedgerError::Invalid(problems)) => problems.iter().map(|problem| problem.place.clone()).collect(),
                Err(other) => panic!("{other}"),
            };
            let expected: Vec<_> = wrong.map(|field| format!("[0].registers[0].{field}")).into_iter().collect();
            assert_eq!(places, expected, "{text}");
        }
    });
}

/// A slave of the profile `p-modbus`, behind `poll`.
fn slave(code: &str, poll: &str) -> Object {
    let row = format!(
        r#"{{"id": 0, "code": "{code}", "protocol": "modbus", "identity": "{code}", "profile": "p-modbus", "poll": {{{poll}}}}}"#
    );
    Object::Device(serde_json::from_str(&row).unwrap())
}

#[test]
fn where_a_slave_is_polled_is_told_by_field_and_a_bus_is_the_same_for_all_on_it() {
    both(async |db| {
        let rig = rig(db).await;
        let mut map = profile("p-modbus", ProtocolKind::Modbus);
        if let Object::Profile(profile) = &mut map {
            let register = r#"{"code": "fume", "function": 3, "address": 0, "kind": "u16"}"#;
            profile.registers = vec![serde_json::from_str(register).unwrap()];
        }
        rig.ledger.edit(&author(), vec![map]).await.unwrap();
        let cases = [
            ("a", r#""address": "10.0.0.1:502", "unit": 1"#, None),
            ("b", r#""address": "/dev/ttyUSB0,9600,8N1", "unit": 1"#, None),
            ("c", r#""address": "dtu://8600", "unit": 1, "dtu": {"form": "line", "heartbeat": "hex:00"}"#, None),
            ("d", r#""address": "dtu://8600", "unit": 2, "dtu": {"form": "line", "heartbeat": "hex:00"}"#, None),
            ("e", r#""address": "dtu://8600", "unit": 3"#, Some("poll.dtu")),
            ("f", r#""address": "/dev/ttyUSB0,19200,8N1", "unit": 2"#, Some("poll.address")),
            ("g", r#""address": "/etc/passwd", "unit": 1"#, Some("poll.address")),
            ("h", r#""address": "10.0.0.1:502", "unit": 1, "dtu": {}"#, Some("poll.dtu")),
            ("i", r#""address": "dtu://xyz", "unit": 1, "dtu": {"form": "hex"}"#, Some("poll.dtu.form")),
            ("j", r#""address": "10.0.0.1:502", "unit": 1, "max_registers": 126"#, Some("poll.max_registers")),
            ("k", r#""address": "10.0.0.1:502", "unit": 1, "retries": 9"#, Some("poll.retries")),
        ];
        for (code, poll, wrong) in cases {
            let places = match rig.ledger.edit(&author(), vec![slave(code, poll)]).await {
                Ok(_) => Vec::new(),
                Err(LedgerError::Invalid(problems)) => problems.iter().map(|problem| problem.place.clone()).collect(),
                Err(other) => panic!("{other}"),
            };
            let expected: Vec<_> = wrong.map(|field| format!("[0].{field}")).into_iter().collect();
            assert_eq!(places, expected, "{poll}");
        }
    });
}

#[test]
fn all_problems_are_told_and_nothing_is_half_applied() {
    both(async |db| {
        let rig = rig(db.clone()).await;
        let batch =
            vec![office(0, "fine"), office(0, "has space"), grid(0, "g", 99), office(77, "unknown-id-is-told-first")];
        let error = rig.ledger.edit(&author(), batch).await.unwrap_err();
        assert!(matches!(&error, LedgerError::Invalid(p) if p.len() == 1 && p[0].place == "[3].id"), "{error:?}");
        let mut wrong_permit = permit(0, "p", 4);
        if let Object::Permit(row) = &mut wrong_permit {
            row.corridor[1].lat = 3.48;
            row.valid_to = Some(row.valid_from);
        }
        let batch = vec![
            office(0, "fine"),
            office(0, "has space"),
            grid(0, "g", 99),
            wrong_permit,
            device(0, "Upper", ProtocolKind::Jt808, "12ab"),
            truck(0, "豫A1"),
            truck(0, "豫A1"),
        ];
        let Err(LedgerError::Invalid(problems)) = rig.ledger.edit(&author(), batch).await else { panic!() };
        let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
        for place in [
            "[1].code",
            "[2].office",
            "[3].trucks[0]",
            "[3].corridor[1]",
            "[3].valid_to",
            "[4].code",
            "[4].identity",
            "[4].profile",
            "[5].code",
            "[5].details.plate",
            "[6].details.plate",
        ] {
            assert!(places.contains(&place), "{place} in {problems:#?}");
        }
        assert_eq!(rig.ledger.facts_now().revision, 0);
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM revision")
            .fetch_one(&mut *db.read().await.unwrap())
            .await
            .unwrap();
        assert_eq!(rows, 0);
    });
}

#[test]
fn a_device_is_at_one_place_at_a_time() {
    both(async |db| {
        let rig = rig(db).await;
        let batch = vec![
            profile("p-mqtt", ProtocolKind::Mqtt),
            device(-1, "d", ProtocolKind::Mqtt, "d"),
            site(-2, "s"),
            installation(0, -1, -2, 0, Some(100)),
            installation(0, -1, -2, 100, None),
        ];
        rig.ledger.edit(&author(), batch).await.unwrap();
        let Err(LedgerError::Invalid(problems)) =
            rig.ledger.edit(&author(), vec![installation(0, 1, 1, 50, None)]).await
        else {
            panic!()
        };
        assert!(problems[0].message.contains("is installed at s"), "{problems:?}");
    });
}

#[test]
fn who_read_an_old_row_is_told_and_overwrites_nothing() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.edit(&author(), vec![office(0, "a"), office(0, "b")]).await.unwrap();
        let seen = rig.ledger.facts_now().revision;
        rig.ledger.edit_seen(&author(), seen, vec![office(1, "a2")]).await.unwrap();
        let error = rig.ledger.edit_seen(&author(), seen, vec![office(1, "a3")]).await.unwrap_err();
        assert!(matches!(error, LedgerError::Stale { number: 3, .. }), "{error:?}");
        rig.ledger.edit_seen(&author(), seen, vec![office(2, "b2")]).await.unwrap();
        let history = rig.ledger.history("office", "1", 10).await.unwrap();
        assert_eq!(history.iter().map(|r| r.number).collect::<Vec<_>>(), [3, 1]);
    });
}

#[test]
fn edits_of_many_and_of_two_processes_are_one_row_of_numbers() {
    both(async |db| {
        let rig = rig(db.clone()).await;
        let keys = Keys::open(rig.dir.path()).unwrap();
        let second = Ledger::open(db, keys, Arc::new(SystemClock)).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..12 {
            let ledger = if n % 2 == 0 { rig.ledger.clone() } else { second.clone() };
            tasks.spawn(async move { ledger.edit(&author(), vec![office(0, &format!("o{n}"))]).await.unwrap() });
        }
        let mut numbers = Vec::new();
        while let Some(revisions) = tasks.join_next().await {
            numbers.extend(revisions.unwrap().iter().map(|revision| revision.number));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=12).collect::<Vec<u64>>());
        rig.ledger.refresh().await.unwrap();
        second.refresh().await.unwrap();
        assert_eq!(rig.ledger.facts_now(), second.facts_now());
        assert_eq!(rig.ledger.facts_now().offices.len(), 12);
    });
}

#[test]
fn after_a_crash_the_outbox_gives_what_was_not_marked() {
    both(async |db| {
        let rig = rig(db.clone()).await;
        rig.ledger.edit(&author(), vec![office(0, "a"), office(0, "b"), office(0, "c")]).await.unwrap();
        rig.ledger.mark_published(1, at(10)).await.unwrap();
        let again = Ledger::open(db, Keys::open(rig.dir.path()).unwrap(), Arc::new(SystemClock)).await.unwrap();
        assert_eq!(again.facts_now(), rig.ledger.facts_now());
        let left = again.unpublished(10).await.unwrap();
        assert_eq!(left.iter().map(|revision| revision.number).collect::<Vec<_>>(), [2, 3]);
        // Appended again after a crash between append and mark: the first place holds.
        again.mark_published(2, at(20)).await.unwrap();
        again.mark_published(2, at(11)).await.unwrap();
        again.mark_published(2, at(30)).await.unwrap();
        again.mark_published(3, at(21)).await.unwrap();
        assert!(again.unpublished(10).await.unwrap().is_empty());
        let known = async |seq| again.facts_as_of(at(seq)).await.unwrap().revision;
        assert_eq!(
            (known(9).await, known(10).await, known(11).await, known(20).await, known(21).await),
            (0, 1, 2, 2, 3)
        );
        assert_eq!(again.facts_as_of(at(21)).await.unwrap(), *again.facts_now());
    });
}

#[test]
fn an_edit_is_announced() {
    both(async |db| {
        let rig = rig(db.clone()).await;
        assert_eq!(crate::newest(&mut db.read().await.unwrap()).await.unwrap(), (None, None));
        let mut changes = rig.ledger.changes();
        rig.ledger.edit(&author(), vec![office(0, "a")]).await.unwrap();
        assert!(changes.has_changed().unwrap());
        assert_eq!(*changes.borrow_and_update(), 1);
        assert_eq!(crate::newest(&mut db.read().await.unwrap()).await.unwrap(), (Some(1), Some(1)));
    });
}

/// A few edits, right and wrong, of few objects, so that they meet.
fn any_batch() -> impl Strategy<Value = Vec<Object>> {
    let code = || "[a-c]";
    let one = prop_oneof![
        (0_i64..4, code()).prop_map(|(id, code)| office(id, &code)),
        (0_i64..3, code(), 1_i64..4).prop_map(|(id, code, of)| grid(id, &code, of)),
        (0_i64..3, code()).prop_map(|(id, code)| truck(id, &format!("豫{code}"))),
        (0_i64..3, code(), 1_i64..4).prop_map(|(id, code, of)| permit(id, &code, of)),
    ];
    proptest::collection::vec(one, 1..4)
}

#[test]
fn whatever_is_edited_what_is_stored_is_what_is_in_memory() {
    both(async |db| {
        let rig = rig(db.clone()).await;
        let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        let strategy = proptest::collection::vec(any_batch(), 1..6);
        let batches = std::sync::Mutex::new(Vec::new());
        let collected = runner.run(&strategy, |some| {
            batches.lock().unwrap().extend(some);
            Ok(())
        });
        collected.unwrap();
        for batch in batches.into_inner().unwrap() {
            let before = rig.ledger.facts_now();
            let told = rig.ledger.check(batch.clone());
            match rig.ledger.edit(&author(), batch).await {
                Ok(revisions) => {
                    assert!(told.is_empty());
                    let added = u64::try_from(revisions.len()).unwrap();
                    assert_eq!(rig.ledger.facts_now().revision, before.revision + added);
                }
                Err(LedgerError::Invalid(problems)) => {
                    assert_eq!(problems, told);
                    assert_eq!(rig.ledger.facts_now(), before);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let again = Ledger::open(db, Keys::open(rig.dir.path()).unwrap(), Arc::new(SystemClock)).await.unwrap();
        assert_eq!(again.facts_now(), rig.ledger.facts_now());
        let places: Vec<_> = again.unpublished(1_000).await.unwrap().iter().map(|r| (r.number, at(r.number))).collect();
        again.mark_all_published(&places).await.unwrap();
        assert_eq!(again.facts_as_of(at(u64::MAX)).await.unwrap(), *again.facts_now());
    });
}
