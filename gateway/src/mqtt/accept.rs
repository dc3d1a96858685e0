//! The way in: listener, a whole CONNECT in time, admission, the session. Nothing of a client is believed before the
//! directory has granted it, and nothing of its secret is kept in a sample.

use super::codec::{self, Announce, Connect, DecodeError, Version, reason};
use super::connection::{Connection, Start};
use super::hub::Hub;
use super::provision::Claiming;
use super::session::{Port, SessionKey};
use super::{Front, grants, metrics, provision};
use crate::intake::{self, Publish};
use crate::limits::Seat;
use crate::tcp::TLS_ON_PLAIN;
use crate::tcp::door::misdirected;
use ::metrics::counter;
use bytes::{Bytes, BytesMut};
use model::envelope::ProtocolKind;
use model::principal::{Admission, Attempt, Grants, Principal};
use model::seams::{Knock, Refusal};
use model::verdict::RefusalReason;
use protocol::mqtt::topic::Topic;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tls::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Longest client id.
const CLIENT_ID_BYTES_MAX: usize = 256;
/// CONNECT is bounded tighter than what comes after it.
const CONNECT_BYTES_MAX: usize = 64 * 1024;
const SAMPLE_BYTES_MAX: usize = 512;
const IDENTITY_CHARS_MAX: usize = 64;
/// Rest after the system refused to accept (out of descriptors), so that the loop does not spin.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// A refusal that the client does not read is not waited for.
const REFUSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn serve(front: &Front, listener: TcpListener, tls: Option<Acceptor>) {
    loop {
        // Both are cancel-safe.
        let accepted = tokio::select! {
            () = front.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept an mqtt connection");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        // Who is turned away hears nothing: an answer to each would be work that a flood could ask for.
        let Ok(seat) = front.hub.edge.limits.enter(peer.ip()) else { continue };
        let Ok(place) = Arc::clone(&front.places).try_acquire_owned() else {
            counter!(metrics::LIMIT_TOTAL).increment(1);
            // For those that come next; this one comes again.
            if front.room.make_room() {
                counter!(crate::metrics::CROWDED_OUT_TOTAL, "protocol" => "mqtt").increment(1);
            }
            continue;
        };
        let crowded_out = seat.wait(&front.room);
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            continue;
        }
        let (hub, stop, tls) = (Arc::clone(&front.hub), front.stop.clone(), tls.clone());
        front.tasks.spawn(async move {
            let peer = (peer.to_string(), seat);
            let serving = async {
                match tls {
                    None => client(&hub, stream, peer, &stop).await,
                    // On the heap, so that a plain connection does not carry the room that TLS takes.
                    Some(acceptor) => Box::pin(client_over_tls(&hub, &acceptor, stream, peer, &stop)).await,
                }
            };
            // Cancelled only before anybody was admitted.
            tokio::select! {
                () = crowded_out.cancelled() => {}
                () = serving => {}
            }
            drop(place);
        });
    }
}

async fn client_over_tls(
    hub: &Arc<Hub>,
    acceptor: &Acceptor,
    stream: TcpStream,
    peer: (String, Arc<Seat>),
    stop: &CancellationToken,
) {
    // The one that loses is given up for good.
    let done = tokio::select! {
        () = stop.cancelled() => return,
        done = acceptor.accept(stream) => done,
    };
    match done {
        Ok(stream) => client(hub, stream, peer, stop).await,
        Err(refused) => {
            counter!(metrics::CONNECT_REFUSED_TOTAL, "why" => "handshake").increment(1);
            if let Some(advice) = refused.why.advice() {
                misdirected(&hub.edge, ProtocolKind::Mqtt, &peer.0, advice);
            }
        }
    }
}

