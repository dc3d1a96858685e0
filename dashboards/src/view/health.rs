//! Disk, clock, lag, projection, and the banners made of them.

use crate::dto::devices::PresenceCount;
use crate::dto::health::{
    Banner, BrokerHealth, ClockHealth, DiskHealth, Health, LagHealth, Level, OutageRow, ProjectionHealth,
};
use crate::dto::overview::{KindCount, Kpi};
use crate::dto::words::{Presence, SubjectKind};
use crate::problem::ApiResult;
use crate::state::{AppState, BrokerState};
use crate::view::alert::Rules;
use crate::view::device;
use ingest::journal;
use model::register::NoticeLevel;
use model::stream::Outage;
use model::time::EventTime;
use std::collections::BTreeMap;

pub(crate) fn outage(row: &Outage) -> OutageRow {
    OutageRow { from: row.from.into(), to: row.to.into(), what: row.what.into() }
}

pub(crate) fn current(state: &AppState) -> Health {
    let now = state.now();
    let disk = disk(state);
    let tick = state.pulse.last_tick();
    let clock = ClockHealth {
        synchronised: tick.as_ref().is_none_or(|tick| tick.clock_synchronised),
        last_tick: tick.as_ref().map(|tick| tick.at.into()),
    };
    let lag = lag(state);
    let projection = match state.machine.projection() {
        None => ProjectionHealth { state: "off".into(), behind: 0, refused_points: 0 },
        Some(found) => {
            let word = if found.down {
                "down"
            } else if found.behind > PROJECTION_BEHIND {
                "behind"
            } else {
                "ok"
            };
            ProjectionHealth { state: word.into(), behind: found.behind, refused_points: found.refused_points }
        }
    };
    let demo = Rules::of(state).any_demo();
    let mut health = Health {
        at: now.into(),
        version: state.config.version.clone(),
        started: state.started.into(),
        demo,
        disk,
        clock,
        lag,
        projection,
        brokers: state.machine.brokers().into_iter().map(broker).collect(),
        rates: state.pulse.rates(now),
        banners: Vec::new(),
    };
    health.banners = banners(state, &health);
    health
}

fn broker(state: BrokerState) -> BrokerHealth {
    let BrokerState { name, up, since, detail } = state;
    BrokerHealth { name, up, since: since.into(), detail }
}

fn disk(state: &AppState) -> DiskHealth {
    let free_bytes = state.machine.disk_free_bytes();
    let word = match state.journal.health() {
        journal::Health::DiskFull { .. } => "full",
        journal::Health::Failing { .. } => "failed",
        journal::Health::Ok if free_bytes.is_some_and(|free| free < state.config.disk_low_bytes) => "low",
        journal::Health::Ok => "ok",
    };
    DiskHealth { state: word.into(), free_bytes, journal_bytes: state.machine.journal_bytes() }
}

fn lag(state: &AppState) -> LagHealth {
    let durable = state.journal.durable();
    let settled = *state.settled.borrow();
    let judged = state.judge.committed();
    let (_, as_of) = state.hub.as_of();
    let settle_entries = durable.seq.saturating_sub(settled.seq);
    let late_ms = as_of.filter(|_| settle_entries > 0).map_or(0, |at| state.now().since_ms(at).max(0));
    LagHealth {
        durable: Some(durable.into()),
        settled: Some(settled.into()),
        judged: Some(judged.into()),
        data_as_of: as_of.map(Into::into),
        settle_entries,
        judge_entries: settled.seq.saturating_sub(judged.seq),
        seconds: f64::from(i32::try_from(late_ms).unwrap_or(i32::MAX)) / 1_000.0,
    }
}

