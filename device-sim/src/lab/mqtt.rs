//! The lab's desk for MQTT devices, 3.1.1 and 5: the small part of a broker that one publisher needs, and what it writes down.
//! Packets are read by `protocol::mqtt::packet`, which knows the byte of every fault, rather than by rumqttc's codec, which
//! says only that a packet is bad; what is sent are a few fixed bytes, written here.

mod look;

use super::book::{Book, Finding, Protocol, place_of};
use super::clock::ClockWatch;
use super::desk::{Action, DEVICES_MAX, Desk, Shown, say};
use super::trial::{Data, Errand, Pace, Reaction, Trial};
use protocol::explain::Explained;
use protocol::mqtt::foreign::Foreign;
use protocol::mqtt::packet::{Connect, Cut, Level, Packet, Publish, cut, read};
use protocol::mqtt::topic::{Topic, TopicKind, matches};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The longest packet that is taken.
const PACKET_BYTES_MAX: usize = 256 * 1024;
const RECENT_MAX: usize = 256;
const SUBSCRIPTIONS_MAX: usize = 64;
/// One command, on the device's command topic.
const COMMANDS: usize = 1;

#[derive(Debug, Default)]
struct Link {
    bytes: Vec<u8>,
    level: Option<Level>,
    device: Option<String>,
    keep_alive_s: u16,
    last_heard: i64,
    late: bool,
    closing: bool,
}

#[derive(Debug)]
struct Client {
    book: Book,
    trial: Trial,
    clock: ClockWatch,
    username: String,
    link: u64,
    level: Option<Level>,
    kept_session: bool,
    filters: BTreeSet<String>,
    /// Packet ids whose answer was not sent, with what they carried.
    unanswered: BTreeMap<u16, u64>,
    /// Data by content, with their times.
    recent: VecDeque<u64>,
    on_link: u64,
}

#[derive(Debug)]
pub struct MqttDesk {
    pace: Option<Pace>,
    timed: bool,
    links: BTreeMap<u64, Link>,
    devices: BTreeMap<String, Client>,
}

impl MqttDesk {
    pub const fn new(pace: Option<Pace>, timed: bool) -> Self {
        Self { pace, timed, links: BTreeMap::new(), devices: BTreeMap::new() }
    }

    fn packet(&mut self, link: u64, bytes: &[u8], now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let read = read(bytes, state.level);
        let mut plain = bytes.to_vec();
        cover(&mut plain, &read.explanation);
        let explained = Explained { explanation: read.explanation, plain };
        if let (Some(Packet::Connect(connect)), None) = (&read.packet, &state.device) {
            let name = if connect.client_id.is_empty() { connect.username.unwrap_or("-") } else { connect.client_id };
            let name = name.to_owned();
            if !self.devices.contains_key(&name) && self.devices.len() >= DEVICES_MAX {
                out.push(Action::Close);
                return;
            }
            state.level = connect.level;
            state.keep_alive_s = connect.keep_alive_s;
            state.device = Some(name.clone());
            let pace = self.pace;
            let client = self.devices.entry(name.clone()).or_insert_with(|| Client::new(&name, pace));
            client.on_connect(link, connect, &explained, now, out);
            return;
        }
        let Some(client) = state.device.as_ref().and_then(|name| self.devices.get_mut(name)) else {
            // Nobody is known by it: it has no book yet, so it gets the one of the nameless.
            let book = &mut self.devices.entry("-".to_owned()).or_insert_with(|| Client::new("-", None)).book;
            book.frames_up += 1;
            let text = Finding::new("first", "not_connect", "首个报文不是 CONNECT", "the first packet is not CONNECT");
            book.found(text.at(Some((0, 1))));
            out.push(Action::Show(Box::new(Shown {
                protocol: Protocol::Mqtt,
                link,
                device: String::new(),
                number: 1,
                at_ms: now,
                explained,
                findings: Vec::new(),
                wire: bytes.to_vec(),
                up: true,
            })));
            out.push(Action::Close);
            state.closing = true;
            return;
        };
        client.link = link;
        client.packet(read.packet, &Came { bytes, explained, now, timed: self.timed }, out);
    }
}

impl Desk for MqttDesk {
    fn opened(&mut self, link: u64, now: i64, _out: &mut Vec<Action>) {
        self.links.insert(link, Link { last_heard: now, ..Link::default() });
    }

