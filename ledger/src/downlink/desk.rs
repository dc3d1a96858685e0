//! The lines in memory, as the sessions see them. It decides by [`turn`] alone and writes nothing: what changes is marked, and
//! [`super::keep`] puts it on disk.

use super::rows::CommandRow;
use crate::metrics::{COMMANDS_ENDED, COMMANDS_LATE, COMMANDS_TIMES_NOT_TOLD};
use ahash::AHashMap;
use model::downlink::{Command, Downlink, Order, State, Told, Turn, Wake, Wrong, turn};
use model::envelope::ProtocolKind;
use model::id::{CommandId, DeviceId};
use model::time::{Clock, IngestTime};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{Notify, broadcast};

/// A device that asks for the time more often is told once in so long.
const TIME_PAUSE_MS: i64 = 60_000;
/// Devices that asked for the time and wait for the order to be written.
const TIMES_MAX: usize = 1_024;
/// Changes that a slow reader may be behind.
const CHANGES: usize = 1_024;

/// What the codecs say of a command; set by the wiring.
pub type CommandCheck = fn(&Command) -> Result<(), Wrong>;

/// A device came to be reachable over a connection that it was not reachable over before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    pub device: DeviceId,
    pub at: IngestTime,
}

/// See [`Downlink`].
#[derive(Debug)]
pub struct Desk {
    board: Mutex<Board>,
    clock: Arc<dyn Clock>,
    poked: Notify,
    changes: broadcast::Sender<Arc<CommandRow>>,
    arrivals: broadcast::Sender<Arrival>,
    check: OnceLock<CommandCheck>,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) lines: AHashMap<DeviceId, Line>,
    of: AHashMap<CommandId, DeviceId>,
    /// Rows that differ from the disk.
    pub(super) dirty: BTreeSet<CommandId>,
    /// Passwords that devices were told and may have taken.
    pub(super) passwords: AHashMap<DeviceId, (CommandRow, String)>,
    /// Passwords that devices have taken, to be made their credentials.
    pub(super) adopt: Vec<(CommandRow, String)>,
    /// The same until they are: a device that uses one meanwhile is right.
    pub(super) taking: AHashMap<DeviceId, String>,
    /// Devices that asked for the time.
    pub(super) times: Vec<DeviceId>,
}

#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) entries: VecDeque<Entry>,
    pub(super) link: Option<Link>,
    time_told: Option<IngestTime>,
}

pub(super) struct Link {
    pub(super) connection: u64,
    pub(super) wake: Wake,
    /// It took nothing the last time; it is tried again when it attaches again.
    pub(super) deaf: bool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("connection", &self.connection).field("deaf", &self.deaf).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) row: CommandRow,
    secret: Option<String>,
    /// The connection it was given to.
    owner: Option<u64>,
    /// Given, and not taken yet.
    ready: bool,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("row", &self.row).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Entry {
    /// It stands in an MQTT session's queue, which outlives connections: its answer may come over any.
    fn is_nobodys(&self) -> bool {
        self.row.command.protocol() == ProtocolKind::Mqtt && !self.ready
    }
}

impl Desk {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            board: Mutex::default(),
            clock,
            poked: Notify::new(),
            changes: broadcast::channel(CHANGES).0,
            arrivals: broadcast::channel(CHANGES).0,
            check: OnceLock::new(),
        }
    }

    /// What is asked before a command is taken into a line. Set once; later calls change nothing.
    pub fn set_check(&self, check: CommandCheck) {
        // Only the first holds, and all would be the same.
        self.check.set(check).ok();
    }

    pub(super) fn check_of(&self) -> Option<CommandCheck> {
        self.check.get().copied()
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Arc<CommandRow>> {
        self.changes.subscribe()
    }

    pub(super) fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.arrivals.subscribe()
    }

    pub(super) fn poke(&self) {
        self.poked.notify_one();
    }

    pub(super) async fn poked(&self) {
        self.poked.notified().await;
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, row: CommandRow) {
        if !row.state.is_open() {
            metrics::counter!(COMMANDS_ENDED, "state" => row.state.code()).increment(1);
        }
        // Nobody may be looking.
        self.changes.send(Arc::new(row)).ok();
    }

    /// A person ended it, on disk already.
    pub(super) fn dropped(&self, row: &CommandRow) {
        let wake = self.board().remove(row.id);
        if let Some(wake) = wake {
            wake();
        }
        self.publish(row.clone());
        self.poke();
    }
}

