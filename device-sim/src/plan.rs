//! Who offends when, and who only looks like it. A plan is made from the seed before any signal exists. Every timeline
//! holds, beside true offenders, near misses of each rule: short peaks, levels just below the limit, calibration, short
//! silences, a lane beside the corridor, single wild fixes, short detours, positions without a fix.

use crate::district::{District, ORIGIN, Restaurant, Truck};
use crate::noise::{mix, uniform};
use model::geo::Wgs84;

/// The part of time that is planned. After its end everybody behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    pub start_ms: i64,
    pub length_s: i64,
}

/// The numbers an offence must exceed to be one, as the demonstration and the shipped rules have them. Kept here by hand:
/// the simulator reads no rule file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// Seconds between two readings of a restaurant or dust monitor.
    pub reading_interval_s: i64,
    /// Seconds between two positions of a truck.
    pub fix_interval_s: i64,
    /// mg/m³.
    pub fume_limit: f64,
    /// Seconds the mean is taken over.
    pub mean_window_s: i64,
    /// An exceedance ends when the mean is at most this share of the limit.
    pub clear_share: f64,
    /// Seconds without data that make a gap.
    pub gap_s: i64,
    /// Metres from the corridor's line beyond which a truck is off its route.
    pub off_route_m: f64,
    /// Seconds it must last.
    pub off_route_s: i64,
}

impl Judging {
    pub const REAL: Self = Self {
        reading_interval_s: 60,
        fix_interval_s: 15,
        fume_limit: 2.0,
        mean_window_s: 3600,
        clear_share: 0.9,
        gap_s: 1800,
        off_route_m: 80.0,
        off_route_s: 600,
    };
    /// Windows of minutes are no windows of the law.
    pub const fn is_demonstration(&self) -> bool {
        self.mean_window_s < 600
    }

    /// Shortened so that a demonstration shows something within minutes (演示参数).
    pub const DEMO: Self = Self {
        reading_interval_s: 5,
        fix_interval_s: 3,
        fume_limit: 2.0,
        mean_window_s: 60,
        clear_share: 0.9,
        gap_s: 60,
        off_route_m: 80.0,
        off_route_s: 30,
    };
}

/// What a restaurant's exhaust is like between two moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    pub from_ms: i64,
    pub to_ms: i64,
    pub what: Exhaust,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exhaust {
    /// Fume concentration, mg/m³.
    Level(f64),
    /// The same, flagged as calibration.
    Calibration(f64),
    /// The device is off: nothing is measured.
    Off,
    /// The device measures, its network is away: it sends these readings afterwards.
    Delayed,
}

/// What a device is cast as. The names appear in the truth file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Clean,
    Exceeds,
    NearPeak,
    NearLevel,
    NearCalibration,
    GoesOff,
    NearShortOff,
    NearDelayed,
    OffRoute,
    NearLane,
    NearWildFix,
    NearShortDetour,
    NearNoFix,
}

#[derive(Debug, Clone)]
pub struct FumePlan {
    pub role: Role,
    pub base: f64,
    pub stretches: Vec<Stretch>,
    key: u64,
}

/// A truck leaves its way sideways, stands there, and comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detour {
    pub start_ms: i64,
    /// Seconds to get there, and again to come back.
    pub ramp_s: i64,
    pub hold_s: i64,
    /// Metres; negative is to the right.
    pub lateral_m: f64,
}

impl Detour {
    const fn length_ms(&self) -> i64 {
        (self.hold_s + 2 * self.ramp_s) * 1000
    }
}

#[derive(Debug, Clone)]
pub struct TruckPlan {
    pub role: Role,
    pub corridor: Vec<Wgs84>,
    pub detours: Vec<Detour>,
    /// Constant distance beside the line, metres.
    pub lane_m: f64,
    /// Fixes at these times are 900 m wrong.
    pub wild_ms: Vec<i64>,
    /// No fix between these times; the terminal repeats a place far away.
    pub no_fix: Option<(i64, i64)>,
    start_ms: i64,
    path: Vec<(f64, f64)>,
}

#[derive(Debug)]
pub struct Plan {
    pub timeline: Timeline,
    pub judging: Judging,
    pub fume: Vec<FumePlan>,
    pub trucks: Vec<TruckPlan>,
}

const DRIVING_M_PER_S: f64 = 8.0;
const TURNAROUND_S: f64 = 300.0;

impl Plan {
    pub fn make(district: &District, timeline: Timeline, judging: Judging) -> Self {
        let seed = district.size.seed;
        Self {
            timeline,
            judging,
            fume: district.restaurants.iter().zip(0..).map(|(r, i)| fume(seed, i, r, timeline, judging)).collect(),
            trucks: district.trucks.iter().zip(0..).map(|(t, i)| truck(seed, i, t, timeline, judging)).collect(),
        }
    }
}

