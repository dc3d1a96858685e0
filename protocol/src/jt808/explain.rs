//! A frame as people read it: every byte named once. The bodies are walked by the same code that decodes them, with a
//! source that writes down each field it hands out.

use super::catalogue::{self, id};
use super::field::{Field, bytes, field, hex, hex_text};
use super::frame::{check, escape, unescape_from};
use super::header::{Parts, Version};
use super::message::{self, Message, ProblemCode, opaque};
use super::source::{Body, Source};
use super::stream::{CHUNK_MAGIC, ChunkHead};
use crate::error::WireError;
use crate::explain::{Direction, Explanation, Label, Span, Trouble};
use std::borrow::Cow;

/// Input looked at; what comes after is one span.
const PLAIN_BYTES_MAX: usize = 4_096;
/// Bytes of an explanation: every span but groups and empty fields covers a byte of its own.
pub const SPANS_MAX: usize = 3 * PLAIN_BYTES_MAX + 16;
const FLAG: u8 = 0x7e;

/// The bytes that the offsets of [`explain`] count: the input with the escapes of its first frame undone. A chunk of an
/// attachment stream has none.
pub fn plain(raw_on_wire: &[u8]) -> Vec<u8> {
    if raw_on_wire.starts_with(CHUNK_MAGIC) {
        return raw_on_wire.to_vec();
    }
    Cut::new(raw_on_wire).plain
}

/// Explains the first frame of the input, either way, of any issue; also a chunk of an attachment stream. What lies before
/// and behind is named as such. Never panics; at most [`SPANS_MAX`] spans.
pub fn explain(raw_on_wire: &[u8]) -> Explanation {
    if raw_on_wire.starts_with(CHUNK_MAGIC) {
        return explain_chunk(raw_on_wire);
    }
    let cut = Cut::new(raw_on_wire);
    let mut tracer = Tracer::new(&cut.plain);
    let mut troubles = Vec::new();
    tracer.leaf(cut.start, &bytes("garbage", "帧前杂字节", "bytes before the frame"));
    if cut.start > 0 {
        tracer.trouble(0, remark("garbage", "帧前有杂字节", "bytes before the first 7e", format!("{} B", cut.start)));
    }
    if cut.opened {
        tracer.leaf(1, &hex("flag", "标识位", "delimiter"));
    } else {
        troubles.push(fatal("no_opening_flag", "没有起始 7e", "no opening 7e", String::new()));
    }
    for at in &cut.stray {
        tracer.trouble(
            *at,
            remark("stray_escape", "7d 后不是 01 或 02", "7d is followed by neither 01 nor 02", String::new()),
        );
    }
    let frame = explain_frame(&mut tracer, cut.end, &mut troubles);
    if cut.closed {
        tracer.leaf(1, &hex("flag", "标识位", "delimiter"));
    } else {
        troubles.push(fatal("no_closing_flag", "没有结束 7e", "no closing 7e", String::new()));
    }
    let behind = tracer.all.len() - tracer.at;
    if behind > 0 {
        let at = tracer.at;
        tracer.leaf(behind, &bytes("behind", "其后字节", "bytes behind the frame"));
        tracer.trouble(
            at,
            remark("behind", "帧后还有字节，未解析", "bytes behind the frame; not explained", format!("{behind} B")),
        );
    }
    finish(tracer, frame, troubles)
}

/// Explains a frame as it is kept: un-escaped, from the first header byte through the check byte.
pub fn explain_kept(raw: &[u8]) -> Explanation {
    explain(&escape(raw))
}

/// What the frame turned out to be.
#[derive(Clone, Copy)]
struct Framed {
    standard: &'static str,
    title: Label,
    direction: Direction,
    answer: Option<Label>,
}

const UNREADABLE: Framed = Framed {
    standard: "JT/T 808",
    title: Label { zh: "无法识别", en: "not recognised" },
    direction: Direction::Either,
    answer: None,
};

