//! `lantian modbus probe`: reads a slave once, in the open, and shows what lies in its registers and what it may mean. Touches no data.

mod advice;
mod show;

use crate::args::{Modbus, Probe};
use anyhow::{Context, Result, bail, ensure};
use gateway::modbus::{Failure, Prober, blocks, listen_for_modem};
use indicatif::ProgressBar;
use model::modbus::Endpoint;
use model::register::{DeviceProfile, ModbusPoll};
use protocol::explain::Language;
use protocol::modbus::{Answer, Block, BlockAnswer, Function, Reading};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What takes longer shows that it is under way.
const PATIENCE: Duration = Duration::from_secs(2);
/// Read when nothing else is asked for.
const DEFAULT_READ: &str = "3:0:10";
/// A question that any slave answers, if only by refusing it.
const KNOCK: Block = Block { function: Function::HoldingRegisters, address: 0, count: 1 };

pub(crate) async fn run(command: &Modbus) -> Result<()> {
    let Modbus::Probe(probe) = command;
    let language = if probe.english { Language::English } else { Language::Chinese };
    let profile = probe.map.as_deref().map(|file| profile(file, probe.profile.as_deref())).transpose()?;
    let wanted = wanted(probe, profile.as_ref())?;
    let units = units(probe)?;
    let mut prober = connect(&probe.address, language).await?;
    if let Some(units) = units {
        return scan(&mut prober, units, probe, language).await;
    }
    let mut reading = Reading { unit: probe.unit, blocks: Vec::new() };
    for block in wanted {
        sleep(Duration::from_millis(probe.pause_ms)).await;
        let begin = Instant::now();
        let asked = prober.read(probe.unit, block, Duration::from_millis(probe.timeout_ms));
        let outcome = patiently(asked, language.pick("等待应答", "waiting for the answer")).await;
        let took = begin.elapsed();
        print!("{}", show::question(probe.unit, block, took, language));
        match outcome {
            Ok(answered) => {
                if let Answer::Exception(code) = answered.answer {
                    print!("{}", advice::exception(code, block, language));
                } else if profile.is_none() {
                    print!("{}", show::values(&answered, language));
                }
                reading.blocks.push(answered);
            }
            Err(failure) => {
                print!("{}", advice::failure(&failure, &probe.address, language));
                bail!("read unit {} at {}: {failure}", probe.unit, probe.address);
            }
        }
    }
    if let Some(profile) = &profile {
        print!("{}", show::map(profile, &reading, language));
    }
    let refused = |block: &BlockAnswer| matches!(block.answer, Answer::Exception(_));
    ensure!(!reading.blocks.iter().all(refused), "read unit {}: it refused every block", probe.unit);
    Ok(())
}

/// Dials, opens, or waits for a modem.
async fn connect(address: &str, language: Language) -> Result<Prober> {
    if let Some(listen) = address.strip_prefix("listen:") {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listen at {listen}"))?;
        println!(
            "{} {listen}",
            language.pick("等待 DTU 拨入（Ctrl-C 结束）：", "waiting for a modem to dial in (Ctrl-C ends) at")
        );
        let caught = listen_for_modem(listener).await.context("wait for a modem")?;
        print!("{}", show::registration(caught.peer, &caught.registration, language));
        return Ok(caught.prober);
    }
    let endpoint: Endpoint = address.parse().with_context(|| format!("read the address {address:?}"))?;
    if let Endpoint::Dtu(_) = endpoint {
        bail!("dial {endpoint}: a modem dials us; point it here and run `lantian modbus probe listen:0.0.0.0:9502`");
    }
    let dialled = patiently(Prober::connect(&endpoint, CONNECT_TIMEOUT), language.pick("连接中", "connecting")).await;
    match dialled {
        Ok(prober) => Ok(prober),
        Err(failure) => {
            print!("{}", advice::failure(&failure, address, language));
            bail!("reach {endpoint}: {failure}")
        }
    }
}