impl Board {
    /// A row from the disk; what was out when we went is interrupted, unless a session's queue may still have it.
    pub(super) fn put(&mut self, row: CommandRow, secret: Option<String>, now: IngestTime) {
        if self.of.contains_key(&row.id) {
            return;
        }
        let (id, device) = (row.id, row.device);
        let was_out = row.state.is_out() && row.command.protocol() != ProtocolKind::Mqtt;
        self.of.insert(id, device);
        let line = self.lines.entry(device).or_default();
        line.entries.push_back(Entry { row, secret, owner: None, ready: false });
        if was_out {
            self.apply(id, &Told::Interrupted { why: "restart" }, now);
        }
    }

    pub(super) fn entry(&mut self, id: CommandId) -> Option<&mut Entry> {
        let line = self.lines.get_mut(self.of.get(&id)?)?;
        line.entries.iter_mut().find(|entry| entry.row.id == id)
    }

    /// Takes it off the board; returns whom to wake when a session had it.
    pub(super) fn remove(&mut self, id: CommandId) -> Option<Wake> {
        let line = self.lines.get_mut(&self.of.remove(&id)?)?;
        let at = line.entries.iter().position(|entry| entry.row.id == id)?;
        let owner = line.entries.remove(at)?.owner;
        self.dirty.remove(&id);
        let link = line.link.as_ref().filter(|link| Some(link.connection) == owner)?;
        Some(Arc::clone(&link.wake))
    }

    /// Something happened to a command. True when its state or story changed.
    pub(super) fn apply(&mut self, id: CommandId, told: &Told, now: IngestTime) -> bool {
        let Some(entry) = self.entry(id) else { return false };
        let turned = turn(entry.row.state, &entry.row.command, entry.row.interruptions, told);
        let (state, why, text) = match turned {
            Turn::Stay => return false,
            Turn::Note { why, text } => (entry.row.state, why, text),
            Turn::To { state, why, text } => (state, why, text),
        };
        if let Told::Sent { number } = told {
            entry.row.number = Some(number.clone());
        }
        if let Told::Done { result, .. } = told {
            entry.row.result.clone_from(result);
        }
        if matches!(told, Told::Interrupted { .. }) {
            entry.row.interruptions += 1;
        }
        entry.row.step(now, state, why, text);
        if state == State::Queued {
            (entry.owner, entry.ready) = (None, false);
        }
        let password = entry.secret.clone().map(|secret| (entry.row.clone(), secret));
        self.dirty.insert(id);
        if let Some((row, password)) = password {
            self.password_turned(row, password, told);
        }
        true
    }

    fn password_turned(&mut self, row: CommandRow, password: String, told: &Told) {
        match told {
            Told::Sent { .. } => {
                self.passwords.insert(row.device, (row, password));
            }
            Told::Done { .. } => {
                self.passwords.remove(&row.device);
                self.taking.insert(row.device, password.clone());
                self.adopt.push((row, password));
            }
            Told::Failed { why, .. } if matches!(*why, "refused" | "not_done") => {
                self.passwords.remove(&row.device);
            }
            _ => {}
        }
    }