/// Serves one client to its end.
pub(super) async fn client<S>(hub: &Arc<Hub>, mut stream: S, peer: (String, Arc<Seat>), stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (peer, seat) = peer;
    let mut buffer = BytesMut::with_capacity(1024);
    let limit = hub.config.packet_bytes_max.min(CONNECT_BYTES_MAX);
    let connect = tokio::select! {
        () = stop.cancelled() => return,
        read = tokio::time::timeout(hub.config.connect_timeout, read_connect(&mut stream, &mut buffer, limit)) => read,
    };
    let connect = match connect {
        Ok(Ok(connect)) => connect,
        Ok(Err(Some(_))) if tls::looks_like_tls(&buffer) => {
            counter!(metrics::CONNECT_REFUSED_TOTAL, "why" => "tls_on_plain").increment(1);
            misdirected(&hub.edge, ProtocolKind::Mqtt, &peer, TLS_ON_PLAIN);
            seat.rubbish(buffer.len());
            return;
        }
        Ok(Err(Some(error))) => {
            seat.rubbish(buffer.len());
            refuse_bytes(hub, &mut stream, &peer, &error, &buffer).await;
            return;
        }
        Ok(Err(None)) | Err(_) => {
            counter!(metrics::CONNECT_REFUSED_TOTAL, "why" => "no_connect").increment(1);
            return;
        }
    };
    if let Some(provisioner) = &hub.edge.provisioner
        && claims(hub, &connect)
    {
        let claiming = Claiming { connect: &connect, peer: &peer, seat: &seat, provisioner };
        Box::pin(provision::serve(hub, &mut stream, buffer, claiming, stop)).await;
        return;
    }
    match admit(hub, connect, &peer, &seat) {
        Ok(admitted) => {
            if !seat.establish() {
                return;
            }
            hub.connections.fetch_add(1, Ordering::Relaxed);
            ::metrics::gauge!(metrics::CONNECTIONS).increment(1.0);
            begin(hub, stream, buffer, (peer, seat), admitted, stop).run().await;
            ::metrics::gauge!(metrics::CONNECTIONS).decrement(1.0);
            hub.connections.fetch_sub(1, Ordering::Relaxed);
        }
        Err(refused) => {
            counter!(metrics::CONNECT_REFUSED_TOTAL, "why" => refused.why).increment(1);
            let mut out = BytesMut::new();
            codec::connack_refused(&mut out, refused.version, refused.code_v4, refused.reason_v5);
            say(&mut stream, &out).await;
        }
    }
}

/// It has a claim code and no credential.
fn claims(hub: &Hub, connect: &Connect) -> bool {
    let (client_id, username) = (connect.client_id.as_str(), connect.username.as_deref());
    let attempt = Attempt::Mqtt { client_id, username, password: None };
    username == Some(provision::USER) && matches!(hub.edge.directory.admit(attempt), Admission::UnknownIdentity)
}

/// `Err(None)`: the client left.
async fn read_connect<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<Connect, Option<DecodeError>> {
    loop {
        if let Some(connect) = codec::connect(buffer, limit).map_err(Some)? {
            return Ok(connect);
        }
        let wanted = codec::wanted(buffer, limit).unwrap_or(0);
        buffer.reserve(wanted.saturating_sub(buffer.len()).max(512));
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(None),
            Ok(_) => {}
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) {
    let said = tokio::time::timeout(REFUSE_TIMEOUT, async {
        stream.write_all(bytes).await?;
        stream.shutdown().await
    });
    // The client may be gone or not read; there is nothing left to do for it.
    said.await.ok();
}

async fn refuse_bytes<S: AsyncWrite + Unpin>(
    hub: &Hub,
    stream: &mut S,
    peer: &str,
    error: &DecodeError,
    buffer: &BytesMut,
) {
    let mut out = BytesMut::new();
    let (refusal, why, detail) = match error {
        DecodeError::Version => {
            codec::connack_refused(&mut out, Version::V4, 1, 0);
            (RefusalReason::Malformed, "version", "a protocol version that is not spoken here".to_owned())
        }
        DecodeError::Oversize(bytes) => (RefusalReason::Oversize, "oversize", format!("CONNECT of {bytes} bytes")),
        DecodeError::Malformed(detail) => (RefusalReason::Malformed, "malformed", detail.clone()),
        DecodeError::Protocol(detail) => (RefusalReason::Malformed, "malformed", (*detail).to_owned()),
    };
    counter!(metrics::CONNECT_REFUSED_TOTAL, "why" => why).increment(1);
    hub.edge.doorstep.refused(Refusal {
        at: hub.edge.clock.now(),
        protocol: ProtocolKind::Mqtt,
        device: None,
        peer: peer.to_owned(),
        reason: refusal,
        detail,
        // A broken CONNECT may hold a secret, anything else cannot.
        sample: if buffer.first() == Some(&0x10) { Bytes::new() } else { sample(buffer) },
    });
    say(stream, &out).await;
}

fn sample(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes.get(..bytes.len().min(SAMPLE_BYTES_MAX)).unwrap_or_default())
}