/// Which units answer at all.
async fn scan(prober: &mut Prober, units: (u8, u8), probe: &Probe, language: Language) -> Result<()> {
    let bar = ProgressBar::new(u64::from(units.1 - units.0) + 1);
    let mut found = Vec::new();
    for unit in units.0..=units.1 {
        bar.set_message(format!("unit {unit}"));
        sleep(Duration::from_millis(probe.pause_ms)).await;
        match prober.read(unit, KNOCK, Duration::from_millis(probe.timeout_ms)).await {
            Ok(BlockAnswer { answer, .. }) => found.push((unit, Ok(answer))),
            Err(Failure::Connect(why)) => bail!("reach {}: {why}", probe.address),
            Err(failure @ Failure::Damaged(_)) => found.push((unit, Err(failure))),
            Err(_) => {}
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    print!("{}", show::found(units, &found, language));
    Ok(())
}

/// Shows that something is under way when it takes long.
async fn patiently<T>(work: impl Future<Output = T>, what: &'static str) -> T {
    let mut work = std::pin::pin!(work);
    // Cancel-safe: the work goes on below.
    tokio::select! {
        done = &mut work => return done,
        () = sleep(PATIENCE) => {}
    }
    let bar = ProgressBar::new_spinner();
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    let done = work.await;
    bar.finish_and_clear();
    done
}

fn wanted(probe: &Probe, profile: Option<&DeviceProfile>) -> Result<Vec<Block>> {
    if let Some(profile) = profile {
        ensure!(probe.read.is_empty(), "take --read and --map: write one of them");
        let poll = ModbusPoll { registers: profile.registers.clone(), ..ModbusPoll::new("", probe.unit) };
        return Ok(blocks(&poll));
    }
    if probe.read.is_empty() {
        return Ok(vec![block(DEFAULT_READ)?]);
    }
    probe.read.iter().map(|text| block(text)).collect()
}

/// `3:0:6`, or `40001:6` as manuals count.
fn block(text: &str) -> Result<Block> {
    let wrong = || format!("read {text:?}: write FUNCTION:ADDRESS:COUNT as 3:0:6, or a table's number as 40001:6");
    let numbers: Vec<u16> =
        text.split(':').map(|part| part.trim().parse().ok()).collect::<Option<_>>().with_context(wrong)?;
    let (function, address, count) = match numbers[..] {
        [function, address, count] => {
            (u8::try_from(function).ok().and_then(Function::from_u8).with_context(wrong)?, address, count)
        }
        [number @ 40_001..=49_999, count] => (Function::HoldingRegisters, number - 40_001, count),
        [number @ 30_001..=39_999, count] => (Function::InputRegisters, number - 30_001, count),
        [number @ 10_001..=19_999, count] => (Function::DiscreteInputs, number - 10_001, count),
        [number @ 1..=9_999, count] => (Function::Coils, number - 1, count),
        _ => bail!(wrong()),
    };
    let most = if function.is_bits() { 2_000 } else { 125 };
    ensure!((1..=most).contains(&count), "read {text:?}: one question takes 1 to {most}");
    ensure!(address.checked_add(count - 1).is_some(), "read {text:?}: it ends behind address 65535");
    Ok(Block { function, address, count })
}

fn units(probe: &Probe) -> Result<Option<(u8, u8)>> {
    let Some(text) = &probe.scan else { return Ok(None) };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let units = from.trim().parse().ok().zip(to.trim().parse().ok()).filter(|(from, to)| from <= to);
    Ok(Some(units.with_context(|| format!("scan {text:?}: write FROM-TO, as 1-16"))?))
}

fn profile(file: &Path, code: Option<&str>) -> Result<DeviceProfile> {
    #[derive(serde::Deserialize)]
    struct Rows {
        #[serde(default)]
        profile: Vec<toml::Value>,
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let rows: Rows = toml::from_str(&text).with_context(|| format!("read {}", file.display()))?;
    let code_of = |row: &toml::Value| row.get("code").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let modbus: Vec<&toml::Value> = rows.profile.iter().filter(|row| row.get("registers").is_some()).collect();
    let row = match code {
        Some(code) => modbus.iter().find(|row| code_of(row) == code),
        None => modbus.first().filter(|_| modbus.len() == 1),
    };
    let Some(row) = row else {
        let known: Vec<String> = modbus.iter().map(|row| code_of(row)).collect();
        bail!("take a map of {}: name one by --profile; it has {}", file.display(), known.join(", "));
    };
    (*row).clone().try_into().with_context(|| format!("read the profile of {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_read_is_written_as_the_wire_or_as_manuals_count() {
        let of = |text: &str| block(text).map(|block| (block.function as u8, block.address, block.count)).ok();
        assert_eq!(of("3:0:6"), Some((3, 0, 6)));
        assert_eq!(of("40001:6"), Some((3, 0, 6)));
        assert_eq!(of("30011:2"), Some((4, 10, 2)));
        assert_eq!(of("10001:8"), Some((2, 0, 8)));
        assert_eq!(of("1:8"), Some((1, 0, 8)));
        for wrong in ["", "3:0", "5:0:1", "3:0:126", "3:65535:2", "3:0:0", "3:x:1", "20001:1", "1:2:3:4"] {
            assert_eq!(of(wrong).filter(|_| wrong != "3:0"), None, "{wrong}");
        }
    }

    #[test]
    fn the_shipped_maps_can_be_probed_with() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library");
        let dust = profile(&root.join("profiles-site.toml"), Some("dust-modbus")).unwrap();
        assert_eq!(dust.registers.len(), 3);
        assert_eq!(profile(&root.join("profiles-fume.toml"), None).unwrap().code, "fume-modbus");
        let error = profile(&root.join("profiles-site.toml"), None).unwrap_err().to_string();
        assert!(error.contains("dust-modbus, washer-modbus"), "{error}");
    }
}
