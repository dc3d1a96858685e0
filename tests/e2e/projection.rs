//! The InfluxDB projection: every value comes back as it was stored, from InfluxDB 1.6 by the 1.x API and from
//! VictoriaMetrics by `influxdb2`; an outage of it delays charts and nothing else.

use crate::crash::{Load, SIZE, long_ago};
use anyhow::{Context, Result, ensure};
use database::{Database, Options};
use e2e::district::stage;
use e2e::tools::{Influx, Victoria};
use e2e::{Server, Setup, eventually};
use ingest::chunks::{ChunkConfig, ChunkStore};
use model::envelope::Position;
use model::record::SettledRecord;
use std::collections::BTreeMap;
use std::time::Duration;

/// Runs a load through a server with the projection on; returns what the chunk store holds afterwards.
async fn stored(server: &mut Server) -> Result<Vec<SettledRecord>> {
    server.stop()?;
    let database = Database::open(Options::sqlite(server.data_dir().join("chunks.db"))).await?;
    let store = ChunkStore::open(database.clone(), ChunkConfig::default()).await?;
    let (mut all, mut from) = (Vec::new(), Position::default());
    loop {
        let part = store.scan_after(from, 20_000).await?;
        let Some(last) = part.last() else { break };
        from = last.position;
        all.extend(part);
    }
    database.close().await;
    Ok(all)
}

/// Latest value of each (kind, event time, device number, field), as the projection should show it.
fn wanted(records: &[SettledRecord]) -> BTreeMap<(String, i64, i64, String), f64> {
    let mut all = BTreeMap::new();
    for record in records {
        let kind = format!("{:?}", record.key.kind).to_lowercase();
        for value in &record.body.values {
            let Some(spec) = value.quantity.spec() else { continue };
            let statistic = format!("{:?}", value.statistic).to_lowercase();
            let field = format!("{}_{statistic}", spec.code);
            all.insert((kind.clone(), record.key.at.as_ms(), record.key.device.0, field), value.value);
        }
    }
    all
}

async fn run_load(server: &mut Server, more: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let staged = stage(server, SIZE, "config/library")?;
    server.start().await?;
    let load = Load::start(server, &staged, long_ago())?;
    eventually("load flows", Duration::from_secs(20), || async { Ok((load.count() > 500).then_some(())) }).await?;
    more().await?;
    let before = load.count();
    eventually("load goes on", Duration::from_secs(20), || async { Ok((load.count() > before + 100).then_some(())) })
        .await?;
    load.finish().await;
    // Sealed within a minute, then written.
    eventually("the projection has caught up", Duration::from_secs(150), || async {
        let lag = server.metric("ingest_influx_lag_entries").await?;
        let written = server.metric("ingest_influx_points_total").await?;
        Ok((lag < 1.0 && written > 600.0).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn influxdb_holds_every_value_after_its_own_outage() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let influx = Influx::start(folder.path()).await?;
    let config = format!("[influx]\nurl = {:?}\napi = \"v1\"\ndatabase = \"lantian\"\n", influx.url);
    let mut server = Server::prepare(folder.path(), Setup { config, ..Setup::default() })?;
    let seconds = std::env::var("LANTIAN_OUTAGE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let mut influx = Some(influx);
    run_load(&mut server, async || {
        let away = influx.take().context("influx runs")?;
        let back = away
            .outage(async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(())
            })
            .await?;
        influx = Some(back);
        Ok(())
    })
    .await?;
    let records = stored(&mut server).await?;
    let wanted = wanted(&records);
    let influx = influx.context("influx runs")?;
    let mut checked = 0;
    for kind in ["instant", "minute", "position"] {
        let answer = influx.query(&format!("SELECT * FROM \"{kind}\""), false).await?;
        checked += compare_influx(kind, &answer, &wanted)?;
    }
    ensure!(checked == wanted.len(), "{checked} values came back, {} are stored", wanted.len());
    println!("InfluxDB 1.6: {checked} values compared, all equal, after {seconds} s away");
    Ok(())
}

/// Counts the stored values that the answer holds; a wrong one is an error.
fn compare_influx(
    kind: &str,
    answer: &serde_json::Value,
    wanted: &BTreeMap<(String, i64, i64, String), f64>,
) -> Result<usize> {
    let series = &answer["results"][0]["series"][0];
    let (Some(columns), Some(rows)) = (series["columns"].as_array(), series["values"].as_array()) else { return Ok(0) };
    // The answer names devices by code; event time, field and value find the stored one.
    let mut by_time: BTreeMap<(i64, &str), Vec<f64>> = BTreeMap::new();
    for row in rows {
        let row = row.as_array().context("a row")?;
        let at = row.first().and_then(serde_json::Value::as_i64).context("a time")?;
        for (column, value) in columns.iter().zip(row).skip(1) {
            if let (Some(name), Some(number)) = (column.as_str(), value.as_f64()) {
                by_time.entry((at, name)).or_default().push(number);
            }
        }
    }
    let mut found = 0;
    for ((_, at, _, field), value) in wanted.iter().filter(|((k, ..), _)| k == kind) {
        let shown =
            by_time.get_mut(&(*at, field.as_str())).with_context(|| format!("{kind} {field} at {at} is missing"))?;
        let place = shown.iter().position(|v| (v - value).abs() < f64::EPSILON * value.abs().max(1.0));
        shown.swap_remove(place.with_context(|| format!("{kind} {field} at {at}: {value} is not among {shown:?}"))?);
        found += 1;
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn victoriametrics_holds_every_value() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let victoria = Victoria::start(folder.path()).await?;
    let token = folder.path().join("token");
    std::fs::write(&token, "unused")?;
    let config = format!(
        "[influx]\nurl = {:?}\napi = \"v2\"\norg = \"o\"\nbucket = \"b\"\ntoken_file = {token:?}\n",
        victoria.url
    );
    let mut server = Server::prepare(folder.path(), Setup { config, ..Setup::default() })?;
    run_load(&mut server, async || Ok(())).await?;
    let wanted = wanted(&stored(&mut server).await?);
    let text = victoria.export().await?;
    let mut shown: BTreeMap<(String, i64), Vec<f64>> = BTreeMap::new();
    for line in text.lines().filter(|l| !l.is_empty()) {
        let series: serde_json::Value = serde_json::from_str(line)?;
        let name = series["metric"]["__name__"].as_str().context("a name")?.to_owned();
        let times = series["timestamps"].as_array().context("times")?;
        let values = series["values"].as_array().context("values")?;
        for (at, value) in times.iter().zip(values) {
            if let (Some(at), Some(value)) = (at.as_i64(), value.as_f64()) {
                shown.entry((name.clone(), at)).or_default().push(value);
            }
        }
    }
    for ((kind, at, _, field), value) in &wanted {
        let name = format!("{kind}_{field}");
        let values = shown.get_mut(&(name.clone(), *at)).with_context(|| format!("{name} at {at} is missing"))?;
        // VictoriaMetrics keeps values with limited decimal precision.
        let place = values.iter().position(|v| (v - value).abs() <= value.abs() * 1e-12);
        values.swap_remove(place.with_context(|| format!("{name} at {at}: {value} is not among {values:?}"))?);
    }
    println!("VictoriaMetrics: {} values compared, all equal", wanted.len());
    ensure!(!wanted.is_empty(), "nothing was stored");
    Ok(())
}