    fn heard(&mut self, link: u64, bytes: &[u8], now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.last_heard = now;
        state.late = false;
        state.bytes.extend_from_slice(bytes);
        loop {
            let Some(state) = self.links.get_mut(&link).filter(|state| !state.closing) else { return };
            match cut(&state.bytes, PACKET_BYTES_MAX) {
                Cut::More => return,
                Cut::Packet(len) => {
                    let packet: Vec<u8> = state.bytes.drain(..len).collect();
                    self.packet(link, &packet, now, out);
                }
                Cut::Malformed | Cut::Oversize(_) => {
                    state.closing = true;
                    if let Some(client) = state.device.as_ref().and_then(|name| self.devices.get_mut(name)) {
                        let text = Finding::new(
                            "packet",
                            "length_bad",
                            "剩余长度不正确或报文过长",
                            "a remaining length that is none, or too long a packet",
                        );
                        client.book.found(text.at(Some((1, 4))));
                    }
                    out.push(Action::Close);
                    return;
                }
            }
        }
    }

    fn tick(&mut self, link: u64, now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let silent = now - state.last_heard;
        let limit = i64::from(state.keep_alive_s) * 1_500;
        let Some(client) = state.device.as_ref().and_then(|name| self.devices.get_mut(name)) else { return };
        if client.link != link {
            return;
        }
        if limit > 0 && silent > limit && !state.late {
            state.late = true;
            let text = Finding::new(
                "keep_alive",
                "keep_alive_missed",
                "超过 1.5 倍保持连接时间没有任何报文",
                "nothing was sent for one and a half keep-alives",
            );
            client.book.found(text.detail(format!("{} s", silent / 1000)));
        }
        client.trial.on_time(now, &mut client.book);
        match client.trial.errand(now) {
            Some(Errand::Send(_)) => client.command(now, out),
            Some(Errand::Unanswered(_)) => {
                let text = Finding::new(
                    "command",
                    "no_reply",
                    "命令没有在 reply 主题应答",
                    "a command that was not answered on the reply topic",
                );
                client.book.found(text.should());
                client.trial.errand_done();
            }
            None => {}
        }
    }

    fn closed(&mut self, link: u64, _now: i64) {
        self.links.remove(&link);
    }

    fn finish(&mut self, now: i64) {
        for client in self.devices.values_mut() {
            client.trial.on_time(now, &mut client.book);
        }
    }

    fn books(&self) -> Vec<&Book> {
        self.devices.values().map(|client| &client.book).collect()
    }

    fn is_done(&self) -> bool {
        !self.devices.is_empty() && self.devices.values().all(|client| client.trial.is_over())
    }
}

struct Came<'a> {
    bytes: &'a [u8],
    explained: Explained,
    now: i64,
    timed: bool,
}

impl Client {
    fn new(name: &str, pace: Option<Pace>) -> Self {
        Self {
            book: Book::new(Protocol::Mqtt, name),
            trial: Trial::new(pace, COMMANDS, true),
            clock: ClockWatch::default(),
            username: String::new(),
            link: u64::MAX,
            level: None,
            kept_session: false,
            filters: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            recent: VecDeque::new(),
            on_link: 0,
        }
    }

