//! Ids for derived stretches: compares what is derived now with what was told before, and tells the difference. An episode
//! keeps its id where its first-raised moment lies; failing that, where it overlaps. Of several that fall together the
//! oldest survives.

use super::codec::{Reader, Writer};
use super::machine::Stretch;
use super::timeline::Timeline;
use model::envelope::Position;
use model::episode::{Episode, EpisodeChange, Standing};
use model::geo::Wgs84;
use model::id::{DeviceId, EpisodeId, LimitId, PermitId, SubjectId};
use model::time::{EventTime, IngestTime};

/// Who an episode belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) subject: SubjectId,
    pub(super) device: DeviceId,
}

/// The item being worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) position: Position,
    pub(super) at: IngestTime,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    id: i64,
    /// As last told.
    told: Stretch,
    /// The moment it was first raised for, in event time.
    anchor: i64,
    raised: i64,
    raised_seq: u64,
    settled: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Track {
    known: Vec<Known>,
}

impl Track {
    pub(super) const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Brings what is known in line with `derived` (ordered, apart from each other).
    pub(super) fn diff(
        &mut self,
        derived: &[Stretch],
        owner: &Owner<'_>,
        moment: &Moment,
        next_id: &mut i64,
        out: &mut Vec<EpisodeChange>,
    ) {
        let mut homes: Vec<Option<usize>> = Vec::with_capacity(self.known.len());
        for known in &self.known {
            let anchored = derived.iter().position(|stretch| stretch.contains(known.told.lane, known.anchor));
            homes.push(anchored.or_else(|| derived.iter().position(|stretch| stretch.overlaps(&known.told))));
        }
        let before = std::mem::take(&mut self.known);
        // `known` is ordered by id, so the first that claims a stretch is the oldest.
        let mut survivors: Vec<Option<i64>> = vec![None; derived.len()];
        let mut fallen = Vec::new();
        for (mut known, home) in before.into_iter().zip(homes) {
            let Some((home, stretch)) = home.and_then(|home| Some((home, derived.get(home)?))) else {
                fallen.push((known, Standing::Withdrawn));
                continue;
            };
            match survivors.get_mut(home) {
                Some(Some(older)) => fallen.push((known, Standing::MergedInto(EpisodeId(*older)))),
                Some(free) => {
                    *free = Some(known.id);
                    if !known.told.same_bounds(stretch) {
                        known.told = stretch.clone();
                        out.push(EpisodeChange::Changed { episode: known.episode(owner, moment, Standing::Stands) });
                    }
                    self.known.push(known);
                }
                None => {}
            }
        }
        for (stretch, survivor) in derived.iter().zip(&survivors) {
            if survivor.is_none() {
                let known = Known {
                    id: *next_id,
                    told: stretch.clone(),
                    anchor: stretch.trigger,
                    raised: moment.at.0,
                    raised_seq: moment.position.seq,
                    settled: false,
                };
                *next_id += 1;
                out.push(EpisodeChange::Raised { episode: known.episode(owner, moment, Standing::Stands) });
                self.known.push(known);
            }
        }
        for (known, standing) in fallen {
            out.push(EpisodeChange::Fell { episode: known.episode(owner, moment, standing) });
        }
    }

    /// Tells extremes that grew, and episodes that have stood long enough. `frontier`: event time up to which an
    /// unfinished one is known to have lasted. Returns when to look again.
    pub(super) fn tick(
        &mut self,
        derived: &[Stretch],
        frontier: i64,
        owner: &Owner<'_>,
        moment: &Moment,
        out: &mut Vec<EpisodeChange>,
    ) -> Due {
        let mut due = Due { again: i64::MAX, changed: false };
        for known in &mut self.known {
            if let Some(stretch) = derived.iter().find(|stretch| same_begin(stretch, &known.told))
                && known.told.same_bounds(stretch)
                && (known.told.extreme, known.told.extreme_at) != (stretch.extreme, stretch.extreme_at)
            {
                known.told = stretch.clone();
                due.changed = true;
                out.push(EpisodeChange::Changed { episode: known.episode(owner, moment, Standing::Stands) });
            }
            if known.settled {
                continue;
            }
            let rule = &owner.timeline.numbered(known.told.version).rule;
            let after_ms = rule.case.as_ref().map_or(0, |case| case.after_ms);
            let stood = known.raised.saturating_add(rule.settle_ms);
            let lasted = known.told.end.unwrap_or(frontier).saturating_sub(known.told.start);
            if moment.at.0 < stood {
                due.again = due.again.min(stood);
            } else if lasted >= after_ms {
                known.settled = true;
                due.changed = true;
                out.push(EpisodeChange::Settled { episode: known.episode(owner, moment, Standing::Stands) });
            } else if known.told.end.is_none() {
                due.again = due.again.min(moment.at.0);
            }
        }
        due
    }

