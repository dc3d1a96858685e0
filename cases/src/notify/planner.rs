//! The planner: a fold of the notices, in the order of their commits, into deliveries in the outbox. It decides by journal time alone:
//! what falls due between two notices is done between them, in the order of due times, however late the planner comes to it. So a
//! restart, or a planner that was away, plans what would have been planned without it.
//!
//! | what | then |
//! |---|---|
//! | raised | silenced, under maintenance or inhibited: held. Else into the group of each route that takes it; escalations are set |
//! | a group falls due | its alerts that still stand and are not silenced or inhibited go into one delivery |
//! | a hold ends | the alert, if it lasts, is looked at again as if it were raised then |
//! | ended | what it inhibited is looked at again; told where routes want it and it was told |
//! | withdrawn | taken out of what was not sent; a follow-up where it was |
//! | acknowledged | its escalations end |
//! | an escalation falls due | the next person or office is told |

use super::feed::What;
use super::policy::{self, Policy, Same};
use super::{NotifyError, outbox};
use crate::flow::Silence;
use crate::rows::{alert, next, parse, tell_alert};
use crate::{AlertRow, flow};
use database::{Connection, Database};
use model::facts::Facts;
use model::id::AlertId;
use model::notice::MessageKind;
use model::register::Maintenance;
use model::time::{EventTime, IngestTime};
use sqlx::Row as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Working time: (start, minutes) → the end.
pub type WorkClock = Arc<dyn Fn(IngestTime, u32) -> IngestTime + Send + Sync>;
/// The registers now, for maintenance windows.
pub type Registers = Arc<dyn Fn() -> Arc<Facts> + Send + Sync>;

pub struct Planner {
    db: Database,
    work: WorkClock,
    registers: Registers,
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planner").finish_non_exhaustive()
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Planned {
    /// Notices or things that fell due; 0: nothing is left to do.
    pub done: usize,
    /// Alerts that an escalation gave to somebody.
    pub changed: Vec<AlertRow>,
}

impl Planner {
    pub const fn new(db: Database, work: WorkClock, registers: Registers) -> Self {
        Self { db, work, registers }
    }

    /// Takes some notices, then, when none is left, what is due at `journal`: the judge's journal time as of before the call. One
    /// transaction.
    pub async fn step(&self, journal: IngestTime) -> Result<Planned, NotifyError> {
        database::transaction!(self.db, |tx| -> Result<Planned, NotifyError> {
            let notices = sqlx::query("SELECT * FROM notice ORDER BY seq LIMIT $1").bind(NOTICES_AT_ONCE);
            let notices = notices.fetch_all(&mut *tx).await?;
            let first = notices.first().map(|notice| notice.try_get::<i64, _>("at")).transpose()?;
            let due = earliest(tx, journal).await?.map(|(_, due)| due.0);
            let Some(since) = first.into_iter().chain(due).min() else { return Ok(Planned::default()) };
            let mut desk = Desk::open(tx, self, IngestTime(since)).await?;
            for notice in &notices {
                let seq: i64 = notice.try_get("seq")?;
                let what: What = parse(notice.try_get("what")?)?;
                let at = IngestTime(notice.try_get("at")?);
                // People's moves carry their own clock, which is ahead of the journal's.
                if what != What::Acknowledged && !desk.due(at).await? {
                    return Ok(desk.planned);
                }
                let severity: String = notice.try_get("severity")?;
                desk.take(AlertId(notice.try_get("alert")?), what, at, &severity).await?;
                sqlx::query("DELETE FROM notice WHERE seq = $1").bind(seq).execute(&mut *desk.tx).await?;
                desk.planned.done += 1;
            }
            if notices.is_empty() {
                desk.due(journal).await?;
            }
            Ok(desk.planned)
        })
    }
}

/// One step's view of the policy, and its transaction.
struct Desk<'a> {
    tx: &'a mut Connection,
    work: &'a WorkClock,
    facts: Arc<Facts>,
    policy: Policy,
    /// Channels that are switched on, with their deadlines in milliseconds.
    channels: BTreeMap<i64, i64>,
    silences: Vec<Silence>,
    planned: Planned,
    steps: usize,
}

