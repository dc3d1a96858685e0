//! The hysteresis that exceedance and off-route share: readings in event-time order in, closed stretches out. It knows no
//! clock and no ids.
//!
//! | phase | over | between | clear | stop, or a pause longer than `gap` (skipped readings do not shorten it) |
//! |---|---|---|---|---|
//! | idle | pending (active at once when `for` is 0 and one reading is enough) | – | – | – |
//! | pending | active after `for` and `count_min` readings | idle | idle | idle |
//! | active | goes on | goes on | ends after `clear`, at its first clear reading | ends at its last reading |

use super::codec::{Reader, Writer};
use model::geo::Wgs84;

/// A stretch of event time in which the condition held, without an id. Times are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    /// When the condition had held long enough.
    pub(crate) trigger: i64,
    pub(crate) extreme: f64,
    pub(crate) extreme_at: i64,
    pub(crate) threshold: f64,
    pub(crate) limit: i64,
    pub(crate) permit: i64,
    pub(crate) place: Option<Wgs84>,
    pub(crate) version: u32,
    /// Journal numbers of the first reading, the extreme and the last.
    pub(crate) evidence: [u64; 3],
    /// Instead of the group's subject and device; 0: the group's.
    pub(crate) subject: i64,
    pub(crate) device: i64,
    /// Stretches of other lanes may overlap and are never joined: one number for each thing a group tells apart.
    pub(crate) lane: u64,
}

impl Stretch {
    /// What the verdict set is made of, but for the extreme, which is told with less haste.
    pub(crate) fn same_bounds(&self, other: &Self) -> bool {
        let key = |s: &Self| (s.start, s.end, s.limit, s.permit, s.version, s.lane, s.subject);
        key(self) == key(other)
    }

