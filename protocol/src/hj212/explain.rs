//! One frame, byte by byte, for people: each byte lies in exactly one innermost span, with a name, a value, and what is
//! wrong with it. Works on bytes, not on decoded text, so offsets hold for GBK too; never fails.
//!
//! ```text
//! ##  0121  [QN=… ; ST=22; … CP=&&  DataTime=…;  [a34002-Rtd=5, a34002-Flag=N]  &&]  4B00  CR LF
//! ```

mod words;

use super::command::{Command, Kind, answer_to, direction, system};
use super::factor::{DataFlag, InfoKind, RunState, Suffix, factor_name};
use super::frame::{Event, Framer};
use super::message::{Cutter, Data, Field, Message, stamp};
use super::parts::{Parts, line_end_problem};
use super::problem::{Problem, ProblemCode};
use super::reply::{ExeRtn, QnRtn};
use super::version::Version;
use crate::explain::{Direction, Explanation, Label, Span, Trouble};
use std::borrow::Cow;
use words::{CHECK, LENGTH, plain_key};

/// Bytes that are looked at; what stands behind is one span.
const BYTES_MAX: usize = 64 * 1024;
/// Fields told apart.
const FIELDS_MAX: usize = 2_000;
/// Characters of a value shown.
const VALUE_CHARS_MAX: usize = 200;

/// Explains bytes as they came from the wire: the first frame in them, and what stands before and behind.
pub fn explain(raw: &[u8]) -> Explanation {
    build(raw, LineEnd::Wanted)
}

/// Explains a frame as the [`Framer`] gives it and a journal keeps it, without its line end.
pub fn explain_kept(raw: &[u8]) -> Explanation {
    build(raw, LineEnd::Dropped)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Wanted,
    Dropped,
}

fn build(raw: &[u8], line_end: LineEnd) -> Explanation {
    let looked_at = raw.get(..BYTES_MAX).unwrap_or(raw);
    let (from, to) = locate(looked_at);
    let frame = looked_at.get(from..to).unwrap_or_default();
    let parts = Parts::split(frame);
    let text = parts.text();
    let (message, problems) = Message::parse(&text);
    let way = direction(&message);
    let command = message.cn.and_then(Command::find);
    let title = command.and_then(|command| command.as_sent(way)).map_or(words::UNKNOWN_COMMAND, |used| used.name);

    let mut out = Builder { raw: looked_at, spans: Vec::new(), absent: Vec::new() };
    out.leaf(0, from, 0, "before", words::BEFORE, "");
    out.frame(from, &parts, &message);
    out.line_end(to, line_end);
    if raw.len() > looked_at.len() {
        let (at, len) = (looked_at.len(), raw.len() - looked_at.len());
        out.spans.push(Span { value: format!("{len} bytes"), ..span(at, len, 0, "rest", words::REST) });
    }

    for problem in parts.problems() {
        out.trouble(problem.code, from + problem.offset, detail(problem, &parts, &message));
    }
    let offsets = Offsets::new(&parts, &text);
    for problem in &problems {
        let at = from + parts.segment_offset + offsets.raw(problem.offset);
        out.trouble(problem.code, at, detail(*problem, &parts, &message));
    }
    for problem in message.odd_fields() {
        let at = from + parts.segment_offset + offsets.raw(problem.offset);
        out.trouble(problem.code, at, detail(problem, &parts, &message));
    }
    out.unknown(&message, command);
    Explanation {
        standard: if message.flag.is_some() { Version::of_flag(message.flag).standard() } else { "HJ 212" },
        title,
        direction: way,
        answer: answer(&message, way),
        spans: out.spans,
        troubles: out.absent,
    }
}

/// What a platform answers, if the message is one it answers.
fn answer(message: &Message<'_>, way: Direction) -> Option<Label> {
    if way != Direction::Up {
        return None;
    }
    let known = Command::find(answer_to(message)?)?;
    known.down.filter(|down| down.kind == Kind::Answer).map(|down| words::with_number(known.cn).unwrap_or(down.name))
}

