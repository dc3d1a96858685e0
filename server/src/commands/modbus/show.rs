//! Registers as a person reads them: raw, and beside it what each type and order of bytes makes of them.

use gateway::modbus::{Failure, points};
use model::quantity::Quantity;
use model::register::DeviceProfile;
use protocol::explain::Language;
use protocol::modbus::{
    Answer, Block, BlockAnswer, Function, Kind, Order, Point, Reading, ValueProblem, decode, decode_text, raw_words,
};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

const ORDERS: [(Order, &str); 4] =
    [(Order::Abcd, "ABCD"), (Order::Cdab, "CDAB"), (Order::Badc, "BADC"), (Order::Dcba, "DCBA")];
const WIDE: [(&str, Kind); 3] = [("u32", Kind::U32), ("i32", Kind::I32), ("f32", Kind::F32)];
/// Whole numbers beyond this are seldom a reading.
const WHOLE_MAX: f64 = 1_000_000.0;
/// Fractions of a reading lie in here.
const FRACTION: std::ops::Range<f64> = 0.001..1_000_000.0;

pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// What was asked, and how long it took.
pub(super) fn question(unit: u8, block: Block, took: Duration, language: Language) -> String {
    let table = match block.function {
        Function::Coils => language.pick("线圈", "coils"),
        Function::DiscreteInputs => language.pick("离散输入", "discrete inputs"),
        Function::HoldingRegisters => language.pick("保持寄存器", "holding registers"),
        Function::InputRegisters => language.pick("输入寄存器", "input registers"),
    };
    let last = block.address.saturating_add(block.count.saturating_sub(1));
    format!(
        "\n{} {unit} · {} {} {table} · {} {}–{last} · {} ms\n",
        language.pick("单元", "unit"),
        language.pick("功能", "function"),
        block.function as u8,
        language.pick("地址", "address"),
        block.address,
        took.as_millis()
    )
}

/// Every register raw, then what pairs and fours of them may be.
pub(super) fn values(answered: &BlockAnswer, language: Language) -> String {
    let mut out = String::new();
    match &answered.answer {
        Answer::Exception(_) => {}
        Answer::Bits(bits) => {
            for (row, bits) in (0_u16..).zip(bits.chunks(16)) {
                let shown: String = bits.iter().map(|bit| if *bit { " 1" } else { " 0" }).collect();
                line(&mut out, &format!("{:>6} {shown}", answered.address.saturating_add(row * 16)));
            }
        }
        Answer::Registers(words) => {
            line(&mut out, &format!("{:>6}  {:<6}  {:>6}  {:>6}", language.pick("地址", "at"), "hex", "u16", "i16"));
            for (at, word) in (answered.address..).zip(words) {
                line(&mut out, &format!("{at:>6}  0x{word:04X}  {word:>6}  {:>6}", word.cast_signed()));
            }
            out.push_str(&combined(answered.address, words, language));
        }
    }
    out
}

