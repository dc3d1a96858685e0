//! A truck's fixes made believable: what is no fresh fix, or a jump that no truck can drive, is left out. Three jumps in a row
//! that agree with each other become the new good place.

use super::plane::apart_m;
use crate::engine::codec::{Reader, Writer};
use model::geo::Wgs84;
use model::record::Fix;

/// What a fix is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// No fresh location.
    Unfixed,
    /// Nobody drives so fast: km/h.
    Jump {
        kmh: f64,
    },
    Good(Going),
}

/// A good fix, seen with the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Going {
    pub(crate) at: i64,
    pub(crate) place: Wgs84,
    pub(crate) speed_kmh: f64,
    pub(crate) heading_deg: f64,
    /// Since the good fix before; `None`: there is none.
    pub(crate) metres: Option<f64>,
    pub(crate) since_ms: i64,
}

impl Going {
    /// The mean speed since the fix before, where that is near enough to say something.
    pub(crate) fn mean_kmh(&self) -> Option<f64> {
        let metres = self.metres.filter(|_| (1_000..=NEAR_MS).contains(&self.since_ms))?;
        Some(metres / seconds(self.since_ms) * 3.6)
    }
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Walk {
    good: Option<(i64, Wgs84)>,
    /// Newest of the jumps in a row that agree, and how many.
    jump: Option<(i64, Wgs84, u32)>,
}

impl Walk {
    pub(crate) fn step(&mut self, at: i64, fix: &Fix, speed_max_kmh: f64) -> Step {
        let is_sane = fix.place.lon.is_finite() && fix.place.lat.is_finite() && fix.speed_kmh.is_finite();
        if !fix.fixed || !is_sane {
            return Step::Unfixed;
        }
        let going = |good: Option<(i64, Wgs84)>| Going {
            at,
            place: fix.place,
            speed_kmh: fix.speed_kmh,
            heading_deg: f64::from(fix.heading_deg),
            metres: good.map(|(_, place)| apart_m(place, fix.place)),
            since_ms: good.map_or(0, |(before, _)| at.saturating_sub(before)),
        };
        let here = going(self.good);
        let kmh = needed_kmh(&here);
        if kmh <= speed_max_kmh {
            self.good = Some((at, fix.place));
            self.jump = None;
            return Step::Good(here);
        }
        let agreeing = match self.jump {
            Some((before, place, count)) if needed_kmh(&going(Some((before, place)))) <= speed_max_kmh => count + 1,
            _ => 1,
        };
        if agreeing >= JUMPS_TO_BELIEVE {
            self.good = Some((at, fix.place));
            self.jump = None;
            // The way from the old place to here was never driven.
            return Step::Good(Going { metres: None, since_ms: 0, ..here });
        }
        self.jump = Some((at, fix.place, agreeing));
        Step::Jump { kmh }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.flag(self.good.is_some());
        if let Some((at, place)) = self.good {
            w.signed(at);
            write_place(place, w);
        }
        w.flag(self.jump.is_some());
        if let Some((at, place, count)) = self.jump {
            w.signed(at);
            write_place(place, w);
            w.unsigned(count.into());
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut walk = Self::default();
        if r.flag()? {
            walk.good = Some((r.signed()?, read_place(r)?));
        }
        if r.flag()? {
            walk.jump = Some((r.signed()?, read_place(r)?, r.small()?));
        }
        Some(walk)
    }
}

pub(crate) fn write_place(place: Wgs84, w: &mut Writer) {
    w.float(place.lon);
    w.float(place.lat);
}

pub(crate) fn read_place(r: &mut Reader<'_>) -> Option<Wgs84> {
    Some(Wgs84 { lon: r.float()?, lat: r.float()? })
}

/// What it takes to get here, jitter forgiven.
fn needed_kmh(going: &Going) -> f64 {
    let metres = (going.metres.unwrap_or(0.0) - JITTER_M).max(0.0);
    metres / seconds(going.since_ms.max(1_000)) * 3.6
}

#[expect(clippy::cast_precision_loss, reason = "a span of milliseconds")]
pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// Two fixes at rest may be so far apart.
const JITTER_M: f64 = 50.0;
const JUMPS_TO_BELIEVE: u32 = 3;
/// Fixes farther apart say little of the speed between them.
const NEAR_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::geo::testing::{fix, off};

    fn walk(fixes: &[(i64, f64)]) -> Vec<Step> {
        let mut walk = Walk::default();
        fixes.iter().map(|(second, east)| walk.step(second * 1_000, &fix(off(*east, 0.0), 36.0), 150.0)).collect()
    }

    #[test]
    fn a_jump_is_left_out_and_three_that_agree_are_believed() {
        let one = walk(&[(0, 0.0), (20, 200.0), (40, 20_000.0), (60, 600.0)]);
        assert!(
            matches!(one.as_slice(), [Step::Good(_), Step::Good(_), Step::Jump { kmh }, Step::Good(_)] if *kmh > 3_000.0)
        );
        let moved = walk(&[(0, 0.0), (20, 20_000.0), (40, 20_200.0), (60, 20_400.0), (80, 20_600.0)]);
        assert!(matches!(moved.get(3), Some(Step::Good(going)) if going.metres.is_none()), "{moved:?}");
        assert!(
            matches!(moved.get(4), Some(Step::Good(going)) if going.metres.is_some_and(|m| (m - 200.0).abs() < 1.0))
        );
    }

    #[test]
    fn what_is_no_fresh_fix_or_no_number_goes_nowhere() {
        let mut walk = Walk::default();
        let stale = Fix { fixed: false, ..fix(off(0.0, 0.0), 0.0) };
        let broken = fix(Wgs84 { lon: f64::NAN, lat: 34.8 }, 0.0);
        assert_eq!((walk.step(0, &stale, 150.0), walk.step(1, &broken, 150.0)), (Step::Unfixed, Step::Unfixed));
        assert_eq!(walk, Walk::default());
    }

    #[test]
    fn a_walk_survives_being_saved() {
        let mut first = Walk::default();
        for (second, east) in [(0, 0.0), (20, 200.0), (40, 20_000.0)] {
            first.step(second * 1_000, &fix(off(east, 0.0), 36.0), 150.0);
        }
        let mut w = Writer::default();
        first.write(&mut w);
        assert_eq!(Walk::read(&mut Reader::new(&w.0)), Some(first));
    }
}
