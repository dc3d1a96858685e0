//! The ports, and the certificate they share. Ports are bound before anything else, so that a taken one stops the start
//! before a store is touched.

use crate::config::{Config, Gateway};
use anyhow::{Context, Result, anyhow};
use model::time::Clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tls::{Acceptor, Gate, Keeper, Ports};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(super) struct Listeners {
    pub(super) mqtt: Ports,
    pub(super) hj212: Ports,
    pub(super) jt808: Ports,
    /// Modems with Modbus slaves behind them.
    pub(super) dtu: Ports,
    pub(super) jt808_udp: Option<UdpSocket>,
    /// Files of alarms.
    pub(super) attachments: Ports,
    pub(super) web: Ports,
}

impl Listeners {
    pub(super) async fn bind(config: &Config, tls: Option<&Tls>) -> Result<Self> {
        let (gateway, web) = (&config.gateway, &config.web);
        Ok(Self {
            mqtt: ports("mqtt", gateway.mqtt, gateway.mqtt_tls, tls)?,
            hj212: ports("hj212", gateway.hj212, gateway.hj212_tls, tls)?,
            jt808: ports("jt808", gateway.jt808, gateway.jt808_tls, tls)?,
            dtu: dtu_ports(gateway, tls)?,
            jt808_udp: bind_udp(gateway.jt808_udp).await?,
            attachments: match &gateway.attachments {
                Some(own) => ports("jt808.attachments", own.plain, own.tls, tls)?,
                None => Ports::default(),
            },
            web: ports("web", web.listen, web.tls_listen, tls)?,
        })
    }
}

/// Without polling nobody is waited for.
fn dtu_ports(gateway: &Gateway, tls: Option<&Tls>) -> Result<Ports> {
    let (plain, secured) = if gateway.modbus { (gateway.dtu, gateway.dtu_tls) } else { (None, None) };
    let plain = bind("modbus", "dtu_listen", plain)?;
    let secured = bind("modbus", "dtu_tls_listen", secured)?;
    Ok(Ports { plain, tls: secured.zip(tls.map(|tls| tls.acceptor("modbus"))) })
}

fn ports(
    name: &'static str,
    plain: Option<SocketAddr>,
    secured: Option<SocketAddr>,
    tls: Option<&Tls>,
) -> Result<Ports> {
    let listener = bind(name, "listen", plain)?;
    let secured = bind(name, "tls_listen", secured)?;
    Ok(Ports { plain: listener, tls: secured.zip(tls.map(|tls| tls.acceptor(name))) })
}

fn bind(name: &str, key: &str, address: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(address) = address else { return Ok(None) };
    Ok(Some(listen(address).with_context(|| format!("listen at {address} ({name}.{key})"))?))
}

async fn bind_udp(address: Option<SocketAddr>) -> Result<Option<UdpSocket>> {
    let Some(address) = address else { return Ok(None) };
    let bound = UdpSocket::bind(address).await;
    Ok(Some(bound.with_context(|| format!("listen at {address} (jt808.udp_listen)"))?))
}

/// With room for a street of devices that come back at once: a queue that overflows costs each of them a second or more. The
/// system may have a smaller bound of its own (`net.core.somaxconn`).
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// The certificate in use and the bounds of its handshakes.
pub(super) struct Tls {
    keeper: Arc<Keeper>,
    gate: Arc<Gate>,
    handshake_timeout: Duration,
    reload: Duration,
}

impl Tls {
    pub(super) fn open(config: &Config) -> Result<Option<Self>> {
        let Some(own) = &config.tls else { return Ok(None) };
        let keeper = Keeper::open(own.files.clone()).map_err(|problems| {
            let problems = problems.iter().map(|problem| format!("tls.{problem}")).collect::<Vec<_>>();
            anyhow!("{}", problems.join("; ")).context("open the certificate")
        })?;
        Ok(Some(Self {
            keeper,
            gate: Gate::new(super::count(own.handshakes_max)),
            handshake_timeout: own.handshake_timeout,
            reload: own.reload,
        }))
    }

    fn acceptor(&self, listener: &'static str) -> Acceptor {
        Acceptor::new(Arc::clone(&self.keeper), Arc::clone(&self.gate), listener, self.handshake_timeout)
    }

    /// Takes new files over until `stop`; at once when SIGHUP comes.
    pub(super) async fn keep(self, clock: Arc<dyn Clock>, stop: CancellationToken) -> Result<()> {
        let mut hangups = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        let asked = Arc::new(Notify::new());
        let keeping = tls::keep(self.keeper, self.reload, Arc::clone(&asked), clock, stop.clone());
        let asking = async {
            // Cancel-safe.
            while stop.run_until_cancelled(hangups.recv()).await.flatten().is_some() {
                asked.notify_one();
            }
        };
        tokio::join!(keeping, asking);
        Ok(())
    }
}