fn explain_frame(tracer: &mut Tracer<'_>, end: usize, troubles: &mut Vec<Trouble>) -> Framed {
    let start = tracer.at;
    let content = tracer.all.get(start..end).unwrap_or_default();
    let Some(parts) = Parts::split(content) else {
        troubles.push(fatal("header_truncated", "比消息头短", "shorter than a header", format!("{} B", content.len())));
        tracer.leaf(content.len(), &bytes("unread", "未解析", "not read"));
        return UNREADABLE;
    };
    let header = parts.header;
    tracer.begin(start, end, header.version);
    tracer.group(&field("header", "消息头", "header"), |tracer| trace_header(tracer, &parts)).ok();
    if parts.version_by_length {
        let text = "第14位与消息头版本不符，按长度识别";
        tracer.trouble(
            start + 2,
            remark("version_by_length", text, "bit 14 does not fit the header; recognised by length", String::new()),
        );
    }
    let body_at = tracer.at;
    if !parts.length_ok() {
        let detail = format!("{} expected, {} found", header.declared, parts.body.len());
        tracer.trouble(
            start + 2,
            fatal("length_bad", "消息体长度与属性不符", "the body has another length than declared", detail),
        );
    }
    tracer.begin(body_at, end.saturating_sub(1), header.version);
    if !parts.body.is_empty() {
        tracer.group(&field("body", "消息体", "body"), |tracer| trace_body(tracer, &parts));
    } else if opaque(&header).is_none() {
        // A body that should be there is missed.
        trace_body(tracer, &parts);
    }
    tracer.begin(tracer.at, end, header.version);
    let check_at = tracer.at;
    tracer.leaf(1, &hex("check", "校验码", "check"));
    if !parts.check_ok() {
        let detail = format!(
            "{:02X} expected, {:02X} found",
            parts.check_expected,
            check(parts.check_found.to_be_bytes().as_slice())
        );
        tracer.trouble(check_at, fatal("check_bad", "校验码不符", "wrong check", detail));
    }
    tracer.begin(tracer.at, tracer.all.len(), header.version);
    framed(header.id, header.version)
}

fn framed(id: u16, version: Version) -> Framed {
    let own = if version.is_2019() { "JT/T 808-2019" } else { "JT/T 808-2013" };
    let Some(kind) = catalogue::kind(id) else {
        let title = Label { zh: "未知消息", en: "unknown message" };
        let direction = if id & 0x8000 == 0 { Direction::Up } else { Direction::Down };
        let answer = (id & 0x8000 == 0).then_some(()).and_then(|()| catalogue::kind(id::PLATFORM_REPLY));
        return Framed { standard: own, title, direction, answer: answer.map(|kind| kind.title) };
    };
    let standard = match kind.standard {
        "JT/T 808" => own,
        other => other,
    };
    let answer = kind.answers.first().and_then(|id| catalogue::kind(*id)).map(|kind| kind.title);
    Framed { standard, title: kind.title, direction: kind.direction, answer }
}

fn trace_header(tracer: &mut Tracer<'_>, parts: &Parts<'_>) -> Result<(), WireError> {
    tracer.take(2, &hex("msg_id", "消息 ID", "message id"))?;
    let attributes_at = tracer.at;
    tracer.take(2, &hex("attributes", "消息体属性", "attributes"))?;
    let mut said = format!(" · {} B", parts.header.declared);
    if parts.header.encryption != 0 {
        said.push_str(" · 加密 encrypted");
    }
    if parts.header.packet.is_some() {
        said.push_str(" · 分包 split");
    }
    tracer.append(attributes_at, &said);
    if parts.header.version.is_2019() {
        tracer.take(1, &field("protocol_version", "协议版本号", "protocol version"))?;
    }
    let digits = if parts.header.version.is_2019() { 10 } else { 6 };
    tracer.take(digits, &field("phone", "终端手机号", "phone").show(super::field::Show::Digits))?;
    tracer.take(2, &field("serial", "消息流水号", "serial"))?;
    if parts.header.packet.is_some() {
        tracer.take(2, &field("packet_total", "消息总包数", "packets").clause("JT/T 808 7.12"))?;
        tracer.take(2, &field("packet_number", "包序号", "number of the packet").clause("JT/T 808 7.12"))?;
    }
    Ok(())
}

fn trace_body(tracer: &mut Tracer<'_>, parts: &Parts<'_>) {
    if let Some(code) = opaque(&parts.header) {
        tracer.problem(code, 0, None);
        tracer.rest(&bytes("body", "消息体", "body"));
        return;
    }
    match message::read(parts.header.id, tracer) {
        Ok(Message::Other { .. }) if catalogue::kind(parts.header.id).is_none() => {
            let detail = format!("0x{:04X}", parts.header.id);
            tracer.trouble(
                tracer.body,
                remark(
                    "unknown_message",
                    "未知消息 ID，消息体按字节保留",
                    "unknown message; the body is kept as bytes",
                    detail,
                ),
            );
        }
        Ok(_) => {}
        Err(error) => {
            tracer.problem(ProblemCode::BodyTruncated, error.offset(), None);
            if tracer.remaining() > 0 {
                tracer.rest(&bytes("unread", "未解析", "not read"));
            }
        }
    }
}

