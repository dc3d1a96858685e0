//! 4G modems (DTU) that dial in: a listener whose sessions wait for the registration packet, find the bus it belongs to, and from then on
//! carry bytes between the socket and that bus. Bounds, TLS and time-outs are those of every listener, see [`crate::tcp`].
//!
//! A packet names a modem and proves nothing: it is sent in the open and may be sent by anybody. What nobody registered is shown among the
//! unknown with a sample, and is never polled; when a device is made for it within the time that a connection may stay unknown, it is
//! taken at once. A modem that comes again replaces its older connection.

use super::pipe::{DtuEnd, DtuPipe, dtu_pipe};
use crate::edge::Edge;
use crate::metrics;
use crate::tcp::{self, Actions, CloseReason, Door, Opening, Session, TcpConfig};
use bytes::{Bytes, BytesMut};
use model::envelope::ProtocolKind;
use model::modbus::{DtuForm, DtuPacket};
use model::seams::Committed;
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::modbus::dtu::{Form, REGISTRATION_BYTES_MAX, Registration};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tls::Ports;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// A modem's connection, for its bus.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) pipe: DtuPipe,
    pub(super) connection: u64,
    pub(super) peer: String,
    pub(super) cut: CancellationToken,
}

/// Which modems there are, what they say first, and whose bus they are.
#[derive(Debug, Default)]
pub(super) struct Roster {
    modems: Mutex<Arc<Modems>>,
    /// Connections of unknown modems; told when there are other ones.
    waiting: Mutex<Vec<Weak<Notify>>>,
}

#[derive(Debug, Default)]
struct Modems {
    forms: Vec<Form>,
    /// By form and identity, as the packet has it.
    buses: BTreeMap<(usize, String), mpsc::Sender<Caller>>,
}

impl Roster {
    pub(super) fn set(&self, modems: impl Iterator<Item = (String, DtuPacket, mpsc::Sender<Caller>)>) {
        let mut all = Modems::default();
        for (identity, packet, bus) in modems {
            let form = form(&packet, &identity);
            let place = all.forms.iter().position(|known| *known == form).unwrap_or_else(|| {
                all.forms.push(form);
                all.forms.len() - 1
            });
            let identity = if packet.form == DtuForm::Hex { identity.to_ascii_uppercase() } else { identity };
            all.buses.insert((place, identity), bus);
        }
        *lock(&self.modems) = Arc::new(all);
        for waiting in lock(&self.waiting).iter().filter_map(Weak::upgrade) {
            waiting.notify_one();
        }
    }

    fn get(&self) -> Arc<Modems> {
        Arc::clone(&lock(&self.modems))
    }

    /// Bounded by the connections that are open.
    fn wait(&self, wake: &Arc<Notify>) {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|other| other.strong_count() > 0);
        waiting.push(Arc::downgrade(wake));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn form(packet: &DtuPacket, identity: &str) -> Form {
    let bytes = |text: &str| DtuPacket::bytes(text).unwrap_or_default();
    match packet.form {
        DtuForm::Text => Form::Ascii { chars: identity.len() },
        DtuForm::Line => Form::Line { chars_max: 64 },
        DtuForm::Hex => Form::Prefixed { prefix: bytes(&packet.prefix), length: identity.len() / 2 },
        DtuForm::Framed => Form::Framed { prefix: bytes(&packet.prefix), suffix: bytes(&packet.suffix), chars_max: 64 },
    }
}

/// What the first bytes of a connection are.
enum Seen {
    More,
    Known { bus: mpsc::Sender<Caller>, used: usize },
    Unknown,
}

impl Modems {
    /// The same for any cut of the stream: the shortest beginning that a form reads as a modem that there is.
    fn look(&self, bytes: &[u8]) -> Seen {
        let mut more = bytes.is_empty();
        for len in 1..=bytes.len().min(REGISTRATION_BYTES_MAX * 2) {
            let bytes = bytes.get(..len).unwrap_or_default();
            more = false;
            for (place, form) in self.forms.iter().enumerate() {
                match form.read(bytes) {
                    Registration::More => more = true,
                    Registration::Refused { .. } => {}
                    Registration::Named { identity, used } => {
                        if let Some(bus) = self.buses.get(&(place, identity)) {
                            return Seen::Known { bus: bus.clone(), used };
                        }
                    }
                }
            }
        }
        if more { Seen::More } else { Seen::Unknown }
    }
}

/// The beginning as a person writes it: visible characters, else hex.
fn readable(bytes: &[u8]) -> String {
    let head = bytes.get(..bytes.len().min(32)).unwrap_or_default();
    let end = head.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(head.len());
    let rest_blank = head.get(end..).unwrap_or_default().iter().all(u8::is_ascii_whitespace);
    match head.get(..end) {
        Some(text) if end > 0 && (rest_blank || end >= 4) => text.iter().map(|byte| char::from(*byte)).collect(),
        _ => head.iter().fold("hex:".to_owned(), |mut out, byte| {
            write!(out, "{byte:02X}").ok(); // a String takes everything
            out
        }),
    }
}

/// Serves until `cancel`.
pub(super) async fn serve(
    ports: impl Into<Ports>,
    roster: Arc<Roster>,
    edge: Edge,
    config: TcpConfig,
    cancel: CancellationToken,
) {
    tcp::serve(ports, ProtocolKind::Modbus, edge, config, cancel, move |opening| {
        DtuSession::new(opening, Arc::clone(&roster))
    })
    .await;
}

pub(super) struct DtuSession {
    door: Door,
    roster: Arc<Roster>,
    input: BytesMut,
    /// It was shown as unknown.
    knocked: bool,
    line: Option<DtuEnd>,
}

impl std::fmt::Debug for DtuSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtuSession").field("door", &self.door).field("line", &self.line).finish_non_exhaustive()
    }
}

