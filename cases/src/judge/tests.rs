//! The judge on both engines: cases by themselves, the same bytes however the journal is cut.

use crate::dto::{AlertQuery, AlertState, CaseQuery, LiveEvent};
use crate::testing::{batch, facts, journal, judge, run};
use crate::{Cases, dump_canonical};
use database::both;
use model::case::CaseState;
use model::episode::EpisodeClass;
use model::id::{CaseId, OfficeId};
use model::register::{Object, Revision, RuleVersion};
use model::stream::Item;
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn a_case_opens_by_itself_at_registration_with_office_deadline_and_evidence() {
    both(async |db| {
        run(&db, &facts(1, 200), &journal(1), &[], &[], &[]).await;
        let cases = Cases::new(db);
        let page = cases.list(&CaseQuery::default()).await.unwrap();
        let fume: Vec<_> = page.rows.iter().filter(|case| case.rule == "fume-exceedance").collect();
        assert_eq!(fume.len(), 1, "two episodes, one open case: {page:#?}");
        let case = fume[0];
        assert_eq!((case.state, case.source.as_str(), case.demo), (CaseState::Registered, "iot", true));
        assert_eq!((case.category.as_str(), case.office, case.episodes), ("06027", Some(OfficeId(7)), 2));
        assert_eq!(case.review_due.0, case.opened.0 + 480 * 60_000);
        assert!(case.number.starts_with("2026-0000"));
        let detail = cases.get(case.id).await.unwrap();
        assert_eq!(detail.alerts.len(), 2);
        assert_eq!(
            detail.history.iter().map(|line| line.what.as_str()).collect::<Vec<_>>(),
            ["registered", "episode_joined"]
        );
        assert!(!detail.evidence.is_empty());
        let pinned = &detail.evidence[0];
        let raw = cases.evidence_bytes(case.id, pinned.partition, pinned.seq).await.unwrap();
        assert_eq!(raw, format!("frame 0:{}", pinned.seq).into_bytes());
        assert_eq!((pinned.sha256.len(), pinned.bytes), (64, i64::try_from(raw.len()).unwrap()));
        let offline = page.rows.iter().find(|case| case.rule == "device-offline").unwrap();
        assert!(offline.is_local_extension);
    });
}

#[test]
fn a_case_is_worded_by_the_version_that_its_episode_pins() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        // A version of other words and another category goes live after the first episode was raised, before it settles.
        let raised = {
            let mut judge = judge(&db, &facts).await;
            let mut live = judge.handle().subscribe();
            let mut seen = None;
            for item in &items {
                judge.on_batch(batch(std::slice::from_ref(item))).await.unwrap();
                if live.try_recv().is_ok() {
                    seen = Some(item.position());
                    break;
                }
            }
            seen.unwrap()
        };
        let old = Arc::clone(&facts.rules["fume-exceedance"]);
        let text = old
            .text
            .replace("name_zh = \"", "name_zh = \"新")
            .replace("category = \"06027\"", "category = \"06999\"")
            .replace("class = \"violation\"", "class = \"doubtful_data\"");
        assert_ne!(text, old.text);
        let cut = items.partition_point(|item| item.position() <= raised);
        let at = crate::judge::journal_time(&items[cut]);
        let object = Object::Rule(RuleVersion { code: old.code.clone(), version: 2, text, active: true });
        let revision = Revision { number: facts.revision + 1, at, author: "test".into(), object };
        let mut journal = items.clone();
        journal.insert(cut, Item::Revision { revision: Box::new(revision), position: raised });
        let mut judge = judge(&db, &facts).await;
        judge.on_batch(batch(&journal)).await.unwrap();
        judge.flush().await.unwrap();
        let cases = Cases::new(db);
        let query = CaseQuery { rule: Some("fume-exceedance".into()), ..CaseQuery::default() };
        let case = cases.list(&query).await.unwrap().rows.remove(0);
        assert_eq!((case.category.as_str(), case.rule_version), ("06027", 1));
        let alerts = cases.alerts(&AlertQuery { rule: Some("fume-exceedance".into()), ..AlertQuery::default() }).await;
        let mut alerts = alerts.unwrap().rows;
        alerts.sort_by_key(|alert| alert.id);
        let words: Vec<_> = alerts.iter().map(|one| (one.rule_version, one.class, one.rule_name_zh.as_str())).collect();
        let (first, second) = (words[0], words[1]);
        assert_eq!((first.0, first.1), (1, EpisodeClass::Violation));
        assert_eq!((second.0, second.1), (2, EpisodeClass::DoubtfulData));
        assert_eq!(second.2, format!("新{}", first.2));
    });
}

