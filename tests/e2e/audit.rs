//! Acknowledged means on disk, seen from outside: by the order of system calls, for each protocol that acknowledges.

use crate::stock::{add, started};
use crate::wire::{Mqtt, Terminal, hj212_frame};
use anyhow::{Context, Result, ensure};
use e2e::{Server, Setup, tools};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const COUNT: u32 = 40;

/// How a device's data and our answer to it look in a trace.
struct Wire {
    name: &'static str,
    data: fn(&str) -> bool,
    answer: fn(&str) -> bool,
}

const MQTT: Wire = Wire {
    name: "MQTT PUBACK",
    data: |line| line.contains("\"2") && line.contains("telemetry"),
    answer: |line| line.contains("\"@\\2\\0"),
};
const HJ212: Wire = Wire {
    name: "HJ 212 9014",
    data: |line| line.contains("\"##") && line.contains("CN=2011"),
    answer: |line| line.contains("\"##") && line.contains("CN=9014"),
};
const JT808: Wire = Wire {
    name: "JT/T 808 0x8001",
    data: |line| line.contains("\"~\\2\\0"),
    answer: |line| line.contains("\"~\\200\\1"),
};

/// Between the read of a device's data and the write of its acknowledgement an fdatasync of the journal began and returned.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledgement_of_every_protocol_follows_the_sync_that_covers_it() -> Result<()> {
    const MN: &str = "410100000000000000000ST1";
    const PHONE: &str = "013900000042";
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    let password = add(&server, &["--code", "dust-s", "--profile", "dust-hj212-ug", "--identity", MN])?;
    add(&server, &["--code", "truck-s", "--profile", "truck-jt808", "--identity", PHONE])?;
    server.stop()?;
    let (mut server, trace) = traced(server, folder.path())?;
    server.start().await?;

    let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    for n in 0..COUNT {
        let at = 1_790_000_000_000_i64 + i64::from(n) * 1000;
        device.say("lantian/v1/fume-a/telemetry", &format!(r#"{{"ts":{at},"values":{{"fume":1.{n}}}}}"#)).await?;
    }
    drop(device);

    let mut logger = TcpStream::connect(&server.addresses().hj212).await?;
    for n in 0..COUNT {
        let data = format!("DataTime=202610010800{n:02};a34002-Rtd=51.{n},a34002-Flag=N");
        logger.write_all(&hj212_frame(MN, &password, &format!("202610010800{n:02}000"), &data)).await?;
        let mut answer = [0; 512];
        let count = logger.read(&mut answer).await.context("read a 9014")?;
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        ensure!(answer.contains("CN=9014"), "{answer}");
    }
    drop(logger);

    let mut terminal = Terminal::connect(&server.addresses().jt808, PHONE).await?;
    for n in 0..COUNT {
        terminal.report((26, 10, 1, 8, 0, u8::try_from(n)?)).await?;
    }
    drop(terminal);

    server.stop()?;
    let trace = std::fs::read_to_string(&trace)?;
    for wire in [MQTT, HJ212, JT808] {
        let Audit { data, answers, early } = audit(&trace, &wire);
        println!("strace: {}: {answers} acknowledgements, {early} before the sync of their record", wire.name);
        let wanted = usize::try_from(COUNT)?;
        ensure!(data >= wanted, "{}: only {data} reads were recognised in the trace, so it shows nothing", wire.name);
        ensure!(answers >= wanted, "{}: only {answers} acknowledgements were seen", wire.name);
        ensure!(early == 0, "{}: {early} acknowledgements left before their record was synced", wire.name);
    }
    Ok(())
}

/// The same data folder, its server under strace.
fn traced(server: Server, folder: &Path) -> Result<(Server, PathBuf)> {
    let trace = folder.join("trace");
    let calls = "trace=read,recvfrom,write,sendto,writev,pwrite64,fdatasync,fsync";
    let program = tools::program("strace")?.display().to_string();
    let file = trace.display().to_string();
    let wrap = [&program, "-D", "-f", "-ttt", "-y", "-s", "64", "-e", calls, "-o", &file];
    let (data, moved) = (folder.join("data"), folder.join("moved"));
    drop(server);
    std::fs::rename(&data, &moved)?;
    let setup = Setup { wrap: wrap.iter().map(|part| (*part).to_owned()).collect(), ..Setup::default() };
    let server = Server::prepare(folder, setup)?;
    std::fs::rename(&moved, &data)?;
    Ok((server, trace))
}

struct Audit {
    /// Reads of data that was recognised.
    data: usize,
    answers: usize,
    /// Answers without a journal write and a finished sync after the read of their data.
    early: usize,
}

fn audit(trace: &str, wire: &Wire) -> Audit {
    let (mut synced_after_read, mut written_after_read) = (true, true);
    let mut found = Audit { data: 0, answers: 0, early: 0 };
    let mut syncing: BTreeMap<&str, bool> = BTreeMap::new();
    for line in trace.lines() {
        let pid = line.split_whitespace().next().unwrap_or("");
        // A call that another thread interrupted is told in two lines; the data is in the second.
        let is_read = ["read(", "recvfrom(", "read resumed", "recvfrom resumed"].iter().any(|call| line.contains(call));
        if is_read && (wire.data)(line) {
            found.data += 1;
            (synced_after_read, written_after_read) = (false, false);
        } else if (line.contains("pwrite64(") || line.contains("write(")) && line.contains("/journal/") {
            written_after_read = true;
        } else if line.contains("fdatasync(") && line.contains("/journal/") {
            if line.contains("unfinished") {
                syncing.insert(pid, written_after_read);
            } else if line.ends_with("= 0") {
                synced_after_read |= written_after_read;
            }
        } else if line.contains("fdatasync resumed") && line.ends_with("= 0") {
            synced_after_read |= syncing.remove(pid).unwrap_or(false);
        } else if found.data > 0
            && ["write(", "sendto(", "writev("].iter().any(|call| line.contains(call))
            && (wire.answer)(line)
        {
            found.answers += 1;
            found.early += usize::from(!synced_after_read);
        }
    }
    found
}
