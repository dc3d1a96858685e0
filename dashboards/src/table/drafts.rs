//! The routes of drafts of rules and of trials.

use super::{APPROVALS, RULES, Route, VIEW, get, post};
use crate::dto::drafts::{
    BacktestJob, DecideDraft, DraftRow, MoveDraft, PreviewRule, RulePreview, StartBacktest, SwitchOff, TestReport,
    WhyQuery, WhyReport, WriteDraft,
};
use crate::dto::rules::RuleDetail;
use crate::handlers::drafts;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/rules/drafts", VIEW, "Drafts of rules, the newest first").reply_list::<DraftRow>().to(drafts::list),
        post("/rules/drafts", RULES, "Begin a draft, or change the one under way for the rule")
            .body::<WriteDraft>()
            .reply::<DraftRow>()
            .to(drafts::write),
        get("/rules/drafts/{id}", VIEW, "One draft with its steps").reply::<DraftRow>().to(drafts::one),
        post("/rules/drafts/{id}/step", RULES, "Test, shadow, submit or withdraw a draft")
            .body::<MoveDraft>()
            .reply::<DraftRow>()
            .to(drafts::step),
        post("/rules/drafts/{id}/decision", APPROVALS, "Approve a draft of another person, or send it back")
            .body::<DecideDraft>()
            .reply::<DraftRow>()
            .to(drafts::decide),
        post("/rules/test", RULES, "Run a rule's unit tests; stores nothing")
            .body::<WriteDraft>()
            .reply::<TestReport>()
            .to(drafts::test),
        post("/rules/preview", RULES, "What a rule would have found on a device in the last 24 hours")
            .body::<PreviewRule>()
            .reply::<RulePreview>()
            .to(drafts::preview),
        post("/rules/backtests", RULES, "Try a rule on stored records against the live version")
            .body::<StartBacktest>()
            .reply::<BacktestJob>()
            .to(drafts::backtest),
        get("/rules/backtests/{id}", RULES, "How far a backtest is, and what it found")
            .reply::<BacktestJob>()
            .to(drafts::backtest_job),
        get("/rules/{code}/why", VIEW, "Why a rule did or did not fire: each operand at each step around a time")
            .query::<WhyQuery>()
            .reply::<WhyReport>()
            .to(drafts::why),
        post("/rules/{code}/off", RULES, "The emergency switch: one person, at once, with a reason")
            .body::<SwitchOff>()
            .reply::<RuleDetail>()
            .to(drafts::switch_off),
    ]
}
