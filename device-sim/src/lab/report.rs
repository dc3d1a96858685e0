//! The outcome of a run: on the screen, as JSON for machines, as Markdown for people.

use super::book::{Book, Finding, Label2, Status, Weight};
use super::screen::{Screen, pick, pick2, wrapped};
use anyhow::{Context, Result};
use model::time::IngestTime;
use protocol::explain::{Label, Language, fit};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// Everything that was found out, owned.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub program: &'static str,
    pub version: &'static str,
    pub started: String,
    pub ended: String,
    pub result: Status,
    pub devices: Vec<Device>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Device {
    pub protocol: &'static str,
    pub identity: String,
    pub standard: &'static str,
    pub connections: u64,
    pub frames_up: u64,
    pub frames_down: u64,
    pub result: Status,
    pub checks: Vec<Line>,
    /// Findings beyond the most that are kept.
    pub findings_dropped: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub id: &'static str,
    pub title: Label2,
    pub clause: &'static str,
    pub status: Status,
    /// A run without it is inconclusive.
    pub needed: bool,
    pub active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Label2>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Said>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Said {
    pub code: &'static str,
    pub weight: Weight,
    pub text: Label2,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Label2>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    pub clause: &'static str,
    /// The first frame it was seen in, from 1; 0: none in particular.
    pub frame: u64,
    /// In the frame as on the wire (JT/T 808: un-escaped).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    pub times: u64,
}

fn both(label: Label) -> Label2 {
    Label2 { zh: label.zh.to_owned(), en: label.en.to_owned() }
}

impl Said {
    fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code,
            weight: finding.weight,
            text: both(finding.text),
            advice: finding.advice.map(both),
            detail: finding.detail.clone(),
            clause: finding.clause,
            frame: finding.frame,
            offset: finding.place.map(|place| place.0),
            length: finding.place.map(|place| place.1),
            times: finding.times,
        }
    }
}

impl Report {
    pub fn of(books: &[&Book], started: IngestTime, ended: IngestTime) -> Self {
        let devices: Vec<Device> = books.iter().map(|book| device(book)).collect();
        let result = devices.iter().map(|device| device.result).max().unwrap_or(Status::NotSeen);
        Self {
            program: "device-sim lab",
            version: env!("CARGO_PKG_VERSION"),
            started: started.to_rfc3339(),
            ended: ended.to_rfc3339(),
            result,
            devices,
        }
    }

    /// Of recorded frames: nothing was tried, so only what was wrong counts, and nothing was answered.
    pub fn of_recorded(books: &[&Book], at: IngestTime) -> Self {
        let mut report = Self::of(books, at, at);
        for device in &mut report.devices {
            if device.result == Status::NotSeen {
                device.result = Status::Pass;
            }
            if device.protocol != super::book::Protocol::Modbus.word() {
                device.frames_down = 0;
            }
        }
        report.result = report.devices.iter().map(|device| device.result).max().unwrap_or(Status::NotSeen);
        report
    }

    /// 0 passed, 1 a check failed, 2 nothing failed but something that had to be seen was not.
    pub const fn exit_code(&self) -> u8 {
        match self.result {
            Status::Pass => 0,
            Status::Fail => 1,
            Status::NotSeen => 2,
        }
    }

