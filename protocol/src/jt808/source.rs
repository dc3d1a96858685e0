//! What a body is read from. [`Plain`] only reads; the explainer's tracer also writes down where every field lies. Bodies
//! are written once over [`Source`], and a layout of fields in a row is declared once by `layout!` for reading, writing
//! and explaining.

use super::field::{COUNT, Field, LENGTH};
use super::header::Version;
use super::message::{Problem, ProblemCode};
use crate::error::WireError;

pub(super) trait Source<'a>: Sized {
    /// Whether values are wanted in their smallest parts.
    const TRACING: bool;

    fn version(&self) -> Version;
    /// In the body.
    fn offset(&self) -> usize;
    /// Everything left before the present end.
    fn peek(&self) -> &'a [u8];
    /// One field.
    fn take(&mut self, len: usize, field: &Field) -> Result<&'a [u8], WireError>;
    /// `detail`: found, expected.
    fn problem(&mut self, code: ProblemCode, offset: usize, detail: Option<(usize, usize)>);
    fn open(&mut self, field: &Field);
    fn close(&mut self);
    /// Moves the end to so many bytes from here; returns the bytes that lie behind it.
    fn narrow(&mut self, len: usize) -> usize;
    fn widen(&mut self, behind: usize);

    fn remaining(&self) -> usize {
        self.peek().len()
    }

    fn array<const N: usize>(&mut self, field: &Field) -> Result<[u8; N], WireError> {
        let offset = self.offset();
        self.take(N, field)?.try_into().map_err(|_| WireError::Truncated { offset, wanted: N })
    }

    fn u8(&mut self, field: &Field) -> Result<u8, WireError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    fn u16(&mut self, field: &Field) -> Result<u16, WireError> {
        self.array(field).map(u16::from_be_bytes)
    }

    fn u32(&mut self, field: &Field) -> Result<u32, WireError> {
        self.array(field).map(u32::from_be_bytes)
    }

    fn rest(&mut self, field: &Field) -> &'a [u8] {
        self.take(self.remaining(), field).unwrap_or_default()
    }

    fn group<T>(&mut self, field: &Field, read: impl FnOnce(&mut Self) -> T) -> T {
        self.open(field);
        let value = read(self);
        self.close();
        value
    }

    /// Reads inside the next `len` bytes; what `read` leaves of them is taken as `left`.
    fn within<T>(&mut self, len: usize, left: &Field, read: impl FnOnce(&mut Self) -> T) -> Result<T, WireError> {
        let missing = len.saturating_sub(self.remaining());
        if missing > 0 {
            return Err(WireError::Truncated { offset: self.offset(), wanted: missing });
        }
        let behind = self.narrow(len);
        let value = read(self);
        if self.remaining() > 0 {
            self.rest(left);
        }
        self.widen(behind);
        Ok(value)
    }

    /// Whether `read` takes exactly what is left, without a problem. Nothing is consumed.
    fn fits<T>(&self, read: impl FnOnce(&mut Plain<'a, '_>) -> Result<T, WireError>) -> bool {
        let mut problems = Vec::new();
        let mut probe = Plain::new(self.peek(), self.version(), 0, &mut problems);
        let fits = read(&mut probe).is_ok() && probe.remaining() == 0;
        fits && problems.is_empty()
    }
}

/// Reads and remembers nothing but problems.
#[derive(Debug)]
pub(super) struct Plain<'a, 'p> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
    version: Version,
    base: usize,
    problems: &'p mut Vec<Problem>,
}

impl<'a, 'p> Plain<'a, 'p> {
    /// `base` is where the bytes lie in the body.
    pub(super) fn new(bytes: &'a [u8], version: Version, base: usize, problems: &'p mut Vec<Problem>) -> Self {
        Self { bytes, at: 0, end: bytes.len(), version, base, problems }
    }
}

impl<'a> Source<'a> for Plain<'a, '_> {
    const TRACING: bool = false;

    fn version(&self) -> Version {
        self.version
    }

    fn offset(&self) -> usize {
        self.base + self.at
    }

    fn peek(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or_default()
    }