fn explain_chunk(raw: &[u8]) -> Explanation {
    let mut tracer = Tracer::new(raw);
    let mut troubles = Vec::new();
    tracer.leaf(CHUNK_MAGIC.len(), &hex("magic", "帧头标识", "magic"));
    tracer.begin(tracer.at, raw.len(), Version::V2013);
    match ChunkHead::read(&mut tracer) {
        Err(_) => {
            troubles.push(fatal("chunk_truncated", "码流头不完整", "the chunk's head is incomplete", String::new()));
            tracer.leaf(tracer.remaining(), &bytes("unread", "未解析", "not read"));
        }
        Ok(head) => {
            let wanted = usize::try_from(head.length).unwrap_or(usize::MAX);
            let found = tracer.remaining();
            let at = tracer.at;
            tracer.leaf(wanted.min(found), &bytes("data", "数据体", "data"));
            if wanted > super::stream::CHUNK_BYTES_MAX {
                tracer.trouble(
                    at.saturating_sub(1),
                    fatal("chunk_oversize", "数据体超过 64 KiB", "more than 64 KiB of data", wanted.to_string()),
                );
            } else if wanted > found {
                tracer.trouble(
                    at.saturating_sub(1),
                    fatal(
                        "chunk_truncated",
                        "数据体不完整",
                        "data is missing",
                        format!("{wanted} expected, {found} found"),
                    ),
                );
            }
            tracer.leaf(tracer.remaining(), &bytes("behind", "其后字节", "bytes behind the chunk"));
        }
    }
    let title = Label { zh: "附件文件码流", en: "chunk of an attachment" };
    finish(tracer, Framed { standard: "T/JSATL 12", title, direction: Direction::Up, answer: None }, troubles)
}

fn finish(tracer: Tracer<'_>, frame: Framed, mut troubles: Vec<Trouble>) -> Explanation {
    let spans = tracer.finish(&mut troubles);
    let Framed { standard, title, direction, answer } = frame;
    Explanation { standard, title, direction, spans, troubles, answer }
}

fn remark(code: &'static str, zh: &'static str, en: &'static str, detail: String) -> Trouble {
    Trouble { code, text: Label { zh, en }, detail, fatal: false }
}

fn fatal(code: &'static str, zh: &'static str, en: &'static str, detail: String) -> Trouble {
    Trouble { code, text: Label { zh, en }, detail, fatal: true }
}

/// The first frame of the input and what is around it.
struct Cut {
    /// Everything, the frame un-escaped.
    plain: Vec<u8>,
    /// Where the opening `7e` is, or the content when there is none.
    start: usize,
    /// Where the content ends.
    end: usize,
    opened: bool,
    closed: bool,
    /// Escapes that are none.
    stray: Vec<usize>,
}

impl Cut {
    fn new(wire: &[u8]) -> Self {
        // Delimiters without a frame between them belong to what is before it.
        let mut open = memchr::memchr(FLAG, wire);
        while let Some(at) = open {
            match wire.get(at + 1) {
                Some(&FLAG) => open = Some(at + 1),
                _ => break,
            }
        }
        // Without an opening one the content begins at once; a lone 7e at the very end then closes it.
        let (open, start) = match open {
            Some(at) if at > 0 && at + 1 == wire.len() => (None, 0),
            Some(at) => (Some(at), at),
            None => (None, 0),
        };
        let content_at = open.map_or(0, |at| at + 1);
        let rest = wire.get(content_at..).unwrap_or_default();
        let looked = rest.get(..PLAIN_BYTES_MAX).unwrap_or(rest);
        let len = memchr::memchr(FLAG, looked);
        let content = looked.get(..len.unwrap_or(looked.len())).unwrap_or_default();
        let mut plain = wire.get(..content_at).unwrap_or_default().to_vec();
        let mut stray = Vec::new();
        unescape_from(content, &mut plain, &mut stray);
        let end = plain.len();
        plain.extend_from_slice(rest.get(content.len()..).unwrap_or_default());
        Self { plain, start, end, opened: open.is_some(), closed: len.is_some(), stray }
    }
}

