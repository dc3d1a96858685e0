//! E-mail against a mail server on a socket that speaks SMTP: TLS from the first byte, STARTTLS, log-in, refusals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

extern crate lantian_notify as notify;

use base64::Engine as _;
use model::notice::{
    Channel, ChannelKind, ChannelSecret, ChannelSettings, Email, Language, Message, MessageKind, Security,
};
use model::time::IngestTime;
use notify::{Limits, Sender};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tls::testing::Authority;
use tls::tokio_rustls::TlsAcceptor;
use tls::tokio_rustls::rustls::ServerConfig;
use tls::tokio_rustls::rustls::crypto::ring;
use tls::tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tls::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpListener;

const NOW: IngestTime = IngestTime(1_700_000_000_500);

#[derive(Debug, Default)]
struct Got {
    commands: Vec<String>,
    mail: String,
    encrypted: bool,
}

/// A mail server for one connection after the other.
struct Mail {
    port: u16,
    got: Arc<Mutex<Got>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mail {
    async fn start(authority: &Authority, security: Security, refuse: &'static str) -> Self {
        let issued = authority.server();
        let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Got::default()));
        let kept = Arc::clone(&got);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if security == Security::Tls {
                    // A client that does not trust us gives up here.
                    let Ok(stream) = acceptor.accept(stream).await else { continue };
                    kept.lock().unwrap().encrypted = true;
                    talk(&mut BufStream::new(stream), &kept, (false, refuse, true)).await;
                    continue;
                }
                let mut stream = BufStream::new(stream);
                if talk(&mut stream, &kept, (security == Security::Starttls, refuse, true)).await {
                    let Ok(stream) = acceptor.accept(stream.into_inner()).await else { continue };
                    kept.lock().unwrap().encrypted = true;
                    talk(&mut BufStream::new(stream), &kept, (false, refuse, false)).await;
                }
            }
        });
        Self { port, got, task }
    }
}

/// Speaks until the client is done; true: it goes on encrypted.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    got: &Mutex<Got>,
    (starttls, refuse, greet): (bool, &str, bool),
) -> bool {
    if greet {
        say(stream, "220 mail.example ESMTP").await;
    }
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        let command = line.trim_end().to_owned();
        got.lock().unwrap().commands.push(command.clone());
        let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        if !refuse.is_empty() && refuse.starts_with(&format!("{verb}=")) {
            say(stream, refuse.split_once('=').unwrap().1).await;
            continue;
        }
        match verb.as_str() {
            "EHLO" if starttls => say(stream, "250-mail.example\r\n250 STARTTLS").await,
            "EHLO" => say(stream, "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN").await,
            "STARTTLS" => {
                say(stream, "220 go ahead").await;
                return true;
            }
            "AUTH" => say(stream, "235 welcome").await,
            "DATA" => {
                say(stream, "354 go on").await;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail).await.unwrap_or(0) == 0 {
                        return false;
                    }
                }
                got.lock().unwrap().mail = mail;
                say(stream, "250 taken").await;
            }
            "QUIT" => {
                say(stream, "221 bye").await;
                return false;
            }
            _ => say(stream, "250 ok").await,
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>, text: &str) {
    // A client that has gone is seen at the next read.
    stream.write_all(format!("{text}\r\n").as_bytes()).await.ok();
    stream.flush().await.ok();
}

fn sender(ca_file: Option<PathBuf>) -> Sender {
    Sender::new(Limits {
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        private_addresses: false,
        ca_file,
        source: "urn:lantian".into(),
    })
    .unwrap()
}

fn channel(port: u16, security: Security, user: &str) -> Channel {
    let email = Email {
        host: "localhost".into(),
        port,
        security,
        user: user.into(),
        from: "lantian@mail.example".into(),
        to: vec!["duty@mail.example".into(), "leader@mail.example".into()],
    };
    let settings =
        ChannelSettings { language: Language::Zh, per_minute_max: 20, deadline_minutes: 60, email: Some(email) };
    let secret = ChannelSecret { url: String::new(), secret: "geheim".into() };
    Channel { id: 1, name: "邮件".into(), kind: ChannelKind::Email, settings, secret }
}

fn message() -> Message {
    Message {
        key: "19a-7".into(),
        kind: MessageKind::Raised,
        made: NOW,
        title: "【告警】油烟浓度超标：老蔡记".into(),
        lines: vec!["第一行".into(), "第二行".into()],
        data: serde_json::json!({}),
    }
}

fn trust(authority: &Authority) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    (dir, path)
}

#[tokio::test]
async fn a_mail_goes_encrypted_with_its_key_to_everybody_it_is_for() {
    let authority = Authority::new("mail");
    let (_dir, path) = trust(&authority);
    for security in [Security::Tls, Security::Starttls] {
        let mail = Mail::start(&authority, security, "").await;
        sender(Some(path.clone())).send(&channel(mail.port, security, "lantian"), &message(), NOW).await.unwrap();
        let got = mail.got.lock().unwrap();
        assert!(got.encrypted);
        let to: Vec<_> = got.commands.iter().filter(|line| line.starts_with("RCPT")).collect();
        assert_eq!(to, ["RCPT TO:<duty@mail.example>", "RCPT TO:<leader@mail.example>"]);
        let auth = got.commands.iter().position(|line| line.starts_with("AUTH")).unwrap();
        let hello = got.commands.iter().rposition(|line| line.starts_with("EHLO")).unwrap();
        assert!(auth > hello, "the password comes after the handshake");
        assert!(got.mail.contains("Message-ID: <19a-7@mail.example>"), "{}", got.mail);
        let body = got.mail.split("\r\n\r\n").nth(1).unwrap().trim_end_matches("\r\n.\r\n").replace("\r\n", "");
        let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), "第一行\r\n第二行");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_or_does_not_encrypt_gets_no_password() {
    let authority = Authority::new("mail");
    let (_dir, path) = trust(&Authority::new("another"));
    let mail = Mail::start(&authority, Security::Tls, "").await;
    let one = channel(mail.port, Security::Tls, "lantian");
    let failure = sender(Some(path)).send(&one, &message(), NOW).await.unwrap_err();
    assert!(!failure.maybe, "{failure:?}");
    // STARTTLS is wanted and not offered.
    let (_dir, path) = trust(&authority);
    let plain = Mail::start(&authority, Security::None, "").await;
    let one = channel(plain.port, Security::Starttls, "lantian");
    sender(Some(path)).send(&one, &message(), NOW).await.unwrap_err();
    for mail in [&mail, &plain] {
        assert!(!mail.got.lock().unwrap().commands.iter().any(|line| line.starts_with("AUTH")));
    }
}

#[tokio::test]
async fn what_the_server_says_decides_whether_it_is_tried_again() {
    let authority = Authority::new("mail");
    for (refuse, lasting) in [
        ("RCPT=550 no such user", true),
        ("RCPT=451 greylisted, come back later", false),
        ("AUTH=535 wrong password", false),
    ] {
        let mail = Mail::start(&authority, Security::None, refuse).await;
        let one = channel(mail.port, Security::None, "lantian");
        let failure = sender(None).send(&one, &message(), NOW).await.unwrap_err();
        assert_eq!(failure.lasting, lasting, "{refuse}: {failure:?}");
        assert!(!failure.reason.contains("geheim"));
    }
}
