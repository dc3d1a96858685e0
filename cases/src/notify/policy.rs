//! The policy of notification as one document with a version: which alerts go to which channels and when (routes), what silences what
//! (inhibitions), and who is told next when nobody acknowledges (escalations). An edit is a new version; all are kept.

use super::{Notify, NotifyError};
use crate::AlertRow;
use database::Connection;
use model::episode::EpisodeClass;
use model::id::{GridId, OfficeId, UserId};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, IngestTime, local_day};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use std::collections::BTreeSet;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    pub routes: Vec<Route>,
    #[serde(default)]
    pub inhibitions: Vec<Inhibition>,
    #[serde(default)]
    pub escalations: Vec<Escalation>,
}

/// Alerts it is about: each list that is not empty must hold the alert's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(default)]
    pub classes: Vec<EpisodeClass>,
    /// `low`, `normal`, `high`, `urgent`
    #[serde(default)]
    pub severities: Vec<String>,
    #[serde(default)]
    pub offices: Vec<OfficeId>,
    #[serde(default)]
    pub grids: Vec<GridId>,
}

/// A time of day in Beijing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Minutes after midnight.
    pub from_minute: u16,
    /// Not itself; at or before `from_minute`: of the next day.
    pub to_minute: u16,
    /// 1 = Monday; empty: every day. The night belongs to the day it begins on.
    #[serde(default)]
    pub weekdays: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Rule,
    Subject,
    Office,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub enabled: bool,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub hours: Option<Hours>,
    pub channels: Vec<i64>,
    /// Alerts that have these in common share a message; empty: all of the route do.
    #[serde(default)]
    pub group_by: Vec<GroupBy>,
    /// How long the first alert of a group waits for more; 0: each is told by itself at once.
    #[serde(default)]
    pub group_wait_s: u32,
    /// Between two messages of a group.
    #[serde(default)]
    pub group_interval_s: u32,
    /// Tell, too, when what was told is over.
    #[serde(default)]
    pub ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Same {
    Device,
    Subject,
}

/// While an alert of `source` lasts, nobody is told of those of `targets` at the same device or subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inhibition {
    pub source: String,
    /// Codes of rules; empty: every other rule.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Empty: every class.
    #[serde(default)]
    pub classes: Vec<EpisodeClass>,
    pub same: Same,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    pub code: String,
    #[serde(default)]
    pub name: String,
    pub enabled: bool,
    #[serde(default)]
    pub scope: Scope,
    pub steps: Vec<Step>,
}

/// Nobody acknowledged for so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Working minutes after people could be told.
    pub after_minutes: u32,
    #[serde(default)]
    pub channels: Vec<i64>,
    /// Whose it becomes.
    #[serde(default)]
    pub assignee: Option<UserId>,
    /// That person, or the office, as it is written into the message.
    #[serde(default)]
    pub to: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyRow {
    /// 0: nothing was ever set; what stands is the default.
    pub version: i64,
    pub at: Option<IngestTime>,
    pub author: String,
    pub policy: Policy,
}

impl Policy {
    /// Before anything was set: nobody is told anything, and a device that is offline speaks for what follows from it.
    pub fn first() -> Self {
        let targets =
            ["data-gap", "data-flatline", "data-too-low", "data-step", "near-limit", "clock-skew", "sensor-fault"];
        let inhibitions = vec![Inhibition {
            source: "device-offline".to_owned(),
            targets: targets.map(str::to_owned).to_vec(),
            classes: Vec::new(),
            same: Same::Device,
        }];
        Self { inhibitions, ..Self::default() }
    }
}

impl Scope {
    pub fn holds(&self, alert: &AlertRow, severity: &str) -> bool {
        fn within<T: PartialEq>(list: &[T], one: &T) -> bool {
            list.is_empty() || list.contains(one)
        }
        within(&self.rules, &alert.rule)
            && within(&self.classes, &alert.class)
            && (self.severities.is_empty() || self.severities.iter().any(|one| one == severity))
            && (self.offices.is_empty() || alert.office.is_some_and(|office| self.offices.contains(&office)))
            && (self.grids.is_empty() || alert.grid.is_some_and(|grid| self.grids.contains(&grid)))
    }
}

