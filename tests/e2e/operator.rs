//! What an operator does: broken files change nothing and every problem is named; a clean stop is clean; a backup comes
//! back; export applies back to no change; a start after a stop complains of nothing.

use crate::stock::started;
use crate::wire::Mqtt;
use anyhow::{Context, Result, ensure};
use e2e::{Server, Setup, process, tools};
use std::process::Command;

#[tokio::test]
async fn a_broken_configuration_starts_nothing_and_names_every_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "colour = 1\n[mqtt]\nlisten = \"nowhere\"\n[journal]\nsegment_mib = 0\n")?;
    let done = Command::new(process::binary("lantian")?).arg("--config").arg(&file).arg("serve").output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.code() == Some(64), "{:?} {said}", done.status);
    for key in ["colour", "mqtt.listen", "journal.segment_mib"] {
        ensure!(said.contains(key), "{key} is not named in {said}");
    }
    ensure!(!folder.path().join("data").exists(), "something was written");
    Ok(())
}

#[tokio::test]
async fn a_broken_register_file_changes_nothing_and_names_every_place() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path(), Setup::default())?;
    let bad = folder.path().join("bad");
    std::fs::create_dir_all(bad.join("rules"))?;
    std::fs::write(
        bad.join("a.toml"),
        "[[subject]]\ncode = \"r-1\"\nname = \"one\"\ndetails = { kind = \"restaurant\" }\n[[device]]\ncode = \"BAD CODE\"\nprofile = \"none\"\nprotocol = \"mqtt\"\nidentity = \"x\"\n",
    )?;
    std::fs::write(bad.join("rules/r.toml"), "code = \"r\"\nkind = \"exceedance\"\nwindow = \"-3min\"\n")?;
    let failed = server.command(&["apply", &bad.to_string_lossy()]);
    let said = format!("{:#}", failed.err().context("a broken folder was applied")?);
    ensure!(said.contains("a.toml") && said.contains("r.toml"), "{said}");
    let out = folder.path().join("out");
    server.command(&["export", &out.to_string_lossy()])?;
    ensure!(!out.join("subjects.toml").exists(), "half of it was applied");
    Ok(())
}

#[tokio::test]
async fn export_applies_back_to_no_change() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path(), Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    let out = folder.path().join("out");
    server.command(&["export", &out.to_string_lossy()])?;
    let said = server.command(&["apply", &out.to_string_lossy(), "--dry-run"])?;
    ensure!(said.contains("0 new, 0 changed"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_backup_comes_back_with_everything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    device.say("lantian/v1/fume-a/telemetry", r#"{"ts":1790000000000,"values":{"fume":1.25}}"#).await?;
    let copy = folder.path().join("copy");
    ensure!(server.command(&["backup", &copy.to_string_lossy()]).is_err(), "a running server was copied");
    server.stop()?;
    server.command(&["backup", &copy.to_string_lossy()])?;
    std::fs::remove_dir_all(server.data_dir())?;
    server.command(&["restore", &copy.to_string_lossy()])?;
    server.start().await?;
    let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    device.say("lantian/v1/fume-a/telemetry", r#"{"ts":1790000000000,"values":{"fume":1.25}}"#).await?;
    server
        .metric_reaches("ingest_settle_records_total{verdict=\"duplicate\"}", 1.0, std::time::Duration::from_secs(10))
        .await?;
    server.stop()
}

#[tokio::test]
async fn a_clean_stop_and_start_complain_of_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    for round in 0..2 {
        let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
        device.say("lantian/v1/fume-a/telemetry", &format!(r#"{{"fume":0.{}}}"#, round + 3)).await?;
        drop(device);
        server.stop()?;
        server.start().await?;
    }
    server.stop()?;
    let complaints = server.complaints();
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_not_gone_on_with() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    device.say("lantian/v1/fume-a/telemetry", r#"{"ts":1790000000000,"values":{"fume":1.25}}"#).await?;
    drop(device);
    server.stop()?;
    std::fs::remove_dir_all(server.data_dir().join("journal"))?;
    ensure!(server.start().await.is_err(), "new records would have got places that count as done");
    ensure!(server.log().contains("its last segments are missing"), "{}", server.log());
    Ok(())
}
