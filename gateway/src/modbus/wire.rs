//! One question, one answer, over either kind of wire.
//!
//! Modbus TCP numbers its transactions: tokio-modbus asks, compares the number and the function, and a connection on which an answer did
//! not come is given up, so that a late one has nowhere to arrive.
//!
//! RTU frames carry no number. A client that takes the first whole frame (tokio-modbus' RTU client clears what it has read before, not
//! what is still on its way) takes a late answer for the next one of the same shape. A new connection does not help either: the late bytes
//! come from the serial side of a converter or modem, which hands them to whoever is connected then. So RTU runs on
//! [`protocol::modbus::rtu::Line`], which outlives connections here and remembers what may still come.

use super::pipe::Pipe;
use bytes::Bytes;
use protocol::modbus::rtu::{Ask, Line, Outcome, Read, Timing};
use protocol::modbus::{Answer, Block, Function, dtu};
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{Request, Response, Slave};

/// Why there is no answer. An error is never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody is there, or the port cannot be opened.
    Connect(String),
    Timeout,
    /// Bytes came, but no whole answer: noise, a wrong check, another unit's.
    Damaged(Bytes),
    /// The connection broke.
    Transport,
    /// An answer of another kind or count than asked.
    Mismatch,
    /// An answer came that may have been a late one.
    Doubtful,
    /// The line is never quiet, so no question can be put.
    Noisy,
    /// A gateway's word that it does not reach the slave: exceptions 10 and 11.
    Unreachable(u8),
    /// Every block was refused; the first exception.
    Refused(u8),
}

impl Failure {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::Damaged(_) => "damaged",
            Self::Transport => "transport",
            Self::Mismatch => "mismatch",
            Self::Doubtful => "doubtful",
            Self::Noisy => "noisy",
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => write!(f, "not reached: {why}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Damaged(_) => f.write_str("bytes came, but no whole answer with a right check from this unit"),
            Self::Transport => f.write_str("the connection broke"),
            Self::Mismatch => f.write_str("an answer of another kind or length than asked"),
            Self::Doubtful => f.write_str("an answer that may have been a late one; not taken"),
            Self::Noisy => f.write_str("the line is never quiet"),
            Self::Unreachable(code) | Self::Refused(code) => {
                write!(f, "exception {code}, {}", exception_name(*code))
            }
        }
    }
}

/// The standard's name of an exception.
pub const fn exception_name(code: u8) -> &'static str {
    match code {
        1 => "illegal function",
        2 => "illegal data address",
        3 => "illegal data value",
        4 => "server device failure",
        5 => "acknowledge: still at work",
        6 => "server device busy",
        8 => "memory parity error",
        10 => "gateway path unavailable",
        11 => "gateway target device failed to respond",
        _ => "unknown exception",
    }
}

/// Exceptions of a gateway that cannot reach the unit.
const UNREACHABLE: [u8; 2] = [0x0A, 0x0B];
/// Exceptions of a slave that asks for patience.
pub(super) const BUSY: [u8; 2] = [0x05, 0x06];

/// A bus with a connection, or without one.
pub(super) enum Wire {
    /// In a box: it is much larger than nothing.
    Tcp(Option<Box<Context>>),
    Rtu(Box<Rtu>),
}

impl Wire {
    pub(super) const fn is_connected(&self) -> bool {
        match self {
            Self::Tcp(context) => context.is_some(),
            Self::Rtu(rtu) => rtu.pipe.is_some(),
        }
    }

    pub(super) fn disconnect(&mut self) {
        match self {
            Self::Tcp(context) => *context = None,
            Self::Rtu(rtu) => rtu.pipe = None,
        }
    }

    pub(super) fn connected_tcp(&mut self, stream: TcpStream) {
        *self = Self::Tcp(Some(Box::new(tcp::attach(stream))));
    }

