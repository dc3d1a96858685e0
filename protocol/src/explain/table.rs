//! An explanation as a table of text, for terminals.

use super::paste::Explained;
use super::{Direction, Label, Trouble};
use std::fmt::Write;

/// Which of the two words is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Chinese,
    English,
}

impl Language {
    const fn of(self, label: Label) -> &'static str {
        match self {
            Self::Chinese => label.zh,
            Self::English => label.en,
        }
    }

    /// The word of this language.
    pub const fn pick(self, zh: &'static str, en: &'static str) -> &'static str {
        self.of(Label { zh, en })
    }
}

/// Bytes shown of one field.
const BYTES_SHOWN: usize = 12;
const NAME_WIDTH: usize = 34;

/// The frame's message, then a line for each field with its troubles below it, then what is wrong as a whole and how many
/// troubles there are.
pub fn table(explained: &Explained, language: Language) -> String {
    let mut out = String::new();
    let explanation = &explained.explanation;
    let way = match explanation.direction {
        Direction::Up => language.pick("上行：设备 → 平台", "up: device to platform"),
        Direction::Down => language.pick("下行：平台 → 设备", "down: platform to device"),
        Direction::Either => language.pick("双向", "either way"),
    };
    line(&mut out, &format!("{} · {} · {way}", explanation.standard, language.of(explanation.title)));
    if let Some(answer) = explanation.answer {
        line(&mut out, &format!("{} {}", language.pick("应答：", "answer:"), language.of(answer)));
    }
    let head = [
        language.pick("偏移", "at"),
        language.pick("长度", "len"),
        language.pick("字节", "bytes"),
        language.pick("字段", "field"),
        language.pick("值", "value"),
    ];
    line(&mut out, "");
    line(&mut out, &row(head));
    for (index, span) in explanation.spans.iter().enumerate() {
        let bytes = explained.plain.get(span.at..span.at.saturating_add(span.len)).unwrap_or_default();
        // Its parts follow it.
        let is_group = explanation.spans.get(index + 1).is_some_and(|next| next.depth > span.depth && span.len > 0);
        let bytes = if is_group { String::new() } else { shown(bytes) };
        let name = format!("{}{}", "  ".repeat(usize::from(span.depth)), language.of(span.label));
        let unit = if span.unit.is_empty() { String::new() } else { format!(" {}", span.unit) };
        let clause = if span.clause.is_empty() { String::new() } else { format!("   [{}]", span.clause) };
        let value = format!("{}{unit}{clause}", one_line(&span.value));
        line(&mut out, &row([&span.at.to_string(), &span.len.to_string(), &bytes, &name, &value]));
        for trouble in &span.troubles {
            trouble_line(&mut out, trouble, language);
        }
    }
    for trouble in &explanation.troubles {
        trouble_line(&mut out, trouble, language);
    }
    let fatal = explanation.all_troubles().filter(|(_, trouble)| trouble.fatal).count();
    let all = explanation.all_troubles().count();
    line(&mut out, "");
    line(
        &mut out,
        &match (language, all) {
            (Language::Chinese, 0) => "未发现问题".to_owned(),
            (Language::English, 0) => "no problem found".to_owned(),
            (Language::Chinese, _) => format!("共 {all} 处问题，其中 {fatal} 处在“拒绝”级别下会使帧被拒收（✗）"),
            (Language::English, _) => {
                format!("{all} problems, {fatal} of which refuse the frame at the strictness reject (✗)")
            }
        },
    );
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn row([at, len, bytes, name, value]: [&str; 5]) -> String {
    let bytes = pad(bytes, BYTES_SHOWN * 3 + 2, false);
    format!("{} {}  {bytes} {} {value}", pad(at, 5, true), pad(len, 5, true), pad(name, NAME_WIDTH, false))
}

fn trouble_line(out: &mut String, trouble: &Trouble, language: Language) {
    let sign = if trouble.fatal { '✗' } else { '!' };
    let detail = if trouble.detail.is_empty() { String::new() } else { format!(": {}", one_line(&trouble.detail)) };
    let indent = " ".repeat(13);
    line(out, &format!("{indent}{sign} {} ({}){detail}", language.of(trouble.text), trouble.code));
}

/// Hex of the first bytes.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(BYTES_SHOWN) {
        // Writing to a string does not fail.
        write!(text, "{byte:02x} ").ok();
    }
    if bytes.len() > BYTES_SHOWN {
        text.push('…');
    }
    text
}

/// Control characters of a device's text must not move a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '·' } else { character }).collect()
}

/// Columns a text takes in a terminal: Chinese characters and full-width signs take two.
pub fn columns(text: &str) -> usize {
    width(text)
}

/// A text in exactly so many columns: cut with `…`, or filled with blanks. Control characters are made harmless.
pub fn fit(text: &str, columns: usize) -> String {
    let text = one_line(text);
    if width(&text) <= columns {
        return pad(&text, columns, false);
    }
    let mut out = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let wide = if is_wide(character) { 2 } else { 1 };
        if taken + wide + 1 > columns {
            break;
        }
        taken += wide;
        out.push(character);
    }
    if columns > 0 {
        out.push('…');
    }
    pad(&out, columns, false)
}

fn width(text: &str) -> usize {
    text.chars().map(|character| if is_wide(character) { 2 } else { 1 }).sum()
}

const fn is_wide(character: char) -> bool {
    matches!(character as u32, 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x2_0000..=0x3_fffd)
}

fn pad(text: &str, columns: usize, to_the_right: bool) -> String {
    let blanks = " ".repeat(columns.saturating_sub(width(text)));
    if to_the_right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

#[cfg(test)]
mod tests {
    use super::super::paste::explain;
    use super::*;

    const WRONG: &[u8] = b"##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C900\r\n";

    #[test]
    fn a_wrong_check_is_named_with_what_was_expected_in_both_languages() {
        let explained = explain(WRONG).unwrap();
        for language in [Language::Chinese, Language::English] {
            let text = table(&explained, language);
            assert!(text.contains("check_") && text.contains("C901"), "{text}");
            assert!(text.contains('✗'), "{text}");
        }
    }

    #[test]
    fn columns_stand_under_each_other_with_chinese_text() {
        let explained = explain(WRONG).unwrap();
        let text = table(&explained, Language::Chinese);
        let head = text.lines().find(|line| line.contains("字段")).unwrap();
        let column = width(head.split("字段").next().unwrap());
        let field = text.lines().find(|line| line.contains("DXCBZ000000005")).unwrap();
        let before: String = field
            .chars()
            .scan(0, |taken, character| {
                *taken += if is_wide(character) { 2 } else { 1 };
                (*taken <= column).then_some(character)
            })
            .collect();
        assert!(before.ends_with(' '), "{field}");
    }

    #[test]
    fn a_text_is_fitted_to_its_columns_whatever_it_is_made_of() {
        for text in ["", "abc", "数据时间（时刻）", "a数b据c", "\x1b[2J数据"] {
            for wanted in 0..20 {
                assert_eq!(columns(&fit(text, wanted)), wanted, "{text:?} {wanted}");
            }
        }
        assert_eq!(fit("数据时间", 6).trim_end(), "数据…");
    }

    #[test]
    fn a_device_cannot_write_to_the_terminal() {
        let explained = explain(b"##0010MN=\x1b[2J;CP=&&&&0000\r\n").unwrap();
        assert!(!table(&explained, Language::English).contains('\x1b'));
    }
}
