//! Number plates as cameras and registers write them: made alike before they are compared.

/// Without spaces, dots and dashes, in capitals, full-width letters made plain; letters that no Chinese plate has are read
/// as the digits they look like.
pub(crate) fn normal(plate: &str) -> String {
    let mut out = String::with_capacity(plate.len());
    for (place, mark) in plate.chars().filter(|mark| !is_filler(*mark)).enumerate() {
        let plain = match mark {
            // Full width: ０–９, Ａ–Ｚ, ａ–ｚ.
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(mark) - 0xfee0).unwrap_or(mark),
            _ => mark,
        };
        let capital = plain.to_ascii_uppercase();
        // GA 36: neither I nor O is used behind the letter of the place.
        out.push(match capital {
            'O' if place >= 2 => '0',
            'I' if place >= 2 => '1',
            _ => capital,
        });
    }
    out
}

/// Whether a normal plate can be one: a Chinese character, a letter, and five or six letters and digits, the last perhaps
/// another character (挂, 学, 警, 港, 澳).
pub(crate) fn is_plate(normal: &str) -> bool {
    let mut marks = normal.chars();
    let begins = marks.next().is_some_and(is_han) && marks.next().is_some_and(|mark| mark.is_ascii_uppercase());
    let rest: Vec<char> = marks.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    begins
        && (5..=6).contains(&rest.len())
        && middle.iter().all(char::is_ascii_alphanumeric)
        && (last.is_ascii_alphanumeric() || is_han(*last))
}

/// Whether two normal plates differ in one mark at most: a camera's misreading.
pub(crate) fn is_misread(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.chars(), b.chars());
    let mut wrong = 0;
    loop {
        match (a.next(), b.next()) {
            (None, None) => return wrong <= 1,
            (Some(x), Some(y)) => wrong += u32::from(x != y),
            _ => return false,
        }
    }
}

fn is_han(mark: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&mark)
}

fn is_filler(mark: char) -> bool {
    mark.is_whitespace() || matches!(mark, '·' | '.' | '-' | '_' | '•' | '・' | '．' | '－' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plates_are_compared_without_how_they_are_written() {
        for written in ["豫A·12345", " 豫a 12345", "豫A-12345", "豫Ａ１２３４５", "豫A.1234５"] {
            assert_eq!(normal(written), "豫A12345");
        }
        assert_eq!((normal("豫AO2I45").as_str(), normal("豫O12345").as_str()), ("豫A02145", "豫O12345"));
    }

    #[test]
    fn what_is_no_plate_is_not_taken_for_one() {
        for plate in ["豫A12345", "豫AD12345", "豫A1234挂"] {
            assert!(is_plate(&normal(plate)), "{plate}");
        }
        for other in ["", "无牌", "unknown", "12345", "豫A123", "豫A1234567"] {
            assert!(!is_plate(&normal(other)), "{other}");
        }
        assert!(is_misread("豫A12345", "豫A12346") && !is_misread("豫A12345", "豫A12366"));
        assert!(!is_misread("豫A12345", "豫A123456"));
    }
}
