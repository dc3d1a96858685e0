//! A washer as a Modbus TCP server: holding registers 0–5, answered to whoever asks.

use super::Payload;
use crate::district::District;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_modbus::prelude::*;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};

#[derive(Debug, Clone)]
pub struct Washer {
    district: Arc<District>,
    index: usize,
    registers: Arc<Mutex<[u16; 6]>>,
}

impl Washer {
    pub fn new(district: Arc<District>, index: usize) -> Self {
        Self { district, index, registers: Arc::default() }
    }

    /// Sets what the registers say.
    pub fn show(&self, payload: &Payload) {
        if let Payload::Polled { at_ms } = payload {
            let now = crate::signal::washer(&self.district, self.index, *at_ms);
            *self.registers.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
    }

    /// Binds and answers until the task is dropped.
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

impl tokio_modbus::server::Service for Washer {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        let registers = *self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        std::future::ready(match request {
            Request::ReadHoldingRegisters(address, count) => {
                let from = usize::from(address);
                registers
                    .get(from..from + usize::from(count))
                    .map(|words| Response::ReadHoldingRegisters(words.to_vec()))
                    .ok_or(ExceptionCode::IllegalDataAddress)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}
