//! What the way of a draft promises.

use super::*;
use crate::testing::rig;
use database::both;
use model::time::IngestTime;

fn fine(_: &str) -> Vec<Problem> {
    Vec::new()
}

/// Three tests that pass; a rule without text has problems.
fn pass(text: &str, _: &str) -> Result<(usize, usize), Vec<Problem>> {
    if text.is_empty() { Err(Vec::new()) } else { Ok((3, 0)) }
}

fn li() -> Author {
    Author::new("li", "test")
}

fn wang() -> Author {
    Author::new("wang", "test")
}

fn refused(result: Result<RuleDraft, LedgerError>) -> String {
    result.unwrap_err().to_string()
}

async fn submitted(ledger: &Ledger, text: &str) -> RuleDraft {
    let draft = ledger.write_draft(&li(), "fume", (text, "tests"), &fine).await.unwrap();
    ledger.test_draft(&li(), draft.id, &pass).await.unwrap();
    ledger.shadow_draft(&li(), draft.id, &fine).await.unwrap();
    ledger.note_backtest(&li(), draft.id, "2 new").await.unwrap();
    ledger.submit_draft(&li(), draft.id, "please").await.unwrap()
}

#[test]
fn a_rule_goes_live_only_by_a_second_person() {
    both(async |db| {
        let ledger = rig(db).await.ledger;
        let draft = submitted(&ledger, "one").await;
        assert!(refused(ledger.approve_draft(&li(), draft.id, "", &fine).await).contains("who wrote"));
        assert!(!ledger.facts_now().rules.contains_key("fume"));
        assert!(ledger.facts_now().rules["fume.shadow"].active);
        let live = ledger.approve_draft(&wang(), draft.id, "seen", &fine).await.unwrap();
        assert_eq!(live.state, DraftState::Live);
        let facts = ledger.facts_now();
        assert_eq!((facts.rules["fume"].text.as_str(), facts.rules["fume"].active), ("one", true));
        assert!(!facts.rules["fume.shadow"].active);
        let told: Vec<&str> = live.steps.iter().map(|step| step.what.as_str()).collect();
        assert_eq!(told, ["written", "tested", "shadowed", "backtested", "submitted", "approved"]);
        let audit =
            ledger.audit().page(&crate::AuditFilter { kind: Some("rule_draft".into()), ..Default::default() }).await;
        assert_eq!(audit.unwrap().len(), 6);
    });
}

#[test]
fn an_edit_takes_tests_shadow_and_backtest_back() {
    both(async |db| {
        let ledger = rig(db).await.ledger;
        let draft = submitted(&ledger, "one").await;
        // The second person mends a comma, and is a writer from then on.
        let edited = ledger.write_draft(&wang(), "fume", ("two", "tests"), &fine).await.unwrap();
        assert_eq!((edited.id, edited.state), (draft.id, DraftState::Draft));
        assert_eq!(edited.writers(), ["li", "wang"]);
        assert!(!ledger.facts_now().rules["fume.shadow"].active);
        assert!(refused(ledger.shadow_draft(&li(), draft.id, &fine).await).contains("tests have not passed"));
        ledger.test_draft(&li(), draft.id, &pass).await.unwrap();
        assert!(refused(ledger.submit_draft(&li(), draft.id, "").await).contains("not run in shadow"));
        ledger.shadow_draft(&li(), draft.id, &fine).await.unwrap();
        assert!(refused(ledger.submit_draft(&li(), draft.id, "").await).contains("not backtested"));
        ledger.note_backtest(&li(), draft.id, "").await.unwrap();
        ledger.submit_draft(&li(), draft.id, "").await.unwrap();
        for author in [li(), wang()] {
            assert!(refused(ledger.approve_draft(&author, draft.id, "", &fine).await).contains("who wrote"));
        }
    });
}

#[test]
fn a_draft_against_an_older_version_is_not_approved() {
    both(async |db| {
        let ledger = rig(db).await.ledger;
        let draft = submitted(&ledger, "one").await;
        ledger.set_rule(&wang(), "fume", "other", true, &fine).await.unwrap();
        assert!(refused(ledger.approve_draft(&wang(), draft.id, "", &fine).await).contains("another version"));
        let back = ledger.reject_draft(&wang(), draft.id, "too strict").await.unwrap();
        assert_eq!(back.state, DraftState::Shadow);
        let gone = ledger.withdraw_draft(&li(), draft.id, "").await.unwrap();
        assert_eq!(gone.state, DraftState::Withdrawn);
        assert!(!ledger.facts_now().rules["fume.shadow"].active);
        assert!(refused(ledger.submit_draft(&li(), draft.id, "").await).contains("begin another"));
    });
}

#[test]
fn failing_tests_are_no_tests() {
    both(async |db| {
        let ledger = rig(db).await.ledger;
        let draft = ledger.write_draft(&li(), "fume", ("one", "tests"), &fine).await.unwrap();
        let fail = |_: &str, _: &str| Ok((3, 1));
        assert!(refused(ledger.test_draft(&li(), draft.id, &fail).await).contains("1 of 3"));
        assert!(refused(ledger.test_draft(&li(), draft.id, &|_, _| Ok((0, 0))).await).contains("0 of 0"));
        assert!(refused(ledger.shadow_draft(&li(), draft.id, &fine).await).contains("tests have not passed"));
    });
}

#[test]
fn one_person_switches_a_rule_off_at_once() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = rig.ledger;
        rig.clock.set(IngestTime(1_790_000_100_000));
        ledger.set_rule(&wang(), "fume", "one", true, &fine).await.unwrap();
        assert!(ledger.switch_off_rule(&li(), "fume", " ").await.is_err());
        ledger.switch_off_rule(&li(), "fume", "floods the desk").await.unwrap();
        assert!(!ledger.facts_now().rules["fume"].active);
        let filter = crate::AuditFilter { kind: Some("rule".into()), limit: 1, ..Default::default() };
        assert_eq!(ledger.audit().page(&filter).await.unwrap()[0].after.as_deref(), Some("floods the desk"));
    });
}