#[test]
fn an_alert_follows_its_episode_and_is_pushed_after_commit() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        let mut judge = judge(&db, &facts).await;
        let mut live = judge.handle().subscribe();
        judge.on_batch(batch(&items)).await.unwrap();
        let mut seen = Vec::new();
        while let Ok(event) = live.try_recv() {
            seen.push(event);
        }
        assert!(seen.iter().any(|event| matches!(event, LiveEvent::Alert(_))));
        assert!(seen.iter().any(|event| matches!(event, LiveEvent::Case(_))));
        let cases = Cases::new(db.clone());
        let all = cases.alerts(&AlertQuery::default()).await.unwrap();
        let over = [AlertState::Cleared, AlertState::Withdrawn];
        assert!(all.rows.iter().all(|alert| over.contains(&alert.state)), "{:#?}", all.rows);
        let fume = all.rows.iter().find(|alert| alert.rule == "fume-exceedance").unwrap();
        assert_eq!(fume.details["not_converted"], true);
        assert_eq!(fume.details["limit_verified"], true);
        // Paging by change gives each once, in order.
        let first =
            cases.alerts(&AlertQuery { after_seq: Some(0), limit: Some(1), ..AlertQuery::default() }).await.unwrap();
        let rest = AlertQuery { after_seq: Some(first.rows[0].seq), ..AlertQuery::default() };
        let rest = cases.alerts(&rest).await.unwrap();
        assert_eq!(rest.rows.len() + 1, usize::try_from(all.total).unwrap());
        let told = cases.alert_history(fume.id).await.unwrap();
        assert_eq!(told.first().map(|line| line.what.as_str()), Some("raised"));
        assert!(!judge.handle().explain(fume.subject, None).is_empty());
    });
}

#[test]
fn a_cap_keeps_a_rule_from_flooding_and_is_counted() {
    both(async |db| {
        run(&db, &facts(4, 2), &journal(4), &[], &[], &[]).await;
        let cases = Cases::new(db);
        let query = CaseQuery { rule: Some("fume-exceedance".into()), ..CaseQuery::default() };
        assert_eq!(cases.list(&query).await.unwrap().total, 2);
        let capped = cases.capped(0).await.unwrap();
        assert!(capped.iter().any(|(rule, _, count)| rule == "fume-exceedance" && *count >= 2), "{capped:?}");
    });
}

#[test]
fn what_runs_in_shadow_makes_marked_alerts_no_case_and_no_noise() {
    both(async |db| {
        let (mut facts, items) = (facts(1, 200), journal(1));
        let live = Arc::clone(&facts.rules["fume-exceedance"]);
        let code = model::register::shadow_code(&live.code);
        let object =
            Object::Rule(RuleVersion { code: code.clone(), version: 1, text: live.text.clone(), active: true });
        let (number, at) = (facts.revision + 1, crate::judge::journal_time(&items[0]));
        facts.apply(&Revision { number, at, author: "test".into(), object });
        let mut judge = judge(&db, &facts).await;
        let mut pushed = judge.handle().subscribe();
        judge.on_batch(batch(&items)).await.unwrap();
        while let Ok(event) = pushed.try_recv() {
            assert!(!matches!(event, LiveEvent::Alert(told) if told.alert.rule == code));
        }
        let cases = Cases::new(db);
        let of = |rule: &str| AlertQuery { rule: Some(rule.to_owned()), ..AlertQuery::default() };
        let (shadow, real) = (cases.alerts(&of(&code)).await.unwrap(), cases.alerts(&of(&live.code)).await.unwrap());
        let bounds = |page: &crate::dto::Page<crate::dto::AlertRow>| -> Vec<_> {
            page.rows.iter().map(|row| (row.episode.start, row.episode.end, row.episode.extreme.to_bits())).collect()
        };
        assert_eq!(bounds(&shadow), bounds(&real));
        assert!(shadow.rows.iter().all(|row| row.details["shadow"] == true && row.case.is_none()));
        let query = CaseQuery { rule: Some(code.clone()), ..CaseQuery::default() };
        assert_eq!(cases.list(&query).await.unwrap().total, 0);
        let all = cases.alerts(&AlertQuery::default()).await.unwrap();
        assert!(all.rows.iter().all(|row| row.rule != code), "lists leave it out unless it is asked for");
    });
}

