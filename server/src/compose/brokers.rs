//! Existing brokers: one task each, and their outages into the journal.

use super::Phases;
use crate::config::Config;
use anyhow::{Result, anyhow};
use gateway::Edge;
use gateway::broker::{Brokers, Outages};
use ingest::journal::Journal;
use ingest::journal::entry::Entry;
use model::stream::Outage;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::warn;

/// Outages that wait to be written; each is told again with a later end while it lasts.
const OUTAGES_MAX: usize = 64;

pub(super) fn start(config: &Config, edge: &Edge, journal: &Arc<Journal>, phases: &Phases) -> Result<Brokers> {
    let brokers = Brokers::default();
    if config.brokers.is_empty() {
        return Ok(brokers);
    }
    let (tell, told) = mpsc::channel(OUTAGES_MAX);
    let outages = Outages(Arc::new(move |outage| {
        if tell.try_send(outage).is_err() {
            warn!("an outage of a broker could not be noted");
        }
    }));
    for broker in &config.brokers {
        let own = broker.open(config.gateway.mqtt_packet_kib_max).map_err(|problem| anyhow!("{problem}"))?;
        let reading =
            gateway::broker::serve(own, edge.clone(), brokers.clone(), outages.clone(), phases.gateway.token());
        phases.gateway.spawn("broker", async move {
            reading.await;
            Ok(())
        });
    }
    // Ends when the last broker has.
    phases.feeds.spawn("broker outages", note(Arc::clone(journal), told));
    Ok(brokers)
}

async fn note(journal: Arc<Journal>, mut told: mpsc::Receiver<Outage>) -> Result<()> {
    while let Some(outage) = told.recv().await {
        if let Err(error) = journal.append_wait(vec![Entry::Outage(outage)]).await {
            warn!(%error, "failed to note an outage of a broker");
        }
    }
    Ok(())
}
