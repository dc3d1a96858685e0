//! Rules over several trucks, fed by what the rule `trip` tells of each: stops outside every known place, and what was said of
//! places in five minutes.
//!
//! | kind | raised when | never when |
//! |---|---|---|
//! | `co_stop` | so many trucks stopped within some metres of each other in a few days, and none is known to have left with its load | one truck, however often; known places; short stops |
//! | `gps_clone` | two trucks say the very same places at the very same times, for two spans in a row | a column; trucks at rest |
//!
//! A cluster begins with the stop that founded it, belongs to the truck of that stop, and ends with its last stop once nobody
//! came for as long as the rule looks back.

use super::plane::apart_m;
use super::walk::{read_place, write_place};
use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader as Toml};
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{Fact, FactKind, Judge, Key, Observation, Output, Reads, Scene};
use crate::engine::machine::Stretch;
use crate::explain::{JudgedState, NotJudged, Operand};
use model::geo::Wgs84;
use model::time::EventTime;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(crate) const CO_STOP: KindRow = KindRow { code: "co_stop", read: |root, found| Some(read_stop(root, found)) };
pub(crate) const GPS_CLONE: KindRow = KindRow { code: "gps_clone", read: |root, found| Some(read_clone(root, found)) };

#[derive(Debug, Clone, PartialEq)]
enum What {
    CoStop { trucks_min: usize, radius_m: f64, within_ms: i64 },
    Clone { spans_min: u32 },
}

#[derive(Debug)]
struct CrowdDesign(What);

fn read_stop(root: &mut Toml<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let trucks = at.number("trucks_min", 3.0, 2.0..=32.0, found);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 2..=32")]
    let trucks_min = trucks as usize;
    let radius_m = at.number("radius_m", 80.0, 10.0..=500.0, found);
    let within_ms = at.duration("within", 3 * DAY, HOUR..=3 * DAY, found);
    at.finish(found);
    Arc::new(CrowdDesign(What::CoStop { trucks_min, radius_m, within_ms }))
}

fn read_clone(root: &mut Toml<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let spans = at.number("spans_min", 2.0, 1.0..=100.0, found);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 1..=100")]
    let spans_min = spans as u32;
    at.finish(found);
    Arc::new(CrowdDesign(What::Clone { spans_min }))
}

impl Design for CrowdDesign {
    fn key(&self) -> Key {
        Key::District
    }

    fn reads(&self) -> Reads {
        Reads::default().fact(match self.0 {
            What::CoStop { .. } => FactKind::Stopped,
            What::Clone { .. } => FactKind::Digest,
        })
    }

    fn lookback_ms(&self) -> i64 {
        match self.0 {
            What::CoStop { within_ms, .. } => within_ms,
            What::Clone { .. } => HOUR,
        }
    }

    fn unit(&self) -> &'static str {
        ""
    }

    fn sentence(&self) -> String {
        match self.0 {
            What::CoStop { trucks_min, radius_m, within_ms } => format!(
                "{} 小时内 {trucks_min} 辆以上车辆在登记场所以外 {radius_m} 米范围内停留（疑似未知倾倒点）",
                within_ms / HOUR
            ),
            What::Clone { spans_min } => format!("两辆车连续 {} 分钟上报完全相同的轨迹", spans_min * 5),
        }
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        Box::new(Crowd { design: self, version, clusters: Vec::new(), tracks: BTreeMap::new(), pairs: Vec::new() })
    }
}

#[derive(Debug, Clone)]
struct Crowd {
    design: Arc<CrowdDesign>,
    version: u32,
    clusters: Vec<Cluster>,
    /// Who said what in the last spans: by (span, hash).
    tracks: BTreeMap<(i64, i64), (i64, i64, u64)>,
    pairs: Vec<Pair>,
}

/// Stops near the one that founded it.
#[derive(Debug, Clone, PartialEq)]
struct Cluster {
    founder: i64,
    device: i64,
    place: Wgs84,
    /// Of the last ones: begin, end, truck, journal number.
    stops: VecDeque<(i64, i64, i64, u64)>,
    since: i64,
    /// When there were enough trucks, and the most there were.
    trigger: Option<i64>,
    most: usize,
    most_at: i64,
    first_seq: u64,
}

