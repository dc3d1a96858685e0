//! Alerts.

use crate::aside::Aside;
use crate::dto::alerts::{
    AlertRow, AlertState, ChartHint, Evidence, Explain, ExplainStep, PersonRef, Severity, SilenceRef,
};
use crate::dto::common::Time;
use crate::dto::words::{RecordKind, Statistic};
use crate::state::AppState;
use crate::view::refs;
use model::episode::Standing;
use model::facts::Facts;
use model::id::UserId;
use model::time::IngestTime;
use rules::{CompiledRule, Kind};
use serde_json::Value;
use std::sync::Arc;

pub(crate) const fn severity_of(severity: rules::definition::Severity) -> Severity {
    use rules::definition::Severity as S;
    match severity {
        S::Low => Severity::Low,
        S::Normal => Severity::Normal,
        S::High => Severity::High,
        S::Urgent => Severity::Urgent,
    }
}

pub(crate) fn severity_word(word: &str) -> Severity {
    match word {
        "urgent" => Severity::Urgent,
        "high" => Severity::High,
        "low" => Severity::Low,
        _ => Severity::Normal,
    }
}

/// The kept versions of the rules, for a list of alerts: each alert is shown by the version that it pins. And what else stands
/// beside the rows.
#[derive(Debug)]
pub(crate) struct Rules {
    versions: Vec<(u32, Arc<CompiledRule>)>,
    demo: bool,
    aside: Arc<Aside>,
    now: IngestTime,
}

impl Rules {
    pub(crate) fn of(state: &AppState) -> Self {
        let demo = state.judge.rules().iter().any(|rule| rule.demo);
        Self { versions: state.judge.rule_versions(), demo, aside: state.aside.get(), now: state.now() }
    }

    fn name(&self, user: UserId) -> String {
        self.aside.people.get(&user).cloned().unwrap_or_else(|| format!("#{user}"))
    }

    /// The version that an alert pins; the oldest kept one stands for those before it.
    pub(crate) fn pinned(&self, alert: &cases::AlertRow) -> Option<&Arc<CompiledRule>> {
        let mut known = self.versions.iter().filter(|(_, rule)| rule.code == alert.rule);
        let exact = known.clone().find(|(number, _)| *number == alert.rule_version);
        exact.or_else(|| known.next()).map(|(_, rule)| rule)
    }

    /// A rule that opens no cases is of low severity; one that is gone of normal.
    pub(crate) fn severity(&self, alert: &cases::AlertRow) -> Severity {
        self.pinned(alert).map_or(Severity::Normal, |rule| {
            rule.case.as_ref().map_or(Severity::Low, |case| severity_of(case.severity))
        })
    }

    pub(crate) const fn any_demo(&self) -> bool {
        self.demo
    }
}

pub(crate) fn row(facts: &Facts, rules: &Rules, alert: &cases::AlertRow) -> AlertRow {
    let episode = &alert.episode;
    let text = |key: &str| alert.details.get(key).and_then(Value::as_str).map(str::to_owned);
    AlertRow {
        id: alert.id.0,
        seq: u64::try_from(alert.seq).unwrap_or(0),
        state: match alert.state {
            cases::AlertState::Open => AlertState::Open,
            cases::AlertState::Acknowledged => AlertState::Acknowledged,
            cases::AlertState::Cleared => AlertState::Cleared,
            cases::AlertState::Withdrawn => AlertState::Withdrawn,
        },
        class: alert.class.into(),
        severity: rules.severity(alert),
        rule: alert.rule.clone(),
        rule_name: alert.rule_name_zh.clone(),
        rule_name_en: alert.rule_name_en.clone(),
        rule_version: alert.rule_version,
        demo: alert.demo,
        subject: refs::subject(facts, alert.subject),
        device: refs::device(facts, alert.device),
        start: episode.start.into(),
        end: episode.end.map(Time::from),
        extreme: episode.extreme,
        extreme_at: episode.extreme_at.into(),
        threshold: episode.threshold,
        unit: text("unit").unwrap_or_default(),
        quantity: text("quantity"),
        raised: alert.raised.into(),
        acknowledged_by: alert.acknowledged_by.map(|user| rules.name(user)),
        acknowledged_at: alert.acknowledged_at.map(Time::from),
        assignee: alert.assignee.map(|user| PersonRef { id: user.0, name: rules.name(user) }),
        silence: (rules.aside.silences.iter().find(|one| one.covers(alert, rules.now))).map(|one| SilenceRef {
            id: one.id,
            until: one.until.into(),
            reason: one.reason.clone(),
        }),
        case: alert.case.map(|id| id.0),
        merged_into: match episode.standing {
            Standing::MergedInto(id) => Some(id.0),
            Standing::Stands | Standing::Withdrawn => None,
        },
    }
}