fn fume(seed: u64, i: u64, _restaurant: &Restaurant, timeline: Timeline, judging: Judging) -> FumePlan {
    // Every ten restaurants hold each role once (clean ones three times), in an order the seed turns.
    const CAST: [Role; 10] = [
        Role::Exceeds,
        Role::Clean,
        Role::NearPeak,
        Role::GoesOff,
        Role::NearLevel,
        Role::Clean,
        Role::NearShortOff,
        Role::NearCalibration,
        Role::NearDelayed,
        Role::Clean,
    ];
    let role = CAST[usize::try_from((i + mix(&[seed, 10]) % 10) % 10).unwrap_or(0)];
    let draw = |what: u64| uniform(&[seed, 11, i, what]);
    let window = judging.mean_window_s;
    let lead = lead_s(timeline, judging, draw(0));
    let from_ms = timeline.start_ms + lead * 1000;
    let stretch = |seconds: i64, what| Stretch { from_ms, to_ms: from_ms + seconds * 1000, what };
    let once = match role {
        Role::Exceeds => vec![stretch(window * 2, Exhaust::Level(4.0 + draw(1)))],
        // A twelfth of the window at nine times the base lifts the mean by less than one mg/m³.
        Role::NearPeak => vec![stretch((window / 12).max(judging.reading_interval_s), Exhaust::Level(8.0 + draw(1)))],
        Role::NearLevel => vec![stretch(window * 2, Exhaust::Level(judging.fume_limit * 0.88))],
        Role::NearCalibration => vec![stretch(window * 2, Exhaust::Calibration(6.0 + draw(1)))],
        Role::GoesOff => vec![stretch(judging.gap_s * 2 + judging.gap_s / 2, Exhaust::Off)],
        Role::NearShortOff => vec![stretch(judging.gap_s * 6 / 10, Exhaust::Off)],
        Role::NearDelayed => vec![stretch(judging.gap_s * 6 / 10, Exhaust::Delayed)],
        _ => Vec::new(),
    };
    // A demonstration that is watched for longer sees it again.
    let again = repeats(timeline, judging);
    let stretches = again
        .flat_map(|shift| {
            once.iter().map(move |s| Stretch { from_ms: s.from_ms + shift, to_ms: s.to_ms + shift, ..*s })
        })
        .collect();
    FumePlan { role, base: 0.3 + 0.5 * draw(2), stretches, key: mix(&[seed, 12, i]) }
}

/// Shifts in milliseconds at which an offence happens (again): once, or every ten minutes of a demonstration.
fn repeats(timeline: Timeline, judging: Judging) -> impl Iterator<Item = i64> {
    const EVERY_S: i64 = 600;
    let times = if judging.is_demonstration() { (timeline.length_s / EVERY_S).max(1) } else { 1 };
    (0..times).map(|k| k * EVERY_S * 1000)
}