/// Two trucks that say the same.
#[derive(Debug, Clone, PartialEq)]
struct Pair {
    trucks: (i64, i64),
    device: i64,
    since: i64,
    until: i64,
    spans: u32,
    place: Option<Wgs84>,
    seqs: (u64, u64),
}

impl Crowd {
    fn stop(&mut self, fact: &Fact, trucks_min: usize, radius_m: f64, within_ms: i64, out: &mut Output) {
        let Some(place) = fact.place.filter(|_| fact.number >= 0) else { return };
        self.forget(fact.at, trucks_min, within_ms, out);
        let near = |cluster: &&mut Cluster| apart_m(cluster.place, place) <= radius_m;
        let stop = (fact.at, fact.until, fact.subject.0, fact.seq);
        if let Some(cluster) = self.clusters.iter_mut().find(near) {
            cluster.take(stop, trucks_min, within_ms);
            return;
        }
        let mut cluster = Cluster {
            founder: fact.subject.0,
            device: fact.device.0,
            place,
            stops: VecDeque::new(),
            since: fact.at,
            trigger: None,
            most: 0,
            most_at: fact.at,
            first_seq: fact.seq,
        };
        cluster.take(stop, trucks_min, within_ms);
        self.clusters.push(cluster);
        if self.clusters.len() > CLUSTERS_KEPT {
            out.stretches.extend(self.clusters.remove(0).stretch(true, trucks_min, self.version));
        }
    }

    /// Clusters to which nobody came for so long are over.
    fn forget(&mut self, at: i64, trucks_min: usize, within_ms: i64, out: &mut Output) {
        let (over, kept): (Vec<Cluster>, Vec<Cluster>) =
            self.clusters.drain(..).partition(|cluster| at.saturating_sub(cluster.until()) > within_ms);
        self.clusters = kept;
        let mut ended: Vec<Stretch> =
            over.iter().filter_map(|cluster| cluster.stretch(true, trucks_min, self.version)).collect();
        ended.sort_by_key(|stretch| (stretch.start, stretch.lane));
        out.stretches.extend(ended);
    }

    fn track(&mut self, fact: &Fact, spans_min: u32, out: &mut Output) {
        while self.tracks.first_key_value().is_some_and(|((at, _), _)| fact.at.saturating_sub(*at) > HOUR) {
            self.tracks.pop_first();
        }
        let (over, kept): (Vec<Pair>, Vec<Pair>) =
            self.pairs.drain(..).partition(|pair| fact.at.saturating_sub(pair.until) > HOUR);
        self.pairs = kept;
        for pair in over {
            out.stretches.extend(pair.stretch(true, spans_min, self.version));
        }
        let own = (fact.subject.0, fact.device.0, fact.seq);
        let key = (fact.at, fact.number);
        let Some(other) = self.tracks.get(&key).copied() else {
            self.tracks.insert(key, own);
            if self.tracks.len() > TRACKS_KEPT {
                self.tracks.pop_first();
            }
            return;
        };
        if other.1 == own.1 {
            return;
        }
        let (first, second) = if other < own { (other, own) } else { (own, other) };
        let trucks = (first.0, second.0);
        if let Some(pair) = self.pairs.iter_mut().find(|pair| pair.trucks == trucks) {
            if fact.at <= pair.until {
                pair.spans += u32::from(fact.until > pair.until);
                pair.until = pair.until.max(fact.until);
                return;
            }
            // A pause: what was so far stands, and another begins.
            let before = pair.clone();
            (pair.since, pair.until, pair.spans, pair.place) = (fact.at, fact.until, 1, fact.place);
            pair.seqs = (first.2, second.2);
            out.stretches.extend(before.stretch(true, spans_min, self.version));
            return;
        }
        let (since, until, place, seqs) = (fact.at, fact.until, fact.place, (first.2, second.2));
        self.pairs.push(Pair { trucks, device: first.1, since, until, spans: 1, place, seqs });
        if self.pairs.len() > PAIRS_KEPT {
            out.stretches.extend(self.pairs.remove(0).stretch(true, spans_min, self.version));
        }
    }
}

