//! What each packet of a client does to its connection.

use super::closing::Closing;
use super::codec::{self, Filter, Incoming, Publish, RetainHandling, Version, reason};
use super::connection::{After, Answer, Connection};
use super::grants::{self, PublishGrant};
use super::index::Matched;
use super::session::{Message, Subscription, lock};
use crate::intake;
use crate::limits::Pace;
use bytes::Bytes;
use model::envelope::Envelope;
use model::principal::Grants;
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::mqtt::payload::{self, Arrival};
use protocol::mqtt::topic::{self, Topic, TopicKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite};

/// Topic aliases a client may use.
pub(super) const ALIAS_MAX: u16 = 16;
/// Topics whose meaning a connection remembers.
const TOPICS_MAX: usize = 4;
/// `QoS` 2 messages that wait for their PUBREL.
const UNRELEASED_MAX: usize = 1_024;
const SAMPLE_BYTES_MAX: usize = 512;

/// What a topic name means on this connection, as of a state of directory and index.
pub(super) struct Resolved {
    topic: Bytes,
    directory: u64,
    index: u64,
    grant: PublishGrant,
    /// The topic it is delivered under.
    deliver: Bytes,
    matched: Arc<Matched>,
    /// Somebody reads the device's errors.
    errors_wanted: bool,
    pace: Arc<Pace>,
}