    pub(crate) fn contains(&self, lane: u64, at: i64) -> bool {
        self.lane == lane && self.start <= at && self.end.is_none_or(|end| at <= end)
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.lane == other.lane
            && self.end.is_none_or(|end| other.start <= end)
            && other.end.is_none_or(|end| self.start <= end)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.signed(self.start);
        w.optional(self.end);
        w.signed(self.trigger);
        w.float(self.extreme);
        w.signed(self.extreme_at);
        w.float(self.threshold);
        w.signed(self.limit);
        w.signed(self.permit);
        w.flag(self.place.is_some());
        if let Some(place) = self.place {
            w.float(place.lon);
            w.float(place.lat);
        }
        w.unsigned(u64::from(self.version));
        for seq in self.evidence {
            w.unsigned(seq);
        }
        w.signed(self.subject);
        w.signed(self.device);
        w.unsigned(self.lane);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            start: r.signed()?,
            end: r.optional()?,
            trigger: r.signed()?,
            extreme: r.float()?,
            extreme_at: r.signed()?,
            threshold: r.float()?,
            limit: r.signed()?,
            permit: r.signed()?,
            place: if r.flag()? { Some(Wgs84 { lon: r.float()?, lat: r.float()? }) } else { None },
            version: r.small()?,
            evidence: [r.unsigned()?, r.unsigned()?, r.unsigned()?],
            // What was saved before there were groups has none of them.
            subject: if r.format() < 2 { 0 } else { r.signed()? },
            device: if r.format() < 2 { 0 } else { r.signed()? },
            lane: if r.format() < 2 { 0 } else { r.unsigned()? },
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Signal {
    Over,
    Between,
    Clear,
    /// Cannot be judged; as if it were not there.
    #[default]
    Skip,
    /// The rule does not apply here: no limit, no permit in force, the rule switched off.
    Stop,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) at: i64,
    pub(crate) signal: Signal,
    pub(crate) value: f64,
    pub(crate) threshold: f64,
    pub(crate) limit: i64,
    pub(crate) permit: i64,
    pub(crate) place: Option<Wgs84>,
    pub(crate) version: u32,
    pub(crate) seq: u64,
    /// The extreme is the least value, not the greatest.
    pub(crate) falling: bool,
    /// See [`Stretch`]; of the reading that a stretch begins with.
    pub(crate) subject: i64,
    pub(crate) device: i64,
    pub(crate) lane: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) for_ms: i64,
    pub(crate) count_min: u32,
    pub(crate) clear_ms: i64,
    pub(crate) gap_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Phase {
    #[default]
    Idle,
    Pending {
        stretch: Box<Stretch>,
        count: u32,
    },
    Active {
        stretch: Box<Stretch>,
        clear_since: Option<i64>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Machine {
    phase: Phase,
    /// Event time of the last reading that was judged.
    last: i64,
}

impl Default for Machine {
    fn default() -> Self {
        Self { phase: Phase::Idle, last: i64::MIN }
    }
}

impl Machine {
    /// Takes the next reading in event-time order; returns the stretch that it closed.
    pub(crate) fn step(&mut self, reading: &Reading, terms: &Terms) -> Option<Stretch> {
        if reading.signal == Signal::Skip {
            // Nothing is known of it; but a pause that is too long ends what lasted, whoever speaks next.
            let is_pause = self.last != i64::MIN && reading.at.saturating_sub(self.last) > terms.gap_ms;
            return if is_pause { self.stop() } else { None };
        }
        let mut closed = None;
        if self.last != i64::MIN && reading.at.saturating_sub(self.last) > terms.gap_ms {
            closed = self.stop();
        }
        match reading.signal {
            Signal::Skip => {}
            Signal::Stop => closed = closed.or_else(|| self.stop()),
            Signal::Over => self.over(reading, terms),
            Signal::Between => match &mut self.phase {
                Phase::Active { clear_since, stretch } => {
                    *clear_since = None;
                    stretch.evidence[2] = reading.seq;
                }
                _ => self.phase = Phase::Idle,
            },
            Signal::Clear => closed = closed.or_else(|| self.clear(reading, terms)),
        }
        self.last = reading.at;
        closed
    }

    fn over(&mut self, reading: &Reading, terms: &Terms) {
        match &mut self.phase {
            Phase::Idle => {
                let stretch = Box::new(Stretch {
                    start: reading.at,
                    end: None,
                    trigger: reading.at,
                    extreme: reading.value,
                    extreme_at: reading.at,
                    threshold: reading.threshold,
                    limit: reading.limit,
                    permit: reading.permit,
                    place: reading.place,
                    version: reading.version,
                    evidence: [reading.seq; 3],
                    subject: reading.subject,
                    device: reading.device,
                    lane: reading.lane,
                });
                self.phase = if terms.for_ms == 0 && terms.count_min <= 1 {
                    Phase::Active { stretch, clear_since: None }
                } else {
                    Phase::Pending { stretch, count: 1 }
                };
            }
            Phase::Pending { stretch, count } => {
                widen(stretch, reading);
                *count += 1;
                if *count >= terms.count_min && reading.at - stretch.start >= terms.for_ms {
                    let mut stretch = stretch.clone();
                    stretch.trigger = reading.at;
                    self.phase = Phase::Active { stretch, clear_since: None };
                }
            }
            Phase::Active { stretch, clear_since } => {
                widen(stretch, reading);
                *clear_since = None;
            }
        }
    }

    fn clear(&mut self, reading: &Reading, terms: &Terms) -> Option<Stretch> {
        match &mut self.phase {
            Phase::Idle => None,
            Phase::Pending { .. } => {
                self.phase = Phase::Idle;
                None
            }
            Phase::Active { clear_since, stretch } => {
                let since = *clear_since.get_or_insert(reading.at);
                stretch.evidence[2] = reading.seq;
                if reading.at - since < terms.clear_ms {
                    return None;
                }
                stretch.end = Some(since);
                let closed = (**stretch).clone();
                self.phase = Phase::Idle;
                Some(closed)
            }
        }
    }

    /// Nothing more is known after the last reading.
    fn stop(&mut self) -> Option<Stretch> {
        let closed = self.open(true);
        self.phase = Phase::Idle;
        closed
    }

    /// The stretch that lasts; `absent`: it is known that nothing follows, so it ends where the readings end.
    pub(crate) fn open(&self, absent: bool) -> Option<Stretch> {
        let Phase::Active { stretch, clear_since } = &self.phase else { return None };
        let mut stretch = (**stretch).clone();
        if absent {
            stretch.end = Some(clear_since.unwrap_or(self.last));
        }
        Some(stretch)
    }

    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active { .. })
    }

    pub(crate) const fn last(&self) -> i64 {
        self.last
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.signed(self.last);
        match &self.phase {
            Phase::Idle => w.0.push(0),
            Phase::Pending { stretch, count } => {
                w.0.push(1);
                stretch.write(w);
                w.unsigned(u64::from(*count));
            }
            Phase::Active { stretch, clear_since } => {
                w.0.push(2);
                stretch.write(w);
                w.optional(*clear_since);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let last = r.signed()?;
        let phase = match r.byte()? {
            0 => Phase::Idle,
            1 => Phase::Pending { stretch: Box::new(Stretch::read(r)?), count: r.small()? },
            2 => Phase::Active { stretch: Box::new(Stretch::read(r)?), clear_since: r.optional()? },
            _ => return None,
        };
        Some(Self { phase, last })
    }
}

fn widen(stretch: &mut Stretch, reading: &Reading) {
    stretch.evidence[2] = reading.seq;
    let further = if reading.falling { reading.value < stretch.extreme } else { reading.value > stretch.extreme };
    if further {
        stretch.extreme = reading.value;
        stretch.extreme_at = reading.at;
        stretch.place = reading.place;
        stretch.evidence[1] = reading.seq;
    }
}
