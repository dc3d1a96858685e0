//! The lab's sockets. Connections hand what they read to one loop, which owns the desks and the screen; so nothing is shared.
//! Bounded: connections, bytes of a read, what waits to be handled, what waits to be sent, idle time.

use super::book::{Book, Protocol};
use super::desk::{Action, Desk};
use super::hj212::Hj212Desk;
use super::jt808::Jt808Desk;
use super::modbus::{Master, Target, Turn};
use super::mqtt::MqttDesk;
use super::record::Recorder;
use super::report::Report;
use super::screen::Screen;
use super::trial::Pace;
use anyhow::{Context, Result};
use model::time::Clock;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Open connections of all protocols.
pub const CONNECTIONS_MAX: usize = 256;
const READ_BYTES: usize = 4096;
/// Reads that wait to be handled; then connections wait.
const EVENTS_MAX: usize = 1024;
/// Answers that wait to be written; a device that reads none of them is cut.
const OUTBOX_MAX: usize = 64;
const IDLE: Duration = Duration::from_mins(15);
const TICK: Duration = Duration::from_millis(100);

/// What the lab listens for and polls.
#[derive(Debug, Clone)]
pub struct Options {
    /// Protocol and address; port 0: any free one.
    pub listen: Vec<(Protocol, SocketAddr)>,
    pub modbus: Vec<Target>,
    /// Between two polls, and for an answer.
    pub poll: Duration,
    pub poll_timeout: Duration,
    /// `None`: only watch.
    pub pace: Option<Pace>,
    /// Stop when every device's tests are over and there is one.
    pub until_done: bool,
}

/// A lab whose ports are open.
#[derive(Debug)]
pub struct Lab {
    options: Options,
    listeners: Vec<(Protocol, TcpListener)>,
}

enum Event {
    Opened(u64, Protocol, mpsc::Sender<Vec<u8>>, CancellationToken),
    Bytes(u64, Vec<u8>),
    Closed(u64),
    /// Of a poller.
    Actions(Vec<Action>),
    /// A poller's tests are over.
    PollerDone,
}

/// A link as the loop knows it.
struct Open {
    desk: usize,
    outbox: mpsc::Sender<Vec<u8>>,
    cut: CancellationToken,
}

impl Lab {
    /// Opens the ports.
    ///
    /// # Errors
    /// A port that is taken, named.
    pub async fn open(options: Options) -> Result<Self> {
        let mut listeners = Vec::new();
        for (protocol, address) in &options.listen {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("listen for {} at {address}", protocol.name()))?;
            listeners.push((*protocol, listener));
        }
        Ok(Self { options, listeners })
    }

    /// Where a protocol is listened for.
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        let (_, listener) = self.listeners.iter().find(|(of, _)| *of == protocol)?;
        listener.local_addr().ok()
    }

    pub fn addresses(&self) -> Vec<(Protocol, SocketAddr)> {
        self.listeners
            .iter()
            .filter_map(|(protocol, listener)| Some((*protocol, listener.local_addr().ok()?)))
            .collect()
    }

    /// Runs until `stop`, writing what happens to `out` and every frame to `recorder`.
    ///
    /// # Errors
    /// When the terminal or the log cannot be written.
    pub async fn run(
        self,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
        screen: &mut Screen,
        out: &mut (dyn Write + Send),
        mut recorder: Option<Recorder>,
    ) -> Result<Report> {
        let started = clock.now();
        let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
        let stop_all = stop.child_token();
        let mut tasks = JoinSet::new();
        for (protocol, listener) in self.listeners {
            tasks.spawn(accept(protocol, listener, events.clone(), stop_all.clone()));
        }
        let mut pollers = JoinSet::new();
        for target in self.options.modbus.clone() {
            let master = Master::new(target, self.options.pace);
            pollers.spawn(poll(master, self.options.clone(), Arc::clone(&clock), events.clone(), stop_all.clone()));
        }
        let mut polling = pollers.len();
        let mut floor = Floor::new(self.options.pace);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut actions = Vec::new();
            let mut link = None;
            // Cancel-safe: a channel, a token, an interval.
            tokio::select! {
                () = stop.cancelled() => break,
                event = inbox.recv() => match event {
                    None => break,
                    Some(Event::Actions(of)) => actions = of,
                    Some(Event::PollerDone) => polling = polling.saturating_sub(1),
                    Some(event) => link = floor.on_event(event, clock.now().as_ms(), &mut actions),
                },
                _ = ticks.tick() => {
                    floor.tick(clock.now().as_ms(), &mut actions);
                    if self.options.until_done && polling == 0 && floor.is_done(self.options.modbus.is_empty()) {
                        break;
                    }
                }
            }
            floor.carry_out(link, actions, screen, out, recorder.as_mut())?;
        }
        stop_all.cancel();
        while tasks.join_next().await.is_some() {}
        let mut masters = Vec::new();
        while let Some(master) = pollers.join_next().await {
            masters.extend(master);
        }
        let ended = clock.now();
        for desk in &mut floor.desks {
            desk.finish(ended.as_ms());
        }
        let mut books: Vec<&Book> = floor.desks.iter().flat_map(|desk| desk.books()).collect();
        books.extend(masters.iter().map(|master| &master.book));
        if recorder.is_some_and(|recorder| recorder.is_full()) {
            writeln!(
                out,
                "{}",
                screen.word("记录文件已满，之后的帧未写入", "the log was full; later frames were not written")
            )
            .context("write")?;
        }
        Ok(Report::of(&books, started, ended))
    }
}