    /// What is over its time at `now`; returns whom to wake.
    pub(super) fn overdue(&mut self, now: IngestTime) -> Vec<Wake> {
        let late: Vec<CommandId> = self
            .lines
            .values()
            .flat_map(|line| &line.entries)
            .filter(|entry| entry.row.state.is_open() && entry.row.deadline <= now)
            .map(|entry| entry.row.id)
            .collect();
        let mut wakes = Vec::new();
        for id in late {
            self.apply(id, &Told::Overdue, now);
            wakes.extend(self.owner_of(id));
        }
        wakes
    }

    fn owner_of(&self, id: CommandId) -> Option<Wake> {
        let line = self.lines.get(self.of.get(&id)?)?;
        let entry = line.entries.iter().find(|entry| entry.row.id == id)?;
        let link = line.link.as_ref().filter(|link| Some(link.connection) == entry.owner)?;
        Some(Arc::clone(&link.wake))
    }

    /// The next command of each line that can be sent, as it would be on disk.
    pub(super) fn due(&self, now: IngestTime, max: usize) -> Vec<(CommandRow, u64)> {
        let due = |line: &Line| {
            let link = line.link.as_ref().filter(|link| !link.deaf)?;
            if line.entries.iter().any(|entry| entry.row.state.is_out()) {
                return None;
            }
            let entry = line.entries.iter().find(|entry| entry.row.state == State::Queued)?;
            let mut row = entry.row.clone();
            row.step(now, State::Sent, "", String::new());
            Some((row, link.connection))
        };
        self.lines.values().filter(|line| !line.entries.is_empty()).filter_map(due).take(max).collect()
    }

    /// It is `sent` on disk: gives it to its connection. `None`: it is there no more, and the disk must be told.
    pub(super) fn give(&mut self, row: CommandRow, connection: u64) -> Option<Wake> {
        let id = row.id;
        let line = self.lines.get_mut(&row.device)?;
        let entry = line.entries.iter_mut().find(|entry| entry.row.id == id)?;
        let link = line.link.as_ref().filter(|link| link.connection == connection && !link.deaf);
        let Some(link) = link.filter(|_| entry.row.state == State::Queued) else {
            self.dirty.insert(id);
            return None;
        };
        entry.row = row;
        (entry.owner, entry.ready) = (Some(connection), true);
        Some(Arc::clone(&link.wake))
    }

    /// Ended rows whose end is on disk.
    pub(super) fn forget_ended(&mut self, ids: impl Iterator<Item = CommandId>) {
        for id in ids {
            let ended = self.entry(id).is_some_and(|entry| !entry.row.state.is_open());
            if ended && !self.dirty.contains(&id) {
                self.remove(id);
            }
        }
    }

    pub(super) fn changed(&mut self) -> Vec<CommandRow> {
        let ids = std::mem::take(&mut self.dirty);
        ids.into_iter().filter_map(|id| self.entry(id).map(|entry| entry.row.clone())).collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.of.is_empty()
    }

    /// What a connection has when it goes.
    fn leave(&mut self, device: DeviceId, connection: u64, now: IngestTime) {
        let Some(line) = self.lines.get(&device) else { return };
        let had = line.entries.iter().find(|entry| entry.owner == Some(connection) && entry.row.state.is_out());
        let Some((id, ready)) = had.map(|entry| (entry.row.id, entry.ready)) else { return };
        // What it never took has not left.
        let why = "connection_lost";
        if !ready && self.entry(id).is_some_and(|entry| entry.is_nobodys()) {
            return;
        }
        let told = if ready { Told::NotTaken { why } } else { Told::Interrupted { why } };
        self.apply(id, &told, now);
    }
}

impl Downlink for Desk {
    fn attach(&self, device: DeviceId, connection: u64, wake: Wake) {
        let now = self.clock.now();
        let mut board = self.board();
        let line = board.lines.entry(device).or_default();
        let old = line.link.replace(Link { connection, wake, deaf: false });
        let is_new = old.as_ref().is_none_or(|old| old.connection != connection);
        if let Some(old) = old.filter(|_| is_new) {
            board.leave(device, old.connection, now);
        }
        drop(board);
        if is_new {
            // Nobody may be interested.
            self.arrivals.send(Arrival { device, at: now }).ok();
        }
        self.poke();
    }