impl Cluster {
    fn take(&mut self, stop: (i64, i64, i64, u64), trucks_min: usize, within_ms: i64) {
        self.stops.push_back(stop);
        while self.stops.front().is_some_and(|(at, ..)| stop.0.saturating_sub(*at) > within_ms)
            || self.stops.len() > STOPS_KEPT
        {
            self.stops.pop_front();
        }
        let mut trucks: Vec<i64> = self.stops.iter().map(|(_, _, truck, _)| *truck).collect();
        trucks.sort_unstable();
        trucks.dedup();
        if trucks.len() > self.most {
            (self.most, self.most_at) = (trucks.len(), stop.0);
        }
        if trucks.len() >= trucks_min && self.trigger.is_none() {
            self.trigger = Some(stop.0);
            // What stopped here before it looked back is not of it.
            if let Some((at, _, truck, seq)) = self.stops.front() {
                (self.since, self.founder, self.first_seq) = (*at, *truck, *seq);
            }
        }
    }

    fn until(&self) -> i64 {
        self.stops.iter().map(|(_, until, ..)| *until).max().unwrap_or(self.since)
    }

    #[expect(clippy::cast_precision_loss, reason = "some trucks")]
    fn stretch(&self, is_over: bool, trucks_min: usize, version: u32) -> Option<Stretch> {
        let trigger = self.trigger?;
        let last = self.stops.back().map_or(self.first_seq, |(.., seq)| *seq);
        Some(Stretch {
            start: self.since,
            end: is_over.then(|| self.until()),
            trigger,
            extreme: self.most as f64,
            extreme_at: self.most_at,
            threshold: trucks_min as f64,
            limit: 0,
            permit: 0,
            place: Some(self.place),
            version,
            evidence: [self.first_seq, last, last],
            subject: self.founder,
            device: self.device,
            lane: lane(self.founder, self.since),
        })
    }
}

impl Pair {
    fn stretch(&self, is_over: bool, spans_min: u32, version: u32) -> Option<Stretch> {
        (self.spans >= spans_min).then(|| Stretch {
            start: self.since,
            end: is_over.then_some(self.until),
            trigger: self.since,
            extreme: f64::from(self.spans) * 5.0,
            extreme_at: self.since,
            threshold: f64::from(spans_min) * 5.0,
            limit: 0,
            permit: 0,
            place: self.place,
            version,
            evidence: [self.seqs.0, self.seqs.1, self.seqs.1],
            subject: self.trucks.0,
            device: self.device,
            lane: lane(self.trucks.0, self.trucks.1),
        })
    }
}

impl Judge for Crowd {
    fn plan(&mut self, _scene: &Scene<'_>) -> bool {
        false
    }

    fn step(&mut self, seen: &Observation, _scene: &Scene<'_>, out: &mut Output) {
        let Some(fact) = seen.fact.clone() else { return };
        match (fact.what, self.design.0.clone()) {
            (FactKind::Stopped, What::CoStop { trucks_min, radius_m, within_ms }) => {
                self.stop(&fact, trucks_min, radius_m, within_ms, out);
            }
            (FactKind::Digest, What::Clone { spans_min }) => self.track(&fact, spans_min, out),
            _ => {}
        }
    }

    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>) {
        match self.design.0 {
            What::CoStop { trucks_min, within_ms, .. } => {
                for cluster in &self.clusters {
                    let is_over = scene.now.saturating_sub(cluster.until()) > within_ms;
                    into.extend(cluster.stretch(is_over, trucks_min, self.version));
                }
            }
            What::Clone { spans_min } => {
                for pair in &self.pairs {
                    let is_over = scene.now.saturating_sub(pair.until) > 3 * SPAN_MS;
                    into.extend(pair.stretch(is_over, spans_min, self.version));
                }
            }
        }
    }

    fn due(&self, scene: &Scene<'_>) -> i64 {
        let over = |until: i64, ms: i64| until.saturating_add(ms).saturating_add(1);
        let all: Vec<i64> = match self.design.0 {
            What::CoStop { within_ms, .. } => {
                self.clusters.iter().filter(|c| c.trigger.is_some()).map(|c| over(c.until(), within_ms)).collect()
            }
            What::Clone { .. } => self.pairs.iter().map(|pair| over(pair.until, 3 * SPAN_MS)).collect(),
        };
        all.into_iter().filter(|due| *due > scene.now).min().unwrap_or(i64::MAX)
    }

    fn halt(&mut self, _out: &mut Output) {
        self.clusters.clear();
        self.pairs.clear();
        self.tracks.clear();
    }

    fn why(&self, _scene: &Scene<'_>, into: &mut Vec<Operand>) {
        let most = match self.design.0 {
            What::CoStop { .. } => self.clusters.iter().map(|cluster| cluster.most).max(),
            What::Clone { .. } => self.pairs.iter().map(|pair| pair.spans as usize).max(),
        };
        #[expect(clippy::cast_precision_loss, reason = "some trucks")]
        let value = most.map(|most| most as f64);
        into.push(Operand {
            name: match self.design.0 {
                What::CoStop { .. } => "trucks that stopped near each other",
                What::Clone { .. } => "spans in which two trucks said the same",
            }
            .to_owned(),
            value,
            unit: String::new(),
            threshold: None,
            holds: None,
            as_of: self.clusters.iter().map(Cluster::until).max().map(EventTime),
            reason: value.is_none().then_some(NotJudged::NoData),
        });
    }

    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        (None, JudgedState::NotJudged { reason: NotJudged::NoData })
    }

    fn clone_box(&self) -> Box<dyn Judge> {
        Box::new(self.clone())
    }

    fn write(&self, w: &mut Writer) {
        w.unsigned(self.clusters.len() as u64);
        for cluster in &self.clusters {
            cluster.write(w);
        }
        w.unsigned(self.tracks.len() as u64);
        for ((at, hash), (truck, device, seq)) in &self.tracks {
            for number in [at, hash, truck, device] {
                w.signed(*number);
            }
            w.unsigned(*seq);
        }
        w.unsigned(self.pairs.len() as u64);
        for pair in &self.pairs {
            pair.write(w);
        }
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.clusters = (0..r.count()?).map(|_| Cluster::read(r)).collect::<Option<_>>()?;
        self.tracks.clear();
        for _ in 0..r.count()? {
            let key = (r.signed()?, r.signed()?);
            self.tracks.insert(key, (r.signed()?, r.signed()?, r.unsigned()?));
        }
        self.pairs = (0..r.count()?).map(|_| Pair::read(r)).collect::<Option<_>>()?;
        Some(())
    }
}