/// The first frame in the bytes, as the framer sees it; all from the first `##` when it sees none.
fn locate(raw: &[u8]) -> (usize, usize) {
    let mut framer = Framer::new(1_000_000);
    framer.push(raw);
    let mut found = next_frame(&mut framer);
    if found.is_none() {
        framer.push(b"\r\n");
        found = next_frame(&mut framer);
    }
    if let Some(frame) = found
        && let Some(from) = memchr::memmem::find(raw, &frame)
    {
        return (from, from + frame.len());
    }
    let from = memchr::memmem::find(raw, b"##").unwrap_or(0);
    let body = raw.get(from..).unwrap_or_default();
    let end = body.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    (from, from + end)
}

fn next_frame(framer: &mut Framer) -> Option<bytes::Bytes> {
    loop {
        match framer.next_event()? {
            Event::Frame { raw, .. } => return Some(raw),
            Event::Oversize { .. } => {}
        }
    }
}

/// Where the decoded text's bytes are in the segment.
struct Offsets {
    /// Of a text that GBK made: ends of its characters' bytes, there and here, in order. Empty: the text is the segment itself.
    ends: Vec<(usize, usize)>,
    len: usize,
}

impl Offsets {
    fn new(parts: &Parts<'_>, text: &str) -> Self {
        let len = parts.segment.len();
        let mut ends = Vec::new();
        if text.as_bytes() != parts.segment {
            let mut decoder = encoding_rs::GBK.new_decoder_without_bom_handling();
            let (mut made, mut buffer) = (0, [0; 32]);
            for (at, byte) in parts.segment.iter().enumerate() {
                let (_, _, written, _) = decoder.decode_to_utf8(&[*byte], &mut buffer, at + 1 == len);
                if written > 0 {
                    made += written;
                    ends.push((made, at + 1));
                }
            }
        }
        Self { ends, len }
    }

    /// Of an offset of the text.
    fn raw(&self, offset: usize) -> usize {
        if self.ends.is_empty() {
            return offset.min(self.len);
        }
        let before = self.ends.partition_point(|(made, _)| *made <= offset);
        before.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(_, raw)| *raw)
    }
}

fn detail(problem: Problem, parts: &Parts<'_>, message: &Message<'_>) -> String {
    use ProblemCode as P;
    match problem.code {
        P::LengthWrong
        | P::LengthOffByOne
        | P::LengthCountsCheck
        | P::LengthCountsLineEnd
        | P::LengthCountsAll
        | P::LengthWithoutEnd => {
            format!("{:04} expected, {} found", parts.segment.len(), parts.declared.unwrap_or_default())
        }
        P::CheckLowerCase | P::SegmentLong | P::EndMissing | P::NotUtf8 => String::new(),
        code if code.code().starts_with("check_") => {
            format!("{:04X} expected, {} found", parts.crc_expected(), decoded(parts.check))
        }
        P::QnDigits | P::QnEpoch | P::QnSuffix | P::QnNoDate | P::QnInCp => {
            format!("QN={}", shown(message.qn.unwrap_or_default()))
        }
        P::DataTimeDigits | P::DataTimeNoDate => {
            format!("DataTime={}", shown(message.plain("DataTime").unwrap_or_default()))
        }
        P::DataTimeTwice | P::DuplicateFactor | P::FlagUnknown => message
            .fields()
            .find(|field| field.offset == problem.offset)
            .map(|field| shown(&field.written()))
            .unwrap_or_default(),
        P::PacketNumbersMissing | P::PacketNumbersWrong | P::PacketFlagMissing => {
            let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            let flag = message.flag.map_or_else(|| "-".to_owned(), |flag| flag.to_string());
            format!("Flag={flag} PNUM={} PNO={}", number(message.pnum), number(message.pno))
        }
        _ => String::new(),
    }
}

/// Text of bytes: UTF-8, else GBK.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::GBK.decode_without_bom_handling(bytes).0,
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn span(at: usize, len: usize, depth: u8, name: impl Into<Cow<'static, str>>, label: Label) -> Span {
    Span { at, len, depth, name: name.into(), label, value: String::new(), unit: "", clause: "", troubles: Vec::new() }
}

/// A field's place: its text, and where the separators behind it end.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    text_to: usize,
    to: usize,
    /// A `;` stands among its separators, or the data end.
    ends_item: bool,
}

