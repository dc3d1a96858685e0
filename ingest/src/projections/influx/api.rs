//! One write request, by either API. Says what the answer means for the batch and knows nothing of records.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | written |
//! | 400, 413, 422 | something in this body was not taken: look for it |
//! | everything else, no answer | nothing is wrong with the points: again later |

use super::{InfluxApi, InfluxConfig, InfluxConfigError};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;
use std::time::Duration;

#[derive(Debug)]
pub(super) enum Api {
    V2 { client: influxdb2::Client, org: String, bucket: String },
    V1 { client: reqwest::Client, url: reqwest::Url, user: Option<(String, String)> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Written,
    /// The body was read and not (wholly) taken; the server's words.
    Rejected(String),
    /// Not the body's fault.
    Later(String),
}

impl Api {
    pub(super) fn new(config: &InfluxConfig) -> Result<Self, InfluxConfigError> {
        let url = reqwest::Url::parse(&config.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| InfluxConfigError::Url(config.url.clone()))?;
        let gzip = [("content-encoding", "gzip"), ("content-type", "text/plain; charset=utf-8")];
        match &config.api {
            InfluxApi::V2 { org, bucket, token } => {
                let headers = gzip.iter().map(|(name, value)| {
                    (
                        reqwest_011::header::HeaderName::from_static(name),
                        reqwest_011::header::HeaderValue::from_static(value),
                    )
                });
                let builder = reqwest_011::ClientBuilder::new()
                    .default_headers(headers.collect())
                    .redirect(reqwest_011::redirect::Policy::none())
                    .connect_timeout(config.connect_timeout)
                    .timeout(config.timeout);
                let client = influxdb2::ClientBuilder::with_builder(builder, config.url.as_str(), org, token.as_str())
                    .build()
                    .map_err(|error| InfluxConfigError::Client(error.to_string()))?;
                Ok(Self::V2 { client, org: org.clone(), bucket: bucket.clone() })
            }
            InfluxApi::V1 { database, retention_policy, user } => {
                if url.scheme() == "https" {
                    return Err(InfluxConfigError::TlsV1);
                }
                let headers = gzip.iter().map(|(name, value)| {
                    (reqwest::header::HeaderName::from_static(name), reqwest::header::HeaderValue::from_static(value))
                });
                let client = reqwest::Client::builder()
                    .default_headers(headers.collect())
                    .redirect(reqwest::redirect::Policy::none())
                    .connect_timeout(config.connect_timeout)
                    .timeout(config.timeout)
                    .build()
                    .map_err(|error| InfluxConfigError::Client(error.to_string()))?;
                let mut url = url.join("write").map_err(|_| InfluxConfigError::Url(config.url.clone()))?;
                url.query_pairs_mut().append_pair("db", database).append_pair("precision", "ms");
                if let Some(policy) = retention_policy {
                    url.query_pairs_mut().append_pair("rp", policy);
                }
                Ok(Self::V1 { client, url, user: user.clone() })
            }
        }
    }

    /// Sends lines that [`compress`] packed.
    pub(super) async fn write(&self, body: Bytes) -> Answer {
        match self {
            Self::V2 { client, org, bucket } => {
                let precision = influxdb2::api::write::TimestampPrecision::Milliseconds;
                match client.write_line_protocol_with_precision(org, bucket, body, precision).await {
                    Ok(()) => Answer::Written,
                    Err(influxdb2::RequestError::Http { status, text }) => answer(status.as_u16(), &text),
                    Err(error) => Answer::Later(chain(&error)),
                }
            }
            Self::V1 { client, url, user } => {
                let mut request = client.post(url.clone()).body(body);
                if let Some((name, password)) = user {
                    request = request.basic_auth(name, Some(password));
                }
                match request.send().await {
                    Ok(mut response) => {
                        let status = response.status().as_u16();
                        // The rest of a long answer is of no use.
                        let text = response.chunk().await.ok().flatten().unwrap_or_default();
                        answer(status, &String::from_utf8_lossy(&text))
                    }
                    Err(error) => Answer::Later(chain(&error)),
                }
            }
        }
    }
}

/// Level 1: a third of the time of the default for nine tenths of the effect on such lines.
pub(super) fn compress(lines: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    encoder.write_all(lines).ok();
    encoder.finish().unwrap_or_default().into()
}

fn answer(status: u16, text: &str) -> Answer {
    let words: String = text.chars().take(WORDS_MAX).collect();
    match status {
        // influxdb2 takes only 204 for an answer that it was written; its kin say 200.
        200..=299 => Answer::Written,
        400 | 413 | 422 => Answer::Rejected(format!("{status} {words}")),
        _ => Answer::Later(format!("{status} {words}")),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source.filter(|_| text.len() < WORDS_MAX) {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A pause before attempt `attempt` (from 1): doubled each time up to `max`, then between a half and the whole of it.
pub(super) fn pause(attempt: u32, min: Duration, max: Duration, jitter: u64) -> Duration {
    let full = min.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(20))).min(max);
    let half = full / 2;
    let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(jitter % spread)
}

const WORDS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(15));
        for attempt in 1..100 {
            for jitter in [0, 1, 999_999, u64::MAX] {
                let pause = pause(attempt, min, max, jitter);
                assert!(pause >= min / 2 && pause <= max, "{attempt} {pause:?}");
            }
        }
        assert_ne!(pause(9, min, max, 1), pause(9, min, max, 5_000_000));
        assert!(pause(50, min, max, 0) >= max / 2);
    }
}