impl<S> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    pub(super) fn on_packet(&mut self, packet: Incoming, received: IngestTime) {
        match packet {
            Incoming::Publish(publish) => self.on_publish(&publish, received),
            Incoming::PubAck { pkid } | Incoming::PubComp { pkid } => self.on_complete(pkid),
            Incoming::PubRec { pkid, failed } => self.on_pubrec(pkid, failed),
            Incoming::PubRel { pkid } => self.on_pubrel(pkid),
            Incoming::Subscribe { pkid, filters, id } => self.on_subscribe(pkid, filters, id),
            Incoming::Unsubscribe { pkid, filters } => self.on_unsubscribe(pkid, &filters),
            Incoming::PingReq => codec::pingresp(&mut self.out),
            Incoming::Disconnect { reason, session_expiry_s } => self.on_disconnect(reason, session_expiry_s),
            Incoming::Auth => self.close(Closing::BadMethod),
        }
    }

    fn on_publish(&mut self, publish: &Publish, received: IngestTime) {
        self.hub.meters.publishes.increment(1);
        let name = match self.topic_of(publish) {
            Ok(name) => name,
            Err(closing) => {
                let sample = cut(&publish.payload);
                self.refuse(RefusalReason::Malformed, "malformed", closing_detail(closing), sample, None);
                self.close(closing);
                return;
            }
        };
        if publish.qos == 2 && self.is_repeated(publish.pkid) {
            self.answer(publish, 0, None);
            return;
        }
        let Some(place) = self.resolve(&name) else {
            if !self.on_foreign(publish, &name, received) {
                self.not_granted(publish, &name);
            }
            return;
        };
        let Some(resolved) = self.topics.get(place) else { return };
        let device = Arc::clone(&resolved.grant.device);
        let kind = resolved.grant.kind;
        if resolved.errors_wanted {
            self.report_problems(place, &publish.payload, received);
        }
        self.attach(&device);
        if kind == TopicKind::Reply {
            self.heard_reply(device.id, &publish.payload);
        }
        let Some(resolved) = self.topics.get(place) else { return };
        if publish.retain || !resolved.matched.is_empty() {
            let message = Message {
                topic: resolved.deliver.clone(),
                payload: publish.payload.clone(),
                qos: publish.qos,
                retain: publish.retain,
                expires: publish.expiry_s.map(|seconds| received.plus_ms(i64::from(seconds) * 1000)),
                properties: publish.properties.clone(),
                publisher: self.session.number,
            };
            let matched = Arc::clone(&resolved.matched);
            self.current.after.push(After { message: Arc::new(message), matched });
        }
        let channel = resolved.grant.channel;
        let pace = Arc::clone(&resolved.pace);
        self.spend(&pace, publish.payload.len());
        self.current.bytes += publish.payload.len() + 64;
        self.current.envelopes.push(Envelope {
            received,
            principal: self.principal.id,
            device: device.id,
            channel,
            remarks: 0,
            connection: self.id,
            raw: publish.payload.clone(),
        });
        self.underway += 1;
        self.answer(publish, 0, Some(device.id));
    }

    pub(super) fn answer(&mut self, publish: &Publish, reason: u8, device: Option<model::id::DeviceId>) {
        self.unanswered += usize::from(publish.qos > 0);
        self.current.answers.push(Answer { pkid: publish.pkid, qos: publish.qos, reason, device, carrier: None });
    }

    fn is_repeated(&mut self, pkid: u16) -> bool {
        let state = lock(&self.session.state);
        let (repeated, full) = (state.received.contains(&pkid), state.received.len() >= UNRELEASED_MAX);
        drop(state);
        if full && !repeated {
            self.close(Closing::ReceiveMaximum);
        }
        repeated
    }

    /// The topic name, given or by its alias.
    fn topic_of(&mut self, publish: &Publish) -> Result<Bytes, Closing> {
        let Some(alias) = publish.alias else {
            return if publish.topic.is_empty() { Err(Closing::TopicInvalid) } else { Ok(publish.topic.clone()) };
        };
        if alias == 0 || alias > ALIAS_MAX {
            return Err(Closing::AliasInvalid);
        }
        let place = usize::from(alias - 1);
        if self.aliases.len() <= place {
            self.aliases.resize(place + 1, None);
        }
        let slot = self.aliases.get_mut(place).ok_or(Closing::AliasInvalid)?;
        if publish.topic.is_empty() {
            return slot.clone().ok_or(Closing::AliasInvalid);
        }
        // A copy, or the alias would keep a whole read buffer alive.
        let name = Bytes::copy_from_slice(&publish.topic);
        *slot = Some(name.clone());
        Ok(name)
    }

    /// Place of the topic's meaning in `topics`; `None`: not granted.
    fn resolve(&mut self, name: &Bytes) -> Option<usize> {
        let (directory, index) = (self.hub.edge.directory.revision(), self.hub.index.version());
        let known = self.topics.iter().position(|known| known.topic == *name);
        if let Some(place) = known
            && self.topics.get(place).is_some_and(|known| known.directory == directory && known.index == index)
        {
            return Some(place);
        }
        let text = std::str::from_utf8(name).ok()?;
        let Some(grant) = grants::publish(&self.principal, text, &*self.hub.edge.directory) else {
            if let Some(place) = known {
                self.topics.swap_remove(place);
            }
            return None;
        };
        let deliver = Topic::Device { device: &grant.device.code, kind: grant.kind }.to_string();
        let errors = Topic::Device { device: &grant.device.code, kind: TopicKind::Errors }.to_string();
        let resolved = Resolved {
            topic: Bytes::copy_from_slice(name),
            directory,
            index,
            matched: Arc::new(self.hub.index.find(&deliver)),
            errors_wanted: !self.hub.index.find(&errors).is_empty(),
            deliver: deliver.into(),
            pace: self.seat.pace(grant.device.id),
            grant,
        };
        let place = known.unwrap_or_else(|| {
            self.next_topic = (self.next_topic + 1) % TOPICS_MAX;
            self.next_topic.min(self.topics.len())
        });
        match self.topics.get_mut(place) {
            Some(slot) => *slot = resolved,
            None => self.topics.push(resolved),
        }
        Some(place)
    }

    /// Version 5 is told in the answer; 3.1.1 has no answer that says no, and silence would make it repeat for ever.
    fn not_granted(&mut self, publish: &Publish, name: &[u8]) {
        let shown = String::from_utf8_lossy(name.get(..name.len().min(128)).unwrap_or_default()).into_owned();
        let detail = format!("publish to {shown}");
        self.refuse(RefusalReason::NotGranted, "not_granted", detail, cut(&publish.payload), None);
        match (self.version, publish.qos) {
            (Version::V4, _) => self.close(Closing::NotGranted),
            (Version::V5, 0) => {}
            (Version::V5, _) => self.answer(publish, reason::NOT_AUTHORISED, None),
        }
    }

    /// Tells whoever reads the device's errors what of the payload cannot be used, and where.
    fn report_problems(&self, place: usize, raw: &[u8], received: IngestTime) {
        let Some(resolved) = self.topics.get(place) else { return };
        let (problems, unlisted) =
            match payload::read_arrived(raw, Arrival { received_ms: received.as_ms(), parts: &[] }) {
                Ok(document) => (document.problems, document.problems_unlisted),
                Err(problem) => (vec![problem], 0),
            };
        if problems.is_empty() {
            return;
        }
        let listed: Vec<_> = problems
            .iter()
            .map(|problem| {
                serde_json::json!({"code": problem.code.word(), "place": problem.place, "offset": problem.offset})
            })
            .collect();
        let body = serde_json::json!({
            "at": received.to_rfc3339(),
            "topic": resolved.grant.kind.word(),
            "problems": listed,
            "unlisted": unlisted,
        });
        let text = Bytes::from(body.to_string());
        self.hub.publish_to_device(&resolved.grant.device.code, TopicKind::Errors, text, 1);
    }

    fn on_complete(&mut self, pkid: u16) {
        let known = lock(&self.session.state).complete(pkid);
        if known {
            self.pull = true;
            self.hub.persist.session(&self.session);
        }
    }

    fn on_pubrec(&mut self, pkid: u16, failed: bool) {
        if failed {
            self.on_complete(pkid);
            return;
        }
        lock(&self.session.state).release(pkid);
        self.hub.persist.session(&self.session);
        // Also for an id we do not know: the client must get on.
        codec::pubrel(&mut self.out, pkid);
    }

    fn on_pubrel(&mut self, pkid: u16) {
        // A PUBLISH of this read with that id is in work; its PUBREC has not been sent, so this PUBREL is for an older one.
        let known = lock(&self.session.state).received.remove(&pkid);
        if known {
            self.hub.persist.session(&self.session);
        }
        let code = if known || self.version == Version::V4 { 0 } else { reason::ID_NOT_FOUND };
        codec::pubcomp(&mut self.out, pkid, code);
    }

    fn on_subscribe(&mut self, pkid: u16, filters: Vec<Filter>, id: Option<u32>) {
        let mut codes = Vec::with_capacity(filters.len());
        for filter in filters {
            let code = self.subscribe_one(&filter, id);
            codes.push(if code >= 0x80 && self.version == Version::V4 { 0x80 } else { code });
        }
        codec::suback(&mut self.out, self.version, pkid, &codes);
        self.attach_again();
        self.pull = true;
    }

    /// The code of SUBACK: the `QoS` granted, or a reason of version 5.
    fn subscribe_one(&mut self, filter: &Filter, id: Option<u32>) -> u8 {
        if topic::is_shared(&filter.path) {
            return reason::NO_SHARED;
        }
        if topic::check_filter(&filter.path).is_err() {
            return reason::FILTER_INVALID;
        }
        let directory = &*self.hub.edge.directory;
        if !grants::subscribe(&self.principal, &filter.path, directory)
            && !intake::may_subscribe(&self.principal, &filter.path, directory)
        {
            let detail = format!("subscribe to {}", filter.path);
            self.refuse(RefusalReason::NotGranted, "not_granted", detail, Bytes::new(), None);
            return reason::NOT_AUTHORISED;
        }
        let held = lock(&self.session.state).subscriptions.len();
        if held >= self.hub.config.subscriptions_per_session_max {
            return reason::QUOTA;
        }
        let subscription = Subscription {
            via_router: self.is_for_router(filter, id),
            filter: filter.path.as_str().into(),
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            id,
        };
        let new = self.hub.subscribe(&self.session, &subscription);
        let replay = match filter.retained {
            RetainHandling::Always => true,
            RetainHandling::IfNew => new,
            RetainHandling::Never => false,
        };
        if replay {
            self.hub.replay_retained(&self.session, &subscription);
            self.tell_host_state(&filter.path);
        }
        filter.qos
    }

    /// Clean observers at `QoS` 0 are what the fan-out is for.
    fn is_for_router(&mut self, filter: &Filter, id: Option<u32>) -> bool {
        let fits = self.principal.grants == Grants::Observer
            && self.expiry_s == 0
            && filter.qos == 0
            && id.is_none()
            && filter.path.is_ascii();
        if fits && !self.routed {
            if !self.hub.fan_out_has_room() {
                return false;
            }
            self.hub.routed().fetch_add(1, Ordering::Relaxed);
            self.routed = true;
        }
        fits
    }

    fn on_unsubscribe(&mut self, pkid: u16, filters: &[String]) {
        let codes: Vec<u8> = filters
            .iter()
            .map(|filter| if self.hub.unsubscribe(&self.session, filter) { 0 } else { reason::NO_SUBSCRIPTION })
            .collect();
        codec::unsuback(&mut self.out, self.version, pkid, &codes);
    }

    fn on_disconnect(&mut self, code: u8, session_expiry_s: Option<u32>) {
        if let Some(wanted) = session_expiry_s {
            // A session that was to end with its connection cannot be made to stay (MQTT 5, 3.14.2.2.2).
            if self.expiry_s == 0 && wanted > 0 {
                self.close(Closing::Protocol);
                return;
            }
            self.expiry_s = wanted.min(self.hub.config.session_expiry_s_max);
            lock(&self.session.state).expiry_s = self.expiry_s;
            self.hub.persist.session(&self.session);
        }
        self.close(if code == reason::WITH_WILL { Closing::ClientWithWill } else { Closing::Client });
    }
}

const fn closing_detail_word(closing: Closing) -> &'static str {
    match closing {
        Closing::AliasInvalid => "a topic alias that is not in use",
        _ => "an empty topic",
    }
}

fn closing_detail(closing: Closing) -> String {
    closing_detail_word(closing).to_owned()
}

fn cut(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes.get(..bytes.len().min(SAMPLE_BYTES_MAX)).unwrap_or_default())
}