/// A source that writes down what it hands out.
struct Tracer<'a> {
    all: &'a [u8],
    at: usize,
    end: usize,
    /// Where the offsets of problems count from.
    body: usize,
    version: Version,
    depth: u8,
    spans: Vec<Span>,
    open: Vec<usize>,
    troubles: Vec<(usize, Trouble)>,
}

impl<'a> Tracer<'a> {
    fn new(all: &'a [u8]) -> Self {
        let version = Version::V2013;
        Self {
            all,
            at: 0,
            end: all.len(),
            body: 0,
            version,
            depth: 0,
            spans: Vec::new(),
            open: Vec::new(),
            troubles: Vec::new(),
        }
    }

    fn begin(&mut self, body: usize, end: usize, version: Version) {
        self.body = body;
        self.end = end;
        self.version = version;
    }

    /// A span over bytes that are known to be there; none for none.
    fn leaf(&mut self, len: usize, field: &Field) {
        if len > 0 {
            let value = self.all.get(self.at..self.at + len).unwrap_or_default();
            self.push(len, field, value);
            self.at += len;
        }
    }

    fn push(&mut self, len: usize, field: &Field, value: &[u8]) {
        self.spans.push(Span {
            at: self.at,
            len,
            depth: self.depth,
            name: Cow::Borrowed(field.name),
            label: field.label,
            value: field.value(value),
            unit: field.unit,
            clause: field.clause,
            troubles: Vec::new(),
        });
    }

    fn append(&mut self, at: usize, text: &str) {
        if let Some(span) = self.spans.iter_mut().rfind(|span| span.at == at) {
            span.value.push_str(text);
        }
    }

    fn trouble(&mut self, at: usize, trouble: Trouble) {
        if self.troubles.len() < super::source::PROBLEMS_MAX {
            self.troubles.push((at, trouble));
        }
    }

    /// Gives each trouble to the smallest span that has its byte, or to the frame.
    fn finish(self, whole: &mut Vec<Trouble>) -> Vec<Span> {
        let mut spans = self.spans;
        let end = spans.iter().map(|span| span.at + span.len).max().unwrap_or(0);
        for (at, trouble) in self.troubles {
            // Spans are in the order of their starts, a group before its parts: the last that holds the place is the innermost.
            let begun = if at < end { spans.partition_point(|span| span.at <= at) } else { 0 };
            let holds = |span: &&mut Span| at < span.at + span.len;
            match spans.iter_mut().take(begun).rev().find(holds) {
                Some(span) => span.troubles.push(trouble),
                None => whole.push(trouble),
            }
        }
        spans
    }
}

impl<'a> Source<'a> for Tracer<'a> {
    const TRACING: bool = true;

    fn version(&self) -> Version {
        self.version
    }

    fn offset(&self) -> usize {
        self.at - self.body
    }

    fn peek(&self) -> &'a [u8] {
        self.all.get(self.at..self.end).unwrap_or_default()
    }

    fn take(&mut self, len: usize, field: &Field) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end);
        let Some(taken) = end.and_then(|end| self.all.get(self.at..end)) else {
            return Err(WireError::Truncated { offset: self.offset(), wanted: len.saturating_sub(self.remaining()) });
        };
        // An empty field is shown too; its span covers nothing.
        self.push(len, field, taken);
        self.at += len;
        Ok(taken)
    }

    fn problem(&mut self, code: ProblemCode, offset: usize, detail: Option<(usize, usize)>) {
        let detail = detail.map_or_else(String::new, |(found, expected)| format!("{expected} expected, {found} found"));
        let trouble = Trouble { code: code.code(), text: code.label(), detail, fatal: code.is_fatal() };
        // What is missing is told at the last byte there is, or of the frame.
        let at = match self.end.checked_sub(1) {
            Some(last) if last >= self.body => (self.body + offset).min(last),
            _ => usize::MAX,
        };
        self.trouble(at, trouble);
    }

    fn open(&mut self, field: &Field) {
        self.open.push(self.spans.len());
        self.push(0, field, &[]);
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        let Some(index) = self.open.pop() else { return };
        if let Some(span) = self.spans.get_mut(index) {
            span.len = self.at - span.at;
            span.value = hex_text(self.all.get(span.at..self.at).unwrap_or_default());
        }
    }

    fn narrow(&mut self, len: usize) -> usize {
        let end = self.at.saturating_add(len).min(self.end);
        std::mem::replace(&mut self.end, end) - end
    }

    fn widen(&mut self, behind: usize) {
        self.end = self.end.saturating_add(behind).min(self.all.len());
    }
}
