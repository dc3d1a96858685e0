//! Sparkplug B: what each edge node's and device's birth said, so that data may name its metrics by alias. The births are
//! entries of the journal, so the state is a fold of it; it is saved with the cursor, so that a restart forgets none.
//!
//! A gap in `seq` may hide a birth. Until the node is born again, what is told by alias alone is kept and shown, but its
//! values count toward nothing: they might be of another metric.

use super::merge::{Cursor, put_bytes, section};
use crate::metrics::{SETTLE_BIRTHS_CROWDED_TOTAL, SETTLE_SEQUENCE_GAPS_TOTAL};
use model::envelope::Position;
use protocol::sparkplug::{BD_SEQ, MessageKind, Payload, Topic, Value};
use std::collections::BTreeMap;

/// Bytes that all births take; beyond it the node that was silent longest is forgotten.
const BYTES_MAX: usize = 16 << 20;
/// Of one metric beside its name.
const OVERHEAD_BYTES: usize = 64;
/// Metrics of one birth that are remembered.
const METRICS_MAX: usize = 8_192;

#[derive(Debug, Default)]
pub struct Births {
    /// By `group/edge`.
    nodes: BTreeMap<String, Node>,
    bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Node {
    /// Where its last message stands.
    last: u64,
    born: bool,
    /// A message was missing since the birth.
    gap: bool,
    bd_seq: Option<u64>,
    seq: Option<u64>,
    /// By device; the node's own under the empty name, which no device has.
    tables: BTreeMap<String, Table>,
}

/// What one birth said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    metrics: Vec<Born>,
    by_alias: BTreeMap<u64, usize>,
    by_name: BTreeMap<String, usize>,
}

/// A metric of a birth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Born {
    pub name: String,
    pub alias: Option<u64>,
    pub datatype: Option<u32>,
}

/// How a message is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct View<'a> {
    table: Option<&'a Table>,
    /// Aliases may mean something else by now.
    pub doubtful: bool,
    /// The will of an earlier session of a node that is there again.
    pub stale: bool,
}

impl<'a> View<'a> {
    pub fn by_alias(&self, alias: u64) -> Option<&'a Born> {
        let table = self.table?;
        table.metrics.get(*table.by_alias.get(&alias)?)
    }

    pub fn by_name(&self, name: &str) -> Option<&'a Born> {
        let table = self.table?;
        table.metrics.get(*table.by_name.get(name)?)
    }
}

impl Table {
    fn of(payload: &Payload<'_>) -> Self {
        let mut table = Self::default();
        for metric in &payload.metrics {
            if let Some(name) = metric.name
                && table.metrics.len() < METRICS_MAX
            {
                table.put(Born { name: name.to_owned(), alias: metric.alias, datatype: metric.datatype });
            }
        }
        table
    }

    fn put(&mut self, born: Born) {
        let place = self.metrics.len();
        if let Some(alias) = born.alias {
            self.by_alias.insert(alias, place);
        }
        self.by_name.insert(born.name.clone(), place);
        self.metrics.push(born);
    }

    fn bytes(&self) -> usize {
        self.metrics.iter().map(|born| 2 * born.name.len() + OVERHEAD_BYTES).sum()
    }
}

impl Node {
    fn bytes(&self) -> usize {
        self.tables.iter().map(|(name, table)| name.len() + OVERHEAD_BYTES + table.bytes()).sum::<usize>()
            + OVERHEAD_BYTES
    }

    fn count(&mut self, seq: Option<u64>) {
        let fits = match (std::mem::replace(&mut self.seq, seq), seq) {
            // The same once more is a message sent again.
            (Some(last), Some(this)) => this == last || this == (last + 1) % 256,
            _ => true,
        };
        if !fits {
            self.gap = true;
            metrics::counter!(SETTLE_SEQUENCE_GAPS_TOTAL).increment(1);
        }
    }
}

