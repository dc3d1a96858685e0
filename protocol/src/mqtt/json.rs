//! A borrowed pull reader for JSON text: tokens with byte offsets, no tree, no recursion, no allocation but for strings
//! with escapes. It exists because one number out of range must be a problem of its own field, while a general parser
//! gives up the whole document there.
//!
//! `{"a":1}` reads as: `begin(b'{')`, `key()` = `a`, `number()` = 1, `next_member()` = false.

use std::borrow::Cow;

/// What stops the reader; with [`Reader::offset`] it says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not JSON.
    Syntax,
    /// The text ends inside a value.
    Ends,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// Deepest nesting that is skipped over.
pub(super) const DEPTH_MAX: u32 = 16;

/// The first byte of a value tells its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the reader stands.
    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// The whole text.
    pub(super) const fn text(&self) -> &'a str {
        self.text
    }

    fn peek_raw(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek_raw() {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Result<u8, Fault> {
        self.skip_space();
        self.peek_raw().ok_or(Fault::Ends)
    }

    /// The kind of the value that comes next.
    pub(super) fn kind(&mut self) -> Result<Kind, Fault> {
        Ok(match self.peek()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::Text,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return Err(Fault::Syntax),
        })
    }

    /// Enters an object or array (`open` is `{` or `[`). False: it is empty and has been left again.
    pub(super) fn begin(&mut self, open: u8) -> Result<bool, Fault> {
        if self.peek()? != open {
            return Err(Fault::Syntax);
        }
        self.at += 1;
        // `{`+2 is `}`, `[`+2 is `]`.
        if self.peek()? == open + 2 {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After a member: true when another follows, false when the object or array has been left.
    pub(super) fn more(&mut self, open: u8) -> Result<bool, Fault> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b',' {
            Ok(true)
        } else if byte == open + 2 {
            Ok(false)
        } else {
            self.at -= 1;
            Err(Fault::Syntax)
        }
    }

    /// A member's key with its colon.
    pub(super) fn key(&mut self) -> Result<Cow<'a, str>, Fault> {
        let key = self.text_value()?;
        if self.peek()? != b':' {
            return Err(Fault::Syntax);
        }
        self.at += 1;
        Ok(key)
    }

    /// The text must end here.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(Fault::Syntax) }
    }

    pub(super) fn null(&mut self) -> Result<(), Fault> {
        self.word("null")
    }

    pub(super) fn bool_value(&mut self) -> Result<bool, Fault> {
        if self.peek()? == b't' { self.word("true").map(|()| true) } else { self.word("false").map(|()| false) }
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        self.skip_space();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(if word.as_bytes().starts_with(rest) { Fault::Ends } else { Fault::Syntax })
    }

    /// A number as written, its grammar checked.
    pub(super) fn number_text(&mut self) -> Result<&'a str, Fault> {
        self.skip_space();
        let start = self.at;
        if self.peek_raw() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits();
        let leading_zero = whole > 1 && self.text.as_bytes().get(self.at - whole) == Some(&b'0');
        if whole == 0 || leading_zero {
            return Err(self.number_fault());
        }
        if self.peek_raw() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.number_fault());
            }
        }
        if let Some(b'e' | b'E') = self.peek_raw() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek_raw() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.number_fault());
            }
        }
        self.text.get(start..self.at).ok_or(Fault::Syntax)
    }

    fn number_fault(&self) -> Fault {
        if self.peek_raw().is_none() { Fault::Ends } else { Fault::Syntax }
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// A string; borrowed unless it holds escapes.
    pub(super) fn text_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.peek()? != b'"' {
            return Err(Fault::Syntax);
        }
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek_raw().ok_or(Fault::Ends)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.peek_raw().ok_or(Fault::Ends)?;
                    self.at += 1;
                }
                0..=0x1F => return Err(Fault::Syntax),
                _ => self.at += 1,
            }
        }
        let raw = self.text.get(start..self.at).ok_or(Fault::Syntax)?;
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        unescape(raw).map(Cow::Owned).ok_or_else(|| {
            self.at = start;
            Fault::Syntax
        })
    }

    /// Passes over one value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut open: [u8; DEPTH_MAX as usize] = [0; DEPTH_MAX as usize];
        let mut depth = 0_usize;
        loop {
            let mut left = false;
            match self.kind()? {
                kind @ (Kind::Object | Kind::Array) => {
                    let bracket = if kind == Kind::Object { b'{' } else { b'[' };
                    if self.begin(bracket)? {
                        *open.get_mut(depth).ok_or(Fault::TooDeep)? = bracket;
                        depth += 1;
                    } else {
                        left = true;
                    }
                }
                Kind::Text => left = self.text_value().map(|_| true)?,
                Kind::Number => left = self.number_text().map(|_| true)?,
                Kind::Bool => left = self.bool_value().map(|_| true)?,
                Kind::Null => left = self.null().map(|()| true)?,
            }
            while left {
                let Some(bracket) = depth.checked_sub(1).and_then(|top| open.get(top)).copied() else { return Ok(()) };
                if self.more(bracket)? {
                    left = false;
                } else {
                    depth -= 1;
                }
            }
            if let Some(b'{') = depth.checked_sub(1).and_then(|top| open.get(top)) {
                self.key()?;
            }
        }
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(place) = rest.find('\\') {
        out.push_str(rest.get(..place)?);
        let code = *rest.as_bytes().get(place + 1)?;
        // Every escape but \u is one ASCII byte; a byte inside a longer character makes `get` answer `None`.
        rest = rest.get(place + 2..)?;
        out.push(match code {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = hex(rest)?;
                rest = rest.get(4..)?;
                if (0xD800..0xDC00).contains(&first) {
                    let second = hex(rest.strip_prefix("\\u")?)?;
                    rest = rest.get(6..)?;
                    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                    char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + low)?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(out)
}

fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(text: &str) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().and_then(|()| reader.end()).is_ok()
    }

    #[test]
    fn escapes_are_read() {
        let mut reader = Reader::new(r#""a\u8C6B\n\ud83d\ude9a\/""#);
        assert_eq!(reader.text_value().unwrap(), "a豫\n🚚/");
        for bad in [r#""\ud83d""#, r#""\x""#, r#""\u12""#, "\"a\nb\"", "\"abc", r#""\"#, r#""\豫""#] {
            assert!(Reader::new(bad).text_value().is_err(), "{bad}");
        }
    }

    proptest! {
        /// The general parser is the judge of what JSON is.
        #[test]
        fn accepts_what_a_general_parser_accepts(text in r#"[\[\]{}",:0-9eE.+ \-tfnulrasb\\]{0,24}"#) {
            let judged: Result<serde_json::Value, _> = serde_json::from_str(&text);
            match judged {
                Ok(_) => prop_assert!(accepts(&text)),
                // Out of range for a general parser, a number of its own to us.
                Err(error) if error.to_string().contains("number out of range") => {}
                Err(_) => prop_assert!(!accepts(&text)),
            }
        }

        #[test]
        fn any_text_ends(text in ".{0,200}") {
            let _ = accepts(&text);
        }
    }
}
