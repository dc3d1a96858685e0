//! Recorded frames: the lab's log, and `lab check FILE`, which reads it, or lines of hex, or frames as text.
//!
//! ```text
//! 2026-01-01T04:00:00.000Z<tab>up<tab>hj212<tab>1<tab>2323303038…
//! ```

use super::book::{Book, Finding, Protocol};
use super::desk::{Action, Desk, Shown};
use super::hj212::Hj212Desk;
use super::jt808::Jt808Desk;
use super::mqtt::MqttDesk;
use super::report::Report;
use super::screen::Screen;
use anyhow::{Context, Result, bail};
use model::time::{IngestTime, parse_rfc3339};
use protocol::explain::{Explained, explain, pasted};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

/// Bytes of a log; what comes after is not written.
pub const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a file that are read, and of one line.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Writes frames until the log is full.
pub struct Recorder {
    file: std::fs::File,
    left: u64,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Recorder {
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = std::fs::File::create(path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self { file, left: LOG_BYTES_MAX })
    }

    /// # Errors
    /// When the disk is full.
    pub fn write(&mut self, shown: &Shown) -> Result<()> {
        let mut line = format!(
            "{}\t{}\t{}\t{}\t",
            IngestTime(shown.at_ms).to_rfc3339(),
            if shown.up { "up" } else { "down" },
            shown.protocol.word(),
            shown.link
        );
        for byte in &shown.wire {
            write!(line, "{byte:02x}").context("write a frame")?;
        }
        line.push('\n');
        let len = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if len > self.left {
            self.left = 0;
            return Ok(());
        }
        self.left -= len;
        self.file.write_all(line.as_bytes()).context("write the log")
    }

    pub const fn is_full(&self) -> bool {
        self.left == 0
    }
}

/// One line.
struct Recorded {
    at: Option<i64>,
    up: bool,
    protocol: Protocol,
    link: u64,
    bytes: Vec<u8>,
}

fn parse(line: &str) -> Result<Recorded> {
    let mut columns = line.splitn(5, '\t');
    if let (Some(at), Some(way @ ("up" | "down")), Some(protocol), Some(link), Some(hex)) =
        (columns.next(), columns.next(), columns.next(), columns.next(), columns.next())
    {
        let protocol = Protocol::from_word(protocol).with_context(|| format!("read the protocol {protocol:?}"))?;
        let link = link.parse().context("read the connection's number")?;
        return Ok(Recorded { at: parse_rfc3339(at), up: way == "up", protocol, link, bytes: pasted(hex)? });
    }
    let mut bytes = pasted(line)?;
    let standard = explain(&bytes)?.explanation.standard;
    let protocol = match standard {
        standard if standard.starts_with("HJ") => Protocol::Hj212,
        standard if standard.starts_with("MQTT") => Protocol::Mqtt,
        "Modbus" => Protocol::Modbus,
        "JSON" => bail!("JSON alone is explained by `lantian explain`; the lab checks MQTT packets"),
        _ => Protocol::Jt808,
    };
    if protocol == Protocol::Hj212 && !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(b"\r\n"); // a line of a file has lost its own
    }
    Ok(Recorded { at: None, up: true, protocol, link: 1, bytes })
}