impl Births {
    /// Takes the next message in and says how it is to be read.
    pub fn see(&mut self, position: Position, topic: &Topic<'_>, payload: &Payload<'_>) -> View<'_> {
        let name = format!("{}/{}", topic.group, topic.edge);
        let known = self.nodes.remove(&name);
        self.bytes -= known.as_ref().map_or(0, Node::bytes);
        let mut node = known.unwrap_or_default();
        node.last = position.seq;
        let device = topic.device.unwrap_or_default().to_owned();
        let mut stale = false;
        match topic.kind {
            MessageKind::NodeBirth => {
                node = Node {
                    last: position.seq,
                    born: true,
                    gap: false,
                    bd_seq: bd_seq(payload),
                    seq: payload.seq,
                    tables: BTreeMap::from([(device.clone(), Table::of(payload))]),
                };
            }
            MessageKind::NodeDeath => {
                stale = node.born && bd_seq(payload).zip(node.bd_seq).is_some_and(|(of, own)| of != own);
                node.born &= stale;
            }
            MessageKind::DeviceBirth => {
                node.count(payload.seq);
                node.tables.insert(device.clone(), Table::of(payload));
            }
            MessageKind::DeviceDeath | MessageKind::NodeData | MessageKind::DeviceData => node.count(payload.seq),
            MessageKind::NodeCommand | MessageKind::DeviceCommand => {}
        }
        self.bytes += node.bytes();
        self.nodes.insert(name.clone(), node);
        self.make_room(&name);
        let node = self.nodes.get(&name);
        let doubtful = node.is_none_or(|node| node.gap || !node.born) && !topic.kind.is_birth();
        View { table: node.and_then(|node| node.tables.get(&device)), doubtful, stale }
    }

    fn make_room(&mut self, but: &str) {
        while self.bytes > BYTES_MAX {
            let others = self.nodes.iter().filter(|(name, _)| *name != but);
            let Some(oldest) = others.min_by_key(|(_, node)| node.last).map(|(name, _)| name.clone()) else { return };
            self.bytes -= self.nodes.remove(&oldest).map_or(0, |node| node.bytes());
            metrics::counter!(SETTLE_BIRTHS_CROWDED_TOTAL).increment(1);
        }
    }

    /// As bytes before those of another kind; nothing when there is none.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.nodes.is_empty() {
            return out;
        }
        let mut all = Vec::new();
        for (name, node) in &self.nodes {
            put_bytes(&mut all, name.as_bytes());
            let bits = u64::from(node.born) | u64::from(node.gap) << 1;
            let words = [node.last, bits, optional(node.bd_seq), optional(node.seq), node.tables.len() as u64];
            all.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            for (device, table) in &node.tables {
                put_bytes(&mut all, device.as_bytes());
                all.extend_from_slice(&(table.metrics.len() as u64).to_le_bytes());
                for born in &table.metrics {
                    put_bytes(&mut all, born.name.as_bytes());
                    all.push(u8::from(born.alias.is_some()));
                    all.extend_from_slice(&born.alias.unwrap_or(0).to_le_bytes());
                    all.extend_from_slice(&optional(born.datatype.map(u64::from)).to_le_bytes());
                }
            }
        }
        put_bytes(&mut out, KEY);
        put_bytes(&mut out, &all);
        out
    }

    /// Puts back what [`Self::save`] gave, and gives the bytes behind it.
    pub fn restore(saved: &[u8]) -> (Self, &[u8]) {
        let mut births = Self::default();
        let (mut nodes, behind) = section(saved, KEY);
        while !nodes.0.is_empty() {
            let Some((name, node)) = read_node(&mut nodes) else {
                tracing::error!(rest_bytes = nodes.0.len(), "saved sparkplug births are damaged, the rest is left out");
                break;
            };
            births.bytes += node.bytes();
            births.nodes.insert(name, node);
        }
        (births, behind)
    }
}

fn read_node(cursor: &mut Cursor<'_>) -> Option<(String, Node)> {
    let name = text(cursor)?;
    let (last, bits) = (cursor.word()?, cursor.word()?);
    let (bd_seq, seq) = (number(cursor)?, number(cursor)?);
    let mut node = Node { last, born: bits & 1 == 1, gap: bits & 2 == 2, bd_seq, seq, tables: BTreeMap::new() };
    for _ in 0..cursor.word()? {
        let device = text(cursor)?;
        let mut table = Table::default();
        for _ in 0..cursor.word()? {
            let name = text(cursor)?;
            let (has_alias, rest) = cursor.0.split_first()?;
            cursor.0 = rest;
            let alias = cursor.word()?;
            let datatype = number(cursor)?.and_then(|datatype| u32::try_from(datatype).ok());
            table.put(Born { name, alias: (*has_alias == 1).then_some(alias), datatype });
        }
        node.tables.insert(device, table);
    }
    Some((name, node))
}

fn text(cursor: &mut Cursor<'_>) -> Option<String> {
    String::from_utf8(cursor.bytes()?.to_vec()).ok()
}

/// Numbers of a session and a type are small; all bits set stands for none.
fn optional(number: Option<u64>) -> u64 {
    number.filter(|number| *number != u64::MAX).unwrap_or(u64::MAX)
}