struct Builder<'a> {
    raw: &'a [u8],
    spans: Vec<Span>,
    absent: Vec<Trouble>,
}

impl Builder<'_> {
    fn bytes(&self, from: usize, to: usize) -> &[u8] {
        self.raw.get(from..to).unwrap_or_default()
    }

    /// Adds a span unless it is empty, with its text as value.
    fn leaf(&mut self, from: usize, to: usize, depth: u8, name: &'static str, label: Label, clause: &'static str) {
        if from < to {
            let value = shown(&decoded(self.bytes(from, to)));
            self.spans.push(Span { value, clause, ..span(from, to - from, depth, name, label) });
        }
    }

    fn frame(&mut self, from: usize, parts: &Parts<'_>, message: &Message<'_>) {
        let segment = from + parts.segment_offset;
        let digits = segment - parts.declared_digits.min(parts.segment_offset);
        self.leaf(from, digits, 0, "start", words::START, "");
        self.leaf(digits, segment, 0, "length", LENGTH, "");
        let end = segment + parts.segment.len();
        if segment < end {
            let value = format!("{} bytes", end - segment);
            self.spans.push(Span { value, ..span(segment, end - segment, 0, "segment", words::SEGMENT) });
            self.segment(segment, end, parts.segment, message);
        }
        self.leaf(end, end + parts.check.len(), 0, "check", CHECK, "HJ 212-2017 附录A");
    }

    fn segment(&mut self, at: usize, end: usize, segment: &[u8], message: &Message<'_>) {
        let data = Data::find(segment);
        let head_to = data.map_or(end, |data| at + data.cp);
        for piece in pieces(self.raw, at, head_to) {
            self.head_field(piece, message);
        }
        let Some(data) = data else { return };
        let (data_from, data_to) = (at + data.from, at + data.to.max(data.from));
        self.leaf(at + data.cp, data_from, 1, "CP", words::CP, "");
        let all = pieces(self.raw, data_from, data_to);
        for item in all.split_inclusive(|piece| piece.ends_item) {
            self.item(item, message);
        }
        self.leaf(data_to, end, 1, "end", words::END, "");
    }

    fn head_field(&mut self, piece: Piece, message: &Message<'_>) {
        let text = decoded(self.bytes(piece.from, piece.text_to)).into_owned();
        let (key, value) = text.split_once('=').map_or((text.trim(), ""), |(key, value)| (key.trim(), value.trim()));
        let known = words::head_key(key);
        let value = match known.map(|(name, _)| name) {
            Some("QN") => time_shown(value),
            Some("ST") => with_label(value, system(value)),
            Some("CN") => {
                let used = Command::find(value).and_then(|command| command.as_sent(direction(message)));
                with_label(value, used.map(|used| used.name))
            }
            Some("Flag") => flag_shown(value),
            _ => shown(value),
        };
        let (name, label) = match known {
            Some((name, label)) => (Cow::Borrowed(name), label),
            None if text.trim().is_empty() => (Cow::Borrowed("separator"), words::SEPARATOR),
            None => (Cow::Owned(shown(key)), words::UNKNOWN_FIELD),
        };
        self.spans.push(Span { value, ..span(piece.from, piece.to - piece.from, 1, name, label) });
    }

    fn item(&mut self, item: &[Piece], message: &Message<'_>) {
        let (Some(first), Some(last)) = (item.first(), item.last()) else { return };
        let depth = if item.len() > 1 { 2 } else { 1 };
        let fields = item.len();
        if depth == 2 {
            let text = decoded(self.bytes(first.from, first.text_to)).into_owned();
            let code = text.split_once('=').map_or(text.as_str(), |(key, _)| key);
            let code = code.split_once('-').map_or(code, |(code, _)| code).trim();
            let factor = factor_name(code);
            let label = factor.map_or_else(|| words::code_label(code), |factor| factor.label);
            let mut item = span(first.from, last.to - first.from, 1, shown(code), label);
            (item.unit, item.clause) = factor.map_or(("", ""), |factor| (factor.unit, factor.clause));
            item.value = format!("{fields} fields");
            self.spans.push(item);
        }
        for piece in item {
            self.data_field(*piece, depth, message);
        }
    }

    fn data_field(&mut self, piece: Piece, depth: u8, message: &Message<'_>) {
        let text = decoded(self.bytes(piece.from, piece.text_to)).into_owned();
        let len = piece.to - piece.from;
        if text.trim().is_empty() {
            self.spans.push(span(piece.from, len, depth, "separator", words::SEPARATOR));
            return;
        }
        let Some((key, value)) = text.split_once('=') else {
            let value = shown(text.trim());
            self.spans.push(Span { value, ..span(piece.from, len, depth, "field", words::UNKNOWN_FIELD) });
            return;
        };
        let (key, value) = (key.trim(), value.trim());
        let mut out = span(piece.from, len, depth, shown(key), words::UNKNOWN_FIELD);
        out.value = shown(value);
        let (code, suffix) = key.rsplit_once('-').unwrap_or((key, ""));
        if suffix.is_empty() {
            plain_field(&mut out, key, value, message);
        } else {
            let field = Field { code, suffix, text: value, offset: 0 };
            suffixed_field(&mut out, &field, depth);
        }
        self.spans.push(out);
    }

    fn line_end(&mut self, at: usize, wanted: LineEnd) {
        let rest = self.raw.get(at..).unwrap_or_default();
        let len = match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        let problem = line_end_problem(rest).filter(|_| wanted == LineEnd::Wanted || len > 0);
        if len > 0 {
            let value = if len == 2 {
                "CR LF"
            } else if rest.starts_with(b"\n") {
                "LF"
            } else {
                "CR"
            };
            self.spans.push(Span { value: value.to_owned(), ..span(at, len, 0, "line_end", words::LINE_END) });
        }
        self.leaf(at + len, self.raw.len(), 0, "behind", words::BEHIND, "");
        if let Some(code) = problem {
            self.trouble(code, at, String::new());
        }
    }

    fn unknown(&mut self, message: &Message<'_>, command: Option<&Command>) {
        if let Some(cn) = message.cn.filter(|_| command.is_none()) {
            self.trouble_of("CN", ProblemCode::CnUnknown, shown(cn));
        }
        let free = |st: &str| st.starts_with(|c: char| c.is_ascii_uppercase()) && st.len() == 2;
        if let Some(st) = message.st.filter(|st| system(st).is_none() && !free(st)) {
            self.trouble_of("ST", ProblemCode::StUnknown, shown(st));
        }
        for (name, code) in [("before", ProblemCode::BytesBefore), ("behind", ProblemCode::BytesBehind)] {
            self.trouble_of(name, code, String::new());
        }
    }

    fn trouble_of(&mut self, name: &str, code: ProblemCode, detail: String) {
        if let Some(span) = self.spans.iter_mut().find(|span| span.name == name) {
            span.troubles.push(trouble(code, detail));
        }
    }

    /// Puts a trouble on the innermost span at an offset, or on the frame when something is absent.
    fn trouble(&mut self, code: ProblemCode, at: usize, detail: String) {
        let holder = if is_absence(code) {
            None
        } else {
            // Spans are in order, parents first: the last one that holds the offset is the innermost.
            let until = self.spans.partition_point(|span| span.at <= at);
            let held = self.spans.get_mut(..until).unwrap_or_default();
            held.iter_mut().rev().find(|span| at < span.at + span.len)
        };
        match holder {
            Some(span) => span.troubles.push(trouble(code, detail)),
            None => self.absent.push(trouble(code, detail)),
        }
    }
}