    fn take(&mut self, len: usize, _field: &Field) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end);
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => Err(WireError::Truncated { offset: self.offset(), wanted: len.saturating_sub(self.remaining()) }),
        }
    }

    fn problem(&mut self, code: ProblemCode, offset: usize, _detail: Option<(usize, usize)>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { code, offset });
        }
    }

    fn open(&mut self, _field: &Field) {}

    fn close(&mut self) {}

    fn narrow(&mut self, len: usize) -> usize {
        let end = self.at.saturating_add(len).min(self.end);
        std::mem::replace(&mut self.end, end) - end
    }

    fn widen(&mut self, behind: usize) {
        self.end = self.end.saturating_add(behind).min(self.bytes.len());
    }
}

/// Problems kept of one message.
pub(super) const PROBLEMS_MAX: usize = 1_024;

/// A body that reads and writes itself.
pub(super) trait Body<'a>: Sized {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError>;
    fn write(&self, out: &mut Vec<u8>, version: Version);
}

/// How one field of type `T` lies in the bytes.
pub(super) trait Codec<'a, T> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<T, WireError>;
    fn write(value: &T, out: &mut Vec<u8>, version: Version);
}

/// A big-endian number.
pub(super) struct Num;
/// So many bytes as sent; padded with zeros when written.
pub(super) struct Fixed<const N: usize>;
/// Bytes after their length in a BYTE, a WORD, a DWORD.
pub(super) struct Len<C>(C);
/// All that is left.
pub(super) struct Rest;
/// Elements after their count.
pub(super) struct List<C, E>(C, E);
/// Another body.
pub(super) struct Nested;
/// Only with the 2019 issue.
pub(super) struct New<C>(C);
/// Only when bytes are left.
pub(super) struct More<C>(C);
/// Width of a length or count.
pub(super) struct B;
pub(super) struct W;
pub(super) struct D;

pub(super) trait Width {
    fn read<'a, S: Source<'a>>(source: &mut S, field: &Field) -> Result<usize, WireError>;
    /// Writes the number, or the greatest possible, and returns what was written.
    fn write(number: usize, out: &mut Vec<u8>) -> usize;
}

macro_rules! number {
    ($width:ident, $number:ident) => {
        impl Width for $width {
            fn read<'a, S: Source<'a>>(source: &mut S, field: &Field) -> Result<usize, WireError> {
                Ok(source.$number(field)?.try_into().unwrap_or(usize::MAX))
            }
            fn write(number: usize, out: &mut Vec<u8>) -> usize {
                let number = $number::try_from(number).unwrap_or($number::MAX);
                out.extend(number.to_be_bytes());
                number.try_into().unwrap_or(usize::MAX)
            }
        }
        impl<'a> Codec<'a, $number> for Num {
            fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<$number, WireError> {
                source.$number(field)
            }
            fn write(value: &$number, out: &mut Vec<u8>, _version: Version) {
                out.extend(value.to_be_bytes());
            }
        }
    };
}
number!(B, u8);
number!(W, u16);
number!(D, u32);

impl<'a, const N: usize> Codec<'a, [u8; N]> for Num {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<[u8; N], WireError> {
        source.array(field)
    }
    fn write(value: &[u8; N], out: &mut Vec<u8>, _version: Version) {
        out.extend(value);
    }
}

impl<'a, const N: usize> Codec<'a, &'a [u8]> for Fixed<N> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<&'a [u8], WireError> {
        source.take(N, field)
    }
    fn write(value: &&'a [u8], out: &mut Vec<u8>, _version: Version) {
        padded(out, value, N);
    }
}

impl<'a, C: Width> Codec<'a, &'a [u8]> for Len<C> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<&'a [u8], WireError> {
        let len = C::read(source, &Field { label: field.label, ..LENGTH })?;
        source.take(len, field)
    }
    fn write(value: &&'a [u8], out: &mut Vec<u8>, _version: Version) {
        let len = C::write(value.len(), out);
        out.extend_from_slice(value.get(..len).unwrap_or(value));
    }
}

