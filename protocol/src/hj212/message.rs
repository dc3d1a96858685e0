//! The data segment: head fields and data items, borrowed from the text. Values stay text; what they mean is not known here.

use super::cn;
use super::problem::{Problem, ProblemCode};
use crate::Stamp;

/// Fields read of one segment; more are left out with a problem.
const FIELDS_MAX: usize = 2_000;
/// Room made at once; most messages have no more items.
const ITEMS_EXPECTED: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message<'a> {
    pub qn: Option<&'a str>,
    pub st: Option<&'a str>,
    pub cn: Option<&'a str>,
    pub pw: Option<&'a str>,
    pub mn: Option<&'a str>,
    pub flag: Option<u8>,
    /// Packets of a split message.
    pub pnum: Option<u32>,
    /// This packet's number, from 1.
    pub pno: Option<u32>,
    /// Head fields that no edition knows (`USCC`, `IMEI` of site-register frames), as written.
    pub others: Vec<(&'a str, &'a str)>,
    /// Data items in order; `;` parts them, `,` parts the fields of one.
    pub items: Vec<Item<'a>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item<'a> {
    pub fields: Vec<Field<'a>>,
}

/// `code-suffix=text`, or `code=text` with an empty suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Factor code, or the whole key when it has no suffix: `a34002`, `DataTime`, `SB1`.
    pub code: &'a str,
    /// `Rtd`, `Avg`, `Min`, `Max`, `Cou`, `ZsRtd`, `Flag`, `RS` …, as written.
    pub suffix: &'a str,
    pub text: &'a str,
    /// Of the key in the segment.
    pub offset: usize,
}

impl<'a> Message<'a> {
    /// Reads a segment. Never fails: what is missing is `None` and named among the problems.
    pub fn parse(text: &'a str) -> (Self, Vec<Problem>) {
        let mut parser = Parser {
            text,
            message: Self::default(),
            problems: Vec::new(),
            fields: 0,
            comma_seen: false,
            instant_seen: false,
            mean_seen: false,
        };
        let (head, data) = parser.split_cp();
        parser.head(head);
        if let Some(data) = data {
            parser.data(data);
        }
        parser.missing();
        (parser.message, parser.problems)
    }

    /// Bit A of the flag: the sender waits for an answer.
    pub fn answer_wanted(&self) -> bool {
        self.flag.is_some_and(|flag| flag & 1 != 0)
    }

    /// Bits 2–7 of the flag: 0 = 2005, 1 = 2017, 2 = 2025.
    pub fn version(&self) -> u8 {
        self.flag.unwrap_or(0) >> 2
    }

    pub fn fields(&self) -> impl Iterator<Item = &Field<'a>> {
        self.items.iter().flat_map(|item| item.fields.iter())
    }

    /// The text of a field without a suffix, whatever its case.
    pub fn plain(&self, key: &str) -> Option<&'a str> {
        self.fields()
            .find(|field| field.suffix.is_empty() && field.code.eq_ignore_ascii_case(key))
            .map(|field| field.text)
    }

    /// `DataTime`: the instant of 2011 and 2021, the start of the period of all others.
    pub fn data_time(&self) -> Option<Stamp> {
        self.plain("DataTime").and_then(stamp)
    }

    /// `QN` as a time.
    pub fn request_time(&self) -> Option<Stamp> {
        self.qn.and_then(stamp)
    }
}