/// The desks and who stands at them.
struct Floor {
    desks: Vec<Box<dyn Desk>>,
    links: BTreeMap<u64, Open>,
    /// The link whose turn it was in a tick, for its actions.
    ticked: Vec<(u64, usize)>,
}

impl Floor {
    fn new(pace: Option<Pace>) -> Self {
        let desks: Vec<Box<dyn Desk>> = vec![
            Box::new(Hj212Desk::new(pace, true)),
            Box::new(Jt808Desk::new(pace, true)),
            Box::new(MqttDesk::new(pace, true)),
        ];
        Self { desks, links: BTreeMap::new(), ticked: Vec::new() }
    }

    fn on_event(&mut self, event: Event, now: i64, actions: &mut Vec<Action>) -> Option<u64> {
        match event {
            Event::Opened(link, protocol, outbox, cut) => {
                let desk = match protocol {
                    Protocol::Hj212 => 0,
                    Protocol::Jt808 => 1,
                    _ => 2,
                };
                self.links.insert(link, Open { desk, outbox, cut });
                self.desk(link)?.opened(link, now, actions);
                Some(link)
            }
            Event::Bytes(link, bytes) => {
                self.desk(link)?.heard(link, &bytes, now, actions);
                Some(link)
            }
            Event::Closed(link) => {
                self.desk(link)?.closed(link, now);
                self.links.remove(&link);
                None
            }
            Event::Actions(_) | Event::PollerDone => None,
        }
    }

    fn desk(&mut self, link: u64) -> Option<&mut Box<dyn Desk>> {
        let desk = self.links.get(&link)?.desk;
        self.desks.get_mut(desk)
    }

    /// Ticks every link; actions are noted with the link they are of.
    fn tick(&mut self, now: i64, actions: &mut Vec<Action>) {
        self.ticked.clear();
        let links: Vec<u64> = self.links.keys().copied().collect();
        for link in links {
            if let Some(desk) = self.desk(link) {
                desk.tick(link, now, actions);
            }
            self.ticked.push((link, actions.len()));
        }
    }

    fn is_done(&self, needs_device: bool) -> bool {
        let with_books = || self.desks.iter().filter(|desk| !desk.books().is_empty());
        (with_books().next().is_some() || !needs_device) && with_books().all(|desk| desk.is_done())
    }

    fn carry_out(
        &mut self,
        link: Option<u64>,
        actions: Vec<Action>,
        screen: &mut Screen,
        out: &mut (dyn Write + Send),
        mut recorder: Option<&mut Recorder>,
    ) -> Result<()> {
        let ticked = std::mem::take(&mut self.ticked);
        for (index, action) in actions.into_iter().enumerate() {
            let of = link.or_else(|| ticked.iter().find(|(_, end)| index < *end).map(|(link, _)| *link));
            match action {
                Action::Show(shown) => {
                    out.write_all(screen.frame(&shown).as_bytes()).context("write to the terminal")?;
                    if let Some(recorder) = &mut recorder {
                        recorder.write(&shown)?;
                    }
                }
                Action::Say(words) => {
                    out.write_all(screen.say(&words).as_bytes()).context("write to the terminal")?;
                }
                Action::Send(bytes) => {
                    if let Some(open) = of.and_then(|link| self.links.get(&link))
                        && open.outbox.try_send(bytes).is_err()
                    {
                        open.cut.cancel();
                    }
                }
                Action::Close => {
                    if let Some(open) = of.and_then(|link| self.links.get(&link)) {
                        open.cut.cancel();
                    }
                }
            }
        }
        out.flush().context("write to the terminal")
    }
}

