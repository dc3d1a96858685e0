//! What the lab writes to the terminal: the first frame of a kind field by field, the next ones in a line, and always what is
//! wrong. Works from 60 columns on; from 110 on the bytes are shown too.

use super::book::{Finding, Label2, Weight};
use super::desk::Shown;
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::explain::{Explanation, Label, Language, Span, columns, fit};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Kinds of frames remembered as shown.
const KINDS_MAX: usize = 1_000;
const WIDTH_MIN: usize = 60;
/// From here on the bytes have a column of their own.
const BYTES_FROM: usize = 110;
const BYTES_SHOWN: usize = 8;

#[derive(Debug)]
pub struct Screen {
    pub language: Language,
    width: usize,
    /// Every frame field by field.
    full: bool,
    seen: BTreeSet<(String, &'static str, bool)>,
}

pub const fn pick(language: Language, label: Label) -> &'static str {
    match language {
        Language::Chinese => label.zh,
        Language::English => label.en,
    }
}

pub fn pick2(language: Language, label: &Label2) -> &str {
    match language {
        Language::Chinese => &label.zh,
        Language::English => &label.en,
    }
}

impl Screen {
    pub fn new(language: Language, width: usize, full: bool) -> Self {
        Self { language, width: width.max(WIDTH_MIN), full, seen: BTreeSet::new() }
    }

    pub const fn word(&self, zh: &'static str, en: &'static str) -> &'static str {
        pick(self.language, Label { zh, en })
    }

    /// What the lab does.
    pub fn say(&self, words: &Label2) -> String {
        let mut out = String::new();
        self.line(&mut out, &format!("» {}", pick2(self.language, words)));
        out
    }

    /// A frame.
    pub fn frame(&mut self, shown: &Shown) -> String {
        let mut out = String::new();
        let explanation = &shown.explained.explanation;
        let kind = (shown.device.clone(), explanation.title.en, shown.up);
        let is_new = self.seen.len() < KINDS_MAX && self.seen.insert(kind);
        let arrow = if shown.up { "▲" } else { "▼" };
        let title = pick(self.language, explanation.title);
        let head = format!(
            "{} {arrow} {} {} #{} {title}",
            clock(shown.at_ms),
            explanation.standard,
            shown.device,
            shown.number
        );
        let troubled = explanation.all_troubles().next().is_some() || !shown.findings.is_empty();
        let detailed = self.full || is_new;
        let gist = if detailed { String::new() } else { gist(explanation) };
        if gist.is_empty() {
            self.line(&mut out, &head);
        } else if columns(&head) + columns(&gist) + 3 <= self.width {
            self.line(&mut out, &format!("{head} · {gist}"));
        } else {
            self.line(&mut out, &head);
            self.line(&mut out, &format!("             {gist}"));
        }
        if detailed {
            for span in &explanation.spans {
                self.span(&mut out, span, shown, true);
            }
        } else if troubled {
            for span in explanation.spans.iter().filter(|span| !span.troubles.is_empty()) {
                self.span(&mut out, span, shown, false);
            }
        }
        for trouble in &explanation.troubles {
            let detail = colon(&trouble.detail);
            self.wrong(&mut out, trouble.fatal, &format!("{}{detail}", pick(self.language, trouble.text)));
        }
        for finding in &shown.findings {
            self.finding(&mut out, finding);
        }
        if detailed
            && shown.up
            && let Some(answer) = explanation.answer
        {
            let words = format!("{} {}", self.word("   应答：", "   answer:"), pick(self.language, answer));
            self.line(&mut out, &words);
        }
        out
    }

    fn span(&self, out: &mut String, span: &Span, shown: &Shown, is_whole: bool) {
        let range = match span.len {
            0 => String::new(),
            1 => span.at.to_string(),
            len => format!("{}–{}", span.at, span.at + len - 1),
        };
        let label = format!("{}{}", "  ".repeat(usize::from(span.depth)), pick(self.language, span.label));
        let label_columns = if self.width >= BYTES_FROM { 30 } else { 24 };
        let unit = if span.unit.is_empty() { String::new() } else { format!(" {}", span.unit) };
        let mut line = format!("{} {} ", pad_left(&range, 9), fit(&label, label_columns));
        if self.width >= BYTES_FROM {
            let bytes = shown.explained.plain.get(span.at..span.at.saturating_add(span.len)).unwrap_or_default();
            line.push_str(&fit(&hex(bytes), BYTES_SHOWN * 3 + 2));
            line.push(' ');
        }
        line.push_str(&span.value);
        line.push_str(&unit);
        self.line(out, &line);
        if is_whole || !span.troubles.is_empty() {
            for trouble in &span.troubles {
                let detail = colon(&trouble.detail);
                self.wrong(out, trouble.fatal, &format!("{}{detail}", pick(self.language, trouble.text)));
            }
        }
    }

    fn finding(&self, out: &mut String, finding: &Finding) {
        let place = finding.place.map_or_else(String::new, |(at, len)| format!("@{at}+{len} "));
        let detail = colon(&finding.detail);
        let clause = if finding.clause.is_empty() { String::new() } else { format!(" [{}]", finding.clause) };
        let text = format!("{place}{}{detail}{clause}", pick(self.language, finding.text));
        self.wrong(out, finding.weight == Weight::Must, &text);
    }

    fn wrong(&self, out: &mut String, hard: bool, text: &str) {
        let sign = if hard { '✗' } else { '!' };
        for (n, piece) in wrapped(text, self.width.saturating_sub(12)).iter().enumerate() {
            let start = if n == 0 { sign } else { ' ' };
            self.line(out, &format!("          {start} {piece}"));
        }
    }

    /// One line of at most the terminal's width.
    fn line(&self, out: &mut String, text: &str) {
        out.push_str(fit(text, self.width).trim_end());
        out.push('\n');
    }

    pub const fn width(&self) -> usize {
        self.width
    }
}