impl Hours {
    pub fn hold(&self, at: IngestTime) -> bool {
        let day = local_day(EventTime(at.0));
        let minute = (at.0 + i64::from(BEIJING_OFFSET_MINUTES) * 60_000).rem_euclid(86_400_000) / 60_000;
        let (from, to) = (i64::from(self.from_minute), i64::from(self.to_minute));
        // 1970-01-01 was a Thursday.
        let on = |day: i64| {
            let weekday = (day + 3).rem_euclid(7) + 1;
            self.weekdays.is_empty() || self.weekdays.iter().any(|one| i64::from(*one) == weekday)
        };
        if from < to {
            return (from..to).contains(&minute) && on(day);
        }
        (minute >= from && on(day)) || (minute < to && on(day - 1))
    }
}

impl Route {
    /// What alerts of a shared message have in common.
    pub(super) fn key(&self, alert: &AlertRow) -> String {
        if self.group_wait_s == 0 && self.group_interval_s == 0 {
            return format!("alert={}", alert.id);
        }
        let part = |by: &GroupBy| match by {
            GroupBy::Rule => format!("rule={}", alert.rule),
            GroupBy::Subject => format!("subject={}", alert.subject),
            GroupBy::Office => format!("office={}", alert.office.map_or(0, |office| office.0)),
        };
        self.group_by.iter().map(part).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn takes(&self, alert: &AlertRow, severity: &str, at: IngestTime) -> bool {
        self.enabled && self.scope.holds(alert, severity) && self.hours.as_ref().is_none_or(|hours| hours.hold(at))
    }
}

impl Inhibition {
    pub(super) fn is_about(&self, alert: &AlertRow) -> bool {
        alert.rule != self.source
            && (self.targets.is_empty() || self.targets.contains(&alert.rule))
            && (self.classes.is_empty() || self.classes.contains(&alert.class))
    }
}

impl Notify {
    pub async fn policy(&self) -> Result<PolicyRow, NotifyError> {
        Ok(newest(&mut *self.db.read().await?).await?)
    }