fn trouble(code: ProblemCode, detail: String) -> Trouble {
    Trouble { code: code.code(), text: code.text(), detail, fatal: code.is_fatal() }
}

/// Problems of something that is not there have no place.
const fn is_absence(code: ProblemCode) -> bool {
    use ProblemCode as P;
    matches!(
        code,
        P::CheckMissing
            | P::EndMissing
            | P::CpMissing
            | P::QnMissing
            | P::StMissing
            | P::CnMissing
            | P::PwMissing
            | P::MnMissing
            | P::FlagMissing
            | P::DataTimeMissing
            | P::StatisticForCommand
            | P::PacketNumbersMissing
            | P::PacketNumbersWrong
            | P::PacketFlagMissing
            | P::LineEndMissing
    )
}

/// The fields of `from..to`, each with the separators and blanks behind it; leading separators are a piece without text.
fn pieces(raw: &[u8], from: usize, to: usize) -> Vec<Piece> {
    let Some(area) = raw.get(..to) else { return Vec::new() };
    let is_separator = |byte: &u8| matches!(byte, b';' | b',');
    let (mut found, mut cutter) = (Vec::new(), Cutter::default());
    let mut at = from;
    while at < to {
        if found.len() >= FIELDS_MAX {
            found.push(Piece { from: at, text_to: to, to, ends_item: true });
            break;
        }
        let text_to = cutter.cut(area, at).0.min(to);
        let behind = area.get(text_to..).unwrap_or_default();
        let end = text_to + behind.iter().take_while(|byte| is_separator(byte)).count();
        let ends_item = end == to || area.get(text_to..end).unwrap_or_default().contains(&b';');
        found.push(Piece { from: at, text_to, to: end, ends_item });
        at = end;
    }
    found
}