    /// Writes `FILE.json` and `FILE.md` for `FILE`, whatever its extension.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, file: &Path, language: Language) -> Result<()> {
        let json = serde_json::to_string_pretty(self).context("write the report")?;
        for (extension, text) in [("json", json), ("md", self.markdown(language))] {
            let path = file.with_extension(extension);
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    pub fn screen(&self, screen: &Screen) -> String {
        let language = screen.language;
        let mut out = String::new();
        let rule = "─".repeat(screen.width().min(100));
        if self.devices.is_empty() {
            return format!("{rule}\n{}\n", screen.word("没有设备连接，结果未定", "no device came: inconclusive"));
        }
        for device in &self.devices {
            // Writing to a string does not fail.
            writeln!(out, "{rule}").ok();
            let words = screen.word("帧", "frames");
            writeln!(
                out,
                "{} {} · {} · ▲{} ▼{} {words}",
                device.standard,
                device.identity,
                status_word(language, device.result),
                device.frames_up,
                device.frames_down
            )
            .ok();
            for line in &device.checks {
                let sign = match line.status {
                    Status::Pass => '✓',
                    Status::Fail => '✗',
                    Status::NotSeen => '–',
                };
                let note = line.note.as_ref().map_or_else(String::new, |note| format!(" · {}", pick2(language, note)));
                let text = format!("{}{note}", pick2(language, &line.title));
                let room = screen.width().saturating_sub(16);
                writeln!(out, " {sign} {} {}", fit(line.id, 12), fit(&text, room).trim_end()).ok();
                for said in &line.findings {
                    for (n, piece) in
                        wrapped(&sentence(language, said), screen.width().saturating_sub(18)).iter().enumerate()
                    {
                        let start = if n == 0 { if said.weight == Weight::Must { "✗" } else { "!" } } else { " " };
                        writeln!(out, "                {start} {piece}").ok();
                    }
                }
            }
        }
        writeln!(out, "{rule}").ok();
        let words = screen.word("结论：", "result: ");
        writeln!(out, "{words}{}", status_word(language, self.result)).ok();
        out
    }

    pub fn markdown(&self, language: Language) -> String {
        let word = |zh: &'static str, en: &'static str| pick(language, Label { zh, en });
        let mut out = String::new();
        writeln!(out, "# {}\n", word("设备接入测试报告", "Device test report")).ok();
        writeln!(
            out,
            "{} {} – {} · {} {} · **{}**\n",
            word("时间", "time"),
            self.started,
            self.ended,
            self.program,
            self.version,
            status_word(language, self.result)
        )
        .ok();
        for device in &self.devices {
            writeln!(out, "## {} {}\n", device.standard, cell(&device.identity)).ok();
            writeln!(
                out,
                "{} **{}** · {} {} · {} {} · {} {}\n",
                word("结论", "result"),
                status_word(language, device.result),
                word("连接", "connections"),
                device.connections,
                word("上行帧", "frames up"),
                device.frames_up,
                word("下行帧", "frames down"),
                device.frames_down
            )
            .ok();
            writeln!(
                out,
                "| {} | {} | {} | {} | {} |",
                word("检查项", "check"),
                word("内容", "what"),
                word("结果", "result"),
                word("条款", "clause"),
                word("说明", "note")
            )
            .ok();
            writeln!(out, "|---|---|---|---|---|").ok();
            for line in &device.checks {
                let note = line.note.as_ref().map_or("", |note| pick2(language, note));
                writeln!(
                    out,
                    "| `{}` | {} | {} | {} | {} |",
                    line.id,
                    pick2(language, &line.title),
                    status_word(language, line.status),
                    line.clause,
                    cell(note)
                )
                .ok();
            }
            markdown_findings(&mut out, device, language);
            out.push('\n');
        }
        if self.devices.is_empty() {
            writeln!(out, "{}", word("没有设备连接。", "No device came.")).ok();
        }
        out
    }
}

/// What was wrong with a device, as a table.
fn markdown_findings(out: &mut String, device: &Device, language: Language) {
    let word = |zh: &'static str, en: &'static str| pick(language, Label { zh, en });
    let findings: Vec<(&Line, &Said)> =
        device.checks.iter().flat_map(|line| line.findings.iter().map(move |said| (line, said))).collect();
    if findings.is_empty() {
        return;
    }
    writeln!(out, "\n### {}\n", word("发现的问题", "what was wrong")).ok();
    writeln!(
        out,
        "| | {} | {} | {} | {} | {} | {} |",
        word("检查项", "check"),
        word("问题", "problem"),
        word("首见帧", "first frame"),
        word("偏移", "offset"),
        word("次数", "times"),
        word("条款", "clause")
    )
    .ok();
    writeln!(out, "|---|---|---|---|---|---|---|").ok();
    for (line, said) in findings {
        let sign = if said.weight == Weight::Must { "✗" } else { "!" };
        let place = said.offset.map_or_else(|| "–".to_owned(), |at| format!("{at}+{}", said.length.unwrap_or(0)));
        let advice =
            said.advice.as_ref().map_or_else(String::new, |advice| format!("<br>{}", cell(pick2(language, advice))));
        let detail = if said.detail.is_empty() { String::new() } else { format!(" ({})", cell(&said.detail)) };
        writeln!(
            out,
            "| {sign} | `{}` | {}{detail} `{}`{advice} | {} | {place} | {} | {} |",
            line.id,
            pick2(language, &said.text),
            said.code,
            said.frame,
            said.times,
            said.clause
        )
        .ok();
    }
}

fn device(book: &Book) -> Device {
    let lines = book.checks().map(|(check, status)| Line {
        id: check.id,
        title: both(check.title),
        clause: check.clause,
        status,
        needed: check.needed,
        active: check.active,
        note: book.note_of(check.id).cloned(),
        findings: book.findings().iter().filter(|finding| finding.check == check.id).map(Said::of).collect(),
    });
    Device {
        protocol: book.protocol.word(),
        identity: book.identity.clone(),
        standard: book.standard,
        connections: book.connections,
        frames_up: book.frames_up,
        frames_down: book.frames_down,
        result: book.result(),
        checks: lines.collect(),
        findings_dropped: book.dropped(),
    }
}

fn sentence(language: Language, said: &Said) -> String {
    let frame = if said.frame == 0 { String::new() } else { format!("#{} ", said.frame) };
    let place = said.offset.map_or_else(String::new, |at| format!("@{at}+{} ", said.length.unwrap_or(0)));
    let detail = if said.detail.is_empty() { String::new() } else { format!(": {}", said.detail) };
    let times = if said.times > 1 { format!(" ×{}", said.times) } else { String::new() };
    let advice = said.advice.as_ref().map_or_else(String::new, |advice| format!(" → {}", pick2(language, advice)));
    format!("{frame}{place}{}{detail}{times} [{}]{advice}", pick2(language, &said.text), said.clause)
}

pub const fn status_word(language: Language, status: Status) -> &'static str {
    pick(
        language,
        match status {
            Status::Pass => Label { zh: "通过", en: "pass" },
            Status::Fail => Label { zh: "不通过", en: "fail" },
            Status::NotSeen => Label { zh: "未见", en: "not seen" },
        },
    )
}

