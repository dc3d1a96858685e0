//! Compact bytes for saved state: LEB128 numbers, zigzag for signed ones, floats as their bits. Reading checks every bound.

#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            #[expect(clippy::cast_possible_truncation, reason = "seven bits are cut off on purpose")]
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 0x80")]
        self.0.push(number as u8);
    }

    #[expect(clippy::cast_sign_loss, reason = "zigzag")]
    pub(crate) fn signed(&mut self, number: i64) {
        self.unsigned(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_bits().to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub(crate) fn optional(&mut self, number: Option<i64>) {
        self.flag(number.is_some());
        if let Some(number) = number {
            self.signed(number);
        }
    }
}

/// `None` from any method: the bytes are damaged at `at`.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
    format: u8,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, format: FORMAT }
    }

    /// The format that the bytes are of, see [`super::state`].
    pub(crate) const fn format(&self) -> u8 {
        self.format
    }

    /// `None`: a format that this program does not know.
    pub(crate) fn read_format(&mut self) -> Option<u8> {
        self.format = self.byte()?;
        (1..=FORMAT).contains(&self.format).then_some(self.format)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    #[expect(clippy::cast_possible_wrap, reason = "zigzag")]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn float(&mut self) -> Option<f64> {
        let bytes = self.bytes.get(self.at..self.at + 8)?;
        self.at += 8;
        Some(f64::from_bits(u64::from_le_bytes(bytes.try_into().ok()?)))
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let bytes = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        std::str::from_utf8(bytes).ok()
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// `Some(None)`: absent.
    #[expect(clippy::option_option, reason = "outer: damaged; inner: absent")]
    pub(crate) fn optional(&mut self) -> Option<Option<i64>> {
        if self.flag()? { Some(Some(self.signed()?)) } else { Some(None) }
    }

    pub(crate) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.unsigned()?).ok()
    }

    /// A number of things that follow; never more than bytes are left, so a damaged one cannot allocate much.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count <= self.bytes.len().saturating_sub(self.at)).then_some(count)
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }
}

/// Format of everything that is written. 2: stretches have a subject, a device and a lane.
pub(crate) const FORMAT: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive(a: u64, b: i64, c: f64, d in proptest::option::of(any::<i64>()), e in ".{0,20}") {
            let mut writer = Writer::default();
            writer.unsigned(a);
            writer.signed(b);
            writer.float(c);
            writer.optional(d);
            writer.text(&e);
            let mut reader = Reader::new(&writer.0);
            prop_assert_eq!(reader.unsigned(), Some(a));
            prop_assert_eq!(reader.signed(), Some(b));
            prop_assert_eq!(reader.float().map(f64::to_bits), Some(c.to_bits()));
            prop_assert_eq!(reader.optional(), Some(d));
            prop_assert_eq!(reader.text(), Some(e.as_str()));
            prop_assert!(reader.is_done());
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.text().is_some() && reader.signed().is_some() && reader.float().is_some() {}
        }
    }
}