/// What an alert says of itself, and its rule's article.
pub(crate) fn explain(alert: &cases::AlertRow, rule: Option<&CompiledRule>, rule_text: String) -> Explain {
    let step = |what: &str, value: String| ExplainStep { what: what.to_owned(), value };
    let mut steps = vec![
        step("extreme", number(alert.episode.extreme)),
        step("threshold", number(alert.episode.threshold)),
        step("start", alert.episode.start.to_rfc3339()),
    ];
    if let Some(end) = alert.episode.end {
        steps.push(step("end", end.to_rfc3339()));
    }
    if let Some(details) = alert.details.as_object() {
        steps.extend(details.iter().filter_map(|(key, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            (!text.is_empty()).then(|| step(key, text))
        }));
    }
    let basis = rule.and_then(|rule| rule.basis.first()).map(|basis| format!("{} {}", basis.law, basis.article));
    let sentence = rule.map_or_else(|| alert.rule_name_zh.clone(), sentence);
    Explain { sentence, steps, rule_text, basis }
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a rule does, in one Chinese sentence.
pub(crate) fn sentence(rule: &CompiledRule) -> String {
    let demo = if rule.demo { "（演示参数）" } else { "" };
    let what = match &rule.kind {
        Kind::Exceedance(rule) => {
            let name = rule.quantity.spec().map_or("监测值", |spec| spec.name_zh);
            let held = if rule.for_ms > 0 { format!("并持续{}", span(rule.for_ms)) } else { String::new() };
            format!(
                "{name}{}滑动均值（有效数据不少于{}%）超过适用限值{held}时报警；降至限值的{}%以下并持续{}后解除",
                span(rule.window_ms),
                number(rule.valid_share_min * 100.0),
                number(rule.clear_factor * 100.0),
                span(rule.clear_ms)
            )
        }
        Kind::Offline(rule) => {
            let what = match rule.judge {
                rules::definition::Absence::Silence => "设备失联",
                rules::definition::Absence::Gap => "数据缺失",
            };
            format!("{what}超过{}时报警；平台自身中断的时间不计", span(rule.longer_than_ms))
        }
        Kind::OffRoute(rule) => format!(
            "车辆偏离准运路线走廊超过{}米、持续{}且不少于{}个定位点时报警；回到走廊内{}后解除",
            number(rule.margin_m),
            span(rule.for_ms),
            rule.fixes_min,
            span(rule.clear_ms)
        ),
        Kind::Judged(judged) => judged.sentence(),
    };
    format!("{what}{demo}。")
}

fn span(ms: i64) -> String {
    match ms {
        ms if ms % 3_600_000 == 0 && ms > 0 => format!("{}小时", ms / 3_600_000),
        ms if ms % 60_000 == 0 && ms > 0 => format!("{}分钟", ms / 60_000),
        ms => format!("{}秒", number(f64::from(i32::try_from(ms).unwrap_or(i32::MAX)) / 1_000.0)),
    }
}

/// What to draw beside an alert: its span with some room around it.
pub(crate) fn chart(alert: &cases::AlertRow, rule: Option<&CompiledRule>, now: Time) -> ChartHint {
    let start = alert.episode.start.0;
    let end = alert.episode.end.map_or(now.0, |end| end.0);
    let room = ((end - start) / 2).max(30 * 60_000);
    let (quantity, statistic) = match rule.map(|rule| &rule.kind) {
        Some(Kind::Exceedance(rule)) => (rule.quantity.spec().map(|spec| spec.code.to_owned()), rule.statistic.into()),
        _ => (alert.details.get("quantity").and_then(Value::as_str).map(str::to_owned), Statistic::Instant),
    };
    let kind = if statistic == Statistic::Instant { RecordKind::Instant } else { RecordKind::Minute };
    ChartHint {
        device: alert.device.0,
        quantity,
        kind,
        statistic,
        from: Time(start.saturating_sub(room)),
        to: Time(end.saturating_add(room).min(now.0.max(end))),
    }
}

/// A pinned frame with its first bytes.
pub(crate) fn evidence(
    position: model::envelope::Position,
    received: Option<Time>,
    channel: Option<String>,
    sha256: String,
    bytes: &[u8],
) -> Evidence {
    let (raw_hex, text) = refs::raw(bytes);
    Evidence { position: position.into(), received, channel, sha256, bytes: bytes.len() as u64, raw_hex, text }
}
