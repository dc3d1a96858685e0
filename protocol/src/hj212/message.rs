//! The data segment: head fields and data items, borrowed from the text. Values stay text; what they mean is not known here.

use super::cn;
use super::problem::{Problem, ProblemCode};
use crate::Stamp;

/// Fields read of one segment; more are left out with a problem.
const FIELDS_MAX: usize = 2_000;

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
        let mut parser = Parser { text, message: Self::default(), problems: Vec::new(), fields: 0, comma_seen: false };
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
    let text = text.trim();
    let digits = text.get(..text.bytes().take_while(u8::is_ascii_digit).count())?;
    if !(14..=17).contains(&digits.len()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u16>().ok());
    let small = |from: usize| number(from, from + 2).and_then(|part| u8::try_from(part).ok());
    let ms = match digits.get(14..) {
        None | Some("") => 0,
        Some(part) => part.parse::<u16>().ok()? * [100, 10, 1].get(part.len() - 1).copied().unwrap_or(1),
    };
    Some((number(0, 4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, ms))
}

struct Parser<'a> {
    text: &'a str,
    message: Message<'a>,
    problems: Vec<Problem>,
    fields: usize,
    comma_seen: bool,
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
        let bytes = self.text.as_bytes();
        let cp = bytes.windows(5).position(|window| window.eq_ignore_ascii_case(b"CP=&&")).or_else(|| {
            // A forwarder dropped the `&&`.
            bytes.windows(4).position(|window| window.eq_ignore_ascii_case(b";CP=")).map(|at| at + 1)
        });
        let Some((head, tail)) = cp.and_then(|at| self.text.split_at_checked(at)) else {
            self.problem(ProblemCode::CpMissing, self.text.get(self.text.len()..).unwrap_or_default());
            return (self.text, None);
        };
        if !tail.starts_with("CP") {
            self.problem(ProblemCode::KeyCase, tail);
        }
        let data = tail.get(3..).unwrap_or_default();
        let data = data.strip_prefix("&&").unwrap_or(data);
        (head, Some(data.strip_suffix("&&").unwrap_or(data)))
    }

    fn head(&mut self, head: &'a str) {
        for part in head.split([';', ',']) {
            let before = self.offset(part).checked_sub(1).and_then(|at| self.text.as_bytes().get(at));
            if before == Some(&b',') && !self.comma_seen {
                self.comma_seen = true;
                self.problem(ProblemCode::CommaInHead, part);
            }
            let part = part.trim();
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
        let Some(known) = KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key)) else { return };
        if known != key {
            self.problem(ProblemCode::KeyCase, key);
        }
        let value = value.trim();
        match known {
            "QN" => {
                if value.len() != 17 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.problem(ProblemCode::QnDigits, value);
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
        for part in data.split(';') {
            let mut item = Item::default();
            for part in part.split(',') {
                let part = part.trim();
                if part.is_empty() {
                    continue;
                }
                if self.fields >= FIELDS_MAX {
                    self.problem(ProblemCode::TooManyFields, part);
                    return;
                }
                self.fields += 1;
                if let Some(field) = self.field(part) {
                    item.fields.push(field);
                }
            }
            if let [only] = item.fields.as_slice()
                && only.suffix.is_empty()
                && only.code.eq_ignore_ascii_case("Flag")
            {
                self.problem(ProblemCode::BareFlag, part);
            }
            if !item.fields.is_empty() {
                self.message.items.push(item);
            }
        }
    }

    fn field(&mut self, part: &'a str) -> Option<Field<'a>> {
        let Some((key, value)) = part.split_once('=') else {
            self.problem(ProblemCode::NoValue, part);
            return None;
        };
        let (key, value) = (key.trim(), value.trim());
        let (code, suffix) = key.rsplit_once('-').unwrap_or((key, ""));
        // `LA-Rtd-Rtd`
        let code = match code.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('-')) {
            Some(rest) if !suffix.is_empty() && !rest.is_empty() => rest,
            _ => code,
        };
        if self.message.qn.is_none() && key.eq_ignore_ascii_case("QN") && !value.is_empty() {
            self.problem(ProblemCode::QnInCp, part);
            self.message.qn = Some(value);
        }
        if key.eq_ignore_ascii_case("DataTime") && (value.len() != 14 || stamp(value).is_none()) {
            self.problem(ProblemCode::DataTimeDigits, value);
        }
        Some(Field { code, suffix, text: value, offset: self.offset(part) })
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
        let wrong = if is_mean {
            message.fields().any(|field| field.suffix == "Rtd")
        } else {
            command == cn::REAL_TIME && message.fields().any(|field| matches!(field.suffix, "Avg" | "Min" | "Max"))
        };
        let untimed = is_data && message.plain("DataTime").is_none();
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
    }
}