impl<'a> Codec<'a, &'a [u8]> for Rest {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<&'a [u8], WireError> {
        Ok(source.rest(field))
    }
    fn write(value: &&'a [u8], out: &mut Vec<u8>, _version: Version) {
        out.extend_from_slice(value);
    }
}

impl<'a, T: Body<'a>> Codec<'a, T> for Nested {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<T, WireError> {
        source.group(field, T::read)
    }
    fn write(value: &T, out: &mut Vec<u8>, version: Version) {
        value.write(out, version);
    }
}

impl<'a, T, C: Width, E: Codec<'a, T>> Codec<'a, Vec<T>> for List<C, E> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<Vec<T>, WireError> {
        source.group(field, |source| {
            let at = source.offset();
            let count = C::read(source, &COUNT)?;
            Ok(elements::<T, E, S>(source, field, count, at))
        })
    }
    fn write(value: &Vec<T>, out: &mut Vec<u8>, version: Version) {
        let count = C::write(value.len(), out);
        for element in value.iter().take(count) {
            E::write(element, out, version);
        }
    }
}

/// Reads the elements that are there; a count that promises more is a problem, not an error.
pub(super) fn elements<'a, T, E: Codec<'a, T>, S: Source<'a>>(
    source: &mut S,
    field: &Field,
    count: usize,
    at: usize,
) -> Vec<T> {
    let element = Field { name: "element", ..*field };
    let mut read = Vec::new();
    while read.len() < count {
        let Ok(value) = E::read(source, &element) else {
            source.problem(ProblemCode::CountMismatch, at, Some((read.len(), count)));
            break;
        };
        read.push(value);
    }
    read
}

impl<'a, T: Default, C: Codec<'a, T>> Codec<'a, Option<T>> for New<C> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<Option<T>, WireError> {
        if source.version().is_2019() { C::read(source, field).map(Some) } else { Ok(None) }
    }
    fn write(value: &Option<T>, out: &mut Vec<u8>, version: Version) {
        if version.is_2019() {
            match value {
                Some(value) => C::write(value, out, version),
                None => C::write(&T::default(), out, version),
            }
        }
    }
}

impl<'a, T, C: Codec<'a, T>> Codec<'a, Option<T>> for More<C> {
    fn read<S: Source<'a>>(source: &mut S, field: &Field) -> Result<Option<T>, WireError> {
        if source.remaining() > 0 { C::read(source, field).map(Some) } else { Ok(None) }
    }
    fn write(value: &Option<T>, out: &mut Vec<u8>, version: Version) {
        if let Some(value) = value {
            C::write(value, out, version);
        }
    }
}

/// A field of fixed width: cut, or padded with zeros.
pub(super) fn padded(out: &mut Vec<u8>, field: &[u8], width: usize) {
    let field = field.get(..width).unwrap_or(field);
    out.extend_from_slice(field);
    out.resize(out.len() + width - field.len(), 0);
}

/// Declares a body whose fields follow one another: the structure, how it is read, written and explained.
///
/// ```text
/// layout! { /// 0x8106
///     pub struct X<'a> { name: &'a [u8] => Len<B>, text("name", "名称", "name"); } }
/// ```
macro_rules! layout {
    ($(#[$meta:meta])* pub struct $name:ident $(<$life:lifetime>)? {
        $( $(#[$note:meta])* $field:ident : $type:ty => $codec:ty, $label:expr; )*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$life>)? { $( $(#[$note])* pub $field: $type, )* }

        impl<'a> $crate::jt808::source::Body<'a> for $name $(<$life>)? {
            fn read<S: $crate::jt808::source::Source<'a>>(source: &mut S) -> Result<Self, $crate::error::WireError> {
                $( let $field = {
                    const FIELD: $crate::jt808::field::Field = $label;
                    <$codec as $crate::jt808::source::Codec<'a, $type>>::read(source, &FIELD)?
                }; )*
                Ok(Self { $($field,)* })
            }
            fn write(&self, out: &mut Vec<u8>, version: $crate::jt808::header::Version) {
                $( <$codec as $crate::jt808::source::Codec<'a, $type>>::write(&self.$field, out, version); )*
            }
        }
    };
}
pub(super) use layout;
