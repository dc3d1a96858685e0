//! A cursor that names what it hands out: the spans of an explanation are written while the bytes are read.

use super::json::{Kind, Reader};
use crate::explain::{Label, Span, Trouble};
use std::borrow::Cow;

/// Spans of one explanation.
const SPANS_MAX: usize = 4_096;
/// Characters of a value shown.
const VALUE_CHARS_MAX: usize = 200;

pub(super) const fn label(zh: &'static str, en: &'static str) -> Label {
    Label { zh, en }
}

pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    spans: Vec<Span>,
    troubles: Vec<Trouble>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, spans: Vec::new(), troubles: Vec::new() }
    }

    pub(super) fn end(self) -> (Vec<Span>, Vec<Trouble>) {
        (self.spans, self.troubles)
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn push(&mut self, at: usize, len: usize, depth: u8, name: Cow<'static, str>, of: Label, value: String) {
        if self.spans.len() < SPANS_MAX {
            let span = Span { at, len, depth, name, label: of, value, unit: "", clause: "", troubles: Vec::new() };
            self.spans.push(span);
        }
    }

    /// The next bytes, shown as hex; too few are a trouble of the whole.
    pub(super) fn take(&mut self, len: usize, name: &'static str, of: Label, clause: &'static str) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            let missing = len.saturating_sub(self.left());
            self.whole("truncated", label("报文不完整", "the packet ends early"), format!("{name}: {missing} B"));
            if let Some(trouble) = self.troubles.last_mut() {
                trouble.fatal = true;
            }
            return None;
        };
        let hex = taken.iter().take(24).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        self.push(self.at, len, 0, Cow::Borrowed(name), of, hex);
        if let Some(span) = self.spans.last_mut() {
            span.clause = clause;
        }
        self.at += len;
        Some(taken)
    }

    /// Another value of the last span.
    pub(super) fn value(&mut self, value: String) {
        if let Some(span) = self.spans.last_mut() {
            span.value = value;
        }
    }

    pub(super) fn unit(&mut self, unit: &'static str) {
        if let Some(span) = self.spans.last_mut() {
            span.unit = unit;
        }
    }

    pub(super) fn u8(&mut self, name: &'static str, of: Label, clause: &'static str) -> Option<u8> {
        let value = self.take(1, name, of, clause)?.first().copied()?;
        self.value(value.to_string());
        Some(value)
    }

    pub(super) fn u16(&mut self, name: &'static str, of: Label, clause: &'static str) -> Option<u16> {
        let value = u16::from_be_bytes(*self.take(2, name, of, clause)?.first_chunk::<2>()?);
        self.value(value.to_string());
        Some(value)
    }

    /// A number of one to four bytes, seven bits each.
    pub(super) fn varint(&mut self, name: &'static str, of: Label, clause: &'static str) -> Option<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().take(4).position(|byte| byte & 0x80 == 0).map_or(4, |last| last + 1);
        let taken = self.take(len, name, of, clause)?;
        if taken.last().is_some_and(|last| last & 0x80 != 0) {
            self.fatal("length_malformed", label("长度超过 4 字节", "a length of more than four bytes"), String::new());
            return None;
        }
        let value = taken.iter().rev().fold(0_usize, |value, byte| value << 7 | usize::from(byte & 0x7f));
        self.value(value.to_string());
        Some(value)
    }

    /// Bytes after their length.
    pub(super) fn binary(&mut self, name: &'static str, of: Label, clause: &'static str) -> Option<&'a [u8]> {
        let length = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<2>());
        let len = length.map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        self.take(2 + len, name, of, clause)?.get(2..)
    }

    pub(super) fn text(&mut self, name: &'static str, of: Label, clause: &'static str) -> Option<&'a str> {
        let bytes = self.binary(name, of, clause)?;
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.fatal("not_utf8", label("不是 UTF-8", "not UTF-8"), String::new());
            return Some("");
        };
        self.value(shown(text));
        Some(text)
    }

    /// All that is left.
    pub(super) fn rest(&mut self, name: &'static str, of: Label) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.is_empty() {
            let value = std::str::from_utf8(rest).map_or_else(|_| format!("{} bytes", rest.len()), shown);
            self.push(self.at, rest.len(), 0, Cow::Borrowed(name), of, value);
            self.at = self.bytes.len();
        }
        rest
    }

    /// What is left of a packet that was read to its end should not be there.
    pub(super) fn trailing(&mut self) {
        if self.left() > 0 {
            self.rest("trailing", label("多余字节", "bytes behind the last field"));
            self.fatal("trailing_bytes", label("报文末尾有多余字节", "bytes behind the last field"), String::new());
        }
    }

    /// On the last span.
    pub(super) fn fatal(&mut self, code: &'static str, text: Label, detail: String) {
        if let Some(span) = self.spans.last_mut() {
            span.troubles.push(Trouble { code, text, detail, fatal: true });
        }
    }

    /// Of the whole.
    pub(super) fn whole(&mut self, code: &'static str, text: Label, detail: String) {
        self.troubles.push(Trouble { code, text, detail, fatal: false });
    }

    /// On the smallest span that holds the byte.
    pub(super) fn trouble_at(&mut self, at: usize, code: &'static str, text: Label, detail: String, fatal: bool) {
        let trouble = Trouble { code, text, detail, fatal };
        let last = self.bytes.len().saturating_sub(1);
        let at = at.min(last);
        let holder = self.spans.iter_mut().filter(|span| span.at <= at && at < span.at + span.len);
        match holder.max_by_key(|span| span.depth) {
            Some(span) => span.troubles.push(trouble),
            None => self.troubles.push(trouble),
        }
    }

    /// Spans for the members of a JSON text that lies at `at`, each with its path; ends where the text is no JSON.
    pub(super) fn members(&mut self, payload: &[u8], at: usize) {
        let Ok(text) = std::str::from_utf8(payload) else { return };
        let mut reader = Reader::new(text);
        self.value_members(&mut reader, at, "", 1);
    }

    /// `None`: the text is no JSON from here on.
    fn value_members(&mut self, reader: &mut Reader<'_>, base: usize, path: &str, depth: u8) -> Option<()> {
        let open = match reader.kind().ok()? {
            Kind::Object => b'{',
            Kind::Array => b'[',
            _ => return reader.skip().ok(),
        };
        if depth > DEPTH_MAX {
            return reader.skip().ok();
        }
        let mut another = reader.begin(open).ok()?;
        let mut index = 0_usize;
        while another {
            // Blanks before a member are skipped by `kind`.
            reader.kind().ok()?;
            let from = reader.offset();
            let name = if open == b'{' { reader.key().ok()?.into_owned() } else { format!("[{index}]") };
            let kind = reader.kind().ok()?;
            let (value_from, index_of) = (reader.offset(), self.spans.len());
            let inner =
                if path.is_empty() || open == b'[' { format!("{path}{name}") } else { format!("{path}.{name}") };
            self.push(base + from, 0, depth, Cow::Owned(shown(&inner)), member(&name), String::new());
            match kind {
                Kind::Object | Kind::Array => self.value_members(reader, base, &inner, depth + 1)?,
                _ => reader.skip().ok()?,
            }
            let value = match kind {
                Kind::Object => "{…}".to_owned(),
                Kind::Array => "[…]".to_owned(),
                _ => shown(reader.text().get(value_from..reader.offset()).unwrap_or_default().trim_matches('"')),
            };
            if let Some(span) = self.spans.get_mut(index_of) {
                span.len = reader.offset().saturating_sub(from);
                span.value = value;
            }
            index += 1;
            another = reader.more(open).ok()?;
        }
        Some(())
    }
}

/// Deepest member that gets a span of its own.
const DEPTH_MAX: u8 = 6;

fn member(name: &str) -> Label {
    match name {
        "ts" => label("时间", "time"),
        "values" => label("测量值", "values"),
        "position" => label("位置", "position"),
        "event" => label("事件", "event"),
        "device" => label("设备", "device"),
        "plate" => label("车牌", "plate"),
        "flag" => label("数据标记", "flag"),
        "value" => label("数值", "value"),
        "end" => label("结束时间", "end"),
        "pictures" => label("图片", "pictures"),
        "lon" => label("经度", "longitude"),
        "lat" => label("纬度", "latitude"),
        "speed_kmh" => label("速度", "speed"),
        "heading_deg" => label("方向", "heading"),
        "altitude_m" => label("高程", "altitude"),
        "fixed" => label("已定位", "fixed"),
        name if name.starts_with('[') => label("记录", "record"),
        _ => label("测量值", "value"),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}