fn colon(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

/// The values that tell frames of one kind apart.
fn gist(explanation: &Explanation) -> String {
    const NAMES: [&str; 8] = ["DataTime", "time", "ts", "lat", "lon", "answered_id", "result", "topic"];
    let mut out = String::new();
    let telling = |span: &&Span| {
        NAMES.contains(&&*span.name)
            || span.name.ends_with("-Rtd")
            || span.name.ends_with("-Avg")
            || span.name.starts_with("values.")
            || span.name.starts_with("register[")
    };
    for span in explanation.spans.iter().filter(telling).take(5) {
        // Writing to a string does not fail.
        write!(out, "{}{}={}", if out.is_empty() { "" } else { " " }, short(&span.name), span.value).ok();
    }
    out
}

fn short(name: &str) -> &str {
    let name = name.strip_prefix("values.").unwrap_or(name);
    name.strip_suffix("-Rtd").unwrap_or(name)
}

/// The clock in Beijing.
pub fn clock(at_ms: i64) -> String {
    match LocalStamp::of(EventTime(at_ms), BEIJING_OFFSET_MINUTES).fields() {
        Some((_, _, _, hour, minute, second, ms)) => format!("{hour:02}:{minute:02}:{second:02}.{ms:03}"),
        None => "--:--:--".to_owned(),
    }
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))))
}

pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(BYTES_SHOWN) {
        write!(text, "{byte:02x} ").ok(); // a String
    }
    if bytes.len() > BYTES_SHOWN {
        text.push('…');
    }
    text
}

/// A text in lines of at most so many columns, cut at blanks where there are some.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for word in text.split_inclusive([' ', '，', '；', '：', '。']) {
        let wide = columns(word);
        if taken > 0 && taken + wide > width {
            lines.push(String::new());
            taken = 0;
        }
        if wide > width {
            for character in word.chars() {
                let one = columns(character.encode_utf8(&mut [0; 4]));
                if taken + one > width {
                    lines.push(String::new());
                    taken = 0;
                }
                taken += one;
                if let Some(line) = lines.last_mut() {
                    line.push(character);
                }
            }
            continue;
        }
        taken += wide;
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::book::Protocol;
    use super::*;
    use protocol::explain::{explain, pasted};

    fn shown(frame: &str, findings: Vec<Finding>) -> Shown {
        let explained = explain(&pasted(frame).unwrap()).unwrap();
        let wire = explained.plain.clone();
        let device = "LT41010000000001".to_owned();
        Shown {
            protocol: Protocol::Hj212,
            link: 1,
            device,
            up: true,
            number: 7,
            at_ms: 1_767_240_000_000,
            explained,
            findings,
            wire,
        }
    }

    const FRAME: &str = "##0136QN=20260101120000000;ST=51;CN=2011;PW=123456;MN=LT41010000000001;Flag=5;CP=&&DataTime=20260101120000;a34041-Rtd=1.2,a34041-Flag=N&&0000";

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let finding = Finding::new(
            "zone",
            "zone_wrong",
            "时间差整数小时：设备发送的是 UTC？应发北京时间",
            "whole hours off: does it send UTC? Beijing time is wanted",
        )
        .detail("-8 h")
        .at(Some((95, 23)));
        for width in [60, 80, 120, 200] {
            for language in [Language::Chinese, Language::English] {
                let mut screen = Screen::new(language, width, false);
                for text in [
                    screen.frame(&shown(FRAME, vec![finding.clone()])),
                    screen.frame(&shown(FRAME, vec![finding.clone()])),
                ] {
                    for line in text.lines() {
                        assert!(columns(line) <= width, "{width}: {line}");
                    }
                    assert!(text.contains('✗') && text.contains("-8 h"), "{text}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_a_kind_is_shown_field_by_field_and_the_next_in_a_line() {
        let mut screen = Screen::new(Language::Chinese, 100, false);
        let good = FRAME.replace("&&0000", "&&");
        let crc = protocol::hj212::crc(&good.as_bytes()[6..]);
        let good = format!("##{:04}{}{crc:04X}", good.len() - 6, &good[6..]);
        let first = screen.frame(&shown(&good, Vec::new()));
        assert!(first.lines().count() > 10 && first.contains("油烟"), "{first}");
        let next = screen.frame(&shown(&good, Vec::new()));
        assert!(next.lines().count() <= 2, "{next}");
        assert!(next.contains("a34041=1.2"), "{next}");
    }

    #[test]
    fn long_words_are_wrapped_without_loss() {
        let text = "设备断线期间的数据没有补传，请检查设备缓存设置以及重连之后的补传逻辑是否打开";
        let lines = wrapped(text, 20);
        assert!(lines.iter().all(|line| columns(line) <= 20), "{lines:?}");
        assert_eq!(lines.concat(), text);
    }
}