    fn detach(&self, device: DeviceId, connection: u64) {
        let now = self.clock.now();
        let mut board = self.board();
        board.leave(device, connection, now);
        if let Some(line) = board.lines.get_mut(&device)
            && line.link.as_ref().is_some_and(|link| link.connection == connection)
        {
            line.link = None;
            if line.entries.is_empty() && line.time_told.is_none_or(|at| now.since_ms(at) >= TIME_PAUSE_MS) {
                board.lines.remove(&device);
            }
        }
        drop(board);
        self.poke();
    }

    fn take(&self, device: DeviceId, connection: u64) -> Option<Order> {
        let mut board = self.board();
        let line = board.lines.get_mut(&device)?;
        let entry = line.entries.iter_mut().find(|entry| entry.ready && entry.owner == Some(connection))?;
        if entry.row.state != State::Sent {
            return None;
        }
        entry.ready = false;
        let command = entry.row.command.clone();
        Some(Order {
            id: entry.row.id,
            device,
            command: match &entry.secret {
                Some(secret) => command.with_secret(secret.clone()),
                None => command,
            },
            number: entry.row.number.clone(),
            deadline: entry.row.deadline,
        })
    }

    fn told(&self, device: DeviceId, id: CommandId, connection: u64, told: Told) {
        let now = self.clock.now();
        let mut board = self.board();
        let is_its =
            |entry: &Entry| entry.row.device == device && (entry.owner == Some(connection) || entry.is_nobodys());
        if !board.entry(id).is_some_and(|entry| is_its(entry)) {
            metrics::counter!(COMMANDS_LATE).increment(1);
            return;
        }
        let changed = board.apply(id, &told, now);
        if matches!(told, Told::NotTaken { .. })
            && let Some(link) = board.lines.get_mut(&device).and_then(|line| line.link.as_mut())
            && link.connection == connection
        {
            link.deaf = true;
        }
        drop(board);
        if changed {
            self.poke();
        }
    }

    fn stands(&self, id: CommandId, connection: u64) -> bool {
        let mut board = self.board();
        board.entry(id).is_some_and(|entry| entry.owner == Some(connection) && entry.row.state.is_out())
    }

    fn password_taken(&self, device: DeviceId, password: &str) -> bool {
        let now = self.clock.now();
        let mut board = self.board();
        let is_it = |known: &String| crate::directory::same(known.as_bytes(), password.as_bytes());
        if board.taking.get(&device).is_some_and(is_it) {
            return true;
        }
        let Some((row, known)) = board.passwords.get(&device) else { return false };
        if !is_it(known) {
            return false;
        }
        let id = row.id;
        if !board.apply(id, &Told::Done { text: "password_used".into(), result: None }, now)
            && let Some((mut row, password)) = board.passwords.remove(&device)
        {
            // Its command had ended in doubt, which is over.
            row.step(now, State::Done, "password_used", String::new());
            board.taking.insert(device, password.clone());
            board.adopt.push((row, password));
        }
        drop(board);
        self.poke();
        true
    }

    fn time_wanted(&self, device: DeviceId) {
        let now = self.clock.now();
        let mut board = self.board();
        let full = board.times.len() >= TIMES_MAX;
        let line = board.lines.entry(device).or_default();
        let is_set = |entry: &Entry| matches!(entry.row.command, Command::Hj212SetTime { pol: None });
        let told = line.time_told.is_some_and(|at| now.since_ms(at) < TIME_PAUSE_MS && now >= at);
        if full || told || line.entries.iter().any(is_set) {
            metrics::counter!(COMMANDS_TIMES_NOT_TOLD).increment(1);
            return;
        }
        line.time_told = Some(now);
        board.times.push(device);
        drop(board);
        self.poke();
    }
}