/// `YYYYMMDDhhmmss` with up to three further digits of milliseconds. Letters behind it (`CST`) are ignored.
pub(super) fn stamp(text: &str) -> Option<Stamp> {
    let text = trim(text).as_bytes();
    let digits = text.get(..text.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
    let (stamp, rest) = digits.split_first_chunk::<14>()?;
    let ms = match rest {
        [] => 0,
        [a] => 100 * digit(*a),
        [a, b] => 100 * digit(*a) + 10 * digit(*b),
        [a, b, c] => 100 * digit(*a) + 10 * digit(*b) + digit(*c),
        _ => return None,
    };
    let [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2] = *stamp;
    let year = digit(y1) * 1000 + digit(y2) * 100 + digit(y3) * 10 + digit(y4);
    let pair = |tens: u8, ones: u8| tens.wrapping_sub(b'0').wrapping_mul(10).wrapping_add(ones.wrapping_sub(b'0'));
    Some((year, pair(m1, m2), pair(d1, d2), pair(h1, h2), pair(n1, n2), pair(s1, s2), ms))
}

fn digit(byte: u8) -> u16 {
    u16::from(byte.wrapping_sub(b'0'))
}

/// Without blanks at the ends. Nearly no field has any.
fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [only] if only.is_ascii_graphic() => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// A downlink under the number of an upload: no data at all, or a period.
fn is_request(message: &Message<'_>) -> bool {
    message.plain("BeginTime").is_some() || message.items.is_empty()
}

/// Whether day and time exist.
fn is_real((year, month, day, hour, minute, second, _): Stamp) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
}

fn qn_problem(value: &str) -> Option<ProblemCode> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    match (digits, value.len()) {
        (17, 17) if stamp(value).is_some_and(is_real) => None,
        (17, 17) => Some(ProblemCode::QnNoDate),
        (17, _) => Some(ProblemCode::QnSuffix),
        (13 | 10, length) if length == digits => Some(ProblemCode::QnEpoch),
        _ => Some(ProblemCode::QnDigits),
    }
}

/// Where a segment's data lie: `CP` at `cp`, what stands between the `&&` from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) cp: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Data {
    /// A forwarder may have dropped either `&&`.
    pub(super) fn find(segment: &[u8]) -> Option<Self> {
        let same = |at: usize, wanted: &[u8]| {
            segment.get(at..at + wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        };
        let whole = memchr::memmem::find(segment, b"CP=&&")
            .or_else(|| memchr::memchr2_iter(b'C', b'c', segment).find(|at| same(*at, b"CP=&&")));
        let cp =
            whole.or_else(|| memchr::memchr_iter(b';', segment).find(|at| same(at + 1, b"CP=")).map(|at| at + 1))?;
        let open = cp + 3;
        let from = if same(open, b"&&") { open + 2 } else { open };
        let body = segment.get(from..)?;
        let to = if body.ends_with(b"&&") { segment.len() - 2 } else { segment.len() };
        Some(Self { cp, from, to })
    }
}

/// Finds the ends of fields, from the first to the last: a field ends at the next `;` or `,`, but a log (`…-Info=//text//`)
/// may hold both.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cutter {
    /// No log ends behind the field at hand, so none is looked for again.
    no_log_ends: bool,
}

impl Cutter {
    /// Where the field that begins at `from` ends, and how far behind `from` its first `=` lies.
    pub(super) fn cut(&mut self, data: &[u8], from: usize) -> (usize, Option<usize>) {
        let rest = data.get(from..).unwrap_or_default();
        let cut = memchr::memchr2(b';', b',', rest).unwrap_or(rest.len());
        let piece = rest.get(..cut).unwrap_or_default();
        let Some(equals) = piece.iter().position(|byte| *byte == b'=') else { return (from + cut, None) };
        let value = piece.get(equals + 1..).unwrap_or_default();
        let whole = value.strip_prefix(b"//").is_none_or(|text| text.ends_with(b"//"));
        let end = if whole { None } else { self.log_end(rest, equals + 3) };
        (from + end.unwrap_or(cut), Some(equals))
    }

    /// The first separator, or the end, with `//` before it.
    fn log_end(&mut self, rest: &[u8], log: usize) -> Option<usize> {
        if self.no_log_ends {
            return None;
        }
        let text = rest.get(log..)?;
        let closes = |end: &usize| text.get(..*end).is_some_and(|text| text.ends_with(b"//"));
        let end = memchr::memchr2_iter(b';', b',', text).chain([text.len()]).find(closes);
        self.no_log_ends = end.is_none();
        end.map(|end| log + end)
    }
}