fn banners(state: &AppState, health: &Health) -> Vec<Banner> {
    let mut banners = Vec::new();
    let mut add = |level, code: &str, detail: String| banners.push(Banner { code: code.to_owned(), level, detail });
    let free = || health.disk.free_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
    match health.disk.state.as_str() {
        "full" => add(Level::Error, "disk_full", free()),
        "failed" => add(Level::Error, "journal_failed", String::new()),
        "low" => add(Level::Warning, "disk_low", free()),
        _ => {}
    }
    if !health.clock.synchronised {
        add(Level::Warning, "clock_unsynchronised", String::new());
    }
    if health.lag.seconds > LAG_SECONDS {
        add(Level::Warning, "lag", format!("{:.0}", health.lag.seconds));
    }
    match health.projection.state.as_str() {
        "down" => add(Level::Warning, "projection_down", health.projection.behind.to_string()),
        "behind" => add(Level::Info, "projection_behind", health.projection.behind.to_string()),
        _ => {}
    }
    for broker in health.brokers.iter().filter(|broker| !broker.up) {
        add(Level::Warning, "broker_down", format!("{} ({})", broker.name, broker.detail));
    }
    if let Some(last) = state.pulse.outages().first()
        && state.now().since_ms(last.to) < OUTAGE_SHOWN_MS
    {
        add(Level::Warning, "outage", format!("{} {}", last.from, last.to));
    }
    let waiting = state.porch.waiting().len();
    if waiting > 0 {
        add(Level::Info, "quarantine_waiting", waiting.to_string());
    }
    papers(state, &mut add);
    if health.demo {
        add(Level::Info, "demo", String::new());
    }
    banners.sort_by_key(|banner| {
        std::cmp::Reverse(match banner.level {
            Level::Error => 2,
            Level::Warning => 1,
            Level::Info => 0,
        })
    });
    banners
}

/// Pollution notices in force, and maintenance of everything: what they stop goes for everybody.
fn papers(state: &AppState, add: &mut impl FnMut(Level, &str, String)) {
    let (facts, now) = (state.facts(), state.event_now());
    let mut notices: Vec<_> = facts.notices_at(now).collect();
    notices.sort_by_key(|notice| std::cmp::Reverse((notice.level, notice.id)));
    for notice in notices.into_iter().take(NOTICES_SHOWN) {
        let level = if notice.level == NoticeLevel::Red { Level::Error } else { Level::Warning };
        let stops: Vec<_> = notice.stops.iter().map(|work| work.code()).collect();
        let until = notice.valid_to.map(EventTime::to_rfc3339).unwrap_or_default();
        add(level, &format!("notice_{}", notice.level.code()), format!("{}|{}|{until}", notice.code, stops.join(",")));
    }
    if let Some(row) = facts.maintenance_at(None, None, now) {
        let until = row.valid_to.map(EventTime::to_rfc3339).unwrap_or_default();
        add(Level::Info, "maintenance", format!("{}|{until}", row.why.replace('|', " ")));
    }
}

/// The numbers of the first page.
pub(crate) async fn kpi(state: &AppState) -> ApiResult<Kpi> {
    let cases = crate::handlers::cases::counts(state, &cases::CaseQuery::default()).await?;
    let facts = state.facts();
    let now = state.now();
    let mut presence: BTreeMap<Presence, u64> = BTreeMap::new();
    for row in facts.devices.values() {
        *presence.entry(device::contact(state, &facts, row, now).presence).or_default() += 1;
    }
    let mut subjects: BTreeMap<SubjectKind, u64> = BTreeMap::new();
    for subject in facts.subjects.values().filter(|subject| subject.active) {
        *subjects.entry(SubjectKind::of(&subject.details)).or_default() += 1;
    }
    Ok(Kpi {
        alerts: state.book.severities(),
        cases,
        presence: presence.into_iter().map(|(presence, count)| PresenceCount { presence, count }).collect(),
        subjects: subjects.into_iter().map(|(kind, count)| KindCount { kind, count }).collect(),
        quarantine_waiting: state.porch.waiting().len() as u64,
        records_today: state.pulse.records_today(),
        records_per_s: state.pulse.rates(now).iter().map(|rate| rate.records_per_s).sum(),
    })
}

/// Banners of notices, the strictest first.
const NOTICES_SHOWN: usize = 3;
/// Seconds of lag before a banner says so.
const LAG_SECONDS: f64 = 10.0;
/// Entries the projection may be behind in good order.
const PROJECTION_BEHIND: u64 = 50_000;
/// How long a past outage stays a banner.
const OUTAGE_SHOWN_MS: i64 = 10 * 60_000;
