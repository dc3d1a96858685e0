//! MQTT 3.1.1 by rumqttc, QoS 1, with a session that outlives a lost connection.

use super::{Payload, Person};
use crate::fleet::Tally;
use crate::obey::Manners;
use anyhow::{Context, Result, bail};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages handed to the client and not yet acknowledged.
const WINDOW: u64 = 40;

pub struct MqttLink {
    client: AsyncClient,
    events: EventLoop,
    outstanding: u64,
    name: String,
    manners: Manners,
}

impl std::fmt::Debug for MqttLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MqttLink").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}

impl MqttLink {
    pub fn new(target: &str, who: &Person<'_>) -> Result<Self> {
        let secret = who.secret;
        let (host, port) = target.rsplit_once(':').with_context(|| format!("read the address {target:?}"))?;
        let mut options =
            MqttOptions::new(format!("sim-{}", secret.identity), host, port.parse().context("read the port")?);
        options.set_credentials(secret.identity.clone(), secret.secret.clone());
        options.set_keep_alive(Duration::from_mins(1)).set_clean_session(false).set_inflight(40);
        let (client, events) = AsyncClient::new(options, 64);
        Ok(Self { client, events, outstanding: 0, name: who.name.to_owned(), manners: who.manners })
    }

    pub async fn send(&mut self, payload: Payload, tally: &Tally) -> Result<()> {
        let Payload::Json { topic, text } = payload else { bail!("MQTT sends JSON") };
        while self.outstanding >= WINDOW {
            self.step(tally).await;
        }
        self.client.try_publish(topic, QoS::AtLeastOnce, false, text).context("hand a message to the client")?;
        self.outstanding += 1;
        Ok(())
    }

    /// One event of the connection; a lost one is tried again after a second.
    async fn step(&mut self, tally: &Tally) {
        match self.events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                self.outstanding = self.outstanding.saturating_sub(1);
                tally.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                // Without room it is asked for with the next connection.
                self.client.try_subscribe(format!("lantian/v1/{}/command", self.name), QoS::AtLeastOnce).ok();
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => self.obey(&publish.payload).await,
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "mqtt connection lost");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    /// Replies with what it was told.
    async fn obey(&mut self, raw: &[u8]) {
        let Ok(told) = serde_json::from_slice::<serde_json::Value>(raw) else { return };
        let reply = match self.manners {
            Manners::Silent => return,
            Manners::Refuse => serde_json::json!({"id": told["id"], "state": "failed", "error": "refused"}),
            _ => serde_json::json!({"id": told["id"], "state": "done", "result": {"told": told["command"]}}),
        };
        if self.manners == Manners::Late {
            tokio::time::sleep(Duration::from_secs(12)).await;
        }
        for _ in 0..if self.manners == Manners::Twice { 2 } else { 1 } {
            let topic = format!("lantian/v1/{}/reply", self.name);
            // At QoS 0, so that it is not counted among the readings that wait for their acknowledgement.
            self.client.try_publish(topic, QoS::AtMostOnce, false, reply.to_string()).ok();
        }
    }

    pub async fn idle(&mut self, time: Duration, tally: &Tally) {
        // The event loop keeps its state between polls, so a poll that is cut short loses nothing.
        tokio::time::timeout(time, async {
            loop {
                self.step(tally).await;
            }
        })
        .await
        .ok(); // the time is over: that is the point
    }

    pub async fn drain(&mut self, time: Duration, tally: &Tally) -> Result<()> {
        let waiting = async {
            while self.outstanding > 0 {
                self.step(tally).await;
            }
        };
        let done = tokio::time::timeout(time, waiting).await.is_ok();
        if !done {
            bail!("{} messages were not acknowledged in {} s", self.outstanding, time.as_secs());
        }
        Ok(())
    }
}