    /// Forgets a stretch that nothing can change any more, once its settle time is over. True: it is forgotten.
    pub(super) fn forget(&mut self, stretch: &Stretch, timeline: &Timeline, now: i64) -> bool {
        let settle_ms = timeline.numbered(stretch.version).rule.settle_ms;
        let Some(index) = self.known.iter().position(|known| same_begin(&known.told, stretch)) else { return true };
        let over =
            self.known.get(index).is_some_and(|known| known.settled || now >= known.raised.saturating_add(settle_ms));
        if over {
            self.known.remove(index);
        }
        over
    }

    pub(super) fn episodes<'a>(&'a self, owner: &'a Owner<'a>, partition: u16) -> impl Iterator<Item = Episode> + 'a {
        let moment = Moment { position: Position { partition, seq: 0 }, at: IngestTime(0) };
        self.known.iter().map(move |known| known.episode(owner, &moment, Standing::Stands))
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.unsigned(self.known.len() as u64);
        for known in &self.known {
            w.signed(known.id);
            known.told.write(w);
            w.signed(known.anchor);
            w.signed(known.raised);
            w.unsigned(known.raised_seq);
            w.flag(known.settled);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let count = r.count()?;
        let known = (0..count).map(|_| {
            Some(Known {
                id: r.signed()?,
                told: Stretch::read(r)?,
                anchor: r.signed()?,
                raised: r.signed()?,
                raised_seq: r.unsigned()?,
                settled: r.flag()?,
            })
        });
        Some(Self { known: known.collect::<Option<_>>()? })
    }
}

/// When [`Track::tick`] wants to be called again, and whether it told anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) again: i64,
    pub(super) changed: bool,
}

impl Known {
    fn episode(&self, owner: &Owner<'_>, moment: &Moment, standing: Standing) -> Episode {
        let stretch = &self.told;
        let partition = moment.position.partition;
        let mut evidence: Vec<u64> = stretch.evidence.iter().copied().filter(|seq| *seq > 0).collect();
        evidence.dedup();
        Episode {
            id: EpisodeId(self.id),
            rule: owner.timeline.code.clone(),
            rule_version: stretch.version,
            subject: if stretch.subject == 0 { owner.subject } else { SubjectId(stretch.subject) },
            device: if stretch.device == 0 { owner.device } else { DeviceId(stretch.device) },
            start: EventTime(stretch.start),
            end: stretch.end.map(EventTime),
            extreme: stretch.extreme,
            extreme_at: EventTime(stretch.extreme_at),
            threshold: stretch.threshold,
            class: owner.timeline.numbered(stretch.version).rule.class,
            limit: (stretch.limit != 0).then_some(LimitId(stretch.limit)),
            permit: (stretch.permit != 0).then_some(PermitId(stretch.permit)),
            place: stretch.place.map(|place| Wgs84 { lon: place.lon, lat: place.lat }),
            raised: IngestTime(self.raised),
            raised_at: Position { partition, seq: self.raised_seq },
            standing,
            evidence: evidence.into_iter().map(|seq| Position { partition, seq }).collect(),
        }
    }
}

fn same_begin(a: &Stretch, b: &Stretch) -> bool {
    (a.start, a.lane) == (b.start, b.lane)
}
