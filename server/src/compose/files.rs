//! Pictures and files of devices: the blob store, JT/T 808 over UDP, and the port that terminals send their alarms' files to.

use super::{Phases, System, count};
use crate::config::Config;
use anyhow::{Context, Result};
use gateway::jt808::UdpConfig;
use gateway::jt808::attachments::{self, Attachments, Numbers};
use gateway::tcp::TcpConfig;
use ingest::blobs::Blobs;
use ledger::Keys;
use model::seams::BlobStore;
use model::time::Clock;
use std::sync::Arc;
use std::time::Duration;
use tls::Ports;
use tokio::net::UdpSocket;

/// Purpose of the keyed hash that alarms' numbers are made with; another text makes every number given before void.
const PURPOSE: &str = "jt808 attachments";
/// Files of one alarm.
const FILES_MAX: usize = 32;
/// A terminal on a poor network may be silent so long between two pieces.
const SILENCE: Duration = Duration::from_mins(3);

pub(super) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn BlobStore>> {
    let folder = config.data_dir.join("blobs");
    let blobs = Blobs::open(&folder, config.pictures.blobs, Arc::clone(clock));
    Ok(Arc::new(blobs.context("open the blob store")?))
}

/// `None`: nobody listens for them, so terminals are not asked.
pub(super) fn attachments(config: &Config, keys: Keys, blobs: Arc<dyn BlobStore>) -> Option<Arc<Attachments>> {
    let own = config.gateway.attachments.as_ref()?;
    let file_bytes_max = config.pictures.blobs.blob_bytes_max;
    Some(Arc::new(Attachments {
        host: own.host.clone(),
        port: own.port,
        numbers: Numbers::new(move |told| keys.keyed_hash(PURPOSE, told)),
        blobs,
        files_max: FILES_MAX,
        file_bytes_max: u32::try_from(file_bytes_max).unwrap_or(u32::MAX),
        alarm_bytes_max: file_bytes_max.saturating_mul(4),
    }))
}

pub(super) fn open_ports(system: &System, config: &Config, (udp, files): (Option<UdpSocket>, Ports), phases: &Phases) {
    let (edge, stop) = (system.edge.clone(), phases.gateway.token());
    if let Some(socket) = udp {
        let own = UdpConfig { sessions_max: count(config.gateway.jt808_connections_max), ..UdpConfig::default() };
        let serving = gateway::jt808::serve_udp(socket, edge.clone(), own, system.attachments.clone(), stop.clone());
        phases.gateway.spawn("jt808 over udp", async move {
            serving.await;
            Ok(())
        });
    }
    if let (Some(own), Some(shared)) = (&config.gateway.attachments, &system.attachments) {
        let tcp = TcpConfig {
            connections_max: count(own.connections_max),
            idle_timeout: SILENCE,
            frame_timeout: SILENCE,
            ..TcpConfig::default()
        };
        let serving = attachments::serve(files, edge, tcp, Arc::clone(shared), stop);
        phases.gateway.spawn("attachments", async move {
            serving.await;
            Ok(())
        });
    }
}
