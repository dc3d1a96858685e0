//! The slaves at a site: a washer's holding registers 0–5, answered over Modbus TCP, over RTU frames behind a serial server, or behind a
//! modem that dials in and has the site's second dust instrument on the same line.

use super::Payload;
use crate::district::{District, SlaveWire};
use crate::rtu::{self, Bus, LineFaults, Modem, Slaves};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_modbus::prelude::*;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};

/// Unit of the washer, and of the dust instrument behind a modem.
pub const WASHER_UNIT: u8 = 1;
pub const DUST_UNIT: u8 = 2;
/// What the modems of the simulated district send to keep their line open.
pub const HEARTBEAT: &str = "LT-ALIVE";
const HEARTBEAT_EVERY: Duration = Duration::from_secs(7);

#[derive(Debug, Clone)]
pub struct Washer {
    district: Arc<District>,
    index: usize,
    now: Arc<Mutex<Registers>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Registers {
    washer: [u16; 6],
    dust: [u16; 6],
}

impl Washer {
    pub fn new(district: Arc<District>, index: usize) -> Self {
        Self { district, index, now: Arc::default() }
    }

    fn registers(&self) -> Registers {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what the registers say.
    pub fn show(&self, payload: &Payload) {
        if let Payload::Polled { at_ms } = payload {
            let washer = crate::signal::washer(&self.district, self.index, *at_ms);
            let dust = crate::signal::dust_registers(&self.district, self.index, *at_ms);
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Registers { washer, dust };
        }
    }

    /// Binds, or begins to dial, and answers until the process ends.
    pub async fn serve(&self, address: SocketAddr, modems: Option<&str>, faults: LineFaults) -> Result<()> {
        let site = self.district.sites.get(self.index).context("find the washer's site")?;
        let bus = Bus {
            slaves: Arc::new(self.clone()),
            faults,
            seed: self.district.size.seed + u64::try_from(self.index).unwrap_or(0),
        };
        match (site.slave_wire, modems) {
            (SlaveWire::Tcp, _) => self.listen(address).await,
            (SlaveWire::Modem, Some(target)) => {
                let modem = Modem {
                    registration: format!("{}\r\n", site.modem).into_bytes(),
                    heartbeat: HEARTBEAT.as_bytes().to_vec(),
                    heartbeat_every: HEARTBEAT_EVERY,
                };
                let target = target.to_owned();
                tokio::spawn(async move { rtu::dial(&target, &modem, &bus).await });
                Ok(())
            }
            (SlaveWire::RtuOverTcp | SlaveWire::Modem, _) => rtu::listen(address, bus).await,
        }
    }

    /// Binds as a slave of Modbus TCP and answers until the process ends.
    pub async fn listen(&self, address: SocketAddr) -> Result<()> {
        let listener =
            tokio::net::TcpListener::bind(address).await.with_context(|| format!("listen at {address} as a washer"))?;
        let service = self.clone();
        tokio::spawn(async move {
            let server = Server::new(listener);
            let connected = |stream, peer| {
                let service = service.clone();
                async move { accept_tcp_connection(stream, peer, move |_| Ok(Some(service.clone()))) }
            };
            if let Err(error) =
                server.serve(&connected, |error| tracing::debug!(%error, "modbus connection ended")).await
            {
                tracing::warn!(%error, "washer stopped");
            }
        });
        Ok(())
    }
}

impl Slaves for Washer {
    fn registers(&self, unit: u8) -> Option<Vec<u16>> {
        let Registers { washer, dust } = self.registers();
        match unit {
            WASHER_UNIT => Some(washer.to_vec()),
            DUST_UNIT => Some(dust.to_vec()),
            _ => None,
        }
    }
}

impl tokio_modbus::server::Service for Washer {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        std::future::ready(match request {
            Request::ReadHoldingRegisters(address, count) => {
                let from = usize::from(address);
                self.registers()
                    .washer
                    .get(from..from + usize::from(count))
                    .map(|words| Response::ReadHoldingRegisters(words.to_vec()))
                    .ok_or(ExceptionCode::IllegalDataAddress)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}