fn combined(address: u16, words: &[u16], language: Language) -> String {
    let mut out = String::new();
    let mut rows = String::new();
    for (at, pair) in (address..).step_by(2).zip(words.chunks_exact(2)) {
        if pair.iter().all(|word| *word == 0) {
            line(
                &mut rows,
                &format!("{:>11}  {}", format!("{at}–{}", at + 1), language.pick("任何顺序都是 0", "0 in any order")),
            );
            continue;
        }
        // Swapped bytes within a register are rare: they are pointed at only where the usual orders give nothing.
        let usual = ORDERS.iter().take(2).any(|(order, _)| WIDE.iter().any(|(_, kind)| fits(pair, *kind, *order)));
        for (place, (order, name)) in ORDERS.into_iter().enumerate() {
            let head = if order == Order::Abcd { format!("{at}–{}", at + 1) } else { String::new() };
            let cells = WIDE.map(|(name, kind)| {
                let star = if (place < 2) == usual && fits(pair, kind, order) { " ★" } else { "" };
                let shown = read(pair, kind, order).map_or_else(|_| "–".to_owned(), number);
                format!("{name} {:<14}", shown + star)
            });
            line(&mut rows, &format!("{head:>11}  {name}  {}", cells.join(" ")));
        }
    }
    if !rows.is_empty() {
        line(&mut out, "");
        line(
            &mut out,
            language.pick(
                "两个寄存器合成一个值（★ 像是真实读数）：",
                "two registers as one value (★ looks like a reading):",
            ),
        );
        out.push_str(&rows);
        line(&mut out, wrong_order(language));
    }
    for (at, four) in (address..).step_by(4).zip(words.chunks_exact(4)) {
        for (order, name) in ORDERS {
            let value = read(four, Kind::F64, order).ok().filter(|value| looks_real(*value, Kind::F64));
            if let Some(value) = value {
                line(&mut out, &format!("{:>11}  {name}  f64 {} ★", format!("{at}–{}", at + 3), number(value)));
            }
        }
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let text: String = bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '·' })
        .collect();
    if bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() >= 4 {
        line(&mut out, &format!("{} {text}", language.pick("作为文本：", "as text:")));
    }
    out
}

const fn wrong_order(language: Language) -> &'static str {
    match language {
        Language::Chinese => {
            "顺序写错时：整数会大约 65536 倍（66 → 4325376），小数会变成近 0（9e-44）或极大（1e+30）；换成带 ★ 的那一行。"
        }
        Language::English => {
            "A wrong order looks like this: whole numbers about 65536 times too large (66 → 4325376), fractions near 0 (9e-44) or huge (1e+30); take the line with ★."
        }
    }
}

fn read(words: &[u16], kind: Kind, order: Order) -> Result<f64, ValueProblem> {
    let function = Function::HoldingRegisters;
    let count = u16::try_from(words.len()).unwrap_or(0);
    let block = BlockAnswer { function, address: 0, count, answer: Answer::Registers(words.to_vec()) };
    let reading = Reading { unit: 0, blocks: vec![block] };
    let point = Point { order, ..Point::new("", function, 0, kind) };
    decode(&reading, &[point]).first().map_or(Err(ValueProblem::NotRead), |outcome| outcome.value)
}

fn looks_real(value: f64, kind: Kind) -> bool {
    match kind {
        Kind::F16 | Kind::F32 | Kind::F64 => FRACTION.contains(&value.abs()),
        _ => value != 0.0 && value.abs() <= WHOLE_MAX,
    }
}

fn fits(words: &[u16], kind: Kind, order: Order) -> bool {
    read(words, kind, order).is_ok_and(|value| looks_real(value, kind))
}

/// Short, and never a long row of zeros.
fn number(value: f64) -> String {
    if value.fract().abs() < f64::EPSILON && value.abs() < 1e12 {
        return format!("{value:.0}");
    }
    if FRACTION.contains(&value.abs()) { format!("{value:.3}") } else { format!("{value:.2e}") }
}

/// The profile's registers in its order: raw, decoded, in the quantity's unit.
pub(super) fn map(profile: &DeviceProfile, reading: &Reading, language: Language) -> String {
    let mut out = String::new();
    line(&mut out, &format!("\n{} · {}", profile.code, profile.name));
    for (register, point) in profile.registers.iter().zip(points(&profile.registers)) {
        let raw = raw_words(reading, &point).unwrap_or_default();
        let raw: Vec<String> = raw.iter().map(|word| format!("{word:04X}")).collect();
        let head = format!("{:<16} {:>5}  {:<20}", register.code, point.address, raw.join(" "));
        if let Kind::Text(_) = point.kind {
            let text = decode_text(reading, &point).unwrap_or_else(|problem| why(problem, language));
            line(&mut out, &format!("{head} {text}"));
            continue;
        }
        let value =
            decode(reading, std::slice::from_ref(&point)).first().map_or(Err(ValueProblem::NotRead), |o| o.value);
        match value {
            Ok(value) => {
                line(&mut out, &format!("{head} {:<12} {}", number(value), canonical(profile, &register.code, value)));
            }
            Err(problem) => line(&mut out, &format!("{head} ✗ {}", why(problem, language))),
        }
        if let Some((name, other)) = better(reading, &point, value) {
            let hint =
                language.pick("字节序可能写错，这样读才像读数：", "the order may be wrong; this looks like a reading:");
            line(&mut out, &format!("{:>24}? {hint} {name} = {}", "", number(other)));
        }
    }
    out
}