async fn accept(protocol: Protocol, listener: TcpListener, events: mpsc::Sender<Event>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    // Numbers of different protocols do not meet.
    let mut number = match protocol {
        Protocol::Hj212 => 1,
        Protocol::Jt808 => 1_000_001,
        Protocol::Mqtt => 2_000_001,
        Protocol::Modbus => 3_000_001,
    };
    loop {
        // Cancel-safe: accept and join_next lose nothing.
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(number, protocol, stream, events.clone(), stop.child_token()));
                    number += 1;
                }
                Err(error) => {
                    tracing::debug!(%error, "accept failed");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(
    link: u64,
    protocol: Protocol,
    stream: TcpStream,
    events: mpsc::Sender<Event>,
    cut: CancellationToken,
) {
    stream.set_nodelay(true).ok(); // only makes it slower
    let (mut reader, mut writer) = stream.into_split();
    let (outbox, mut to_send) = mpsc::channel::<Vec<u8>>(OUTBOX_MAX);
    if events.send(Event::Opened(link, protocol, outbox, cut.clone())).await.is_err() {
        return;
    }
    let mut buffer = vec![0; READ_BYTES];
    let mut heard = Instant::now();
    loop {
        // Cancel-safe: `read` takes nothing unless it is the branch that ends.
        tokio::select! {
            biased;
            () = cut.cancelled() => break,
            bytes = to_send.recv() => {
                let Some(bytes) = bytes else { break };
                if !matches!(timeout(Duration::from_secs(10), writer.write_all(&bytes)).await, Ok(Ok(()))) {
                    break;
                }
            }
            read = reader.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(len) => {
                    heard = Instant::now();
                    let bytes = buffer.get(..len).unwrap_or_default().to_vec();
                    if events.send(Event::Bytes(link, bytes)).await.is_err() {
                        break;
                    }
                }
            },
            () = tokio::time::sleep_until(heard + IDLE) => break,
        }
    }
    events.send(Event::Closed(link)).await.ok(); // at the end of the run nobody listens any more
}

/// Polls one slave until the end, its tests first.
async fn poll(
    mut master: Master,
    options: Options,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) -> Master {
    let back = Duration::from_millis(u64::try_from(options.pace.unwrap_or_default().back_ms).unwrap_or(0));
    let mut told = false;
    'connections: loop {
        let connected = tokio::select! {
            () = stop.cancelled() => return master,
            connected = dial(&master.target.address, back) => connected,
        };
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(error) => {
                master.unreachable(&format!("{error:#}"));
                events.send(Event::PollerDone).await.ok(); // the run may be over
                stop.cancelled().await;
                return master;
            }
        };
        master.connected();
        loop {
            let mut actions = Vec::new();
            match master.turn(clock.now().as_ms(), &mut actions) {
                Turn::Cut => {
                    events.send(Event::Actions(actions)).await.ok(); // the run may be over
                    drop(stream);
                    sleep(Duration::from_millis(300)).await;
                    continue 'connections;
                }
                Turn::Ask(bytes) => {
                    let answer = tokio::select! {
                        () = stop.cancelled() => return master,
                        answer = ask(&mut stream, &bytes, &master, options.poll_timeout) => answer,
                    };
                    let lost = answer.is_err();
                    master.answered(&answer.unwrap_or_default(), clock.now().as_ms(), &mut actions);
                    events.send(Event::Actions(actions)).await.ok(); // the run may be over
                    if lost {
                        sleep(options.poll).await;
                        continue 'connections;
                    }
                }
            }
            if master.is_done() && !std::mem::replace(&mut told, true) {
                events.send(Event::PollerDone).await.ok(); // the run may be over
            }
            tokio::select! {
                () = stop.cancelled() => return master,
                () = sleep(options.poll) => {}
            }
        }
    }
}

/// Tries again until the time is over.
async fn dial(address: &str, back: Duration) -> Result<TcpStream> {
    let until = Instant::now() + back;
    loop {
        let tried = timeout(Duration::from_secs(5), TcpStream::connect(address)).await;
        match tried {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).ok(); // only makes it slower
                return Ok(stream);
            }
            Ok(Err(error)) if Instant::now() >= until => return Err(error).context("connect"),
            Err(error) if Instant::now() >= until => return Err(error).context("connect"),
            _ => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// The answer; empty: none came in time. An error: the connection is lost.
async fn ask(stream: &mut TcpStream, bytes: &[u8], master: &Master, limit: Duration) -> std::io::Result<Vec<u8>> {
    // What came unasked is no answer.
    let mut stale = [0; 512];
    while matches!(stream.try_read(&mut stale), Ok(1..)) {}
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 512];
        loop {
            let len = stream.read(&mut buffer).await?;
            if len == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(buffer.get(..len).unwrap_or_default());
            let whole = master.answer_len(&answer).is_some_and(|whole| answer.len() >= whole);
            if whole || answer.len() > 600 {
                return Ok(());
            }
        }
    };
    match timeout(limit, reading).await {
        Ok(Err(error)) => Err(error),
        // In time, or too late: what is there is judged as it is.
        Ok(Ok(())) | Err(_) => Ok(answer),
    }
}
