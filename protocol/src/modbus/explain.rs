//! Requests and answers of Modbus, byte by byte, for people: the frame of TCP (MBAP) and that of RTU, also over TCP.
//!
//! ```text
//! 00 01 00 00 00 06 | 01 | 03 00 00 00 02          transaction, protocol, length | unit | function, address, count
//!                     01 | 03 04 00 00 00 42 | 7A 02          RTU: a check behind, its low byte first
//! ```
//! Modbus bytes do not say which way they go: a read of even length with four bytes of body is taken for a request.

use super::rtu::crc16;
use crate::explain::{Direction, Explanation, Label, Span, Trouble};
use std::borrow::Cow;

/// Registers told apart in one answer.
const WORDS_MAX: usize = 125;
/// Blocks told apart in one poll.
const BLOCKS_MAX: u16 = 64;

/// How a frame is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    Tcp,
    Rtu,
}

/// Which wrapping the bytes have, if they are one whole frame.
pub fn wrap_of(bytes: &[u8]) -> Option<Wrap> {
    if let Some((body, [low, high])) = bytes.split_last_chunk::<2>()
        && body.len() >= 3
        && crc16(body).to_le_bytes() == [*low, *high]
    {
        return Some(Wrap::Rtu);
    }
    let [_, _, 0, 0, high, low, rest @ ..] = bytes else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let function = rest.get(1).map(|function| function & 0x7f);
    (length == rest.len()
        && (2..=254).contains(&length)
        && function.is_some_and(|function| matches!(function, 1..=6 | 15..=17 | 22 | 23 | 43)))
    .then_some(Wrap::Tcp)
}

/// Explains one frame; `direction` where it is known.
pub fn explain(bytes: &[u8], wrap: Wrap, direction: Option<Direction>) -> Explanation {
    let mut out = Builder { bytes, at: 0, spans: Vec::new(), troubles: Vec::new() };
    let end = match wrap {
        Wrap::Tcp => {
            out.number(2, "transaction", label("事务标识", "transaction"), "");
            let protocol = out.number(2, "protocol", label("协议标识", "protocol"), "");
            if protocol.is_some_and(|protocol| protocol != 0) {
                out.wrong("protocol_not_zero", label("协议标识应为 0", "the protocol must be 0"), String::new());
            }
            let length = out.number(2, "length", label("后续字节数", "bytes that follow"), "");
            let follow = bytes.len().saturating_sub(6);
            if let Some(length) = length.filter(|length| usize::from(*length) != follow) {
                out.wrong(
                    "length_bad",
                    label("长度与内容不符", "the length is not the frame's"),
                    format!("{follow} expected, {length} found"),
                );
            }
            bytes.len()
        }
        Wrap::Rtu => bytes.len().saturating_sub(2),
    };
    out.number(1, "unit", label("从站地址", "unit"), "");
    let function = bytes.get(out.at).copied().unwrap_or_default();
    out.number(1, "function", label("功能码", "function"), "");
    out.value(format!("{function} · {}", name(function & 0x7f).zh));
    let body = end.saturating_sub(out.at);
    let request = direction.map_or(body == 4 && function & 0x80 == 0, |direction| direction == Direction::Down);
    out.body(function, request, end);
    if end > out.at {
        out.leaf(end - out.at, "rest", label("未解释的其余字节", "the rest, not explained"));
    }
    if wrap == Wrap::Rtu {
        out.check();
    }
    let title = if function & 0x80 != 0 { label("异常应答", "refusal") } else { name(function) };
    Explanation {
        standard: "Modbus",
        title,
        direction: if request { Direction::Down } else { Direction::Up },
        spans: out.spans,
        troubles: out.troubles,
        answer: None,
    }
}

/// Explains one poll as the journal keeps it, see [`super::reading`]: block by block, register by register.
pub fn explain_reading(bytes: &[u8]) -> Explanation {
    let mut out = Builder { bytes, at: 0, spans: Vec::new(), troubles: Vec::new() };
    out.leaf(2, "form", label("存储格式", "form on disk"));
    out.number(1, "unit", label("从站地址", "unit"), "");
    let blocks = out.number(2, "blocks", label("读取块数", "blocks"), "").unwrap_or(0);
    for _ in 0..blocks.min(BLOCKS_MAX) {
        if out.at >= bytes.len() {
            break;
        }
        let function =
            out.number(1, "function", label("功能码", "function"), "").and_then(|code| u8::try_from(code).ok());
        let function = function.unwrap_or(0);
        out.value(format!("{function} · {}", name(function).zh));
        let address = out.number(2, "address", label("起始地址（从 0 起）", "address, from 0"), "").unwrap_or(0);
        let count = out.number(2, "count", label("数量", "count"), "").unwrap_or(0);
        let status = out.number(1, "status", label("状态", "status"), "").unwrap_or(0);
        if status != 0 {
            let code = u8::try_from(status).unwrap_or(0);
            out.value(format!("{code} · {} ({})", exception(code).zh, exception(code).en));
            continue;
        }
        if function <= 2 {
            out.leaf(usize::from(count).div_ceil(8), "bits", label("位", "bits"));
            continue;
        }
        for index in 0..count {
            let Some(word) = out.number(2, "register", label("寄存器", "register"), "") else { break };
            if let Some(span) = out.spans.last_mut() {
                span.name = Cow::Owned(format!("register[{}]", u32::from(address) + u32::from(index)));
            }
            out.value(format!("{word} · 0x{word:04x}"));
        }
    }
    let rest = bytes.len().saturating_sub(out.at);
    if rest > 0 {
        out.leaf(rest, "rest", label("未解释的其余字节", "the rest, not explained"));
    }
    let title = label("一次轮询", "one poll");
    let (spans, troubles) = (out.spans, out.troubles);
    Explanation { standard: "Modbus", title, direction: Direction::Up, spans, troubles, answer: None }
}