/// A device's words must not make columns of their own.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::book::Protocol;
    use super::*;
    use protocol::explain::columns;

    fn report() -> Report {
        let mut book = Book::new(Protocol::Hj212, "LT|1");
        book.kept("length");
        book.note("clock", "偏差中位数 0.1 秒", "median 0.1 s");
        book.found(
            Finding::new("check", "check_modbus", "像是 Modbus CRC", "this is a Modbus CRC")
                .at(Some((120, 4)))
                .detail("1C80 expected, 801C found")
                .advise("先取寄存器高字节再异或", "shift first"),
        );
        Report::of(&[&book], IngestTime(0), IngestTime(60_000))
    }

    #[test]
    fn the_report_names_check_clause_offset_and_what_to_do() {
        let report = report();
        assert_eq!((report.result, report.exit_code()), (Status::Fail, 1));
        for language in [Language::Chinese, Language::English] {
            let markdown = report.markdown(language);
            assert!(
                markdown.contains("120+4") && markdown.contains("HJ 212-2017 附录A") && markdown.contains("LT\\|1"),
                "{markdown}"
            );
            for width in [80, 120] {
                let text = report.screen(&Screen::new(language, width, false));
                assert!(text.lines().all(|line| columns(line) <= width), "{text}");
                assert!(text.contains("@120+4") && text.contains("→"), "{text}");
            }
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["devices"][0]["checks"][0]["findings"][0]["offset"], 120);
        assert_eq!(json["result"], "fail");
    }

    #[test]
    fn nobody_came_is_inconclusive() {
        let report = Report::of(&[], IngestTime(0), IngestTime(1));
        assert_eq!(report.exit_code(), 2);
    }
}