#[expect(clippy::option_option, reason = "the outer: the bytes end; the inner: there is no number")]
fn number(cursor: &mut Cursor<'_>) -> Option<Option<u64>> {
    cursor.word().map(|word| (word != u64::MAX).then_some(word))
}

fn bd_seq(payload: &Payload<'_>) -> Option<u64> {
    match payload.metric(BD_SEQ)?.value {
        Value::Int(number) => Some(u64::from(number)),
        Value::Long(number) => Some(number),
        _ => None,
    }
}

/// What the saved bytes begin with; no split message has such a key.
const KEY: &[u8] = b"\x01births";

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sparkplug::Metric;

    fn payload(seq: u64, metrics: &[(&'static str, u64)]) -> Payload<'static> {
        let metric = |(name, alias): &(&'static str, u64)| Metric {
            name: Some(name),
            alias: Some(*alias),
            datatype: Some(9),
            ..Metric::default()
        };
        Payload { timestamp: Some(1), seq: Some(seq), metrics: metrics.iter().map(metric).collect() }
    }

    fn at(seq: u64) -> Position {
        Position { partition: 0, seq }
    }

    #[test]
    fn aliases_mean_what_the_last_birth_said_until_a_gap() {
        let mut births = Births::default();
        let birth = Topic::parse("g/NBIRTH/e").unwrap();
        let data = Topic::parse("g/NDATA/e").unwrap();
        assert!(births.see(at(1), &data, &payload(9, &[])).by_alias(1).is_none());
        births.see(at(2), &birth, &payload(0, &[("fume", 1)]));
        let view = births.see(at(3), &data, &payload(1, &[]));
        assert_eq!((view.by_alias(1).unwrap().name.as_str(), view.doubtful), ("fume", false));
        assert!(!births.see(at(4), &data, &payload(1, &[])).doubtful, "sent again");
        assert!(births.see(at(5), &data, &payload(3, &[])).doubtful, "2 is missing");
        assert!(births.see(at(6), &data, &payload(4, &[])).doubtful, "until the next birth");
        births.see(at(7), &birth, &payload(0, &[("pm10", 1)]));
        let view = births.see(at(8), &data, &payload(1, &[]));
        assert_eq!((view.by_alias(1).unwrap().name.as_str(), view.doubtful), ("pm10", false));
    }

    #[test]
    fn births_are_kept_over_a_restart_byte_for_byte() {
        let mut births = Births::default();
        births.see(at(1), &Topic::parse("g/NBIRTH/e").unwrap(), &payload(0, &[("a", 1), ("b", 2)]));
        births.see(at(2), &Topic::parse("g/DBIRTH/e/d").unwrap(), &payload(1, &[("c", 3)]));
        births.see(at(3), &Topic::parse("h/NDATA/f").unwrap(), &payload(5, &[]));
        let mut saved = births.save();
        saved.extend(b"behind");
        let (again, rest) = Births::restore(&saved);
        assert_eq!((rest, again.nodes == births.nodes, again.bytes), (&b"behind"[..], true, births.bytes));
        assert_eq!(Births::restore(b"something else").1, b"something else");
        for cut in 0..births.save().len() {
            let _ = Births::restore(births.save().get(..cut).unwrap());
        }
    }

    #[test]
    fn the_will_of_an_earlier_session_is_stale() {
        let mut births = Births::default();
        let with = |number: u64| {
            let metric = Metric { name: Some(BD_SEQ), value: Value::Long(number), ..Metric::default() };
            Payload { timestamp: Some(1), seq: Some(0), metrics: vec![metric] }
        };
        births.see(at(1), &Topic::parse("g/NBIRTH/e").unwrap(), &with(4));
        assert!(births.see(at(2), &Topic::parse("g/NDEATH/e").unwrap(), &with(3)).stale);
        assert!(!births.see(at(3), &Topic::parse("g/NDEATH/e").unwrap(), &with(4)).stale);
    }

    #[test]
    fn births_take_no_more_than_their_bound() {
        let mut births = Births::default();
        let names: Vec<String> = (0..4_000).map(|n| format!("{n:0>200}")).collect();
        let metrics: Vec<_> = names.iter().map(|name| Metric { name: Some(name), ..Metric::default() }).collect();
        let payload = Payload { timestamp: None, seq: Some(0), metrics };
        for node in 0..40 {
            let name = format!("g/NBIRTH/e{node}");
            births.see(at(node), &Topic::parse(&name).unwrap(), &payload);
            assert!(births.bytes <= BYTES_MAX);
        }
        assert!(births.nodes.contains_key("g/e39") && !births.nodes.contains_key("g/e0"));
    }
}