    /// Puts one question. The answer may be an exception of the slave's own.
    pub(super) async fn ask(&mut self, read: Read, limit: Duration) -> Result<Answer, Failure> {
        let answer = match self {
            Self::Tcp(Some(context)) => ask_tcp(context, read, limit).await,
            Self::Rtu(rtu) => rtu.ask(read, limit).await,
            Self::Tcp(None) => Err(Failure::Transport),
        }?;
        match answer {
            Answer::Exception(code) if UNREACHABLE.contains(&code) => Err(Failure::Unreachable(code)),
            answer => Ok(answer),
        }
    }

    /// Whether the connection must be made anew after this.
    pub(super) fn spoils(&self, failure: &Failure) -> bool {
        match (self, failure) {
            (_, Failure::Transport | Failure::Noisy) | (Self::Tcp(_), Failure::Timeout | Failure::Mismatch) => true,
            // A modem would have to dial in again; the line remembers what may still come, so asking again is as safe.
            (Self::Rtu(rtu), Failure::Doubtful) => !matches!(rtu.pipe, Some(Pipe::Dtu(_))),
            (Self::Rtu(rtu), Failure::Timeout) => rtu.silent >= SILENT_MAX,
            _ => false,
        }
    }
}

/// After so many questions to which not one byte came back, the connection may be dead and nobody told us.
const SILENT_MAX: u8 = 3;

async fn ask_tcp(context: &mut Context, read: Read, limit: Duration) -> Result<Answer, Failure> {
    context.set_slave(Slave(read.unit));
    match timeout(limit, context.call(request(read.block))).await {
        Err(_) => Err(Failure::Timeout),
        Ok(Err(tokio_modbus::Error::Transport(_))) => Err(Failure::Transport),
        Ok(Err(tokio_modbus::Error::Protocol(_))) => Err(Failure::Mismatch),
        Ok(Ok(Err(exception))) => Ok(Answer::Exception(u8::from(exception).max(1))),
        Ok(Ok(Ok(response))) => values(response, read.block).ok_or(Failure::Mismatch),
    }
}

const fn request(block: Block) -> Request<'static> {
    let Block { function, address, count } = block;
    match function {
        Function::Coils => Request::ReadCoils(address, count),
        Function::DiscreteInputs => Request::ReadDiscreteInputs(address, count),
        Function::HoldingRegisters => Request::ReadHoldingRegisters(address, count),
        Function::InputRegisters => Request::ReadInputRegisters(address, count),
    }
}

/// The reply's values, if they are of the asked kind and count. Bits come in whole bytes.
fn values(response: Response, block: Block) -> Option<Answer> {
    let count = usize::from(block.count);
    match (block.function, response) {
        (Function::Coils, Response::ReadCoils(mut bits))
        | (Function::DiscreteInputs, Response::ReadDiscreteInputs(mut bits)) => {
            if bits.len() != count && bits.len() != count.next_multiple_of(8) {
                return None;
            }
            bits.truncate(count);
            Some(Answer::Bits(bits))
        }
        (Function::HoldingRegisters, Response::ReadHoldingRegisters(words))
        | (Function::InputRegisters, Response::ReadInputRegisters(words)) => {
            (words.len() == count).then_some(Answer::Registers(words))
        }
        _ => None,
    }
}

/// A line of RTU frames. What it knows of late answers outlives a connection.
pub(super) struct Rtu {
    pipe: Option<Pipe>,
    line: Line,
    epoch: Instant,
    heartbeat: Vec<u8>,
    /// Questions in a row to which not one byte came back.
    silent: u8,
}

/// How long after a timeout the line must be silent before the next question.
const QUIET: Duration = Duration::from_millis(100);
/// Bytes of a damaged answer that are shown.
const SAMPLE_BYTES_MAX: usize = 256;
/// A heartbeat shorter than this may be a piece of an answer, when one has begun.
const HEARTBEAT_BYTES_SURE: usize = 4;

impl Rtu {
    pub(super) fn new(heartbeat: Vec<u8>) -> Self {
        let line = Line::new(Timing::default());
        Self { pipe: None, line, epoch: Instant::now(), heartbeat, silent: 0 }
    }

    pub(super) fn connected(&mut self, pipe: Pipe) {
        self.pipe = Some(pipe);
        self.silent = 0;
    }

    pub(super) fn set_heartbeat(&mut self, heartbeat: Vec<u8>) {
        self.heartbeat = heartbeat;
    }

    fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn at(&self, ms: i64) -> Instant {
        self.epoch + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    async fn ask(&mut self, read: Read, limit: Duration) -> Result<Answer, Failure> {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        // What comes after a timeout is held back for as long as an answer may take: over a radio link the late answer and the right one
        // can be that far apart.
        self.line.set_timing(Timing { answer_ms: ms(limit), quiet_ms: ms(QUIET), confirm_ms: ms(limit) });
        let request = self.put(read, limit).await?;
        let pipe = self.pipe.as_mut().ok_or(Failure::Transport)?;
        if !matches!(timeout(limit, pipe.write(&request)).await, Ok(Ok(()))) {
            self.line.reset_request();
            return Err(Failure::Transport);
        }
        self.listen().await
    }

    /// Waits until the line is free for a question; what comes meanwhile was not asked for.
    async fn put(&mut self, read: Read, limit: Duration) -> Result<[u8; 8], Failure> {
        let patience = Instant::now() + limit + QUIET * 4;
        loop {
            // What the transport holds already is no answer to what is asked next.
            loop {
                let pipe = self.pipe.as_mut().ok_or(Failure::Transport)?;
                match pipe.waiting() {
                    None => break,
                    Some(Err(_)) => return Err(Failure::Transport),
                    Some(Ok(chunk)) => drop(self.take(&chunk)),
                }
                if Instant::now() >= patience {
                    return Err(Failure::Noisy);
                }
            }
            match self.line.ask(read, self.now()) {
                Ask::Send(bytes) => return Ok(bytes),
                Ask::Busy => return Err(Failure::Doubtful),
                Ask::NotBefore(ms) => {
                    let until = self.at(ms);
                    if until > patience {
                        return Err(Failure::Noisy);
                    }
                    let pipe = self.pipe.as_mut().ok_or(Failure::Transport)?;
                    // Cancel-safe: a timer and one read.
                    let chunk = tokio::select! {
                        biased;
                        () = sleep_until(until) => continue,
                        chunk = pipe.read() => chunk,
                    };
                    drop(self.take(&chunk.map_err(|_| Failure::Transport)?));
                }
            }
        }
    }

    async fn listen(&mut self) -> Result<Answer, Failure> {
        let mut sample = Vec::new();
        loop {
            let Some(deadline) = self.line.deadline_ms() else { return Err(Failure::Doubtful) };
            let deadline = self.at(deadline);
            let pipe = self.pipe.as_mut().ok_or(Failure::Transport)?;
            // The clock first: a peer that never stops sending must not hold it up.
            let outcome = tokio::select! {
                biased;
                () = sleep_until(deadline) => self.line.on_time(self.now()),
                chunk = pipe.read() => {
                    let Ok(chunk) = chunk else {
                        self.line.reset_request();
                        return Err(Failure::Transport);
                    };
                    let room = SAMPLE_BYTES_MAX.saturating_sub(sample.len()).min(chunk.len());
                    sample.extend_from_slice(chunk.get(..room).unwrap_or_default());
                    self.silent = 0;
                    self.take(&chunk)
                }
            };
            match outcome {
                None => {}
                Some(Outcome::Answered(block)) => return Ok(block.answer),
                Some(Outcome::Doubtful) => return Err(Failure::Doubtful),
                Some(Outcome::TimedOut) if sample.is_empty() || dtu::is_heartbeat(&sample, &self.heartbeat) => {
                    self.silent = if sample.is_empty() { self.silent.saturating_add(1) } else { 0 };
                    return Err(Failure::Timeout);
                }
                Some(Outcome::TimedOut) => return Err(Failure::Damaged(Bytes::from(sample))),
            }
        }
    }

    /// Bytes of the line; a modem's heartbeat is none.
    fn take(&mut self, chunk: &[u8]) -> Option<Outcome> {
        let sure = self.line.buffered() == 0 || self.heartbeat.len() >= HEARTBEAT_BYTES_SURE;
        if sure && dtu::is_heartbeat(chunk, &self.heartbeat) {
            return None;
        }
        self.line.push(chunk, self.now())
    }
}