/// Another order that looks like a reading where the map's does not.
fn better(reading: &Reading, point: &Point<'_>, value: Result<f64, ValueProblem>) -> Option<(&'static str, f64)> {
    let doubtful = match value {
        Ok(value) => value != 0.0 && !looks_real(value, point.kind),
        Err(problem) => matches!(problem, ValueProblem::OutOfRange | ValueProblem::NotFinite),
    };
    if point.kind.width() < 2 || !doubtful {
        return None;
    }
    ORDERS.into_iter().filter(|(order, _)| *order != point.order).find_map(|(order, name)| {
        let other = Point { order, ..point.clone() };
        let value = decode(reading, &[other]).first()?.value.ok()?;
        looks_real(value, point.kind).then_some((name, value))
    })
}

fn canonical(profile: &DeviceProfile, code: &str, wire: f64) -> String {
    let factor = profile.factors.iter().find(|factor| factor.code.eq_ignore_ascii_case(code));
    let spec = factor.and_then(|factor| Quantity::from_code(&factor.quantity)).and_then(Quantity::spec);
    let Some((factor, spec)) = factor.zip(spec) else { return String::new() };
    match factor.unit.convert(wire * factor.scale + factor.offset, spec.unit) {
        Some(value) => format!("→ {} {} {}", spec.name_zh, number(value), spec.unit.code()),
        None => String::new(),
    }
}

fn why(problem: ValueProblem, language: Language) -> String {
    match problem {
        ValueProblem::NotRead => language.pick("没有读到", "not read"),
        ValueProblem::Refused(code) => {
            return format!("{} {code}", language.pick("被拒绝，异常", "refused, exception"));
        }
        ValueProblem::Sentinel => language.pick("设备说“无读数”", "the device says: no reading"),
        ValueProblem::OutOfRange => language.pick("超出寄存器表的有效范围", "outside of the map's valid range"),
        ValueProblem::NotFinite => language.pick("不是数", "not a number"),
        ValueProblem::NotOfKind => language.pick("不是这种类型", "not of this kind"),
        ValueProblem::MapWrong => language.pick("寄存器表有误", "the map is wrong"),
    }
    .to_owned()
}

/// What a modem said first, and how its device is to be written.
pub(super) fn registration(peer: SocketAddr, said: &[u8], language: Language) -> String {
    let mut out = String::new();
    line(&mut out, &format!("{} {peer}", language.pick("DTU 拨入：", "a modem dialled in from")));
    if said.is_empty() {
        line(
            &mut out,
            language.pick("没有注册包：请在 DTU 里打开注册包", "no registration packet: switch it on in the modem"),
        );
        return out;
    }
    let hex: Vec<String> = said.iter().map(|byte| format!("{byte:02X}")).collect();
    line(&mut out, &format!("  hex  {}", hex.join(" ")));
    line(&mut out, &format!("  text {:?}", String::from_utf8_lossy(said)));
    let text = said.strip_suffix(b"\r\n").or(said.strip_suffix(b"\n")).or(said.strip_suffix(b"\r")).unwrap_or(said);
    let (address, packet) = if text.iter().all(u8::is_ascii_graphic) {
        let form = if text.len() == said.len() { "text" } else { "line" };
        (String::from_utf8_lossy(text).into_owned(), format!("form = \"{form}\""))
    } else {
        (hex.concat(), "form = \"hex\"".to_owned())
    };
    line(
        &mut out,
        &format!(
            "  {} poll = {{ address = \"dtu://{address}\", unit = 1, dtu = {{ {packet} }} }}",
            language.pick("登记为：", "to be written as:")
        ),
    );
    out
}