struct Refused {
    version: Version,
    code_v4: u8,
    reason_v5: u8,
    why: &'static str,
}

struct Admitted {
    connect: Connect,
    principal: Arc<Principal>,
    /// The id was empty and this one was given.
    assigned: bool,
}

fn admit(hub: &Hub, mut connect: Connect, peer: &str, seat: &Seat) -> Result<Admitted, Refused> {
    let version = connect.version;
    let refused = |code_v4, reason_v5, why| Refused { version, code_v4, reason_v5, why };
    if connect.authentication {
        return Err(refused(5, reason::BAD_METHOD, "authentication"));
    }
    let nameless = connect.client_id.is_empty();
    // Control characters must not come (MQTT 5, 1.5.4), and would go on into logs and lists.
    let unfit = connect.client_id.len() > CLIENT_ID_BYTES_MAX || connect.client_id.chars().any(char::is_control);
    if unfit || (nameless && version == Version::V4 && !connect.clean_start) {
        return Err(refused(2, reason::CLIENT_ID, "client_id"));
    }
    let attempt = Attempt::Mqtt {
        client_id: &connect.client_id,
        username: connect.username.as_deref(),
        password: connect.password.as_deref().map(str::as_bytes),
    };
    let principal = match hub.edge.directory.admit(attempt) {
        Admission::Granted(principal) => principal,
        Admission::WrongSecret => {
            seat.guessed(&identity(&connect), connect.password.as_deref().unwrap_or_default().as_bytes());
            hub.edge.doorstep.refused(refusal(hub, &connect, peer, "wrong password"));
            return Err(refused(4, reason::BAD_SECRET, "wrong_secret"));
        }
        Admission::Disabled => {
            hub.edge.doorstep.refused(refusal(hub, &connect, peer, "switched off"));
            return Err(refused(5, reason::NOT_AUTHORISED, "disabled"));
        }
        Admission::UnknownIdentity => {
            seat.stranger(&identity(&connect));
            hub.edge.doorstep.unknown(Knock {
                at: hub.edge.clock.now(),
                protocol: ProtocolKind::Mqtt,
                identity: identity(&connect),
                peer: peer.to_owned(),
                sample: shown(&connect),
            });
            return Err(refused(5, reason::NOT_AUTHORISED, "unknown"));
        }
    };
    if let Some(will) = &mut connect.will {
        let directory = &*hub.edge.directory;
        let granted = grants::publish(&principal, &will.topic, directory);
        let death = Publish { topic: &will.topic, payload: &will.payload, received: hub.edge.clock.now() };
        if let Some(grant) = granted {
            will.topic = Topic::Device { device: &grant.device.code, kind: grant.kind }.to_string();
        } else if intake::of_will(&principal, death, directory).is_none() {
            hub.edge.doorstep.refused(Refusal {
                reason: RefusalReason::NotGranted,
                ..refusal(hub, &connect, peer, "will topic is not granted")
            });
            return Err(refused(5, reason::NOT_AUTHORISED, "will"));
        }
    }
    if nameless {
        let number = hub.edge.online.next_connection();
        connect.client_id = format!("auto-{}-{number}", hub.edge.clock.now().as_ms());
    }
    let key = SessionKey { principal: principal.id, client_id: connect.client_id.as_str().into() };
    if !hub.has_room(&key) {
        counter!(metrics::LIMIT_TOTAL).increment(1);
        return Err(refused(3, reason::UNAVAILABLE, "sessions_full"));
    }
    Ok(Admitted { connect, principal, assigned: nameless })
}

