//! Which bytes of a file came: ranges in order, none touching another, and never more than a bound of them.

/// Ranges of one file; a sender that leaves more holes is refused.
const RANGES_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `from .. to`; false when there are too many holes.
    pub(super) fn add(&mut self, from: u64, to: u64) -> bool {
        if from >= to {
            return true;
        }
        let first = self.0.partition_point(|(_, end)| *end < from);
        let last = self.0.partition_point(|(start, _)| *start <= to);
        let touched = self.0.get(first..last).unwrap_or_default();
        let from = touched.first().map_or(from, |(start, _)| from.min(*start));
        let to = touched.last().map_or(to, |(_, end)| to.max(*end));
        if touched.is_empty() && self.0.len() >= RANGES_MAX {
            return false;
        }
        self.0.splice(first..last, [(from, to)]);
        true
    }

    /// `(offset, length)` of what lacks of `size`, the first `max` of them.
    pub(super) fn missing(&self, size: u64, max: usize) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut at = 0;
        for (from, to) in self.0.iter().copied().chain([(size, size)]) {
            if from > at && missing.len() < max {
                missing.push((at, from.min(size) - at));
            }
            at = at.max(to);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holes_are_named_and_too_many_of_them_refused() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.missing(10, 9), [(0, 10)]);
        for (from, to) in [(2, 4), (6, 8), (8, 9)] {
            assert!(ranges.add(from, to));
        }
        assert_eq!(ranges.missing(10, 9), [(0, 2), (4, 2), (9, 1)]);
        assert_eq!(ranges.missing(10, 1), [(0, 2)]);
        ranges.add(0, 10);
        assert!(ranges.missing(10, 9).is_empty());
        let mut odd = Ranges::default();
        let taken = (0..5_000).filter(|n| odd.add(n * 2, n * 2 + 1)).count();
        assert_eq!(taken, RANGES_MAX);
        assert!(odd.add(0, 3), "one that joins two takes no room");
    }

    proptest! {
        #[test]
        fn what_is_missing_is_what_never_came(parts in prop::collection::vec((0_u64..60, 0_u64..20), 0..30)) {
            let mut ranges = Ranges::default();
            let mut came = [false; 100];
            for (from, len) in parts {
                ranges.add(from, from + len);
                came.iter_mut().skip(usize::try_from(from).unwrap()).take(usize::try_from(len).unwrap()).for_each(|byte| *byte = true);
            }
            let mut missing = [false; 100];
            for (from, len) in ranges.missing(100, 1_000) {
                missing.iter_mut().skip(usize::try_from(from).unwrap()).take(usize::try_from(len).unwrap()).for_each(|byte| *byte = true);
            }
            prop_assert!(came.iter().zip(&missing).all(|(came, missing)| came != missing));
        }
    }
}
