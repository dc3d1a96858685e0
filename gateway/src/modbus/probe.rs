//! A test read from the command line: the same wires as the pollers', one question at a time, nothing stored.

use super::pipe::Pipe;
use super::serial;
use super::wire::{Failure, Rtu, Wire};
use bytes::{Bytes, BytesMut};
use model::modbus::Endpoint;
use protocol::modbus::rtu::Read;
use protocol::modbus::{Block, BlockAnswer};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep_until, timeout};

/// A connection to be asked.
pub struct Prober {
    wire: Wire,
    endpoint: Option<Endpoint>,
    connect_timeout: Duration,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A modem that dialled in.
#[derive(Debug)]
pub struct Caught {
    pub peer: SocketAddr,
    /// What it said first; empty when it said nothing.
    pub registration: Bytes,
    pub prober: Prober,
}

impl Prober {
    /// # Errors
    /// Nobody is there; a modem cannot be dialled, see [`listen`].
    pub async fn connect(endpoint: &Endpoint, connect_timeout: Duration) -> Result<Self, Failure> {
        let wire = if endpoint.is_rtu() { Wire::Rtu(Box::new(Rtu::new(Vec::new()))) } else { Wire::Tcp(None) };
        let mut prober = Self { wire, endpoint: Some(endpoint.clone()), connect_timeout };
        prober.dial().await?;
        Ok(prober)
    }

    async fn dial(&mut self) -> Result<(), Failure> {
        let why = |error: std::io::Error| Failure::Connect(error.to_string());
        match &self.endpoint {
            Some(Endpoint::Tcp(address) | Endpoint::RtuOverTcp(address)) => {
                let connected = timeout(self.connect_timeout, TcpStream::connect(address)).await;
                let stream = connected.map_err(|_| Failure::Connect("no connection in time".into()))?.map_err(why)?;
                match &mut self.wire {
                    Wire::Rtu(rtu) => rtu.connected(Pipe::Tcp(stream)),
                    tcp @ Wire::Tcp(_) => tcp.connected_tcp(stream),
                }
            }
            Some(Endpoint::Serial(port)) => {
                let port = serial::Port::open(port).map_err(why)?;
                if let Wire::Rtu(rtu) = &mut self.wire {
                    rtu.connected(Pipe::Serial(port));
                }
            }
            Some(Endpoint::Dtu(_)) => return Err(Failure::Connect("a modem dials in; listen for it".into())),
            None => return Err(Failure::Connect("the modem hung up".into())),
        }
        Ok(())
    }

    /// # Errors
    /// There was no answer, or none that can be trusted. The slave's own refusal is an answer.
    pub async fn read(&mut self, unit: u8, block: Block, limit: Duration) -> Result<BlockAnswer, Failure> {
        let read = Read::new(unit, block).ok_or(Failure::Mismatch)?;
        if !self.wire.is_connected() {
            self.dial().await?;
        }
        let answer = self.wire.ask(read, limit).await;
        if let Err(failure) = &answer
            && self.wire.spoils(failure)
        {
            self.wire.disconnect();
        }
        let Block { function, address, count } = block;
        answer.map(|answer| BlockAnswer { function, address, count, answer })
    }
}

/// After its first bytes a modem may send more for so long.
const REGISTRATION_PAUSE: Duration = Duration::from_millis(500);
/// One that says nothing for so long says nothing.
const REGISTRATION_WAIT: Duration = Duration::from_secs(5);
const REGISTRATION_BYTES_MAX: usize = 512;

/// Waits for a modem and hears what it says first.
///
/// # Errors
/// The listener broke.
pub async fn listen(listener: TcpListener) -> std::io::Result<Caught> {
    let (mut stream, peer) = listener.accept().await?;
    let mut registration = BytesMut::new();
    let mut until = tokio::time::Instant::now() + REGISTRATION_WAIT;
    while registration.len() < REGISTRATION_BYTES_MAX {
        // Cancel-safe: a timer and one read.
        let read = tokio::select! {
            read = stream.read_buf(&mut registration) => read?,
            () = sleep_until(until) => break,
        };
        if read == 0 {
            break;
        }
        until = tokio::time::Instant::now() + REGISTRATION_PAUSE;
    }
    let mut rtu = Rtu::new(Vec::new());
    rtu.connected(Pipe::Tcp(stream));
    let prober = Prober { wire: Wire::Rtu(Box::new(rtu)), endpoint: None, connect_timeout: REGISTRATION_WAIT };
    Ok(Caught { peer, registration: registration.freeze(), prober })
}
