//! The quiet ones: they log in, hear that they did, and say nothing more.

use super::of_wire;
use super::wire::{connect, hj212_report, jt808_authenticate, mqtt_connect};
use crate::Server;
use crate::district::Staged;
use anyhow::{Context, Result, ensure};
use device_sim::district::Wire;
use device_sim::fleet::Secret;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::future::Future;
use tls::testing::{Authority, VERSIONS};
use tls::tokio_rustls::TlsConnector;
use tls::tokio_rustls::client::TlsStream;
use tls::tokio_rustls::rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Log-ins under way at a time.
const AT_ONCE: usize = 200;
/// Connections of one address.
const OF_ADDRESS: u32 = 100;
/// The second byte of their addresses.
const NET: u8 = 1;

pub(super) enum Quiet {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Quiet {
    /// The server has not closed it.
    pub(super) fn is_open(&mut self) -> bool {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        let mut byte = [0];
        !matches!(stream.try_read(&mut byte), Ok(0)) || byte != [0]
    }
}

pub(super) struct Crowd {
    mqtt: String,
    hj212: String,
    jt808: String,
    tls: String,
    connectors: Vec<TlsConnector>,
    fume: Vec<(String, Secret)>,
    dust: Vec<(String, Secret)>,
    trucks: Vec<(String, Secret)>,
}

impl Crowd {
    pub(super) fn new(server: &Server, staged: &Staged, authority: &Authority, tls_port: u16) -> Result<Self> {
        let to = server.addresses();
        Ok(Self {
            mqtt: to.mqtt.clone(),
            hj212: to.hj212.clone(),
            jt808: to.jt808.clone(),
            tls: format!("127.0.0.1:{tls_port}"),
            connectors: VERSIONS.iter().map(|version| authority.connector(version, None)).collect(),
            fume: of_wire(staged, Wire::Mqtt)?,
            dust: of_wire(staged, Wire::Hj212)?,
            trucks: of_wire(staged, Wire::Jt808)?,
        })
    }

    pub(super) async fn mqtt(&self, count: u32, skip: u32) -> Result<Vec<Quiet>> {
        each(&self.fume, count, skip, |number, (code, secret)| async move {
            let mut stream = connect(&self.mqtt, NET, number / OF_ADDRESS).await?;
            connack(&mut stream, &code, &secret).await?;
            Ok(Quiet::Plain(stream))
        })
        .await
    }

    pub(super) async fn mqtt_tls(&self, count: u32, skip: u32) -> Result<Vec<Quiet>> {
        each(&self.fume, count, skip, |number, (code, secret)| async move {
            let stream = connect(&self.tls, NET, number / OF_ADDRESS).await?;
            let connector = self.connectors.get(number as usize % self.connectors.len()).context("a connector")?;
            let mut stream =
                connector.connect(ServerName::try_from("localhost")?, stream).await.context("shake hands")?;
            connack(&mut stream, &code, &secret).await?;
            Ok(Quiet::Tls(Box::new(stream)))
        })
        .await
    }

    pub(super) async fn hj212(&self, count: u32) -> Result<Vec<Quiet>> {
        each(&self.dust, count, 0, |number, (code, secret)| async move {
            let mut stream = connect(&self.hj212, NET, number / OF_ADDRESS).await?;
            stream.write_all(&hj212_report(&secret.identity, &secret.secret, number)).await?;
            let mut answer = [0; 6];
            stream.read_exact(&mut answer).await.with_context(|| format!("{code} was not answered"))?;
            while stream.read_u8().await? != b'\n' {}
            Ok(Quiet::Plain(stream))
        })
        .await
    }

    pub(super) async fn jt808(&self, count: u32) -> Result<Vec<Quiet>> {
        each(&self.trucks, count, 0, |number, (code, secret)| async move {
            let mut stream = connect(&self.jt808, NET, number / OF_ADDRESS).await?;
            stream.write_all(&jt808_authenticate(&secret.identity, &secret.secret)?).await?;
            // 7e, header of 12, serial, id, result, check, 7e.
            let mut answer = [0; 20];
            stream.read_exact(&mut answer).await.with_context(|| format!("{code} was not answered"))?;
            ensure!(answer.get(17) == Some(&0), "{code} was not let in: {answer:02x?}");
            Ok(Quiet::Plain(stream))
        })
        .await
    }
}

async fn connack<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, code: &str, secret: &Secret) -> Result<()> {
    stream.write_all(&mqtt_connect(&format!("quiet-{code}"), &secret.identity, &secret.secret, 3_600)).await?;
    stream.flush().await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.with_context(|| format!("{code} was not answered"))?;
    ensure!(answer.first() == Some(&0x20) && answer.get(3) == Some(&0), "{code} was not let in: {answer:02x?}");
    Ok(())
}

/// Logs `count` devices in, a few hundred at a time.
async fn each<F>(
    devices: &[(String, Secret)],
    count: u32,
    skip: u32,
    login: impl Fn(u32, (String, Secret)) -> F,
) -> Result<Vec<Quiet>>
where
    F: Future<Output = Result<Quiet>>,
{
    let chosen: Vec<_> = devices.iter().skip(skip as usize).take(count as usize).cloned().collect();
    ensure!(chosen.len() == count as usize, "{count} devices are wanted, the district has {}", chosen.len());
    stream::iter((skip..).zip(chosen))
        .map(|(number, device)| login(number, device))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