/// Units that answered a scan.
pub(super) fn found(units: (u8, u8), found: &[(u8, Result<Answer, Failure>)], language: Language) -> String {
    let mut out = String::new();
    for (unit, answer) in found {
        let what = match answer {
            Ok(Answer::Exception(code)) => format!("{} {code}", language.pick("应答异常", "answers with exception")),
            Ok(_) => language.pick("应答", "answers").to_owned(),
            Err(failure) => format!("{} [{}]", language.pick("有杂乱字节", "damaged bytes"), failure.code()),
        };
        line(&mut out, &format!("{} {unit}: {what}", language.pick("单元", "unit")));
    }
    let mut last = String::new();
    write!(
        last,
        "{} / {}",
        found.iter().filter(|(_, answer)| answer.is_ok()).count(),
        u16::from(units.1 - units.0) + 1
    )
    .ok(); // a String
    line(&mut out, &format!("{last} {}", language.pick("个单元应答", "units answer")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(words: &[u16]) -> BlockAnswer {
        let count = u16::try_from(words.len()).unwrap();
        BlockAnswer {
            function: Function::HoldingRegisters,
            address: 0,
            count,
            answer: Answer::Registers(words.to_vec()),
        }
    }

    #[test]
    fn the_right_order_is_marked_and_the_wrong_one_shown_for_what_it_is() {
        // 66 as a whole number, 12.5 as a float with its words the other way round.
        let text = values(&answered(&[0, 66, 0x0000, 0x4148]), Language::English);
        let line =
            |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what} in {text}"));
        assert!(line("0–1  ABCD").contains("u32 66 ★"), "{text}");
        assert!(line("CDAB  u32 4325376 ").contains("f32"), "{text}");
        let swapped: Vec<_> = text.lines().filter(|line| line.contains("f32 12.500 ★")).collect();
        assert!(matches!(swapped[..], [only] if only.contains("CDAB")), "{text}");
        assert!(text.contains("A wrong order looks like this"));
    }

    #[test]
    fn a_map_with_a_wrong_order_is_told_so() {
        let text = r#"
            code = "x"
            name = "x"
            protocol = "modbus"
            factors = [{ code = "tsp", quantity = "tsp", unit = "ug/m3" }]
            registers = [{ code = "tsp", function = 3, address = 0, kind = "u32", order = "cdab", valid = [0, 100000] }]
        "#;
        let profile: DeviceProfile = toml::from_str(text).unwrap();
        let reading = Reading { unit: 1, blocks: vec![answered(&[0, 66])] };
        let shown = map(&profile, &reading, Language::English);
        assert!(shown.contains("outside of the map's valid range") && shown.contains("ABCD = 66"), "{shown}");
        let right = DeviceProfile {
            registers: vec![model::register::Register {
                order: model::register::WordOrder::Abcd,
                ..profile.registers[0].clone()
            }],
            ..profile
        };
        let shown = map(&right, &reading, Language::Chinese);
        assert!(shown.contains("0000 0042") && shown.contains("66 ug/m3") && !shown.contains('?'), "{shown}");
    }

    #[test]
    fn a_modems_packet_is_shown_with_the_row_to_write() {
        let peer = "127.0.0.1:1".parse().unwrap();
        let shown = registration(peer, b"860000000000001\r\n", Language::English);
        assert!(shown.contains("dtu://860000000000001") && shown.contains("form = \"line\""), "{shown}");
        assert!(registration(peer, &[0xFE, 1], Language::English).contains("dtu://FE01"));
        assert!(registration(peer, &[], Language::English).contains("no registration packet"));
    }
}
