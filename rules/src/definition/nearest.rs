//! The word a person most likely meant: least edit distance, within a third of its length.

/// The nearest of `words`, if any is near enough.
pub(crate) fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    words
        .into_iter()
        .map(|word| (distance(&wrong, word), word))
        .filter(|(distance, word)| *distance <= (word.chars().count().max(wrong.chars().count()) / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// `write "fume"`, or the whole list when nothing is near.
pub(crate) fn suggestion(wrong: &str, words: &[&str]) -> String {
    match nearest(wrong, words.iter().copied()) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None if words.len() <= 12 => format!("one of: {}", words.join(", ")),
        None => format!("for example: {}", words.iter().take(12).copied().collect::<Vec<_>>().join(", ")),
    }
}

/// Levenshtein's distance; words here are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (above + 1).min(left + 1).min(diagonal + usize::from(from != *to));
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word() {
        assert_eq!(nearest("fumee", ["fume", "pm10", "noise"]), Some("fume"));
        assert_eq!(nearest("PM1O", ["fume", "pm10", "noise"]), Some("pm10"));
        assert_eq!(nearest("windw", ["window", "interval"]), Some("window"));
        assert_eq!(nearest("xyz", ["fume", "pm10"]), None);
    }
}