/// Checks a file of frames, writing each to `out`. Only what frames alone can show is judged: no test is made, and times count
/// only where the file has the time of receipt.
///
/// # Errors
/// A file that cannot be read, or a line that is no frame, named by its number.
pub fn check(path: &Path, screen: &mut Screen, out: &mut dyn Write, now: IngestTime) -> Result<Report> {
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut desks: [Box<dyn Desk>; 3] = [
        Box::new(Hj212Desk::new(None, true)),
        Box::new(Jt808Desk::new(None, true)),
        Box::new(MqttDesk::new(None, true)),
    ];
    let mut modbus = Book::new(Protocol::Modbus, "modbus");
    let mut opened = std::collections::BTreeSet::new();
    let mut timeless = [
        Box::new(Hj212Desk::new(None, false)) as Box<dyn Desk>,
        Box::new(Jt808Desk::new(None, false)),
        Box::new(MqttDesk::new(None, false)),
    ];
    for (number, line) in BufReader::new(file.take(FILE_BYTES_MAX)).split(b'\n').enumerate() {
        let line = line.context("read a line")?;
        if line.len() > LINE_BYTES_MAX {
            bail!("line {}: longer than {LINE_BYTES_MAX} bytes", number + 1);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() || text.starts_with("# ") {
            continue;
        }
        let recorded = parse(text).with_context(|| format!("read line {}", number + 1))?;
        let at = recorded.at.unwrap_or(now.as_ms());
        let mut actions = Vec::new();
        let index = match recorded.protocol {
            Protocol::Hj212 => 0,
            Protocol::Jt808 => 1,
            Protocol::Mqtt => 2,
            Protocol::Modbus => {
                look_at_modbus(&recorded, &mut modbus);
                continue;
            }
        };
        if !recorded.up {
            continue;
        }
        let set = if recorded.at.is_some() { &mut desks } else { &mut timeless };
        let Some(desk) = set.get_mut(index) else { continue };
        if opened.insert((recorded.at.is_some(), index, recorded.link)) {
            desk.opened(recorded.link, at, &mut actions);
        }
        desk.heard(recorded.link, &recorded.bytes, at, &mut actions);
        for action in actions {
            if let Action::Show(shown) = action
                && shown.up
            {
                out.write_all(screen.frame(&shown).as_bytes()).context("write to the terminal")?;
            }
        }
    }
    let mut books: Vec<&Book> = Vec::new();
    for desk in desks.iter_mut().chain(&mut timeless) {
        for (_, _, link) in &opened {
            desk.closed(*link, now.as_ms());
        }
        desk.finish(now.as_ms());
    }
    for desk in desks.iter().chain(&timeless) {
        books.extend(desk.books());
    }
    if modbus.frames_up + modbus.frames_down > 0 {
        books.push(&modbus);
    }
    Ok(Report::of_recorded(&books, now))
}

/// A frame of a recording: question and answer are not matched, since a capture may lack either.
fn look_at_modbus(recorded: &Recorded, book: &mut Book) {
    let Ok(Explained { explanation, .. }) = explain(&recorded.bytes) else {
        book.found(Finding::new("frame", "not_recognised", "不是完整的 Modbus 帧", "no whole Modbus frame"));
        return;
    };
    book.frames_up += u64::from(recorded.up);
    book.frames_down += u64::from(!recorded.up);
    let mut sound = true;
    for (place, trouble) in explanation.all_troubles() {
        sound = false;
        let text = Finding::new("frame", trouble.code, trouble.text.zh, trouble.text.en);
        book.found(text.at(place).detail(trouble.detail.clone()));
    }
    if sound {
        book.kept("frame");
        book.kept("check");
    }
}

#[cfg(test)]
mod tests {
    use super::super::book::Status;
    use super::*;
    use protocol::explain::Language;

    fn checked(text: &str) -> Result<Report> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frames.txt");
        std::fs::write(&path, text).unwrap();
        let mut screen = Screen::new(Language::English, 100, false);
        check(&path, &mut screen, &mut Vec::new(), IngestTime(1_767_240_000_000))
    }

    #[test]
    fn lines_of_text_and_hex_are_checked_and_faults_told() {
        let good = "##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901";
        let report = checked(&format!(
            "{good}\n\n# a remark\n7e 00 02 00 00 01 39 00 00 00 42 00 01 79 7e\n01 03 00 00 00 02 C4 0B\n"
        ))
        .unwrap();
        assert_eq!(report.devices.len(), 3, "{report:#?}");
        let hj212 = &report.devices[0];
        assert!(hj212.checks.iter().all(|line| line.status != Status::Fail), "{hj212:#?}");
        let bad = checked(&good.replace("C901", "C900")).unwrap();
        assert_eq!(bad.exit_code(), 1);
        let line = bad.devices[0].checks.iter().find(|line| line.id == "check").unwrap();
        assert_eq!((line.findings[0].code, line.findings[0].offset), ("check_wrong", Some(83)));
    }

    #[test]
    fn a_line_that_is_no_frame_is_named_by_its_number() {
        let error = checked("7e 00 02 00 00 01 39 00 00 00 42 00 01 79 7e\nhello\n").unwrap_err();
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
    }
}
