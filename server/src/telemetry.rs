//! Logs to standard error, metrics in the Prometheus text form on a listener of their own.

use crate::config::Log;
use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Starts the log. The filter's grammar is tracing's: `info,gateway=debug`.
pub(crate) fn start_log(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter).with_context(|| format!("read log.filter {:?}", log.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if log.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    started.map_err(|error| anyhow::anyhow!("start the log: {error}"))
}

/// Installs the recorder of all metrics.
pub(crate) fn start_metrics() -> Result<PrometheusHandle> {
    const SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .context("set the buckets")?
        .install_recorder()
        .context("install the metrics recorder")
}

/// Answers every request with the metrics. Local by default; one request a connection.
pub(crate) async fn serve_metrics(
    address: SocketAddr,
    handle: PrometheusHandle,
    stop: CancellationToken,
) -> Result<()> {
    let listener =
        tokio::net::TcpListener::bind(address).await.with_context(|| format!("listen at {address} for metrics"))?;
    loop {
        // accept and cancelled are both cancel-safe.
        let (mut stream, _) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => match accepted { Ok(accepted) => accepted, Err(_) => continue },
        };
        handle.run_upkeep();
        let body = handle.render();
        let answer = async {
            let mut request = [0_u8; 2048];
            let _read = stream.read(&mut request).await?;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await
        };
        // A scraper that goes away is none of our concern; one that stalls is cut after five seconds.
        tokio::time::timeout(std::time::Duration::from_secs(5), answer).await.ok();
    }
}