#[test]
fn a_crash_before_the_state_was_committed_tells_nothing_twice() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        let mut first = judge(&db, &facts).await;
        first.on_batch(batch(&items)).await.unwrap();
        let before = dump_canonical(&db).await.unwrap();
        assert_eq!(first.handle().committed().seq, 0);
        drop(first);
        let mut again = judge(&db, &facts).await;
        again.on_batch(batch(&items)).await.unwrap();
        again.flush().await.unwrap();
        assert_eq!(dump_canonical(&db).await.unwrap(), before);
        assert_eq!(again.handle().committed(), items.last().unwrap().position());
        // Items at or before the cursor are ignored.
        again.on_batch(batch(&items)).await.unwrap();
        assert_eq!(dump_canonical(&db).await.unwrap(), before);
        assert!(matches!(Cases::new(db).get(CaseId(99)).await, Err(crate::FlowError::NotFound)));
    });
}

#[test]
fn sqlite_and_postgresql_hold_the_same_bytes_for_any_batches_and_restarts() {
    let expected = std::cell::RefCell::new(None::<String>);
    let (facts, items) = (facts(2, 200), journal(2));
    let count = items.len();
    both(async |db| {
        run(&db, &facts, &items, &[], &[], &[]).await;
        let dump = dump_canonical(&db).await.unwrap();
        assert!(dump.contains("{\"case\":") && dump.contains("{\"evidence\":"));
        assert_eq!(&dump, expected.borrow_mut().get_or_insert_with(|| dump.clone()));
    });
    let expected = expected.into_inner().unwrap();
    // Properties need many databases: in memory of the file system, SQLite only.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cut = || prop::collection::vec(0..count, 0..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let property = runner.run(&(cut(), prop::bool::ANY, prop::bool::ANY), |(mut cuts, flush, crash)| {
        cuts.sort_unstable();
        let half: Vec<usize> = cuts.iter().copied().step_by(2).collect();
        let (flushes, crashes) = (if flush { half } else { vec![] }, if crash { cuts.clone() } else { vec![] });
        let dump = runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let db = database::Database::open(database::Options::sqlite(dir.path().join("t.db"))).await.unwrap();
            run(&db, &facts, &items, &cuts, &flushes, &crashes).await;
            let dump = dump_canonical(&db).await.unwrap();
            db.close().await;
            dump
        });
        prop_assert_eq!(&dump, &expected);
        Ok(())
    });
    property.unwrap();
}

#[test]
fn a_judge_that_settle_waits_for_commits_before_its_checkpoint() {
    both(async |db| {
        let (facts, items) = (facts(1, 200), journal(1));
        let mut judge = judge(&db, &facts).await;
        judge.on_batch(batch(&items)).await.unwrap();
        let end = batch(&items).up_to.seq;
        assert!(judge.handle().committed().seq < end, "the checkpoint is seconds away");
        judge.on_pressed(end + 1).await.unwrap();
        assert!(judge.handle().committed().seq < end, "what was not judged cannot be passed");
        judge.on_pressed(end).await.unwrap();
        assert_eq!(judge.handle().committed().seq, end);
    });
}
