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

#[tokio::test]
async fn a_dry_run_names_every_problem_and_ends_badly() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path(), Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    let bad = folder.path().join("bad");
    std::fs::create_dir_all(&bad)?;
    std::fs::write(
        bad.join("a.toml"),
        "[[device]]\ncode = \"BAD CODE\"\nprofile = \"fume-mqtt\"\nprotocol = \"mqtt\"\nidentity = \"x\"\n\
         [[device]]\ncode = \"fume-9\"\nprofile = \"none\"\nprotocol = \"mqtt\"\nidentity = \"y\"\n",
    )?;
    let failed = server.command(&["apply", &bad.to_string_lossy(), "--dry-run"]);
    let said = format!("{:#}", failed.err().context("a dry run of a broken folder ended well")?);
    ensure!(said.contains("a.toml:2") && said.contains("a.toml:8") && said.contains("2 problems"), "{said}");
    ensure!(said.contains("nothing was changed"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_terminal_that_cannot_be_is_refused_before_anything_is_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path(), Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    let truck = ["device", "add", "--code", "truck-a", "--profile", "truck-jt808", "--identity", "13900000007"];
    for wrong in ["a/b/c", "T 1", ""] {
        let failed = server.command(&[&truck[..], &["--terminal", wrong]].concat());
        let said = format!("{:#}", failed.err().with_context(|| format!("{wrong:?} was taken"))?);
        ensure!(said.contains("nothing was changed") || said.contains("a value is required"), "{said}");
    }
    let fume = ["device", "add", "--code", "fume-a", "--profile", "fume-mqtt", "--terminal", "T1"];
    ensure!(server.command(&fume).is_err(), "an MQTT device was given a terminal");
    let dust = ["device", "add", "--code", "dust-a", "--profile", "dust-hj212-ug"];
    let said = format!("{:#}", server.command(&dust).err().context("an HJ 212 device without an MN")?);
    ensure!(said.contains("--identity"), "{said}");
    let out = folder.path().join("out");
    server.command(&["export", &out.to_string_lossy()])?;
    ensure!(!out.join("devices.toml").exists(), "a device was written");
    let issued = server.command(&[&truck[..], &["--terminal", "T000007"]].concat())?;
    ensure!(issued.contains("auth_code"), "{issued}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_data_folder_is_not_taken_for_an_empty_district() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path(), Setup::default())?;
    for command in [
        &["device", "add", "--code", "a", "--profile", "fume-mqtt"][..],
        &["device", "rotate", "a"],
        &["bridge", "add", "tool", "--observer"],
        &["claim", "list"],
        &["admin", "unlock", "admin"],
        &["export", "out"],
        &["apply", "config/library", "--dry-run"],
    ] {
        let said = format!("{:#}", server.command(command).err().with_context(|| format!("{command:?} ended well"))?);
        ensure!(said.contains("look at data.dir"), "{command:?}: {said}");
        ensure!(!server.data_dir().exists(), "{command:?} made a data folder");
    }
    let said = server.command(&["admin", "create", "admin"])?;
    ensure!(said.contains("a new data folder"), "{said}");
    Ok(())
}

#[tokio::test]
async fn half_a_backup_is_not_restored_and_a_broken_database_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    server.stop()?;
    let copy = folder.path().join("copy");
    server.command(&["backup", &copy.to_string_lossy()])?;
    for file in ["secret.key", "chunks.db", "lantian.db"] {
        std::fs::rename(copy.join(file), folder.path().join("aside"))?;
        std::fs::remove_dir_all(server.data_dir()).ok(); // gone already in the second round
        let said =
            format!("{:#}", server.command(&["restore", &copy.to_string_lossy()]).err().context("half came back")?);
        ensure!(said.contains(file) && said.contains("nothing was restored"), "{said}");
        std::fs::rename(folder.path().join("aside"), copy.join(file))?;
    }
    server.command(&["restore", &copy.to_string_lossy()])?;
    std::fs::write(server.data_dir().join("lantian.db"), vec![b'x'; 8_192])?;
    let said = format!("{:#}", server.command(&["claim", "list"]).err().context("junk was opened")?);
    ensure!(said.contains("lantian.db"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_locked_account_is_unlocked_and_reset_from_the_machine() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    server.administrator().await?;
    for _ in 0..6 {
        ensure!(e2e::Api::login(&server.url(), "admin", "wrong").await.is_err(), "let in by a guess");
    }
    ensure!(server.log_in().await.is_err(), "five wrong passwords have no effect");
    server.command(&["admin", "unlock", "admin"])?;
    server.log_in().await?;
    let once = e2e::server::password_in(&server.command(&["admin", "reset", "admin"])?)?;
    ensure!(server.log_in().await.is_err(), "the old password still works");
    e2e::Api::login_first(&server.url(), "admin", &once, "a-long-enough-pass-2").await?;
    server.stop()
}

#[tokio::test]
async fn devices_are_imported_with_their_credentials_and_a_device_claims_its_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let (table, out) = (folder.path().join("devices.csv"), folder.path().join("out.csv"));
    let (table, out) = (table.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
    std::fs::write(&table, "编码,协议,标识,型号配置\nfume-c,mqtt,fume-c,none\n")?;
    let failed = server.command(&["device", "import", &table, "--dry-run"]);
    let said = format!("{:#}", failed.err().context("a wrong table passed")?);
    ensure!(said.contains('2') && said.contains("型号配置"), "{said}");
    std::fs::write(&table, "编码,协议,标识,型号配置\nfume-c,mqtt,fume-c,fume-mqtt\nfume-d,mqtt,fume-d,fume-mqtt\n")?;
    ensure!(server.command(&["device", "import", &table, "--dry-run"])?.contains("2 new"), "the dry run counts wrong");
    server.command(&["device", "import", &table, "--credentials", &out])?;
    ensure!(server.command(&["device", "import", &table, "--credentials", &out]).is_err(), "credentials written over");
    let handed = std::fs::read_to_string(&out)?;
    let row = handed.lines().find(|line| line.starts_with("fume-c,")).context("a row")?;
    let token = row.split(',').nth(3).context("a secret")?.to_owned();
    let address = server.addresses().mqtt.clone();
    let mut device = e2e::eventually("the device is let in", std::time::Duration::from_secs(15), || async {
        Ok(Mqtt::connect(&address, "c", "fume-c", &token).await.ok())
    })
    .await?;
    device.say("lantian/v1/fume-c/telemetry", r#"{"fume":1.0}"#).await?;
    let made = server.command(&[
        "claim",
        "add",
        "street 7",
        "--profile",
        "fume-mqtt",
        "--prefix",
        "s7-",
        "--count",
        "1",
        "--days",
        "1",
    ])?;
    let code = made.lines().find_map(|line| line.trim().strip_prefix("code")).context("a code")?.trim().to_owned();
    let ask = |serial: &str| {
        let body = serde_json::json!({"code": code, "serial": serial});
        reqwest::Client::new().post(format!("{}/api/v1/provision", server.url())).json(&body).send()
    };
    let answer = ask("A001").await?;
    ensure!(answer.status().is_success(), "{}", answer.status());
    let told: serde_json::Value = answer.json().await?;
    let settings = told["credential"]["settings"].as_array().context("settings")?.clone();
    let secret = settings.iter().find(|one| one["secret"] == true).and_then(|one| one["value"].as_str());
    let mut device = Mqtt::connect(&address, "s", "s7-a001", secret.context("a secret")?).await?;
    device.say("lantian/v1/s7-a001/telemetry", r#"{"fume":1.0}"#).await?;
    for serial in ["A001", "A002"] {
        ensure!(ask(serial).await?.status().as_u16() == 403, "{serial} got something of a used-up code");
    }
    server.stop()
}
