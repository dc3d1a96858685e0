//! The compact notation of a series: one token a value or a run of values, one step of the series' interval each.
//!
//! ```text
//! 1.2          one value                3.5x60       the same value sixty times
//! _x10         ten steps without        1.0..3.0x5   five values evenly from 1 to 3
//! 3.5Dx10      ten values flagged D (the letters of HJ 212; `!` for impossible)
//! (1x5 2x5)x3  a group three times
//! ```

use model::record::Flag;

/// One step: `None` is no value.
pub(super) type Step = Option<(f64, Flag)>;

/// Steps of one series at most: ten weeks of minutes.
pub(super) const STEPS_MAX: usize = 100_000;
const DEPTH_MAX: usize = 8;

/// Reads a series, or says what is wrong and what to write instead.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, (String, String)> {
    let mut rest = text;
    let mut out = Vec::new();
    read(&mut rest, 0, &mut out)?;
    if out.is_empty() { Err(("is empty".into(), "write values, as 1.2x30 3.5x60 _x10".into())) } else { Ok(out) }
}

fn read(rest: &mut &str, depth: usize, out: &mut Vec<Step>) -> Result<(), (String, String)> {
    loop {
        *rest = rest.trim_start();
        if rest.is_empty() {
            return if depth > 0 {
                Err(("has a ( without its )".into(), "close the group: (1x5 2x5)x3".into()))
            } else {
                Ok(())
            };
        }
        if let Some(after) = rest.strip_prefix(')') {
            if depth == 0 {
                return Err(("has a ) without its (".into(), "open the group: (1x5 2x5)x3".into()));
            }
            *rest = after;
            return Ok(());
        }
        if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            if depth >= DEPTH_MAX {
                return Err((format!("has more than {DEPTH_MAX} groups in each other"), "write it flatter".into()));
            }
            let mut group = Vec::new();
            read(rest, depth + 1, &mut group)?;
            let (word, after) = split_word(rest);
            let times = if word.is_empty() { 1 } else { times(word.strip_prefix('x'), word)? };
            *rest = after;
            room(out.len(), group.len().saturating_mul(times))?;
            for _ in 0..times {
                out.extend_from_slice(&group);
            }
            continue;
        }
        let (word, after) = split_word(rest);
        *rest = after;
        run(word, out)?;
    }
}

/// Up to the next space or bracket.
fn split_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')')).unwrap_or(text.len());
    text.split_at(end)
}

fn run(word: &str, out: &mut Vec<Step>) -> Result<(), (String, String)> {
    let (what, count) = match word.split_once('x') {
        Some((what, count)) => (what, times(Some(count), word)?),
        None => (word, 1),
    };
    room(out.len(), count)?;
    if what == "_" {
        out.extend(std::iter::repeat_n(None, count));
        return Ok(());
    }
    let (number, flag) = flagged(what, word)?;
    let Some((from, to)) = number.split_once("..") else {
        let value = value(number, word)?;
        out.extend(std::iter::repeat_n(Some((value, flag)), count));
        return Ok(());
    };
    let (from, to) = (value(from, word)?, value(to, word)?);
    if count < 2 {
        return Err((format!("\"{word}\" needs two steps at least"), "write 1.0..3.0x5".into()));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 100000 steps")]
    let part = |step: usize| from + (to - from) * step as f64 / (count - 1) as f64;
    out.extend((0..count).map(|step| Some((part(step), flag))));
    Ok(())
}

fn flagged<'a>(what: &'a str, word: &str) -> Result<(&'a str, Flag), (String, String)> {
    let Some(last) = what.bytes().last().filter(|byte| byte.is_ascii_alphabetic() || *byte == b'!') else {
        return Ok((what, Flag::Normal));
    };
    let number = what.get(..what.len() - 1).unwrap_or_default();
    let flag = if last == b'!' { Flag::Impossible } else { Flag::from_letter(last) };
    if flag == Flag::Unknown || last.is_ascii_lowercase() {
        let told = format!("\"{word}\" has the flag \"{}\", which HJ 212 does not know", char::from(last));
        return Err((told, "one of N F M S D C T B, or ! for impossible".into()));
    }
    Ok((number, flag))
}

fn value(number: &str, word: &str) -> Result<f64, (String, String)> {
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| (format!("\"{word}\" is no value"), "write 1.2, 1.2x30, 3.5Dx10, 1.0..3.0x5 or _x10".into()))
}

fn times(count: Option<&str>, word: &str) -> Result<usize, (String, String)> {
    let count = count.and_then(|count| count.parse().ok()).filter(|count| (1..=STEPS_MAX).contains(count));
    count.ok_or_else(|| (format!("\"{word}\" has no count from 1 to {STEPS_MAX} after its x"), "write 1.2x30".into()))
}

fn room(have: usize, more: usize) -> Result<(), (String, String)> {
    if have.saturating_add(more) <= STEPS_MAX {
        return Ok(());
    }
    Err((format!("is longer than {STEPS_MAX} steps"), "make the interval longer".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[Option<f64>]) -> Vec<Step> {
        values.iter().map(|value| value.map(|value| (value, Flag::Normal))).collect()
    }

    #[test]
    fn runs_gaps_flags_ramps_and_groups_are_read() {
        assert_eq!(
            steps("1.2x2 _ 3D").unwrap(),
            [plain(&[Some(1.2), Some(1.2), None]), vec![Some((3.0, Flag::Fault))]].concat()
        );
        assert_eq!(steps("1..3x3").unwrap(), plain(&[Some(1.0), Some(2.0), Some(3.0)]));
        assert_eq!(steps("(1 _)x2 5").unwrap(), plain(&[Some(1.0), None, Some(1.0), None, Some(5.0)]));
        assert_eq!(steps("-0.5!").unwrap(), [Some((-0.5, Flag::Impossible))]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_token() {
        for (text, told) in [
            ("", "is empty"),
            ("1.2y30", "\"1.2y30\" is no value"),
            ("1.2x", "no count"),
            ("3.5Qx2", "flag \"Q\""),
            ("(1 2", "without its )"),
            ("1)", "without its ("),
            ("1x99999 1x99999", "longer than"),
            ("nan", "flag \"n\""),
        ] {
            let (message, suggestion) = steps(text).unwrap_err();
            assert!(message.contains(told), "{text}: {message}");
            assert!(!suggestion.is_empty());
        }
    }
}
