//! A device without a credential that has a claim code: user `claim`, the code as password (or in the request). It may do one thing.
//!
//! ```text
//! CONNECT user "claim" ─▶ CONNACK
//! SUBSCRIBE lantian/v1/provision/response
//! PUBLISH   lantian/v1/provision/request   {"serial": "SN-0001"}
//!           ◀─ PUBACK, PUBLISH …/response  {"status": "accepted" | "pending" | "refused" | "invalid" | "unavailable",
//!                                           "settings": {"client_id": …, "username": …, "password": …, "topic": …}}
//! ```
//!
//! The response comes whether it has subscribed or not; there is no session and nothing of it is kept. Each request is answered once,
//! a few a connection, within a minute.

use super::codec::{self, Announce, Connect, Incoming, Outgoing, Publish};
use super::connection::WINDOW_U16;
use super::hub::Hub;
use super::metrics;
use crate::limits::Seat;
use ::metrics::counter;
use bytes::{Bytes, BytesMut};
use model::gatekeeper::Gatekeeper as _;
use model::provision::{Claimant, Provisioned, Provisioner};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The user name that asks for this; a device of that name has the right of way.
pub(super) const USER: &str = "claim";
const REQUEST: &[u8] = b"lantian/v1/provision/request";
const RESPONSE: &str = "lantian/v1/provision/response";
/// Of a whole conversation.
const TIME_MAX: Duration = Duration::from_mins(1);
const ANSWER_MAX: Duration = Duration::from_secs(10);
const REQUESTS_MAX: u8 = 4;
const PACKET_BYTES_MAX: usize = 4 * 1024;

#[derive(Deserialize)]
struct Request {
    serial: String,
    #[serde(default)]
    code: Option<String>,
}

/// Who claims, and from where.
pub(super) struct Claiming<'a> {
    pub(super) connect: &'a Connect,
    pub(super) peer: &'a str,
    pub(super) seat: &'a Seat,
    pub(super) provisioner: &'a Arc<dyn Provisioner>,
}

pub(super) async fn serve<S>(
    hub: &Hub,
    stream: &mut S,
    buffer: BytesMut,
    claiming: Claiming<'_>,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // The conversation is given up for good when it takes too long.
    tokio::select! {
        () = stop.cancelled() => {}
        done = timeout(TIME_MAX, talk(hub, stream, buffer, claiming)) => drop(done),
    }
    timeout(Duration::from_secs(2), stream.shutdown()).await.ok(); // it may be gone
}

async fn talk<S>(hub: &Hub, stream: &mut S, mut buffer: BytesMut, claiming: Claiming<'_>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let version = claiming.connect.version;
    let mut out = BytesMut::new();
    let announce = Announce {
        session_expiry_s: Some(0),
        receive_maximum: WINDOW_U16,
        packet_bytes_max: u32::try_from(PACKET_BYTES_MAX).unwrap_or(u32::MAX),
        topic_alias_max: 0,
        assigned_client_id: None,
        server_keep_alive_s: None,
    };
    codec::connack_granted(&mut out, version, false, announce);
    let mut requests = 0;
    loop {
        while let Ok(Some(packet)) = codec::next(version, &mut buffer, PACKET_BYTES_MAX) {
            match packet {
                Incoming::PingReq => codec::pingresp(&mut out),
                Incoming::Subscribe { pkid, filters, .. } => {
                    let codes: Vec<u8> =
                        filters.iter().map(|filter| if filter.path == RESPONSE { 0 } else { 0x80 }).collect();
                    codec::suback(&mut out, version, pkid, &codes);
                }
                Incoming::Publish(publish)
                    if publish.topic == REQUEST && publish.qos < 2 && requests < REQUESTS_MAX =>
                {
                    requests += 1;
                    let answer = ask(hub, &publish, &claiming).await;
                    if publish.qos == 1 {
                        codec::puback(&mut out, publish.pkid, 0);
                    }
                    respond(&mut out, &claiming, answer);
                }
                // Anything else is not what it may do here.
                _ => {
                    stream.write_all(&out).await?;
                    return Ok(());
                }
            }
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
        out.clear();
        if claiming.seat.is_banned() || buffer.len() >= PACKET_BYTES_MAX || stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// `None`: the request cannot be read.
async fn ask(hub: &Hub, publish: &Publish, claiming: &Claiming<'_>) -> Option<Provisioned> {
    let request: Request = serde_json::from_slice(&publish.payload).ok()?;
    let code = request.code.or_else(|| claiming.connect.password.clone()).unwrap_or_default();
    let from = claiming.peer.parse::<SocketAddr>().ok().map(|peer| peer.ip());
    if from.is_some_and(|address| hub.edge.limits.is_banned(address)) {
        return Some(Provisioned::Refused { guessed: false });
    }
    let (tell, told) = oneshot::channel();
    let claimant = Claimant { code: code.clone(), serial: request.serial, from };
    // Nobody waits any more when the connection is gone: the device is made, and its credential has to be rotated.
    claiming.provisioner.provision(claimant, Box::new(move |answer| drop(tell.send(answer))));
    let answer = match timeout(ANSWER_MAX, told).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Provisioned::Unavailable,
    };
    if answer == (Provisioned::Refused { guessed: true }) {
        claiming.seat.guessed(USER, code.as_bytes());
    }
    Some(answer)
}

fn respond(out: &mut BytesMut, claiming: &Claiming<'_>, answer: Option<Provisioned>) {
    let (status, settings) = match answer {
        Some(Provisioned::Made { settings, pending: false }) => ("accepted", settings),
        Some(Provisioned::Made { settings, pending: true }) => ("pending", settings),
        Some(Provisioned::Refused { .. }) => ("refused", Vec::new()),
        Some(Provisioned::Unavailable) => ("unavailable", Vec::new()),
        None => ("invalid", Vec::new()),
    };
    counter!(metrics::PROVISIONS_TOTAL, "status" => status).increment(1);
    let settings: serde_json::Map<String, serde_json::Value> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut body = serde_json::json!({ "status": status });
    if !settings.is_empty()
        && let Some(object) = body.as_object_mut()
    {
        object.insert("settings".to_owned(), settings.into());
    }
    let (topic, payload) = (Bytes::from_static(RESPONSE.as_bytes()), Bytes::from(body.to_string()));
    let message = Outgoing {
        topic: &topic,
        payload: &payload,
        qos: 0,
        pkid: 0,
        dup: false,
        retain: false,
        expiry_s: None,
        subscription_ids: &[],
        properties: None,
    };
    codec::publish_out(out, claiming.connect.version, &message, claiming.connect.packet_bytes_max);
}
