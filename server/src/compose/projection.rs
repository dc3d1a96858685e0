//! The InfluxDB projection, when the configuration has one.

use super::Phases;
use crate::config::{Config, InfluxApi as Wanted};
use anyhow::{Context, Result};
use dashboards::ProjectionState;
use ingest::chunks::ChunkStore;
use ingest::journal::layer::Disk;
use ingest::projections::cursor::FileCursor;
use ingest::projections::influx::{InfluxApi, InfluxConfig, InfluxProjection, InfluxState, InfluxStatus};
use ingest::projections::store::StoreSource;
use ingest::projections::{Names, SubjectName};
use ledger::Ledger;
use model::envelope::Position;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::time::SystemClock;
use std::sync::Arc;
use tokio::sync::watch;

/// How it is doing.
#[derive(Debug, Clone)]
pub(super) struct Projection(watch::Receiver<InfluxStatus>);

impl Projection {
    pub(super) fn state(&self) -> ProjectionState {
        let status = self.0.borrow();
        ProjectionState {
            down: matches!(status.state, InfluxState::Failing { .. }),
            behind: status.lag_entries,
            refused_points: status.rejected,
        }
    }
}

/// Starts it among the projections' tasks; `None`: switched off.
pub(super) fn start(
    config: &Config,
    chunks: &ChunkStore,
    settled: watch::Receiver<Position>,
    ledger: &Ledger,
    phases: &Phases,
) -> Result<Option<Projection>> {
    let Some(wanted) = &config.influx else { return Ok(None) };
    let api = match wanted.api.clone() {
        Wanted::V1 { database, user, password } => InfluxApi::V1 {
            database,
            retention_policy: None,
            user: user.map(|name| (name, password.unwrap_or_default())),
        },
        Wanted::V2 { org, bucket, token } => InfluxApi::V2 { org, bucket, token },
    };
    let cursor = FileCursor::new(Arc::new(Disk), config.data_dir.join("influx.cursor"));
    let names = Arc::new(Registered { ledger: ledger.clone(), chunks: chunks.clone() });
    let projection = InfluxProjection::new(
        InfluxConfig::new(&wanted.url, api),
        Arc::new(StoreSource::new(chunks.clone(), settled)),
        names,
        Arc::new(cursor),
        Arc::new(SystemClock),
    )
    .context("start the InfluxDB projection")?;
    let projection = Arc::new(projection);
    let status = projection.status();
    let stop = phases.projections.token();
    phases.projections.spawn("influx", async move {
        projection.run(stop).await;
        Ok(())
    });
    Ok(Some(Projection(status)))
}

/// Codes out of the registers.
#[derive(Debug)]
struct Registered {
    ledger: Ledger,
    chunks: ChunkStore,
}

impl Names for Registered {
    fn device(&self, device: DeviceId) -> Option<Arc<str>> {
        Some(self.ledger.facts_now().devices.get(&device)?.code.as_str().into())
    }

    fn subject(&self, subject: SubjectId) -> Option<SubjectName> {
        let facts = self.ledger.facts_now();
        let row = facts.subjects.get(&subject)?;
        Some(SubjectName { code: row.code.as_str().into(), kind: row.details.kind() })
    }

    fn quantity(&self, quantity: Quantity) -> Option<Arc<str>> {
        self.chunks.quantity_code(quantity).map(Into::into)
    }
}
