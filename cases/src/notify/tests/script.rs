//! A store with channels and a policy, and alerts that come, end and are taken back when the test says.

use super::{Cases, IngestTime, MessageKind, Notify, Planner, Policy};
use crate::notify::feed::{self, What};
use crate::notify::{Claim, DeliveryQuery, DeliveryRow, DeliveryState, PutChannel};
use database::{Database, DbError};
use ledger::Keys;
use model::envelope::Position;
use model::episode::{Episode, EpisodeClass, Standing};
use model::facts::Facts;
use model::id::{AlertId, DeviceId, EpisodeId, SubjectId};
use model::notice::{ChannelKind, ChannelSettings, Language};
use model::time::EventTime;
use std::sync::{Arc, Mutex};

/// 2026-11-20 18:40 in Beijing, a Friday.
pub(super) const T0: i64 = 1_795_171_200_000;

pub(super) const fn minute(number: i64) -> i64 {
    T0 + number * 60_000
}

pub(super) struct Script {
    pub(super) cases: Cases,
    pub(super) notify: Notify,
    pub(super) registers: Arc<Mutex<Arc<Facts>>>,
    db: Database,
    planner: Planner,
    _keys: tempfile::TempDir,
}

pub(super) fn webhook(name: &str) -> PutChannel {
    let settings = ChannelSettings { language: Language::Zh, per_minute_max: 60, deadline_minutes: 600, email: None };
    PutChannel {
        id: 0,
        version: 0,
        name: name.into(),
        kind: ChannelKind::Webhook,
        enabled: true,
        settings,
        url: Some("https://hooks.example/robot?token=geheim".into()),
        secret: Some("geheim".into()),
    }
}

impl Script {
    pub(super) async fn new(db: Database, policy: Policy) -> Self {
        db.migrate(&crate::rows::COMPONENT).await.unwrap();
        let keys = tempfile::tempdir().unwrap();
        let notify = Notify::new(db.clone(), Keys::open(keys.path()).unwrap());
        for name in ["一号群", "二号群"] {
            notify.put_channel(&webhook(name), IngestTime(T0)).await.unwrap();
        }
        notify.put_policy("admin", 0, &policy, IngestTime(T0)).await.unwrap();
        let registers = Arc::new(Mutex::new(Arc::new(Facts::default())));
        let read = Arc::clone(&registers);
        let planner = Planner::new(
            db.clone(),
            Arc::new(|at, minutes| at.plus_ms(i64::from(minutes) * 120_000)),
            Arc::new(move || Arc::clone(&read.lock().unwrap())),
        );
        Self { cases: Cases::new(db.clone()), notify, registers, db, planner, _keys: keys }
    }

    pub(super) async fn raise(&mut self, id: i64, rule: &str, device: i64, at: i64) {
        let episode = Episode {
            id: EpisodeId(id),
            rule: rule.into(),
            rule_version: 1,
            subject: SubjectId(device),
            device: DeviceId(device),
            start: EventTime(at - 60_000),
            end: None,
            extreme: 6.0,
            extreme_at: EventTime(at - 30_000),
            threshold: 2.0,
            class: EpisodeClass::Violation,
            limit: None,
            permit: None,
            place: None,
            raised: IngestTime(at),
            raised_at: Position { partition: 0, seq: 1 },
            standing: Standing::Stands,
            evidence: vec![],
        };
        let episode = serde_json::to_string(&episode).unwrap();
        database::transaction!(self.db, |tx| -> Result<(), DbError> {
            let seq = crate::rows::next(tx, "alert_seq").await?;
            sqlx::query(
                "INSERT INTO alert(id, seq, state, rule, rule_version, rule_name_zh, rule_name_en, demo, class, subject, subject_name, \
                 device, grid, office, raised, changed, episode, details) VALUES ($1, $2, 'open', $3, 1, $3, '', 0, 'violation', $4, $5, \
                 $4, NULL, NULL, $6, $6, $7, '{\"unit\":\"mg/m3\"}')",
            )
            .bind(id)
            .bind(seq)
            .bind(rule)
            .bind(device)
            .bind(format!("对象{device}"))
            .bind(at)
            .bind(episode.as_str())
            .execute(&mut *tx)
            .await?;
            feed::note(tx, AlertId(id), What::Raised, IngestTime(at), "normal").await?;
            Ok(())
        })
        .unwrap();
    }

    pub(super) async fn end(&mut self, id: i64, at: i64) {
        self.turn(id, "cleared", What::Ended, at).await;
    }

    pub(super) async fn withdraw(&mut self, id: i64, at: i64) {
        self.turn(id, "withdrawn", What::Withdrawn, at).await;
    }

    async fn turn(&mut self, id: i64, state: &str, what: What, at: i64) {
        database::transaction!(self.db, |tx| -> Result<(), DbError> {
            sqlx::query("UPDATE alert SET state = $2 WHERE id = $1").bind(id).bind(state).execute(&mut *tx).await?;
            feed::note(tx, AlertId(id), what, IngestTime(at), "normal").await?;
            Ok(())
        })
        .unwrap();
    }

    /// Plans until nothing is left to do at that journal time.
    pub(super) async fn run(&mut self, at: i64) {
        while self.planner.step(IngestTime(at)).await.unwrap().done > 0 {}
    }

    pub(super) async fn log(&self) -> Vec<DeliveryRow> {
        self.notify.deliveries(&DeliveryQuery { limit: 200, ..DeliveryQuery::default() }).await.unwrap()
    }

    /// What is, was or will be sent, oldest first: `raised 1: 3,4`.
    pub(super) async fn told(&self) -> Vec<String> {
        let log = self.log().await;
        let rows = log.iter().rev().filter(|row| row.state != DeliveryState::Suppressed);
        rows.map(|row| {
            let alerts: Vec<_> = row.alerts.iter().map(ToString::to_string).collect();
            format!("{} {}: {}", MessageKind::code(row.kind), row.channel, alerts.join(","))
        })
        .collect()
    }

    pub(super) async fn claim(&self, channel: i64) -> Option<Claim> {
        self.claim_at(channel, minute(7)).await
    }

    pub(super) async fn claim_at(&self, channel: i64, at: i64) -> Option<Claim> {
        let channels = self.notify.senders().await.unwrap();
        let channel = channels.iter().find(|one| one.id == channel).unwrap();
        self.notify.claim(channel, &Facts::default(), "https://page.example", IngestTime(at)).await.unwrap()
    }
}