fn identity(connect: &Connect) -> String {
    let name = connect.username.as_deref().unwrap_or(&connect.client_id);
    name.chars().take(IDENTITY_CHARS_MAX).collect()
}

/// CONNECT in words, without the password.
fn shown(connect: &Connect) -> Bytes {
    let text = format!(
        "CONNECT {:?} client id {:?} user {:?} will {:?}",
        connect.version,
        connect.client_id,
        connect.username,
        connect.will.as_ref().map(|will| &will.topic),
    );
    sample(text.as_bytes())
}

fn refusal(hub: &Hub, connect: &Connect, peer: &str, detail: &str) -> Refusal {
    let directory = &hub.edge.directory;
    Refusal {
        at: hub.edge.clock.now(),
        protocol: ProtocolKind::Mqtt,
        device: connect.username.as_deref().and_then(|name| directory.device_by_code(name)).map(|device| device.id),
        peer: peer.to_owned(),
        reason: RefusalReason::NotAuthenticated,
        detail: format!("{detail}: {}", identity(connect)),
        sample: shown(connect),
    }
}

/// Attaches the session and writes CONNACK into the connection's output.
fn begin<S>(
    hub: &Arc<Hub>,
    stream: S,
    buffer: BytesMut,
    (peer, seat): (String, Arc<Seat>),
    admitted: Admitted,
    stop: &CancellationToken,
) -> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Admitted { connect, principal, assigned } = admitted;
    let key = SessionKey { principal: principal.id, client_id: connect.client_id.as_str().into() };
    let expiry_s = connect.session_expiry_s.min(hub.config.session_expiry_s_max);
    let port = Arc::new(Port::default());
    let attached = hub.attach(&key, connect.clean_start, expiry_s, &port);

    let cap = hub.config.keep_alive_s_max;
    let capped = connect.keep_alive_s == 0 || connect.keep_alive_s > cap;
    let keep_alive_s = match (connect.version, capped) {
        (_, false) => Some(connect.keep_alive_s),
        (Version::V5, true) => Some(cap),
        // 3.1.1 cannot be told; without a keep-alive it may be silent for ever.
        (Version::V4, true) => (connect.keep_alive_s > 0).then_some(connect.keep_alive_s),
    };
    let mut out = BytesMut::with_capacity(128);
    let announce = Announce {
        session_expiry_s: (expiry_s != connect.session_expiry_s).then_some(expiry_s),
        receive_maximum: super::connection::WINDOW_U16,
        packet_bytes_max: u32::try_from(hub.config.packet_bytes_max).unwrap_or(u32::MAX),
        topic_alias_max: super::inbound::ALIAS_MAX,
        assigned_client_id: assigned.then(|| connect.client_id.clone()),
        server_keep_alive_s: capped.then_some(cap),
    };
    codec::connack_granted(&mut out, connect.version, attached.present, announce);

    let id = hub.edge.online.next_connection();
    let cut = stop.child_token();
    let device = match &principal.grants {
        Grants::One(device) => Some(*device),
        _ => None,
    };
    if let Some(device) = device {
        // Two clients of one device are legal, so the one that was there before stays.
        drop(hub.edge.online.enter(device, ProtocolKind::Mqtt, id, &peer, cut.clone()));
        hub.edge.wire.connected(device, id, &peer, hub.edge.clock.now());
    }
    Connection::new(Start {
        hub: Arc::clone(hub),
        stream,
        buffer,
        out,
        peer,
        seat,
        id,
        device,
        principal,
        session: attached.session,
        resumed: attached.present,
        port,
        keep_alive: keep_alive_s.map(|seconds| Duration::from_millis(u64::from(seconds) * 1500)),
        version: connect.version,
        receive_maximum: connect.receive_maximum,
        packet_bytes_max: connect.packet_bytes_max,
        expiry_s,
        will: connect.will,
        cut,
        stop: stop.clone(),
    })
}
