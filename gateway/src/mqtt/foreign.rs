//! Publishes on topics of others' conventions, on a connection of the front. [`crate::intake`] decides what they are; here
//! their envelopes join the read's batch, and what must be said finds its way back. Such publishes are delivered to nobody:
//! their topics are shared by all devices or bound to one, and what they mean is told by the settled streams.

use super::codec::{Publish, Version, reason};
use super::connection::{Answer, Connection};
use super::session::{Message, Out, lock};
use crate::intake::{self, Intake, Say};
use crate::metrics as shared;
use bytes::Bytes;
use model::envelope::Position;
use model::time::IngestTime;
use protocol::mqtt::topic;
use std::future::Future;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How often it is looked for what sessions behind modems send again.
const LOOK: Duration = Duration::from_secs(1);

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// False: the topic is of no such convention, or not granted.
    pub(super) fn on_foreign(&mut self, publish: &Publish, name: &Bytes, received: IngestTime) -> bool {
        let Ok(topic) = std::str::from_utf8(name) else { return false };
        let intake = self.intake.get_or_insert_with(|| {
            let (edge, principal) = (self.hub.edge.clone(), Arc::clone(&self.principal));
            Box::new(Intake::new(edge, principal, self.id, self.peer.clone(), Arc::clone(&self.seat)))
        });
        let Some(taken) = intake.take(intake::Publish { topic, payload: &publish.payload, received }) else {
            return false;
        };
        for say in taken.say {
            self.say(say);
        }
        for entry in taken.entries {
            let device = Some(entry.envelope.device);
            let pace = self.seat.pace(entry.envelope.device);
            self.spend(&pace, entry.envelope.raw.len());
            self.current.bytes += entry.envelope.raw.len() + 64;
            self.current.envelopes.push(entry.envelope);
            self.underway += 1;
            // It has no packet of its own: the publish is answered once all of its envelopes are on disk.
            self.current.answers.push(Answer { pkid: 0, qos: 0, reason: 0, device, carrier: entry.carrier });
        }
        match (taken.refused, self.version, publish.qos) {
            (false, ..) => self.answer(publish, 0, None),
            (true, Version::V4, _) => self.close(super::closing::Closing::NotGranted),
            (true, Version::V5, 0) => {}
            (true, Version::V5, _) => self.answer(publish, reason::NOT_AUTHORISED, None),
        }
        true
    }

    /// Gives sessions behind a modem their turn when they were woken, or when a repeat is due.
    pub(super) fn watch_intake(&mut self, cx: &mut Context<'_>) {
        while let Some(intake) = &mut self.intake {
            let woken = self.intake_woken.get_or_insert_with(|| Box::pin(intake.wake().notified_owned()));
            let woken = woken.as_mut().poll(cx).is_ready();
            let due = if intake.next_time().is_some() {
                let look = self.intake_due.get_or_insert_with(|| Box::pin(tokio::time::sleep(LOOK)));
                look.as_mut().poll(cx).is_ready()
            } else {
                self.intake_due = None;
                false
            };
            if !woken && !due {
                return;
            }
            if woken {
                self.intake_woken = None;
            }
            if due {
                self.intake_due = None;
            }
            for say in intake.turn(self.hub.edge.clock.now()) {
                self.say(say);
            }
        }
    }

    /// A frame behind a modem is on disk: its answer leaves.
    pub(super) fn carried_is_durable(&mut self, carrier: u64, at: Position, now: IngestTime) {
        let says = self.intake.as_mut().map(|intake| intake.durable(carrier, at, now)).unwrap_or_default();
        for say in says {
            self.say(say);
        }
    }

    /// A Sparkplug node that waits for its primary host is told that it is there, whatever name it has for us.
    pub(super) fn tell_host_state(&mut self, filter: &str) {
        let Some(host) = filter.strip_prefix("spBv1.0/STATE/") else { return };
        let host = if host.contains(['+', '#', '/']) { "lantian" } else { host };
        let now_ms = self.hub.edge.clock.now().as_ms();
        let payload = Bytes::from(format!(r#"{{"online":true,"timestamp":{now_ms}}}"#));
        self.say(Say { topic: format!("spBv1.0/STATE/{host}"), payload, own: true });
    }

    fn say(&mut self, say: Say) {
        let Say { topic, payload, own } = say;
        if !own {
            if self.hub.say(topic, payload, 1) == 0 {
                ::metrics::counter!(shared::INTAKE_UNHEARD_TOTAL).increment(1);
            }
            return;
        }
        let state = lock(&self.session.state);
        let wanted = state.subscriptions.iter().filter(|held| topic::matches(&held.filter, &topic));
        let best = wanted.map(|held| held.qos).max();
        drop(state);
        let Some(qos) = best else { return };
        let message =
            Message { topic: topic.into(), payload, qos, retain: false, expires: None, properties: None, publisher: 0 };
        let out = Out { message: Arc::new(message), qos, retain: false, subscription_ids: Vec::new() };
        self.session.offer(out, &self.hub.bounds);
        self.pull = true;
    }
}