enum Due {
    Hold(AlertId),
    Group(i64),
    Escalation(AlertId, String, i64),
}

impl<'a> Desk<'a> {
    /// `since`: the earliest time that will be asked about.
    async fn open(tx: &'a mut Connection, planner: &'a Planner, since: IngestTime) -> Result<Self, NotifyError> {
        let policy = policy::newest(tx).await?.policy;
        let mut channels = BTreeMap::new();
        for row in sqlx::query("SELECT id, settings FROM notify_channel WHERE enabled = 1").fetch_all(&mut *tx).await? {
            let settings: model::notice::ChannelSettings =
                serde_json::from_str(row.try_get("settings")?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            channels.insert(row.try_get("id")?, i64::from(settings.deadline_minutes) * 60_000);
        }
        let silences = flow::lasting(tx, since).await?;
        let facts = (planner.registers)();
        let work = &planner.work;
        Ok(Self { tx, work, facts, policy, channels, silences, planned: Planned::default(), steps: 0 })
    }

    /// Does what is due up to `at`, in the order of due times; false when it was too much for one transaction.
    async fn due(&mut self, at: IngestTime) -> Result<bool, NotifyError> {
        while let Some((due, then)) = earliest(self.tx, at).await? {
            if self.steps >= DUE_AT_ONCE {
                return Ok(false);
            }
            self.steps += 1;
            self.planned.done += 1;
            match due {
                Due::Hold(id) => self.release(id, then).await?,
                Due::Group(group) => self.flush(group, then).await?,
                Due::Escalation(id, code, step) => self.escalate(id, &code, step, then).await?,
            }
        }
        Ok(true)
    }

    async fn take(&mut self, id: AlertId, what: What, at: IngestTime, severity: &str) -> Result<(), NotifyError> {
        match what {
            What::Raised => self.raised(id, at, severity).await,
            What::Lasting => {
                self.set(id, "is_open = 1").await?;
                if let Some(known) = self.known(id).await?.filter(|known| !known.is_seen) {
                    let row = self.alert(id).await?;
                    self.set_escalations(&row, &known.severity, at).await?;
                }
                Ok(())
            }
            What::Ended => {
                self.set(id, "is_open = 0, held_by = '', held_until = NULL").await?;
                self.end_escalations(id).await?;
                self.free(id, at).await?;
                self.tell_end(id, at).await
            }
            What::Withdrawn => {
                self.set(id, "is_open = 0, held_by = '', held_until = NULL").await?;
                self.end_escalations(id).await?;
                self.free(id, at).await?;
                self.withdraw(id, at).await
            }
            What::Acknowledged => {
                self.set(id, "is_seen = 1").await?;
                self.end_escalations(id).await
            }
        }
    }

    async fn raised(&mut self, id: AlertId, at: IngestTime, severity: &str) -> Result<(), NotifyError> {
        let row = self.alert(id).await?;
        sqlx::query(
            "INSERT INTO notify_alert(alert, rule, subject, device, severity, at, is_open, is_seen, held_by, held_until) \
             VALUES ($1, $2, $3, $4, $5, $6, 1, 0, '', NULL) ON CONFLICT(alert) DO NOTHING",
        )
        .bind(id.0)
        .bind(row.rule.as_str())
        .bind(row.subject.0)
        .bind(row.device.0)
        .bind(severity)
        .bind(at.0)
        .execute(&mut *self.tx)
        .await?;
        let known = Known { severity: severity.to_owned(), at, is_open: true, is_seen: false, held_by: String::new() };
        self.consider(&row, &known, at).await
    }

    /// Holds an alert, or puts it into the groups of the routes that take it.
    async fn consider(&mut self, row: &AlertRow, known: &Known, at: IngestTime) -> Result<(), NotifyError> {
        let severity = known.severity.as_str();
        let targets = self.targets(row, severity, at);
        if let Some(by) = self.hold(row, at).await? {
            if by == known.held_by {
                return Ok(());
            }
            return outbox::suppressed(self.tx, &targets_of(&targets), &by, &[row.id], at).await.map_err(Into::into);
        }
        for (route, channel, key, due) in targets {
            self.join(&route, channel, &key, (at, due), row.id).await?;
        }
        self.set_escalations(row, severity, at).await
    }

    /// (route, channel, key, (wait, interval)); each channel once.
    fn targets(&self, row: &AlertRow, severity: &str, at: IngestTime) -> Vec<Target> {
        let mut seen = BTreeSet::new();
        let mut targets = Vec::new();
        for route in self.policy.routes.iter().filter(|route| route.takes(row, severity, at)) {
            for channel in &route.channels {
                if self.channels.contains_key(channel) && seen.insert(*channel) {
                    let pace = (i64::from(route.group_wait_s) * 1_000, i64::from(route.group_interval_s) * 1_000);
                    targets.push((route.code.clone(), *channel, route.key(row), pace));
                }
            }
        }
        targets
    }

    /// The silence or maintenance window that covers the alert, or the alert that inhibits it, and until when, if that is known.
    async fn keeper(&mut self, row: &AlertRow, at: IngestTime) -> Result<Option<(String, Option<i64>)>, NotifyError> {
        let silence = self.silences.iter().filter(|one| one.covers(row, at)).max_by_key(|one| (one.until, one.id));
        if let Some(silence) = silence {
            return Ok(Some((format!("silence:{}", silence.id), Some(silence.until.0))));
        }
        let own = |one: &&Arc<Maintenance>| {
            one.is_valid(EventTime(at.0)) && one.concerns(Some(row.device), Some(row.subject))
        };
        if let Some(one) = self.facts.maintenances.values().find(own) {
            // A window may be ended or prolonged meanwhile.
            let look = at.plus_ms(LOOK_AGAIN_MS).0;
            let until = one.valid_to.map_or(look, |end| end.0.min(look));
            return Ok(Some((format!("maintenance:{}", one.id), Some(until))));
        }
        Ok(self.inhibitor(row).await?.map(|other| (format!("alert:{other}"), None)))
    }

    /// Holds the alert if something keeps it; by what.
    async fn hold(&mut self, row: &AlertRow, at: IngestTime) -> Result<Option<String>, NotifyError> {
        let Some((by, until)) = self.keeper(row, at).await? else { return Ok(None) };
        sqlx::query("UPDATE notify_alert SET held_by = $2, held_until = $3 WHERE alert = $1")
            .bind(row.id.0)
            .bind(by.as_str())
            .bind(until)
            .execute(&mut *self.tx)
            .await?;
        Ok(Some(by))
    }

    /// The oldest alert that lasts and speaks for this one.
    async fn inhibitor(&mut self, row: &AlertRow) -> Result<Option<i64>, NotifyError> {
        for one in self.policy.inhibitions.iter().filter(|one| one.is_about(row)) {
            let (text, id) = match one.same {
                Same::Device => (INHIBITOR_OF_DEVICE, row.device.0),
                Same::Subject => (INHIBITOR_OF_SUBJECT, row.subject.0),
            };
            let found: Option<i64> = sqlx::query_scalar(text)
                .bind(one.source.as_str())
                .bind(id)
                .bind(row.id.0)
                .fetch_optional(&mut *self.tx)
                .await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn join(
        &mut self,
        route: &str,
        channel: i64,
        key: &str,
        (at, (wait, interval)): (IngestTime, (i64, i64)),
        id: AlertId,
    ) -> Result<(), NotifyError> {
        let fresh = next(self.tx, "group").await?;
        let row = sqlx::query(
            "INSERT INTO notify_group(id, route, channel, group_key, due, flushed) VALUES ($1, $2, $3, $4, NULL, NULL) \
             ON CONFLICT(route, channel, group_key) DO UPDATE SET route = excluded.route RETURNING id, due, flushed",
        )
        .bind(fresh)
        .bind(route)
        .bind(channel)
        .bind(key)
        .fetch_one(&mut *self.tx)
        .await?;
        let (group, due, flushed): (i64, Option<i64>, Option<i64>) =
            (row.try_get("id")?, row.try_get("due")?, row.try_get("flushed")?);
        if due.is_none() {
            let due = (at.0 + wait).max(flushed.map_or(i64::MIN, |flushed| flushed + interval));
            let text = "UPDATE notify_group SET due = $2 WHERE id = $1";
            sqlx::query(text).bind(group).bind(due).execute(&mut *self.tx).await?;
        }
        sqlx::query(
            "INSERT INTO notify_member(group_id, alert) VALUES ($1, $2) ON CONFLICT(group_id, alert) DO NOTHING",
        )
        .bind(group)
        .bind(id.0)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// A group's alerts become one delivery.
    async fn flush(&mut self, group: i64, at: IngestTime) -> Result<(), NotifyError> {
        let row = sqlx::query("SELECT route, channel, group_key FROM notify_group WHERE id = $1").bind(group);
        let row = row.fetch_one(&mut *self.tx).await?;
        let (route, channel, key): (String, i64, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let members: Vec<i64> =
            sqlx::query_scalar("SELECT alert FROM notify_member WHERE group_id = $1 ORDER BY alert")
                .bind(group)
                .fetch_all(&mut *self.tx)
                .await?;
        let mut told = Vec::new();
        for id in members.into_iter().map(AlertId) {
            let row = self.alert(id).await?;
            let is_open = self.known(id).await?.is_some_and(|known| known.is_open);
            // What was over before it was told is told all the same: it was an offence.
            match if is_open { self.hold(&row, at).await? } else { None } {
                Some(by) => {
                    self.end_escalations(id).await?;
                    outbox::suppressed(self.tx, &[(route.clone(), channel)], &by, &[id], at).await?;
                }
                None => told.push(id),
            }
        }
        if let Some(deadline) = self.channels.get(&channel).copied().filter(|_| !told.is_empty()) {
            let order = outbox::Order { channel, route: &route, kind: MessageKind::Raised, at, deadline };
            outbox::put(self.tx, &order, &told).await?;
        }
        sqlx::query("DELETE FROM notify_member WHERE group_id = $1").bind(group).execute(&mut *self.tx).await?;
        let query = if key.starts_with("alert=") {
            sqlx::query("DELETE FROM notify_group WHERE id = $1").bind(group)
        } else {
            sqlx::query("UPDATE notify_group SET due = NULL, flushed = $2 WHERE id = $1").bind(group).bind(at.0)
        };
        query.execute(&mut *self.tx).await?;
        Ok(())
    }

    /// A hold ended.
    async fn release(&mut self, id: AlertId, at: IngestTime) -> Result<(), NotifyError> {
        let known = self.known(id).await?.filter(|known| known.is_open && !known.is_seen);
        self.set(id, "held_by = '', held_until = NULL").await?;
        let Some(known) = known else { return Ok(()) };
        let row = self.alert(id).await?;
        self.consider(&row, &known, at).await
    }

    /// What this alert inhibited is looked at again.
    async fn free(&mut self, id: AlertId, at: IngestTime) -> Result<(), NotifyError> {
        let held: Vec<i64> = sqlx::query_scalar("SELECT alert FROM notify_alert WHERE held_by = $1 ORDER BY alert")
            .bind(format!("alert:{id}"))
            .fetch_all(&mut *self.tx)
            .await?;
        for other in held {
            self.release(AlertId(other), at).await?;
        }
        Ok(())
    }

    async fn tell_end(&mut self, id: AlertId, at: IngestTime) -> Result<(), NotifyError> {
        let wanting: Vec<String> =
            self.policy.routes.iter().filter(|route| route.ended).map(|route| route.code.clone()).collect();
        for told in outbox::told(self.tx, id).await? {
            if !told.has_gone() || !wanting.contains(&told.route) {
                continue;
            }
            if let Some(deadline) = self.channels.get(&told.channel).copied() {
                let order =
                    outbox::Order { channel: told.channel, route: &told.route, kind: MessageKind::Ended, at, deadline };
                outbox::put(self.tx, &order, &[id]).await?;
            }
        }
        Ok(())
    }

    async fn withdraw(&mut self, id: AlertId, at: IngestTime) -> Result<(), NotifyError> {
        let waiting = sqlx::query(
            "SELECT g.route, g.channel FROM notify_member m JOIN notify_group g ON g.id = m.group_id WHERE m.alert = $1 ORDER BY g.id",
        );
        let waiting = waiting.bind(id.0).fetch_all(&mut *self.tx).await?;
        let waiting: Vec<(String, i64)> =
            waiting.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?;
        sqlx::query("DELETE FROM notify_member WHERE alert = $1").bind(id.0).execute(&mut *self.tx).await?;
        outbox::suppressed(self.tx, &waiting, "withdrawn", &[id], at).await?;
        let mut told: BTreeMap<i64, String> = BTreeMap::new();
        for one in outbox::told(self.tx, id).await? {
            if one.has_gone() {
                told.insert(one.channel, one.route);
            } else if one.is_waiting() {
                outbox::take_out(self.tx, one.delivery, id, at).await?;
            }
        }
        for (channel, route) in told {
            if let Some(deadline) = self.channels.get(&channel).copied() {
                let order = outbox::Order { channel, route: &route, kind: MessageKind::Withdrawn, at, deadline };
                outbox::put(self.tx, &order, &[id]).await?;
            }
        }
        Ok(())
    }

    async fn set_escalations(&mut self, row: &AlertRow, severity: &str, at: IngestTime) -> Result<(), NotifyError> {
        let about = self.policy.escalations.iter().filter(|one| one.enabled && one.scope.holds(row, severity));
        let due: Vec<(String, IngestTime)> = about
            .filter_map(|one| Some((one.code.clone(), (self.work)(at, one.steps.first()?.after_minutes))))
            .collect();
        sqlx::query("UPDATE notify_alert SET at = $2 WHERE alert = $1")
            .bind(row.id.0)
            .bind(at.0)
            .execute(&mut *self.tx)
            .await?;
        for (code, due) in due {
            sqlx::query(
                "INSERT INTO escalation(alert, policy, step, due) VALUES ($1, $2, 0, $3) ON CONFLICT(alert, policy) DO NOTHING",
            )
            .bind(row.id.0)
            .bind(code)
            .bind(due.0)
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    async fn end_escalations(&mut self, id: AlertId) -> Result<(), NotifyError> {
        sqlx::query("DELETE FROM escalation WHERE alert = $1").bind(id.0).execute(&mut *self.tx).await?;
        Ok(())
    }

    async fn escalate(&mut self, id: AlertId, code: &str, number: i64, at: IngestTime) -> Result<(), NotifyError> {
        let one = self.policy.escalations.iter().find(|one| one.code == code && one.enabled).cloned();
        let known = self.known(id).await?.filter(|known| known.is_open && !known.is_seen);
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let (Some(known), Some(one)) = (known, one) else { return self.end_escalations(id).await };
        let Some(step) = one.steps.get(place) else { return self.next_step(id, code, None).await };
        let row = self.alert(id).await?;
        if let Some((_, until)) = self.keeper(&row, at).await? {
            let later = until.unwrap_or_else(|| at.plus_ms(LOOK_AGAIN_MS).0);
            return self.next_step(id, code, Some((number, IngestTime(later)))).await;
        }
        if let Some(user) = step.assignee {
            let seq = next(self.tx, "alert_seq").await?;
            let text = "UPDATE alert SET assignee = $2, seq = $3 WHERE id = $1";
            sqlx::query(text).bind(id.0).bind(user.0).bind(seq).execute(&mut *self.tx).await?;
        }
        let told = format!("{} {} {}", code, number + 1, step.to);
        tell_alert(self.tx, id, at, None, ("escalated", told.trim_end())).await?;
        for channel in &step.channels {
            if let Some(deadline) = self.channels.get(channel).copied() {
                let order =
                    outbox::Order { channel: *channel, route: code, kind: MessageKind::Escalated, at, deadline };
                outbox::put(self.tx, &order, &[id]).await?;
            }
        }
        let row = self.alert(id).await?;
        self.planned.changed.push(row);
        let then = one.steps.get(place + 1).map(|step| (number + 1, (self.work)(known.at, step.after_minutes).max(at)));
        self.next_step(id, code, then).await
    }

    async fn next_step(&mut self, id: AlertId, code: &str, then: Option<(i64, IngestTime)>) -> Result<(), NotifyError> {
        let query = match then {
            Some((number, due)) => {
                sqlx::query("UPDATE escalation SET step = $3, due = $4 WHERE alert = $1 AND policy = $2")
                    .bind(id.0)
                    .bind(code)
                    .bind(number)
                    .bind(due.0)
            }
            None => sqlx::query("DELETE FROM escalation WHERE alert = $1 AND policy = $2").bind(id.0).bind(code),
        };
        query.execute(&mut *self.tx).await?;
        Ok(())
    }

    async fn alert(&mut self, id: AlertId) -> Result<AlertRow, NotifyError> {
        let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.0).fetch_one(&mut *self.tx).await?;
        Ok(alert(&row)?)
    }

    async fn known(&mut self, id: AlertId) -> Result<Option<Known>, NotifyError> {
        let row =
            sqlx::query("SELECT severity, at, is_open, is_seen, held_by FROM notify_alert WHERE alert = $1").bind(id.0);
        let Some(row) = row.fetch_optional(&mut *self.tx).await? else { return Ok(None) };
        Ok(Some(Known {
            severity: row.try_get(0)?,
            at: IngestTime(row.try_get(1)?),
            is_open: row.try_get::<i64, _>(2)? != 0,
            is_seen: row.try_get::<i64, _>(3)? != 0,
            held_by: row.try_get(4)?,
        }))
    }

    async fn set(&mut self, id: AlertId, what: &'static str) -> Result<(), NotifyError> {
        let text = sqlx::AssertSqlSafe(format!("UPDATE notify_alert SET {what} WHERE alert = $1"));
        sqlx::query(text).bind(id.0).execute(&mut *self.tx).await?;
        Ok(())
    }
}

/// What is due first.
async fn earliest(tx: &mut Connection, at: IngestTime) -> Result<Option<(Due, IngestTime)>, NotifyError> {
    let hold = "SELECT alert, held_until FROM notify_alert WHERE held_until <= $1 ORDER BY held_until, alert LIMIT 1";
    let hold = sqlx::query(hold).bind(at.0).fetch_optional(&mut *tx).await?;
    let hold = hold.map(|row| Ok((Due::Hold(AlertId(row.try_get(0)?)), row.try_get::<i64, _>(1)?)));
    let group = "SELECT id, due FROM notify_group WHERE due <= $1 ORDER BY due, id LIMIT 1";
    let group = sqlx::query(group).bind(at.0).fetch_optional(&mut *tx).await?;
    let group = group.map(|row| Ok((Due::Group(row.try_get(0)?), row.try_get::<i64, _>(1)?)));
    let rise = "SELECT alert, policy, step, due FROM escalation WHERE due <= $1 ORDER BY due, alert, policy LIMIT 1";
    let rise = sqlx::query(rise).bind(at.0).fetch_optional(&mut *tx).await?;
    let rise = rise.map(|row| {
        let due = Due::Escalation(AlertId(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?);
        Ok((due, row.try_get::<i64, _>(3)?))
    });
    let all: Vec<(Due, i64)> = [hold, group, rise].into_iter().flatten().collect::<Result<_, sqlx::Error>>()?;
    Ok(all.into_iter().min_by_key(|(_, due)| *due).map(|(due, then)| (due, IngestTime(then))))
}

type Target = (String, i64, String, (i64, i64));

fn targets_of(targets: &[Target]) -> Vec<(String, i64)> {
    targets.iter().map(|(route, channel, ..)| (route.clone(), *channel)).collect()
}

struct Known {
    severity: String,
    /// Since when people could be told.
    at: IngestTime,
    is_open: bool,
    is_seen: bool,
    held_by: String,
}

const INHIBITOR_OF_DEVICE: &str = "SELECT alert FROM notify_alert WHERE is_open = 1 AND rule = $1 AND device = $2 AND alert <> $3 ORDER BY alert LIMIT 1";
const INHIBITOR_OF_SUBJECT: &str = "SELECT alert FROM notify_alert WHERE is_open = 1 AND rule = $1 AND subject = $2 AND alert <> $3 ORDER BY alert LIMIT 1";
/// In one transaction.
const NOTICES_AT_ONCE: i64 = 64;
const DUE_AT_ONCE: usize = 256;
/// What is kept for a time that may change is looked at again after it.
const LOOK_AGAIN_MS: i64 = 600_000;
