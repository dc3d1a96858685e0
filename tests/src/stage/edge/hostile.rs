//! The hostile ones: those that connect and drop, those that dribble, those that flood.

use super::wire::{connect, hj212_report, jt808_authenticate, mqtt_connect, mqtt_publish};
use super::{Scale, of_wire};
use crate::Server;
use crate::district::Staged;
use anyhow::{Context, Result};
use device_sim::district::Wire;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tls::testing::{Authority, VERSIONS};
use tls::tokio_rustls::TlsConnector;
use tls::tokio_rustls::rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Connect and drop ten times a minute.
const DROPPERS: u32 = 1_000;
const DROP_EVERY: Duration = Duration::from_secs(6);
/// Send one byte a second.
const DRIBBLERS: u32 = 1_000;
const FLOODERS: u32 = 100;
/// Who is closed comes again after a round trip of the network.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// The second bytes of their addresses.
const DROP_NET: u8 = 2;
const DRIBBLE_NET: u8 = 3;
const FLOOD_NET: u8 = 4;

/// What they did.
#[derive(Debug, Default)]
struct Done {
    dropped: AtomicU64,
    dribbled_bytes: AtomicU64,
    flooded_bytes: AtomicU64,
    closed_on: AtomicU64,
}

pub(super) struct Hostile {
    tasks: JoinSet<()>,
    done: Arc<Done>,
    counts: [u32; 3],
}

/// What a run of them came to.
pub(super) struct Report {
    counts: [u32; 3],
    done: Arc<Done>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [droppers, dribblers, flooders] = self.counts;
        let Done { dropped, dribbled_bytes, flooded_bytes, closed_on } = &*self.done;
        write!(
            f,
            "{droppers} that connect and drop ({} times), {dribblers} that send a byte a second ({} bytes), {flooders} that flood \
             ({} MiB taken, closed on {} times)",
            dropped.load(Ordering::Relaxed),
            dribbled_bytes.load(Ordering::Relaxed),
            flooded_bytes.load(Ordering::Relaxed) >> 20,
            closed_on.load(Ordering::Relaxed),
        )
    }
}

#[derive(Clone)]
struct Target {
    mqtt: String,
    hj212: String,
    jt808: String,
    tls: String,
    connector: TlsConnector,
    done: Arc<Done>,
}

impl Target {
    fn plain(&self, number: u32) -> &str {
        match number % 3 {
            0 => &self.mqtt,
            1 => &self.hj212,
            _ => &self.jt808,
        }
    }
}

pub(super) fn start(
    server: &Server,
    staged: &Staged,
    authority: &Authority,
    tls_port: u16,
    scale: Scale,
) -> Result<Hostile> {
    let to = server.addresses();
    let [_, newest] = VERSIONS;
    let target = Target {
        mqtt: to.mqtt.clone(),
        hj212: to.hj212.clone(),
        jt808: to.jt808.clone(),
        tls: format!("127.0.0.1:{tls_port}"),
        connector: authority.connector(newest, None),
        done: Arc::default(),
    };
    let counts = [DROPPERS, DRIBBLERS, FLOODERS].map(|full| scale.of(full));
    let [droppers, dribblers, flooders] = counts;
    let mut tasks = JoinSet::new();
    for number in 0..droppers {
        tasks.spawn(drop_again(target.clone(), number, DROP_EVERY.mul_f64(f64::from(number) / f64::from(droppers))));
    }
    for number in 0..dribblers {
        tasks.spawn(dribble(
            target.clone(),
            number,
            Duration::from_secs(1).mul_f64(f64::from(number) / f64::from(dribblers)),
        ));
    }
    // The last devices, which none of the good ones is.
    let mut own = of_wire(staged, Wire::Mqtt)?.into_iter().rev();
    for number in 0..flooders {
        let credential = own.next().context("a credential for one that floods")?;
        tasks.spawn(flood(target.clone(), number, (credential.0, credential.1.secret)));
    }
    Ok(Hostile { tasks, done: target.done, counts })
}

impl Hostile {
    pub(super) async fn stop(mut self) -> Report {
        self.tasks.shutdown().await;
        Report { counts: self.counts, done: self.done }
    }
}

/// Every tenth over TLS; some say half of something before they go.
async fn drop_again(target: Target, number: u32, first: Duration) {
    let mut next = Instant::now() + first;
    let half = mqtt_connect("half", "a-name", "a-password", 60);
    loop {
        sleep_until(next).await;
        next += DROP_EVERY;
        if number.is_multiple_of(10) {
            let Ok(stream) = connect(&target.tls, DROP_NET, number).await else { continue };
            let Ok(name) = ServerName::try_from("localhost") else { return };
            // It may be turned away: the next time comes.
            target.connector.connect(name, stream).await.ok();
        } else if let Ok(mut stream) = connect(target.plain(number), DROP_NET, number).await {
            stream.write_all(half.get(..half.len() / 2).unwrap_or_default()).await.ok();
        }
        target.done.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A right frame that would take minutes.
async fn dribble(target: Target, number: u32, first: Duration) {
    sleep(first).await;
    let bytes = match number % 3 {
        0 => mqtt_connect(&"slow-".repeat(40), "a-name", "a-password", 60),
        1 => hj212_report("41010000000000000000DRIB", "123456", number),
        _ => jt808_authenticate("13900009999", &"0123456789".repeat(20)).unwrap_or_default(),
    };
    loop {
        if let Ok(mut stream) = connect(target.plain(number), DRIBBLE_NET, number).await {
            for byte in &bytes {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                target.done.dribbled_bytes.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_secs(1)).await;
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// A quarter each: a device that publishes without end, garbage, frames of an unknown logger, frames of a terminal that never
/// authenticated.
async fn flood(target: Target, number: u32, (code, secret): (String, String)) {
    let (to, hello, bytes) = match number % 4 {
        0 => {
            let topic = format!("lantian/v1/{code}/telemetry");
            let publish: Vec<u8> =
                (1..=200).flat_map(|id| mqtt_publish(&topic, id, "{\"values\":{\"fume\":0.5}}")).collect();
            (&target.mqtt, mqtt_connect(&format!("flood-{code}"), &code, &secret, 60), publish)
        }
        1 => (&target.hj212, Vec::new(), vec![b'x'; 64 * 1024]),
        2 => {
            let frames = (0..100).flat_map(|n| hj212_report("41010000000000000000NONE", "123456", n)).collect();
            (&target.hj212, Vec::new(), frames)
        }
        _ => {
            let frame = jt808_authenticate("13900009999", "0123456789").unwrap_or_default();
            (&target.jt808, Vec::new(), frame.repeat(500))
        }
    };
    loop {
        if let Ok(stream) = connect(to, FLOOD_NET, number).await {
            let (mut reader, mut writer) = stream.into_split();
            let writing = async {
                writer.write_all(&hello).await?;
                loop {
                    writer.write_all(&bytes).await?;
                    target.done.flooded_bytes.fetch_add(u64::try_from(bytes.len()).unwrap_or(0), Ordering::Relaxed);
                }
            };
            let reading = async {
                let mut answers = vec![0; 4 * 1024];
                while reader.read(&mut answers).await.is_ok_and(|count| count > 0) {}
            };
            let ended: Result<std::io::Result<()>, _> = timeout(Duration::from_mins(10), async {
                tokio::select! {
                    ended = writing => ended,
                    () = reading => Ok(()),
                }
            })
            .await;
            drop(ended); // however it ended, it comes again
        }
        target.done.closed_on.fetch_add(1, Ordering::Relaxed);
        sleep(ROUND_TRIP).await;
    }
}