/// What an exception code says.
pub const fn exception(code: u8) -> Label {
    let (zh, en) = match code {
        1 => ("非法功能", "illegal function"),
        2 => ("非法数据地址", "illegal data address"),
        3 => ("非法数据值", "illegal data value"),
        4 => ("从站设备故障", "slave device failure"),
        5 => ("确认，处理中", "acknowledged, in work"),
        6 => ("从站忙", "slave busy"),
        8 => ("存储奇偶差错", "memory parity error"),
        10 => ("网关路径不可用", "gateway path unavailable"),
        11 => ("网关目标无响应", "gateway target failed to respond"),
        _ => ("未知异常码", "unknown exception"),
    };
    label(zh, en)
}

const fn name(function: u8) -> Label {
    let (zh, en) = match function {
        1 => ("读线圈", "read coils"),
        2 => ("读离散输入", "read discrete inputs"),
        3 => ("读保持寄存器", "read holding registers"),
        4 => ("读输入寄存器", "read input registers"),
        5 => ("写单个线圈", "write one coil"),
        6 => ("写单个寄存器", "write one register"),
        15 => ("写多个线圈", "write coils"),
        16 => ("写多个寄存器", "write registers"),
        17 => ("报告从站标识", "report server id"),
        43 => ("读设备标识", "read device identification"),
        _ => ("其他功能", "another function"),
    };
    label(zh, en)
}

const fn label(zh: &'static str, en: &'static str) -> Label {
    Label { zh, en }
}

struct Builder<'a> {
    bytes: &'a [u8],
    at: usize,
    spans: Vec<Span>,
    troubles: Vec<Trouble>,
}