impl Cluster {
    fn write(&self, w: &mut Writer) {
        w.signed(self.founder);
        w.signed(self.device);
        write_place(self.place, w);
        w.unsigned(self.stops.len() as u64);
        for (at, until, truck, seq) in &self.stops {
            w.signed(*at);
            w.signed(*until);
            w.signed(*truck);
            w.unsigned(*seq);
        }
        w.signed(self.since);
        w.optional(self.trigger);
        w.unsigned(self.most as u64);
        w.signed(self.most_at);
        w.unsigned(self.first_seq);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (founder, device, place) = (r.signed()?, r.signed()?, read_place(r)?);
        let stop = |r: &mut Reader<'_>| Some((r.signed()?, r.signed()?, r.signed()?, r.unsigned()?));
        let stops = (0..r.count()?).map(|_| stop(r)).collect::<Option<_>>()?;
        let (since, trigger, most) = (r.signed()?, r.optional()?, usize::try_from(r.unsigned()?).ok()?);
        let (most_at, first_seq) = (r.signed()?, r.unsigned()?);
        Some(Self { founder, device, place, stops, since, trigger, most, most_at, first_seq })
    }
}

impl Pair {
    fn write(&self, w: &mut Writer) {
        for number in [self.trucks.0, self.trucks.1, self.device, self.since, self.until] {
            w.signed(number);
        }
        w.unsigned(self.spans.into());
        w.flag(self.place.is_some());
        if let Some(place) = self.place {
            write_place(place, w);
        }
        w.unsigned(self.seqs.0);
        w.unsigned(self.seqs.1);
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (trucks, device) = ((r.signed()?, r.signed()?), r.signed()?);
        let (since, until, spans) = (r.signed()?, r.signed()?, r.small()?);
        let place = if r.flag()? { Some(read_place(r)?) } else { None };
        Some(Self { trucks, device, since, until, spans, place, seqs: (r.unsigned()?, r.unsigned()?) })
    }
}

fn lane(a: i64, b: i64) -> u64 {
    let mix = |hash: u64, word: i64| (hash ^ word.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    mix(mix(0xcbf2_9ce4_8422_2325, a), b)
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const SPAN_MS: i64 = 300_000;
const CLUSTERS_KEPT: usize = 8_192;
const STOPS_KEPT: usize = 256;
const TRACKS_KEPT: usize = 65_536;
const PAIRS_KEPT: usize = 1_024;