    fn on_connect(&mut self, link: u64, connect: &Connect<'_>, explained: &Explained, now: i64, out: &mut Vec<Action>) {
        let again = self.link != u64::MAX;
        self.link = link;
        self.on_link = 0;
        self.level = connect.level;
        self.book.connections += 1;
        self.book.frames_up += 1;
        self.book.standard = explained.explanation.standard;
        self.look_at_troubles(explained);
        self.book.kept("first");
        let mut new = Vec::new();
        let place = |name| place_of(&explained.explanation, name);
        if connect.username.is_some() && connect.password.is_some() {
            self.book.kept("login");
        } else {
            let text = Finding::new("login", "no_login", "没有用户名或密码", "no user name or no password");
            self.add(
                text.at(place("connect_flags")).advise(
                    "用户名为设备编号，密码为接入令牌",
                    "the user name is the device's code, the password its token",
                ),
                &mut new,
            );
        }
        connect.username.unwrap_or_default().clone_into(&mut self.username);
        let keeps = match connect.level {
            Some(Level::V5) => connect.session_expiry_s.is_some_and(|expiry| expiry > 0),
            _ => !connect.clean,
        };
        if keeps {
            self.book.kept("session");
        } else {
            let text = Finding::new(
                "session",
                "session_dropped",
                "断线时会话丢失，未应答的数据会丢",
                "the session ends with the connection, and what was unanswered with it",
            );
            self.add(
                text.at(place("connect_flags"))
                    .advise("3.1.1 用 clean=0；5.0 设会话有效期", "3.1.1: clean 0; 5.0: a session expiry"),
                &mut new,
            );
        }
        if connect.keep_alive_s == 0 {
            let text = Finding::new(
                "keep_alive",
                "keep_alive_off",
                "保持连接为 0，断线无法察觉",
                "a keep-alive of 0: nobody notices a dead link",
            );
            self.add(text.at(place("keep_alive")), &mut new);
        } else {
            self.book.kept("keep_alive");
        }
        let present = again && self.kept_session && !connect.clean;
        self.kept_session = keeps;
        if connect.clean {
            self.filters.clear();
        }
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Mqtt,
            link,
            device: self.book.identity.clone(),
            number: self.book.frames_up,
            at_ms: now,
            explained: explained.clone(),
            findings: new,
            wire: explained.plain.clone(),
            up: true,
        })));
        let flags = u8::from(present);
        self.send(
            if self.level == Some(Level::V5) { vec![0x20, 3, flags, 0, 0] } else { vec![0x20, 2, flags, 0] },
            now,
            out,
        );
    }

    fn packet(&mut self, packet: Option<Packet<'_>>, came: &Came<'_>, out: &mut Vec<Action>) {
        self.book.frames_up += 1;
        self.look_at_troubles(&came.explained);
        let now = came.now;
        let mut new = Vec::new();
        let Some(packet) = packet else {
            out.push(self.shown(came, new));
            out.push(Action::Close);
            return;
        };
        let mut answer = Vec::new();
        let mut reaction = Reaction::Answer;
        match packet {
            Packet::Publish(publish) => {
                reaction = self.publish(&publish, came, &mut new);
                let [high, low] = publish.id.to_be_bytes();
                match publish.qos {
                    1 => answer = vec![0x40, 2, high, low],
                    2 => answer = vec![0x50, 2, high, low],
                    _ => {}
                }
                if reaction == Reaction::Answer {
                    self.unanswered.remove(&publish.id);
                } else if self.unanswered.len() < RECENT_MAX {
                    self.unanswered.insert(publish.id, mixed(publish.payload));
                }
            }
            Packet::Answer { kind: 6, id } => {
                let [high, low] = id.to_be_bytes();
                answer = vec![0x70, 2, high, low];
            }
            Packet::Subscribe { id, filters } => {
                answer = self.subscribed(id, &filters);
            }
            Packet::Unsubscribe { id } => {
                let [high, low] = id.to_be_bytes();
                answer = if self.level == Some(Level::V5) {
                    vec![0xb0, 4, high, low, 0, 0]
                } else {
                    vec![0xb0, 2, high, low]
                };
            }
            Packet::Ping => answer = vec![0xd0, 0],
            Packet::Connect(_) => {
                let text = Finding::new(
                    "first",
                    "second_connect",
                    "同一连接上第二次 CONNECT",
                    "a second CONNECT on one connection",
                );
                self.add(text.at(Some((0, 1))), &mut new);
                out.push(self.shown(came, new));
                out.push(Action::Close);
                return;
            }
            Packet::Disconnect | Packet::Answer { .. } | Packet::Other(_) => {}
        }
        out.push(self.shown(came, new));
        match reaction {
            Reaction::Answer if !answer.is_empty() => self.send(answer, now, out),
            Reaction::Answer => {}
            Reaction::Withhold => out.push(say("试验：不应答这条发布", "test: this publish is not answered")),
            Reaction::Cut => {
                out.push(say("试验：不应答并断开连接，等待重连、重发与补传", "test: it is not answered and the connection is cut; it should come back, send it again and catch up"));
                out.push(Action::Close);
            }
        }
    }

    fn subscribed(&mut self, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
        for (filter, _) in filters {
            if self.filters.len() < SUBSCRIPTIONS_MAX {
                self.filters.insert((*filter).to_owned());
            }
        }
        let [high, low] = id.to_be_bytes();
        let mut body = vec![high, low];
        if self.level == Some(Level::V5) {
            body.push(0);
        }
        body.extend(filters.iter().map(|(_, qos)| (*qos).min(1)));
        let mut answer = vec![0x90, u8::try_from(body.len()).unwrap_or(127) & 0x7f];
        answer.extend(body);
        answer
    }

    fn publish(&mut self, publish: &Publish<'_>, came: &Came<'_>, new: &mut Vec<Finding>) -> Reaction {
        let explanation = &came.explained.explanation;
        let place = |name| place_of(explanation, name);
        let topic = Topic::parse(publish.topic);
        match topic {
            Some(Topic::Device { kind, .. }) if !kind.is_upward() => {
                let text =
                    Finding::new("topic", "topic_downward", "发布到了下行主题", "a publish to a topic of the platform");
                self.add(text.at(place("topic")), new);
            }
            Some(Topic::Device { device, .. }) if device != self.username && device != self.book.identity => {
                let text = Finding::new(
                    "topic",
                    "topic_foreign",
                    "主题中的设备不是登录的设备",
                    "the topic names another device than the one that logged in",
                );
                self.add(text.at(place("topic")).should().detail(device), new);
                self.book.kept("topic");
            }
            Some(_) => self.book.kept("topic"),
            // Others' conventions: taken, and not looked into here.
            None if Foreign::parse(publish.topic).is_some() => self.book.kept("topic"),
            None => {
                let text = Finding::new(
                    "topic",
                    "topic_unknown",
                    "主题不符合接入规则",
                    "a topic that is none of the platform's",
                );
                self.add(
                    text.at(place("topic")).detail(publish.topic).advise(
                        "lantian/v1/{设备}/telemetry，或 v1/devices/me/telemetry",
                        "lantian/v1/{device}/telemetry, or v1/devices/me/telemetry",
                    ),
                    new,
                );
            }
        }
        if let Some(Topic::Device { kind: TopicKind::Reply, .. }) = topic
            && self.trial.awaited().is_some()
        {
            self.book.kept("command");
            self.trial.errand_done();
        }
        if !topic.is_some_and(Topic::is_json) {
            return Reaction::Answer;
        }
        if publish.qos == 0 {
            let text = Finding::new(
                "qos",
                "qos_zero",
                "以 QoS 0 发布，丢失无法察觉",
                "published at QoS 0: a loss goes unnoticed",
            );
            self.add(text.at(Some((0, 1))).advise("用 QoS 1 发布", "publish at QoS 1"), new);
        } else {
            self.book.kept("qos");
        }
        let content = mixed(publish.payload) ^ mixed(publish.topic.as_bytes()).rotate_left(17);
        self.look_at_packet_id(publish, &came.explained, new);
        let repeated = self.recent.contains(&content);
        if repeated && publish.dup {
            self.book.kept("duplicate");
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(content);
        let is_data = !matches!(topic, Some(Topic::Device { kind: TopicKind::Status | TopicKind::Reply, .. }));
        if !is_data {
            return Reaction::Answer;
        }
        let at = self.look_at_records(publish, came, repeated, new);
        let key = format!("{content:016x}");
        let resent = self.book.times_kept("retransmit");
        let reaction =
            self.trial.on_data(&Data { key: &key, at, wants_answer: publish.qos > 0 }, came.now, &mut self.book);
        if self.book.times_kept("retransmit") > resent && !publish.dup {
            let text = Finding::new("retransmit", "dup_missing", "重发的报文没有置 DUP", "sent again without DUP");
            self.add(text.at(Some((0, 1))).should(), new);
        }
        reaction
    }

    fn command(&mut self, now: i64, out: &mut Vec<Action>) {
        let topic = format!("lantian/v1/{}/command", self.username);
        if !self.filters.iter().any(|filter| matches(filter, &topic)) {
            self.book.note("command", "没有订阅命令主题", "the command topic is not subscribed to");
            self.trial.errand_done();
            return;
        }
        out.push(say("试验：下发命令，等待 reply", "test: a command is sent; a reply is awaited"));
        let payload = format!(r#"{{"id":"lab-{now}","command":"ping"}}"#);
        let mut bytes = vec![0x30];
        let properties: &[u8] = if self.level == Some(Level::V5) { &[0] } else { &[] };
        let mut length = 2 + topic.len() + properties.len() + payload.len();
        loop {
            let digit = u8::try_from(length % 128).unwrap_or(0);
            length /= 128;
            bytes.push(if length > 0 { digit | 0x80 } else { digit });
            if length == 0 {
                break;
            }
        }
        bytes.extend(u16::try_from(topic.len()).unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload.as_bytes());
        self.send(bytes, now, out);
    }

    fn add(&mut self, finding: Finding, new: &mut Vec<Finding>) {
        if self.book.found(finding.clone()) {
            new.push(finding);
        }
    }

    fn send(&mut self, bytes: Vec<u8>, now: i64, out: &mut Vec<Action>) {
        self.book.frames_down += 1;
        let explained = Explained { explanation: read(&bytes, self.level).explanation, plain: bytes.clone() };
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Mqtt,
            link: self.link,
            device: self.book.identity.clone(),
            number: self.book.frames_down,
            at_ms: now,
            explained,
            findings: Vec::new(),
            wire: bytes.clone(),
            up: false,
        })));
        out.push(Action::Send(bytes));
    }

    fn shown(&self, came: &Came<'_>, new: Vec<Finding>) -> Action {
        Action::Show(Box::new(Shown {
            protocol: Protocol::Mqtt,
            link: self.link,
            device: self.book.identity.clone(),
            number: self.book.frames_up,
            at_ms: came.now,
            explained: came.explained.clone(),
            findings: new,
            wire: came.bytes.to_vec(),
            up: true,
        }))
    }
}

/// The token of a CONNECT is neither shown nor recorded.
fn cover(bytes: &mut [u8], explanation: &protocol::explain::Explanation) {
    for span in explanation.spans.iter().filter(|span| span.name == "password") {
        if let Some(secret) = bytes.get_mut(span.at + 2..span.at + span.len) {
            secret.fill(b'*');
        }
    }
}

/// Told apart, not kept.
fn mixed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |mixed, byte| (mixed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
