//! One attempt at one message.

use crate::address::{PRIVATE, PublicOnly, is_private};
use crate::{email, hook};
use lettre::transport::smtp::client::Certificate;
use model::notice::{Channel, ChannelKind, Failure, Message, cut};
use model::time::IngestTime;
use reqwest::{Client, Response, Url, redirect};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bounds of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub connect_timeout: Duration,
    /// Of the whole attempt.
    pub timeout: Duration,
    /// Hooks may be in the local network.
    pub private_addresses: bool,
    /// PEM file of an authority to be trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// `source` of our `CloudEvents`.
    pub source: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no PEM file of certificates: {reason}")]
    Certificate { path: PathBuf, reason: String },
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
    authority: Option<Certificate>,
    limits: Limits,
}

impl Sender {
    pub fn new(limits: Limits) -> Result<Self, SenderError> {
        let mut builder = Client::builder()
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.timeout)
            .redirect(redirect::Policy::none())
            // A proxy of the environment would connect in our place, wherever the name leads.
            .no_proxy()
            .pool_max_idle_per_host(1)
            .user_agent(concat!("lantian/", env!("CARGO_PKG_VERSION")));
        if !limits.private_addresses {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        let mut authority = None;
        if let Some(path) = &limits.ca_file {
            let pem = std::fs::read(path).map_err(|source| SenderError::Read { path: path.clone(), source })?;
            let wrong = |reason: String| SenderError::Certificate { path: path.clone(), reason };
            let own = reqwest::Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.add_root_certificate(own);
            authority = Some(Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?);
        }
        let client = builder.build().map_err(|error| SenderError::Client(error.to_string()))?;
        Ok(Self { client, authority, limits })
    }

    /// Tries once.
    ///
    /// # Errors
    /// Why it did not go, without the channel's secrets.
    pub async fn send(&self, channel: &Channel, message: &Message, now: IngestTime) -> Result<(), Failure> {
        // The clients keep to it, too; this holds whatever they do.
        let attempt = self.attempt(channel, message, now);
        tokio::time::timeout(self.limits.timeout, attempt).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", self.limits.timeout.as_secs());
            Err(Failure { reason, lasting: false, maybe: true, wait_ms: None })
        })
    }

    async fn attempt(&self, channel: &Channel, message: &Message, now: IngestTime) -> Result<(), Failure> {
        if channel.kind == ChannelKind::Email {
            let Some(email) = &channel.settings.email else { return Err(lasting("the channel names no mail server")) };
            let with = (self.authority.as_ref(), self.limits.timeout);
            return email::send(email, &channel.secret.secret, message, with).await;
        }
        let url = Url::parse(&channel.secret.url).map_err(|_| lasting("the hook's address cannot be read"))?;
        self.allowed(&url)?;
        let secret = &channel.secret.secret;
        let wanted = hook::request(channel.kind, url, secret, message, (&self.limits.source, now));
        let mut request = self.client.post(wanted.url).body(wanted.body);
        for (name, value) in wanted.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(trouble)?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = read(answer).await?;
        hook::judge(channel.kind, status, wait.as_deref(), &body)
    }

    /// Addresses that are written as numbers are not resolved, so they are looked at here.
    fn allowed(&self, url: &Url) -> Result<(), Failure> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !self.limits.private_addresses && is_private(address) => Err(lasting(PRIVATE)),
            _ => Ok(()),
        }
    }
}

/// At most [`ANSWER_BYTES`]; more is not read.
async fn read(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES {
        let Some(chunk) = answer.chunk().await.map_err(trouble)? else { break };
        body.extend_from_slice(chunk.get(..chunk.len().min(ANSWER_BYTES - body.len())).unwrap_or_default());
    }
    Ok(body)
}

/// The address is a secret and is taken out of what is told.
fn trouble(error: reqwest::Error) -> Failure {
    let maybe = !error.is_connect();
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        reason = format!("{reason}: {next}");
        cause = next.source();
    }
    let is_private = reason.contains(PRIVATE);
    Failure { reason: cut(&reason, REASON_BYTES), lasting: is_private, maybe: maybe && !is_private, wait_ms: None }
}

fn lasting(reason: &str) -> Failure {
    Failure { reason: reason.to_owned(), lasting: true, maybe: false, wait_ms: None }
}

const ANSWER_BYTES: usize = 16_384;
const REASON_BYTES: usize = 300;