impl Builder<'_> {
    fn leaf(&mut self, len: usize, name: impl Into<Cow<'static, str>>, of: Label) -> bool {
        let Some(taken) = self.bytes.get(self.at..self.at.saturating_add(len)) else {
            let text = label("帧不完整", "the frame ends early");
            let trouble = Trouble { code: "truncated", text, detail: String::new(), fatal: true };
            self.troubles.push(trouble);
            self.at = self.bytes.len();
            return false;
        };
        let value = taken.iter().take(24).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        self.spans.push(Span {
            at: self.at,
            len,
            depth: 0,
            name: name.into(),
            label: of,
            value,
            unit: "",
            clause: "",
            troubles: Vec::new(),
        });
        self.at += len;
        true
    }

    fn number(&mut self, len: usize, name: &'static str, of: Label, unit: &'static str) -> Option<u16> {
        let from = self.at;
        if !self.leaf(len, name, of) {
            return None;
        }
        let taken = self.bytes.get(from..self.at).unwrap_or_default();
        let number = taken.iter().fold(0_u16, |number, byte| number << 8 | u16::from(*byte));
        self.value(number.to_string());
        if let Some(span) = self.spans.last_mut() {
            span.unit = unit;
        }
        Some(number)
    }

    fn value(&mut self, value: String) {
        if let Some(span) = self.spans.last_mut() {
            span.value = value;
        }
    }

    fn wrong(&mut self, code: &'static str, text: Label, detail: String) {
        if let Some(span) = self.spans.last_mut() {
            span.troubles.push(Trouble { code, text, detail, fatal: true });
        }
    }

    fn body(&mut self, function: u8, request: bool, end: usize) {
        if function & 0x80 != 0 {
            let code = self.number(1, "exception", label("异常码", "exception"), "");
            if let Some(code) = code.and_then(|code| u8::try_from(code).ok()) {
                self.value(format!("{code} · {} ({})", exception(code).zh, exception(code).en));
            }
            return;
        }
        match (function, request) {
            (1..=4, true) | (5 | 6, _) => {
                self.number(2, "address", label("起始地址（从 0 起）", "address, from 0"), "");
                let second = if function >= 5 { label("写入值", "value") } else { label("数量", "count") };
                self.number(2, "count", second, "");
            }
            (1..=4, false) => {
                let count = usize::from(self.number(1, "bytes", label("字节数", "bytes"), "").unwrap_or(0));
                let found = end.saturating_sub(self.at);
                if count != found {
                    let detail = format!("{found} expected, {count} found");
                    self.wrong("count_bad", label("字节数与内容不符", "the count is not the data's"), detail);
                }
                if function <= 2 {
                    self.leaf(found, "bits", label("位", "bits"));
                    return;
                }
                for index in 0..(found / 2).min(WORDS_MAX) {
                    if self.number(2, "register", label("寄存器", "register"), "").is_none() {
                        return;
                    }
                    if let Some(span) = self.spans.last_mut() {
                        span.name = Cow::Owned(format!("register[{index}]"));
                    }
                    let word = self.bytes.get(self.at - 2..self.at).unwrap_or_default();
                    let number = word.iter().fold(0_u16, |number, byte| number << 8 | u16::from(*byte));
                    self.value(format!("{number} · 0x{number:04x}"));
                }
            }
            _ => {}
        }
    }

    fn check(&mut self) {
        let Some((body, found)) = self.bytes.split_last_chunk::<2>() else { return };
        let expected = crc16(body);
        self.at = body.len();
        self.leaf(2, "check", label("CRC 校验（低字节在前）", "check, low byte first"));
        let found = u16::from_le_bytes(*found);
        if found != expected {
            let [low, high] = expected.to_le_bytes();
            let swapped = if found == expected.swap_bytes() { " (bytes swapped)" } else { "" };
            let detail = format!("{low:02x} {high:02x} expected{swapped}");
            self.wrong("check_bad", label("CRC 错误", "the check is wrong"), detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(explanation: &Explanation) -> Vec<(&'static str, Option<usize>)> {
        explanation.all_troubles().map(|(at, trouble)| (trouble.code, at.map(|(at, _)| at))).collect()
    }

    #[test]
    fn a_request_and_its_answer_are_named_byte_by_byte() {
        let request = [1, 3, 0, 0, 0, 2, 0xC4, 0x0B];
        assert_eq!(wrap_of(&request), Some(Wrap::Rtu));
        let said = explain(&request, Wrap::Rtu, None);
        assert_eq!((said.direction, said.title.en, codes(&said)), (Direction::Down, "read holding registers", vec![]));
        let answer = [1, 3, 4, 0, 0, 0, 0x42, 0x7A, 0x02];
        let said = explain(&answer, Wrap::Rtu, None);
        assert_eq!((said.direction, codes(&said)), (Direction::Up, vec![]));
        assert!(said.spans.iter().any(|span| span.name == "register[1]" && span.value == "66 · 0x0042"));
        let tcp = [0, 7, 0, 0, 0, 3, 1, 0x83, 2];
        assert_eq!(wrap_of(&tcp), Some(Wrap::Tcp));
        let said = explain(&tcp, Wrap::Tcp, None);
        assert_eq!((said.title.en, codes(&said)), ("refusal", vec![]));
    }

    #[test]
    fn faults_are_told_where_they_are() {
        let said = explain(&[1, 3, 4, 0, 0, 0, 0x42, 0x02, 0x7A], Wrap::Rtu, None);
        assert_eq!(codes(&said), [("check_bad", Some(7))]);
        let said = explain(&[0, 1, 0, 0, 0, 9, 1, 3, 2, 0, 1], Wrap::Tcp, None);
        assert_eq!(codes(&said), [("length_bad", Some(4))]);
        let said = explain(&[0, 1, 0, 0, 0, 5, 1, 3, 9, 0, 1], Wrap::Tcp, Some(Direction::Up));
        assert_eq!(codes(&said), [("count_bad", Some(8))]);
        assert_eq!(codes(&explain(&[0, 1], Wrap::Tcp, None)).first().map(|code| code.0), Some("truncated"));
    }

    #[test]
    fn a_poll_of_the_journal_is_named_register_by_register() {
        use crate::modbus::{Answer, BlockAnswer, Function, Reading};
        let block = |address, answer| BlockAnswer { function: Function::HoldingRegisters, address, count: 2, answer };
        let reading = Reading {
            unit: 3,
            blocks: vec![block(16, Answer::Registers(vec![0x1234, 7])), block(40, Answer::Exception(2))],
        };
        let said = explain_reading(&reading.encode());
        assert_eq!(codes(&said), []);
        let of = |name: &str| said.spans.iter().find(|span| span.name == name).map(|span| span.value.clone());
        assert_eq!(of("register[17]").as_deref(), Some("7 · 0x0007"));
        assert!(said.spans.iter().any(|span| span.name == "status" && span.value.contains("illegal data address")));
        assert_eq!(codes(&explain_reading(&[0x4d, 1, 3, 0])).first().map(|code| code.0), Some("truncated"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_explained_inside_their_bounds(bytes in prop::collection::vec(any::<u8>(), 0..80), tcp in any::<bool>()) {
            let said = explain(&bytes, if tcp { Wrap::Tcp } else { Wrap::Rtu }, None);
            for span in &said.spans {
                prop_assert!(span.at + span.len <= bytes.len());
            }
        }
    }
}
