//! The words of a message, in Chinese or English: a title, lines of plain text, and the same as data for machines.
//!
//! ```text
//! 【告警】油烟浓度超标：老蔡记
//! 老蔡记｜油烟浓度超标｜违规
//! 开始 2026-11-22 10:05 · 极值 6 mg/m3 · 限值 2 mg/m3
//! https://lantian.example/alerts/17
//! ```

use crate::{AlertRow, AlertState};
use model::episode::EpisodeClass;
use model::facts::Facts;
use model::notice::{Language, Message, MessageKind};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, IngestTime, LocalStamp};
use serde_json::{Value, json};

pub(super) struct Text<'a> {
    pub(super) language: Language,
    pub(super) facts: &'a Facts,
    /// Where people open the page; empty: unknown.
    pub(super) page_url: &'a str,
}

impl Text<'_> {
    /// `total`: how many alerts there are, of which `alerts` are the first.
    pub(super) fn message(
        &self,
        (key, kind, made): (&str, MessageKind, IngestTime),
        channel: &str,
        alerts: &[AlertRow],
        total: i64,
    ) -> Message {
        let mut lines = Vec::new();
        for alert in alerts.iter().take(SHOWN_MAX) {
            lines.extend(self.lines(alert));
        }
        let shown = i64::try_from(alerts.len().min(SHOWN_MAX)).unwrap_or(0);
        if total > shown {
            lines.push(self.pick(format!("……共 {total} 条"), format!("… {total} in all")));
        }
        if kind == MessageKind::Test {
            lines.push(self.pick(
                format!("这是通知渠道“{channel}”的测试消息，收到即表示渠道可用。"),
                format!("This is a test of the channel “{channel}”. It came through."),
            ));
            lines.push(minute(EventTime(made.0)));
        }
        let data = json!({
            "kind": kind.code(),
            "total": total,
            "alerts": alerts.iter().map(|alert| self.data(alert)).collect::<Vec<_>>(),
        });
        Message { key: key.to_owned(), kind, made, title: self.title(kind, alerts, total), lines, data }
    }

    fn title(&self, kind: MessageKind, alerts: &[AlertRow], total: i64) -> String {
        let head = match kind {
            MessageKind::Raised => self.pick("告警", "Alert"),
            MessageKind::Ended => self.pick("告警解除", "Over"),
            MessageKind::Withdrawn => self.pick("告警撤回", "Withdrawn"),
            MessageKind::Escalated => self.pick("告警升级", "Escalated"),
            MessageKind::Test => {
                return self.pick("【测试】蓝天通知渠道", "[Test] Lantian notification channel").to_owned();
            }
        };
        let demo =
            if alerts.iter().any(|alert| alert.demo) { self.pick("·演示参数", ", demonstration") } else { "" };
        let head = self.pick(format!("【{head}{demo}】"), format!("[{head}{demo}] "));
        let Some(first) = alerts.first() else { return head };
        let one_rule = alerts.iter().all(|alert| alert.rule == first.rule);
        let one_subject = alerts.iter().all(|alert| alert.subject == first.subject);
        let rule = if one_rule { self.rule(first) } else { self.pick("多种告警", "several rules") };
        let subject = first.subject_name.as_str();
        match (total, one_subject) {
            (1, _) => self.pick(format!("{head}{rule}：{subject}"), format!("{head}{rule}: {subject}")),
            (_, true) => {
                self.pick(format!("{head}{rule}：{subject}，{total} 条"), format!("{head}{rule}: {subject}, {total}"))
            }
            (_, false) => self.pick(
                format!("{head}{rule}：{subject}等，{total} 条"),
                format!("{head}{rule}: {subject} and others, {total}"),
            ),
        }
    }

    fn lines(&self, alert: &AlertRow) -> Vec<String> {
        let episode = &alert.episode;
        let class = match alert.class {
            EpisodeClass::Violation => self.pick("违规", "violation"),
            EpisodeClass::DeviceFault => self.pick("设备故障", "device fault"),
            EpisodeClass::DoubtfulData => self.pick("数据存疑", "doubtful data"),
        };
        let mut lines = vec![format!("{}｜{}｜{class}", alert.subject_name, self.rule(alert))];
        let mut parts = vec![format!("{} {}", self.pick("开始", "from"), minute(episode.start))];
        if let Some(end) = episode.end {
            parts.push(format!("{} {}", self.pick("结束", "to"), minute(end)));
        }
        let unit = alert.details.get("unit").and_then(Value::as_str).unwrap_or_default();
        let number = |value: f64| if unit == "s" { self.span(value) } else { format!("{} {unit}", short(value)) };
        parts.push(format!("{} {}", self.pick("极值", "extreme"), number(episode.extreme).trim_end()));
        parts.push(format!("{} {}", self.pick("限值", "limit"), number(episode.threshold).trim_end()));
        if let Some(device) = self.facts.devices.get(&alert.device) {
            parts.push(format!("{} {}", self.pick("设备", "device"), device.code));
        }
        if let Some(office) = alert.office.and_then(|office| self.facts.offices.get(&office)) {
            parts.push(office.name.clone());
        }
        if alert.state == AlertState::Withdrawn {
            parts.push(
                self.pick("迟到或更正的数据表明该告警不成立", "late or corrected data show that it does not stand")
                    .to_owned(),
            );
        }
        lines.push(parts.join(" · "));
        if !self.page_url.is_empty() {
            lines.push(format!("{}/alerts/{}", self.page_url.trim_end_matches('/'), alert.id));
        }
        lines
    }

    fn data(&self, alert: &AlertRow) -> Value {
        let episode = &alert.episode;
        let subject = self.facts.subjects.get(&alert.subject);
        let device = self.facts.devices.get(&alert.device);
        json!({
            "id": alert.id, "state": alert.state, "rule": alert.rule, "rule_version": alert.rule_version,
            "rule_name": alert.rule_name_zh, "rule_name_en": alert.rule_name_en, "class": alert.class, "demo": alert.demo,
            "subject": {"id": alert.subject, "code": subject.map(|one| one.code.as_str()), "name": alert.subject_name},
            "device": {"id": alert.device, "code": device.map(|one| one.code.as_str())},
            "grid": alert.grid, "office": alert.office, "case": alert.case,
            "start": episode.start.to_rfc3339(), "end": episode.end.map(EventTime::to_rfc3339),
            "extreme": episode.extreme, "threshold": episode.threshold, "unit": alert.details.get("unit"),
            "raised": alert.raised.to_rfc3339(),
        })
    }

    fn rule<'a>(&self, alert: &'a AlertRow) -> &'a str {
        match self.language {
            Language::En if !alert.rule_name_en.is_empty() => &alert.rule_name_en,
            _ if alert.rule_name_zh.is_empty() => &alert.rule,
            _ => &alert.rule_name_zh,
        }
    }

    fn pick<T>(&self, zh: T, en: T) -> T {
        match self.language {
            Language::Zh => zh,
            Language::En => en,
        }
    }

    fn span(&self, seconds: f64) -> String {
        let minutes = (seconds / 60.0).round();
        if minutes >= 120.0 {
            return format!("{} {}", short(minutes / 60.0), self.pick("小时", "h"));
        }
        format!("{minutes:.0} {}", self.pick("分钟", "min"))
    }
}

/// Beijing time to the minute.
fn minute(at: EventTime) -> String {
    LocalStamp::of(at, BEIJING_OFFSET_MINUTES)
        .fields()
        .map_or_else(String::new, |(year, month, day, hour, minute, ..)| {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
        })
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Alerts whose words are in a message.
const SHOWN_MAX: usize = 10;