fn plain_field(out: &mut Span, key: &str, value: &str, message: &Message<'_>) {
    let Some((label, unit, clause)) = plain_key(key, message.cn.unwrap_or_default()) else {
        if let Some(factor) = factor_name(key) {
            (out.label, out.unit, out.clause) = (factor.label, factor.unit, factor.clause);
        }
        return;
    };
    (out.label, out.unit, out.clause) = (label, unit, clause);
    let number = value.parse().ok();
    if key.eq_ignore_ascii_case("QnRtn") {
        out.value = with_label(value, number.map(|number| QnRtn::from_number(number).label()));
    } else if key.eq_ignore_ascii_case("ExeRtn") {
        out.value = with_label(value, number.map(|number| ExeRtn::from_number(number).label()));
    } else if key.len() >= 4 && key.to_ascii_lowercase().ends_with("time") && value.len() >= 14 {
        out.value = time_shown(value);
    }
}

fn suffixed_field(out: &mut Span, field: &Field<'_>, depth: u8) {
    let suffix = Suffix::of(field);
    let factor = factor_name(field.code.split_once('-').map_or(field.code, |(code, _)| code));
    out.label = match factor {
        // The only field of its item says which factor it is.
        Some(factor) if depth == 1 && suffix.is_value() => factor.label,
        _ => suffix.label(),
    };
    out.clause = "HJ 212-2017 表4";
    match suffix {
        Suffix::Flag => out.value = with_label(field.text, DataFlag::read(field.text).map(DataFlag::label)),
        Suffix::RunState => out.value = with_label(field.text, RunState::read(field.text).map(RunState::label)),
        Suffix::RunTime => out.unit = "h",
        Suffix::SampleTime => out.value = time_shown(field.text),
        Suffix::Info => out.label = InfoKind::of(field.code).label(),
        Suffix::Unknown | Suffix::ExtendedFlag => out.clause = "",
        _ if suffix.is_value() => out.unit = factor.map_or("", |factor| factor.unit),
        _ => {}
    }
}

fn with_label(text: &str, label: Option<Label>) -> String {
    match label {
        Some(label) => format!("{} · {} ({})", shown(text), label.zh, label.en),
        None => shown(text),
    }
}

fn time_shown(text: &str) -> String {
    match stamp(text) {
        Some((year, month, day, hour, minute, second, 0)) if text.len() == 14 => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        Some((year, month, day, hour, minute, second, ms)) if text.len() == 17 => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}")
        }
        _ => shown(text),
    }
}

fn flag_shown(text: &str) -> String {
    let Ok(flag) = text.parse::<u8>() else { return shown(text) };
    let bit = |mask, name| if flag & mask == 0 { "" } else { name };
    let version = Version::of_flag(Some(flag)).standard();
    format!(
        "{flag} · {version}{}{}",
        bit(Version::ANSWER_WANTED, ", A=1 answer wanted"),
        bit(Version::PACKET, ", D=1 PNUM/PNO")
    )
}

#[cfg(test)]
mod tests;