impl DtuSession {
    fn new(opening: Opening, roster: Arc<Roster>) -> Self {
        let door = Door::new(opening, ProtocolKind::Modbus);
        Self { door, roster, input: BytesMut::new(), knocked: false, line: None }
    }

    fn register(&mut self, now: IngestTime, out: &mut Actions) {
        match self.roster.get().look(&self.input) {
            Seen::More => {}
            Seen::Known { bus, used } => {
                let (pipe, end) = dtu_pipe(Arc::clone(&self.door.opening.wake));
                let Opening { connection, peer, cut, .. } = &self.door.opening;
                let caller = Caller { pipe, connection: *connection, peer: peer.clone(), cut: cut.clone() };
                if bus.try_send(caller).is_err() {
                    // The bus is busy with an older connection, or its device just went: the modem dials again.
                    out.close = Some(CloseReason::TakenOver);
                    return;
                }
                ::metrics::counter!(metrics::MODBUS_DTU_REGISTERED_TOTAL).increment(1);
                self.line = Some(end);
                out.established = true;
                out.frames += 1;
                drop(self.input.split_to(used.min(self.input.len())));
                self.pass_on();
            }
            Seen::Unknown => {
                if !std::mem::replace(&mut self.knocked, true) {
                    self.roster.wait(&self.door.opening.wake);
                    self.door.unknown(now, &readable(&self.input), &Bytes::copy_from_slice(&self.input));
                }
            }
        }
    }

    /// What came goes to the bus; when that does not listen, nobody asked.
    fn pass_on(&mut self) {
        let Some(line) = &self.line else { return };
        if self.input.is_empty() {
            return;
        }
        let chunk = self.input.split().freeze();
        let count = chunk.len();
        if line.up.try_send(chunk).is_err() {
            self.door.garbage(count);
        }
    }
}

impl Session for DtuSession {
    fn protocol(&self) -> ProtocolKind {
        ProtocolKind::Modbus
    }

    fn on_bytes(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    fn advance(&mut self, now: IngestTime, _room: usize, out: &mut Actions) {
        if self.line.is_some() {
            out.frames += usize::from(!self.input.is_empty());
            self.pass_on();
            return;
        }
        self.register(now, out);
        if self.line.is_none() && self.input.len() > REGISTRATION_BYTES_MAX {
            let detail = format!("no registration packet within {REGISTRATION_BYTES_MAX} bytes");
            self.door.refused(now, None, RefusalReason::Oversize, detail, &Bytes::copy_from_slice(&self.input));
            out.close = Some(CloseReason::FirstFrame);
        }
    }

    fn on_durable(&mut self, _committed: &Committed, _now: IngestTime, _out: &mut Actions) {}

    /// The bus ends with its devices, and the line with the bus. A new device's bus comes a moment after the directory's word of it, see
    /// [`Session::on_wake`].
    fn on_change(&mut self, _now: IngestTime, _out: &mut Actions) {}

    fn on_wake(&mut self, now: IngestTime, out: &mut Actions) {
        let Some(line) = &mut self.line else {
            if !self.input.is_empty() {
                self.register(now, out);
            }
            return;
        };
        loop {
            match line.down.try_recv() {
                Ok(question) => out.send.extend_from_slice(&question),
                Err(mpsc::error::TryRecvError::Empty) => return,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    out.close = Some(CloseReason::Released);
                    return;
                }
            }
        }
    }

    fn on_close(&mut self, now: IngestTime) {
        // It said something and not enough: an installer wants to see that too.
        if self.line.is_none() && !self.knocked && !self.input.is_empty() {
            self.door.unknown(now, &readable(&self.input), &Bytes::copy_from_slice(&self.input));
        }
        self.line = None;
        self.door.leave_all(now);
    }

    /// A packet that does not end is none: after the time of a frame it is shown as what came, and the modem may dial again.
    fn is_partial(&self) -> bool {
        self.line.is_none() && !self.knocked && !self.input.is_empty()
    }
}