    /// # Errors
    /// [`NotifyError::Field`] names what is wrong; [`NotifyError::Stale`] when `seen` is not the newest version.
    pub async fn put_policy(
        &self,
        author: &str,
        seen: i64,
        policy: &Policy,
        now: IngestTime,
    ) -> Result<PolicyRow, NotifyError> {
        check(policy)?;
        let text = serde_json::to_string(policy).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        database::transaction!(self.db, |tx| -> Result<PolicyRow, NotifyError> {
            if newest(tx).await?.version != seen {
                return Err(NotifyError::Stale);
            }
            known_channels(tx, policy).await?;
            sqlx::query("INSERT INTO notify_policy(version, at, author, policy) VALUES ($1, $2, $3, $4)")
                .bind(seen + 1)
                .bind(now.0)
                .bind(author)
                .bind(text.as_str())
                .execute(&mut *tx)
                .await?;
            Ok(newest(tx).await?)
        })
    }
}

pub(super) async fn newest(tx: &mut Connection) -> Result<PolicyRow, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM notify_policy ORDER BY version DESC LIMIT 1").fetch_optional(tx).await?;
    let Some(row) = row else {
        return Ok(PolicyRow { version: 0, at: None, author: String::new(), policy: Policy::first() });
    };
    let policy = serde_json::from_str(row.try_get("policy")?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(PolicyRow {
        version: row.try_get("version")?,
        at: Some(IngestTime(row.try_get("at")?)),
        author: row.try_get("author")?,
        policy,
    })
}

async fn known_channels(tx: &mut Connection, policy: &Policy) -> Result<(), NotifyError> {
    let known: Vec<i64> = sqlx::query_scalar("SELECT id FROM notify_channel").fetch_all(tx).await?;
    let of_routes =
        policy.routes.iter().enumerate().flat_map(|(at, route)| {
            route.channels.iter().map(move |channel| (format!("routes[{at}].channels"), *channel))
        });
    let of_steps = policy.escalations.iter().enumerate().flat_map(|(at, one)| {
        let steps = one.steps.iter().flat_map(|step| step.channels.iter());
        steps.map(move |channel| (format!("escalations[{at}].steps"), *channel))
    });
    match of_routes.chain(of_steps).find(|(_, channel)| !known.contains(channel)) {
        Some((place, channel)) => Err(NotifyError::Field(place, format!("there is no channel {channel}"))),
        None => Ok(()),
    }
}

fn check(policy: &Policy) -> Result<(), NotifyError> {
    let wrong = |place: String, message: &str| Err(NotifyError::Field(place, message.to_owned()));
    let lists = [
        ("routes", policy.routes.len()),
        ("inhibitions", policy.inhibitions.len()),
        ("escalations", policy.escalations.len()),
    ];
    if let Some((list, _)) = lists.iter().find(|(_, count)| *count > ENTRIES_MAX) {
        return wrong((*list).to_owned(), "at most 200");
    }
    let mut codes = BTreeSet::new();
    for (at, route) in policy.routes.iter().enumerate() {
        let place = |key: &str| format!("routes[{at}].{key}");
        if !is_code(&route.code) {
            return wrong(place("code"), CODE);
        }
        if !codes.insert(format!("route {}", route.code)) {
            return wrong(place("code"), "another route has this code");
        }
        if route.channels.is_empty() {
            return wrong(place("channels"), "name at least one channel");
        }
        if route.group_wait_s > 86_400 || route.group_interval_s > 86_400 {
            return wrong(place("group_wait_s"), "at most a day (86400)");
        }
        let hours = route.hours.as_ref();
        if hours.is_some_and(|hours| hours.from_minute >= 1_440 || hours.to_minute > 1_440) {
            return wrong(place("hours"), "minutes after midnight, 0 to 1440");
        }
        if hours.is_some_and(|hours| hours.weekdays.iter().any(|day| !(1..=7).contains(day))) {
            return wrong(place("hours"), "weekdays are 1 (Monday) to 7");
        }
        scope(&route.scope, &place("scope"))?;
    }
    for (at, one) in policy.inhibitions.iter().enumerate() {
        if !is_code(&one.source) {
            return wrong(format!("inhibitions[{at}].source"), "the code of a rule");
        }
    }
    for (at, one) in policy.escalations.iter().enumerate() {
        let place = |key: &str| format!("escalations[{at}].{key}");
        if !is_code(&one.code) {
            return wrong(place("code"), CODE);
        }
        if !codes.insert(format!("escalation {}", one.code)) {
            return wrong(place("code"), "another escalation has this code");
        }
        if one.steps.is_empty() || one.steps.len() > STEPS_MAX {
            return wrong(place("steps"), "1 to 10 steps");
        }
        let rising = one.steps.windows(2).all(|pair| matches!(pair, [a, b] if a.after_minutes < b.after_minutes));
        if !rising || one.steps.iter().any(|step| !(1..=43_200).contains(&step.after_minutes)) {
            return wrong(place("steps"), "working minutes, 1 to 43200, each later than the one before");
        }
        if one.steps.iter().any(|step| step.channels.is_empty() && step.assignee.is_none()) {
            return wrong(place("steps"), "each step tells a channel or gives the alert to somebody");
        }
        scope(&one.scope, &place("scope"))?;
    }
    Ok(())
}

fn scope(scope: &Scope, place: &str) -> Result<(), NotifyError> {
    let known = ["low", "normal", "high", "urgent"];
    match scope.severities.iter().find(|one| !known.contains(&one.as_str())) {
        Some(wrong) => Err(NotifyError::Field(
            format!("{place}.severities"),
            format!("{wrong:.40} is none of low, normal, high, urgent"),
        )),
        None => Ok(()),
    }
}

fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

const CODE: &str = "1 to 64 of a-z, 0-9 and -";
const ENTRIES_MAX: usize = 200;
const STEPS_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_over_midnight_belong_to_the_day_they_begin_on() {
        // 2026-11-20 is a Friday; 16:00 UTC is midnight in Beijing.
        let friday = |hour: i64, minute: i64| {
            IngestTime(model::time::parse_rfc3339("2026-11-19T16:00:00Z").unwrap() + (hour * 60 + minute) * 60_000)
        };
        let night = Hours { from_minute: 22 * 60, to_minute: 6 * 60, weekdays: vec![5] };
        assert!(night.hold(friday(22, 0)) && night.hold(friday(29, 59)));
        assert!(!night.hold(friday(21, 59)) && !night.hold(friday(30, 0)) && !night.hold(friday(3, 0)));
        let day = Hours { from_minute: 9 * 60, to_minute: 17 * 60, weekdays: vec![] };
        assert!(day.hold(friday(9, 0)) && !day.hold(friday(17, 0)));
    }
}
