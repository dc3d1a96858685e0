//! Times in which we, not a device, were the reason for missing data; per protocol, merged, bounded.

use super::codec::{Reader, Writer};
use model::envelope::ProtocolKind;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outages {
    /// By protocol number − 1; each ordered and apart from each other.
    by: [Vec<(i64, i64)>; 4],
}

impl Outages {
    /// `protocol` `None`: all.
    pub(crate) fn add(&mut self, protocol: Option<ProtocolKind>, from: i64, to: i64) {
        if from >= to {
            return;
        }
        for (kind, list) in ProtocolKind::ALL.into_iter().zip(&mut self.by) {
            if protocol.is_none_or(|only| only == kind) {
                insert(list, from, to);
            }
        }
    }

    /// How much of `from`–`to` was an outage of ours.
    pub(crate) fn within(&self, protocol: ProtocolKind, from: i64, to: i64) -> i64 {
        let Some(list) = self.by.get(protocol as usize - 1) else { return 0 };
        let first = list.partition_point(|(_, end)| *end <= from);
        list.iter().skip(first).take_while(|(start, _)| *start < to).map(|(a, b)| (*b).min(to) - (*a).max(from)).sum()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for list in &self.by {
            w.unsigned(list.len() as u64);
            for (from, to) in list {
                w.signed(*from);
                w.signed(*to);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut outages = Self::default();
        for list in &mut outages.by {
            let count = r.count()?;
            *list = (0..count).map(|_| Some((r.signed()?, r.signed()?))).collect::<Option<_>>()?;
        }
        Some(outages)
    }
}

fn insert(list: &mut Vec<(i64, i64)>, from: i64, to: i64) {
    let first = list.partition_point(|(_, end)| *end < from);
    let last = list.partition_point(|(start, _)| *start <= to);
    let touched = list.get(first..last).unwrap_or_default();
    let joined = touched.iter().fold((from, to), |(a, b), (c, d)| (a.min(*c), b.max(*d)));
    list.splice(first..last.max(first), [joined]);
    if list.len() > KEPT_MAX {
        list.remove(0);
    }
}

/// Outages kept per protocol; older ones concern times that are final.
const KEPT_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_merge_and_are_counted_once() {
        let mut outages = Outages::default();
        outages.add(None, 10, 20);
        outages.add(Some(ProtocolKind::Mqtt), 15, 30);
        outages.add(None, 40, 50);
        outages.add(None, 20, 20);
        assert_eq!(outages.within(ProtocolKind::Mqtt, 0, 100), 30);
        assert_eq!(outages.within(ProtocolKind::Jt808, 0, 100), 20);
        assert_eq!(outages.within(ProtocolKind::Jt808, 18, 45), 7);
        assert_eq!(outages.within(ProtocolKind::Mqtt, 30, 40), 0);
    }
}