struct Parser<'a> {
    text: &'a str,
    message: Message<'a>,
    problems: Vec<Problem>,
    fields: usize,
    comma_seen: bool,
    /// A field `-Rtd`.
    instant_seen: bool,
    /// A field `-Avg`, `-Min` or `-Max`.
    mean_seen: bool,
}

impl<'a> Parser<'a> {
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize).min(self.text.len())
    }

    fn problem(&mut self, code: ProblemCode, part: &str) {
        let offset = self.offset(part);
        self.problems.push(Problem { code, offset });
    }

    fn split_cp(&mut self) -> (&'a str, Option<&'a str>) {
        let pieces = Data::find(self.text.as_bytes()).and_then(|data| {
            let (head, tail) = self.text.split_at_checked(data.cp)?;
            Some((head, tail, self.text.get(data.from..data.to)?))
        });
        let Some((head, tail, data)) = pieces else {
            self.problem(ProblemCode::CpMissing, self.text.get(self.text.len()..).unwrap_or_default());
            return (self.text, None);
        };
        if !tail.starts_with("CP") {
            self.problem(ProblemCode::KeyCase, tail);
        }
        (head, Some(data))
    }

    fn head(&mut self, head: &'a str) {
        let mut rest = Some(head);
        while let Some(text) = rest {
            let cut = memchr::memchr2(b';', b',', text.as_bytes());
            let part = text.get(..cut.unwrap_or(text.len())).unwrap_or_default();
            rest = cut.and_then(|cut| text.get(cut + 1..));
            if let (Some(next), Some(b',')) = (rest, cut.and_then(|cut| text.as_bytes().get(cut)))
                && !std::mem::replace(&mut self.comma_seen, true)
            {
                self.problem(ProblemCode::CommaInHead, next);
            }
            let part = trim(part);
            if part.is_empty() {
                continue;
            }
            let Some((key, value)) = part.split_once('=') else {
                self.problem(ProblemCode::NoValue, part);
                continue;
            };
            self.head_field(key, value);
        }
    }

    fn head_field(&mut self, key: &'a str, value: &'a str) {
        const KEYS: [&str; 8] = ["QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO"];
        let value = trim(value);
        let exact = KEYS.into_iter().find(|known| *known == key);
        let Some(known) = exact.or_else(|| KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key))) else {
            self.problem(ProblemCode::HeadKeyUnknown, key);
            self.message.others.push((key, value));
            return;
        };
        if known != key {
            self.problem(ProblemCode::KeyCase, key);
        }
        match known {
            "QN" => {
                if let Some(code) = qn_problem(value) {
                    self.problem(code, value);
                }
                self.message.qn = (!value.is_empty()).then_some(value);
            }
            "ST" => self.message.st = Some(value),
            "CN" => self.message.cn = Some(value),
            "PW" => {
                if value.is_empty() {
                    self.problem(ProblemCode::PwEmpty, value);
                }
                self.message.pw = Some(value);
            }
            "MN" => {
                if value.is_empty() {
                    self.problem(ProblemCode::MnEmpty, value);
                }
                self.message.mn = Some(value);
            }
            "Flag" => match value.parse() {
                Ok(flag) => self.message.flag = Some(flag),
                Err(_) => self.problem(ProblemCode::FlagNotNumber, value),
            },
            "PNUM" => self.message.pnum = value.parse().ok(),
            _ => self.message.pno = value.parse().ok(),
        }
    }

    fn data(&mut self, data: &'a str) {
        if data.ends_with(';') {
            self.problem(ProblemCode::TrailingSemicolon, data.get(data.len() - 1..).unwrap_or_default());
        }
        let (bytes, mut from, mut cutter) = (data.as_bytes(), 0, Cutter::default());
        let mut item = Item::default();
        self.message.items.reserve(ITEMS_EXPECTED);
        while from <= data.len() {
            let (to, equals) = cutter.cut(bytes, from);
            let part = data.get(from..to).unwrap_or_default();
            if !trim(part).is_empty() {
                if self.fields >= FIELDS_MAX {
                    self.problem(ProblemCode::TooManyFields, part);
                    break;
                }
                self.fields += 1;
                if let Some(field) = self.field(part, equals) {
                    item.fields.push(field);
                }
            }
            if bytes.get(to) != Some(&b',') {
                self.end_item(std::mem::take(&mut item));
            }
            from = to + 1;
        }
        self.end_item(item);
    }

    fn end_item(&mut self, item: Item<'a>) {
        if let [only] = item.fields.as_slice()
            && only.suffix.is_empty()
            && only.code.eq_ignore_ascii_case("Flag")
        {
            let offset = only.offset;
            self.problems.push(Problem { code: ProblemCode::BareFlag, offset });
        }
        if !item.fields.is_empty() {
            self.message.items.push(item);
        }
    }

    fn field(&mut self, part: &'a str, equals: Option<usize>) -> Option<Field<'a>> {
        let Some((key, value)) = equals.and_then(|at| part.get(..at).zip(part.get(at + 1..))) else {
            self.problem(ProblemCode::NoValue, trim(part));
            return None;
        };
        let (key, value) = (trim(key), trim(value));
        let offset = self.offset(key);
        let Some(dash) = key.bytes().rposition(|byte| byte == b'-') else {
            self.plain_field(key, value);
            return Some(Field { code: key, suffix: "", text: value, offset });
        };
        let (code, suffix) = (key.get(..dash).unwrap_or(key), key.get(dash + 1..).unwrap_or_default());
        match suffix {
            "Rtd" => self.instant_seen = true,
            "Avg" | "Min" | "Max" => self.mean_seen = true,
            _ => {}
        }
        // `LA-Rtd-Rtd`
        let code = match code.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('-')) {
            Some(rest) if !suffix.is_empty() && !rest.is_empty() => {
                self.problem(ProblemCode::SuffixRepeated, key);
                rest
            }
            _ => code,
        };
        Some(Field { code, suffix, text: value, offset })
    }

    /// A field without a suffix, some of which say something of the whole message.
    fn plain_field(&mut self, key: &'a str, value: &'a str) {
        if self.message.qn.is_none() && key.eq_ignore_ascii_case("QN") && !value.is_empty() {
            self.problem(ProblemCode::QnInCp, key);
            self.message.qn = Some(value);
        }
        if key.eq_ignore_ascii_case("DataTime") {
            match stamp(value) {
                Some(stamp) if !is_real(stamp) => self.problem(ProblemCode::DataTimeNoDate, value),
                Some(_) if value.len() == 14 => {}
                _ => self.problem(ProblemCode::DataTimeDigits, value),
            }
        }
    }

    fn missing(&mut self) {
        let end = self.text.get(self.text.len()..).unwrap_or_default();
        let message = &self.message;
        let absent = [
            (message.qn.is_none(), ProblemCode::QnMissing),
            (message.st.is_none(), ProblemCode::StMissing),
            (message.cn.is_none(), ProblemCode::CnMissing),
            (message.pw.is_none(), ProblemCode::PwMissing),
            (message.mn.is_none(), ProblemCode::MnMissing),
            (message.flag.is_none(), ProblemCode::FlagMissing),
        ];
        let command = message.cn.unwrap_or_default();
        let is_mean = matches!(command, cn::MINUTE | cn::HOUR | cn::DAY);
        let is_data = is_mean || command == cn::REAL_TIME;
        let wrong = if is_mean { self.instant_seen } else { command == cn::REAL_TIME && self.mean_seen };
        let untimed = is_data && message.plain("DataTime").is_none() && !is_request(message);
        let packet = message.packet_problem();
        for (is_absent, code) in absent {
            if is_absent {
                self.problem(code, end);
            }
        }
        if wrong {
            self.problem(ProblemCode::StatisticForCommand, end);
        }
        if untimed {
            self.problem(ProblemCode::DataTimeMissing, end);
        }
        if let Some(code) = packet {
            self.problem(code, end);
        }
    }
}