/// Seconds after the start at which an offence begins: after a full window of good behaviour in a long timeline, soon in
/// a demonstration.
fn lead_s(timeline: Timeline, judging: Judging, draw: f64) -> i64 {
    let calm = if timeline.length_s >= judging.mean_window_s * 4 {
        judging.mean_window_s + judging.mean_window_s / 4
    } else {
        20
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds of a day")]
    let jitter = (draw * (judging.mean_window_s / 2) as f64) as i64;
    let lead = calm + jitter;
    lead - lead % judging.reading_interval_s
}

impl FumePlan {
    fn stretch_at(&self, at_ms: i64) -> Option<Exhaust> {
        self.stretches.iter().find(|s| s.from_ms <= at_ms && at_ms < s.to_ms).map(|s| s.what)
    }

    /// The level that is planned, without noise; `None` when the device is off. The flag says whether it counts.
    pub fn planned(&self, at_ms: i64) -> Option<(f64, bool)> {
        match self.stretch_at(at_ms) {
            None | Some(Exhaust::Delayed) => Some((self.base, true)),
            Some(Exhaust::Level(level)) => Some((level, true)),
            Some(Exhaust::Calibration(level)) => Some((level, false)),
            Some(Exhaust::Off) => None,
        }
    }

    /// What the instrument shows: the plan with 3 % noise, rounded to 0.001 mg/m³.
    pub fn measured(&self, at_ms: i64) -> Option<(f64, bool)> {
        let (level, counts) = self.planned(at_ms)?;
        let noise = crate::noise::signed(&[self.key, at_ms.unsigned_abs()]) * 0.03;
        Some(((level * (1.0 + noise) * 1000.0).round() / 1000.0, counts))
    }

    /// When a reading of `at_ms` can leave the device: at once, or after the network is back.
    pub fn leaves_ms(&self, at_ms: i64) -> i64 {
        self.stretches
            .iter()
            .find(|s| s.what == Exhaust::Delayed && s.from_ms <= at_ms && at_ms < s.to_ms)
            .map_or(at_ms, |s| s.to_ms)
    }
}

fn truck(seed: u64, i: u64, truck: &Truck, timeline: Timeline, judging: Judging) -> TruckPlan {
    const CAST: [Role; 6] =
        [Role::OffRoute, Role::NearLane, Role::NearShortDetour, Role::Clean, Role::NearWildFix, Role::NearNoFix];
    let role = CAST[usize::try_from((i + mix(&[seed, 20]) % 6) % 6).unwrap_or(0)];
    let draw = |what: u64| uniform(&[seed, 21, i, what]);
    let start_ms = timeline.start_ms - scaled(draw(0), 600_000.0);
    let fix_ms = judging.fix_interval_s * 1000;
    let lead_s = if judging.is_demonstration() { 100.0 + 40.0 * draw(1) } else { 1800.0 + 3600.0 * draw(1) };
    let at = timeline.start_ms + scaled(lead_s, 1000.0) / fix_ms * fix_ms;
    let mut plan = TruckPlan {
        role,
        corridor: truck.corridor.clone(),
        detours: Vec::new(),
        lane_m: 0.0,
        wild_ms: Vec::new(),
        no_fix: None,
        start_ms,
        path: truck.corridor.iter().map(|p| p.offset_m(ORIGIN)).collect(),
    };
    let ramp_s = judging.fix_interval_s * 5;
    match role {
        Role::OffRoute => {
            repeats(timeline, judging).for_each(|shift| plan.detour(at + shift, ramp_s, judging.off_route_s * 2));
        }
        Role::NearShortDetour => {
            repeats(timeline, judging)
                .for_each(|shift| plan.detour(at + shift, ramp_s, (judging.off_route_s / 2 - ramp_s).max(0)));
        }
        Role::NearLane => plan.lane_m = 35.0,
        Role::NearWildFix => plan.wild_ms = (0..6).map(|k| at + k * fix_ms * 20).collect(),
        Role::NearNoFix => plan.no_fix = Some((at, at + judging.off_route_s * 2_000)),
        _ => {}
    }
    plan
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
fn scaled(value: f64, by: f64) -> i64 {
    (value * by) as i64
}

impl TruckPlan {
    /// Adds a detour, within the next minutes, where and to whichever side it leads farther from the whole corridor.
    fn detour(&mut self, start_ms: i64, ramp_s: i64, hold_s: i64) {
        let mut best: Option<(f64, Detour)> = None;
        let before = self.detours.clone();
        for shift in 0..8 {
            for lateral_m in [400.0, -400.0] {
                let detour = Detour { start_ms: start_ms + shift * 15_000, ramp_s, hold_s, lateral_m };
                self.detours = before.iter().copied().chain([detour]).collect();
                let reach = self.distance_m(self.place(detour.start_ms + (ramp_s + 1) * 1000));
                if best.is_none_or(|(farthest, _)| reach > farthest + 1.0) {
                    best = Some((reach, detour));
                }
            }
        }
        self.detours = before.into_iter().chain(best.map(|(_, detour)| detour)).collect();
    }

    /// Seconds driven by `at_ms`: time stands still during a detour.
    fn driven_s(&self, at_ms: i64) -> f64 {
        let halted: i64 = self.detours.iter().map(|d| (at_ms - d.start_ms).clamp(0, d.length_ms())).sum();
        millis_to_s(at_ms - self.start_ms - halted)
    }

    fn lateral_m(&self, at_ms: i64) -> f64 {
        for d in &self.detours {
            let since = at_ms - d.start_ms;
            if (0..d.length_ms()).contains(&since) {
                let ramp = millis_to_s(d.ramp_s * 1000);
                let (into, left) = (millis_to_s(since), millis_to_s(d.length_ms() - since));
                return d.lateral_m * (into.min(left) / ramp).min(1.0);
            }
        }
        self.lane_m
    }

    /// Where the truck really is, and whether it drives.
    pub fn place(&self, at_ms: i64) -> (f64, f64) {
        let length: f64 = self.path.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum();
        let leg_s = length / DRIVING_M_PER_S + TURNAROUND_S;
        let phase = self.driven_s(at_ms).rem_euclid(2.0 * leg_s);
        let driven = if phase < leg_s { phase } else { 2.0 * leg_s - phase - TURNAROUND_S };
        let mut left = (driven * DRIVING_M_PER_S).clamp(0.0, length);
        for pair in self.path.windows(2) {
            let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let leg = dx.hypot(dy);
            if left <= leg && leg > 0.0 {
                let lateral = self.lateral_m(at_ms);
                let (ux, uy) = (dx / leg, dy / leg);
                return (pair[0].0 + ux * left - uy * lateral, pair[0].1 + uy * left + ux * lateral);
            }
            left -= leg;
        }
        self.path.last().copied().unwrap_or_default()
    }

    /// Metres from the corridor's line, by arithmetic of the simulator's own.
    pub fn distance_m(&self, at: (f64, f64)) -> f64 {
        self.path.windows(2).map(|leg| to_leg_m(at, leg[0], leg[1])).fold(f64::INFINITY, f64::min)
    }

    pub fn is_wild(&self, at_ms: i64) -> bool {
        self.wild_ms.contains(&at_ms)
    }

    pub fn has_fix(&self, at_ms: i64) -> bool {
        self.no_fix.is_none_or(|(from, to)| at_ms < from || at_ms >= to)
    }

    /// What the terminal reports: place, speed in km/h, heading, whether it has a fix.
    pub fn reported(&self, at_ms: i64) -> (Wgs84, f64, u16, bool) {
        let (here, soon) = (self.place(at_ms), self.place(at_ms + 1000));
        let (dx, dy) = (soon.0 - here.0, soon.1 - here.1);
        let fixed = self.has_fix(at_ms);
        let shown = match (fixed, self.is_wild(at_ms)) {
            (false, _) => (here.0 + 700.0, here.1 + 700.0),
            (true, true) => (here.0 + 640.0, here.1 - 640.0),
            (true, false) => here,
        };
        let heading = dx.atan2(dy).to_degrees().rem_euclid(360.0).round() % 360.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..360")]
        let heading_deg = heading as u16;
        (crate::district::at_m(shown.0, shown.1), dx.hypot(dy) * 3.6, heading_deg, fixed)
    }
}

/// Distance of a point from a leg: to its line between the ends, else to the nearer end.
fn to_leg_m(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (abx, aby, apx, apy) = (b.0 - a.0, b.1 - a.1, p.0 - a.0, p.1 - a.1);
    let length = abx.hypot(aby);
    let along = (apx * abx + apy * aby) / length;
    if along <= 0.0 {
        apx.hypot(apy)
    } else if along >= length {
        (p.0 - b.0).hypot(p.1 - b.1)
    } else {
        (apx * aby - apy * abx).abs() / length
    }
}

fn millis_to_s(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a day")]
    let seconds = ms as f64 / 1000.0;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::district::Size;

    fn plan(seed: u64, judging: Judging, length_s: i64) -> Plan {
        let district = District::generate(Size { seed, restaurants: 20, sites: 3, trucks: 12 });
        Plan::make(&district, Timeline { start_ms: 1_790_000_000_000, length_s }, judging)
    }

    #[test]
    fn every_seed_holds_offenders_and_near_misses_of_each_rule() {
        for seed in 0..10 {
            let plan = plan(seed, Judging::REAL, 6 * 3600);
            for role in [
                Role::Exceeds,
                Role::NearPeak,
                Role::NearLevel,
                Role::NearCalibration,
                Role::GoesOff,
                Role::NearShortOff,
            ] {
                assert!(plan.fume.iter().any(|f| f.role == role), "{role:?} of seed {seed}");
            }
            for role in [Role::OffRoute, Role::NearLane, Role::NearShortDetour, Role::NearWildFix, Role::NearNoFix] {
                assert!(plan.trucks.iter().any(|t| t.role == role), "{role:?} of seed {seed}");
            }
        }
    }

    #[test]
    fn a_detour_really_leaves_the_corridor_and_an_honest_truck_never_does() {
        for seed in 0..10 {
            for judging in [Judging::REAL, Judging::DEMO] {
                let plan = plan(seed, judging, 6 * 3600);
                for truck in &plan.trucks {
                    let farthest = (0..6 * 3600 / judging.fix_interval_s)
                        .map(|k| plan.timeline.start_ms + k * judging.fix_interval_s * 1000)
                        .map(|at| truck.distance_m(truck.place(at)))
                        .fold(0.0, f64::max);
                    match truck.role {
                        Role::OffRoute | Role::NearShortDetour => assert!(farthest > 300.0, "{farthest} {truck:?}"),
                        _ => assert!(farthest < 50.0, "{farthest} {:?}", truck.role),
                    }
                }
            }
        }
    }
}
