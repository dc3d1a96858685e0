//! Rules over what one truck's own devices say, fix by fix. Each rule is a [`Watch`]: it turns an observation into a signal, and
//! the hysteresis that all kinds share makes stretches of signals. What a watch finds is in `truck/watch.rs`.
//!
//! | kind | raised when | never when |
//! |---|---|---|
//! | `overspeed` | faster than the zone's or the rule's limit | a single spike; a speed that the places belie |
//! | `long_stop` | at rest outside every known place | in a jam that moves; jitter |
//! | `bed_lifted` | bed up at rest outside every known place | a switch that stays on while driving; the edge of a place |
//! | `uncovered` | loaded, cover open, driving | cover or load unknown or their sensor broken |
//! | `outside_window` | loaded and driving while no permit lets it, or a notice stops it | permit ends during the last minutes |
//! | `wrong_dump` | unloads where neither its permits nor the register let it | in a site or depot; a load that is back at once |
//! | `no_go` | inside a closed area, deeper than its receiver errs | along its edge; in hours in which it is open |
//! | `gps_jump` | it is where no truck can have driven | scatter; a tunnel's other end |
//! | `gps_jamming` | it reports and has no fix, the ignition on | in a hall where it stood before; some fixes in between |
//!
//! A value that is flagged, not fixed or not a number is as if it were not there: not judged, never a violation.

pub(crate) mod judge;
pub(crate) mod watch;

use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader};
use crate::engine::judge::{Judge, Key, Reads};
use crate::engine::machine::Terms;
use judge::TruckJudge;
use model::quantity::Quantity;
use model::record::{RecordKind, Statistic};
use std::sync::Arc;

pub(crate) const OVERSPEED: KindRow =
    KindRow { code: "overspeed", read: |root, found| Some(read(Word::Overspeed, root, found)) };
pub(crate) const LONG_STOP: KindRow =
    KindRow { code: "long_stop", read: |root, found| Some(read(Word::LongStop, root, found)) };
pub(crate) const BED_LIFTED: KindRow =
    KindRow { code: "bed_lifted", read: |root, found| Some(read(Word::BedLifted, root, found)) };
pub(crate) const UNCOVERED: KindRow =
    KindRow { code: "uncovered", read: |root, found| Some(read(Word::Uncovered, root, found)) };
pub(crate) const OUTSIDE_WINDOW: KindRow =
    KindRow { code: "outside_window", read: |root, found| Some(read(Word::OutsideWindow, root, found)) };
pub(crate) const WRONG_DUMP: KindRow =
    KindRow { code: "wrong_dump", read: |root, found| Some(read(Word::WrongDump, root, found)) };
pub(crate) const NO_GO: KindRow = KindRow { code: "no_go", read: |root, found| Some(read(Word::NoGo, root, found)) };
pub(crate) const GPS_JUMP: KindRow =
    KindRow { code: "gps_jump", read: |root, found| Some(read(Word::GpsJump, root, found)) };
pub(crate) const GPS_JAMMING: KindRow =
    KindRow { code: "gps_jamming", read: |root, found| Some(read(Word::GpsJamming, root, found)) };

#[derive(Debug, Clone, Copy)]
enum Word {
    Overspeed,
    LongStop,
    BedLifted,
    Uncovered,
    OutsideWindow,
    WrongDump,
    NoGo,
    GpsJump,
    GpsJamming,
}

/// What the rule looks for, with its own numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Watch {
    Overspeed {
        limit_kmh: f64,
        /// Share of the limit that is let pass.
        tolerance: f64,
    },
    LongStop {
        /// A stop stays within so many metres of where it began.
        radius_m: f64,
        only_loaded: bool,
    },
    BedLifted,
    Uncovered {
        speed_min_kmh: f64,
    },
    OutsideWindow {
        speed_min_kmh: f64,
        only_loaded: bool,
    },
    WrongDump,
    NoGo {
        only_loaded: bool,
    },
    GpsJump {
        jumps_min: u32,
        within_ms: i64,
    },
    GpsJamming,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TruckDesign {
    pub(crate) watch: Watch,
    pub(crate) terms: Terms,
    /// How far a receiver errs: a place counts as inside or outside of an edge when it is so far from it.
    pub(crate) accuracy_m: f64,
    /// Slower is at rest.
    pub(crate) rest_kmh: f64,
    /// A fix that needs a higher speed is a jump.
    pub(crate) speed_max_kmh: f64,
    /// A state of load, cover or bed is known for so long after it was told.
    pub(crate) state_ms: i64,
}

impl Design for TruckDesign {
    fn key(&self) -> Key {
        Key::Subject
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads { fixes: true, ..Reads::default() }
            .kind(RecordKind::Position)
            .kind(RecordKind::State)
            .kind(RecordKind::Instant)
            .statistic(Statistic::Instant);
        let load = [Quantity::LOAD_STATE];
        let wanted: &[Quantity] = match self.watch {
            Watch::Overspeed { .. } | Watch::GpsJump { .. } => &[],
            Watch::LongStop { .. } | Watch::OutsideWindow { .. } | Watch::NoGo { .. } => &load,
            Watch::BedLifted | Watch::WrongDump => &[Quantity::LOAD_STATE, Quantity::BED_LIFTED],
            Watch::Uncovered { .. } => &[Quantity::LOAD_STATE, Quantity::COVER_OPEN],
            Watch::GpsJamming => &[Quantity::IGNITION],
        };
        for quantity in wanted {
            reads = reads.quantity(*quantity);
        }
        reads
    }

    fn lookback_ms(&self) -> i64 {
        self.terms.for_ms.max(self.state_ms)
    }

    fn unit(&self) -> &str {
        match self.watch {
            Watch::Overspeed { .. } | Watch::OutsideWindow { .. } | Watch::Uncovered { .. } | Watch::GpsJump { .. } => {
                "km/h"
            }
            Watch::LongStop { .. } | Watch::GpsJamming => "min",
            Watch::BedLifted | Watch::WrongDump | Watch::NoGo { .. } => "m",
        }
    }

    fn sentence(&self) -> String {
        let minutes = self.terms.for_ms / 60_000;
        let seconds = self.terms.for_ms / 1_000;
        match self.watch {
            Watch::Overspeed { limit_kmh, .. } => {
                format!("车速超过限速（限速区按其限值，其他道路 {limit_kmh} km/h）持续 {seconds} 秒")
            }
            Watch::LongStop { only_loaded, .. } => {
                let loaded = if only_loaded { "载货" } else { "" };
                format!("{loaded}车辆在工地、消纳场、停车场以外停留 {minutes} 分钟")
            }
            Watch::BedLifted => format!("车厢在工地、消纳场、停车场以外静止举升 {seconds} 秒"),
            Watch::Uncovered { speed_min_kmh } => format!("载货行驶（{speed_min_kmh} km/h 以上）未密闭 {seconds} 秒"),
            Watch::OutsideWindow { only_loaded, .. } => {
                let loaded = if only_loaded { "载货" } else { "" };
                format!("在准运时段以外、准运证暂停或预警停运期间{loaded}行驶 {minutes} 分钟")
            }
            Watch::WrongDump => "在准运证核准的消纳场、临时堆放点以外卸货".to_owned(),
            Watch::NoGo { .. } => format!("驶入禁行区 {seconds} 秒（误差 {} 米以内不计）", self.accuracy_m),
            Watch::GpsJamming => format!("点火行驶中 {minutes} 分钟有上报而无定位（疑似干扰或天线断开）"),
            Watch::GpsJump { jumps_min, within_ms } => {
                format!("{} 分钟内定位跳变 {jumps_min} 次（速度超过 {} km/h）", within_ms / 60_000, self.speed_max_kmh)
            }
        }
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        Box::new(TruckJudge::new(self, version))
    }
}

fn read(word: Word, root: &mut Reader<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let watch = match word {
        Word::Overspeed => Watch::Overspeed {
            limit_kmh: at.number("limit_kmh", 60.0, 5.0..=200.0, found),
            tolerance: at.number("tolerance", 0.1, 0.0..=1.0, found),
        },
        Word::LongStop => Watch::LongStop {
            radius_m: at.number("radius_m", 60.0, 10.0..=1_000.0, found),
            only_loaded: at.flag("only_loaded", found),
        },
        Word::BedLifted => Watch::BedLifted,
        Word::Uncovered => Watch::Uncovered { speed_min_kmh: at.number("speed_min_kmh", 5.0, 0.0..=100.0, found) },
        Word::OutsideWindow => Watch::OutsideWindow {
            speed_min_kmh: at.number("speed_min_kmh", 5.0, 0.0..=100.0, found),
            only_loaded: at.flag("only_loaded", found),
        },
        Word::WrongDump => Watch::WrongDump,
        Word::GpsJamming => Watch::GpsJamming,
        Word::NoGo => Watch::NoGo { only_loaded: at.flag("only_loaded", found) },
        Word::GpsJump => {
            let jumps = at.number("jumps_min", 1.0, 1.0..=16.0, found);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 1..=16")]
            let jumps_min = jumps as u32;
            Watch::GpsJump { jumps_min, within_ms: at.duration("within", MINUTE, MINUTE..=6 * HOUR, found) }
        }
    };
    let (for_ms, fixes, gap_ms) = match word {
        Word::Overspeed => (30 * SECOND, 3.0, 2 * MINUTE),
        Word::LongStop => (10 * MINUTE, 2.0, 30 * MINUTE),
        Word::BedLifted | Word::WrongDump => (20 * SECOND, 2.0, 5 * MINUTE),
        Word::Uncovered | Word::NoGo => (MINUTE, 3.0, 3 * MINUTE),
        Word::OutsideWindow => (10 * MINUTE, 5.0, 5 * MINUTE),
        Word::GpsJump => (0, 1.0, 30 * MINUTE),
        Word::GpsJamming => (10 * MINUTE, 10.0, 5 * MINUTE),
    };
    let clear_ms = match word {
        Word::LongStop => 0,
        // A bed that is lowered and lifted again unloads one load.
        Word::WrongDump | Word::BedLifted | Word::GpsJump => 3 * MINUTE,
        _ => MINUTE,
    };
    let fixes = at.number("fixes_min", fixes, 1.0..=1_000.0, found);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 1..=1000")]
    let count_min = fixes as u32;
    let terms = Terms {
        for_ms: at.duration("for", for_ms, 0..=DAY, found),
        count_min,
        clear_ms: at.duration("clear_for", clear_ms, 0..=DAY, found),
        gap_ms: at.duration("gap", gap_ms, SECOND..=DAY, found),
    };
    let design = TruckDesign {
        watch,
        terms,
        accuracy_m: at.number("accuracy_m", 30.0, 0.0..=90.0, found),
        rest_kmh: at.number("rest_kmh", 5.0, 0.0..=20.0, found),
        speed_max_kmh: at.number("speed_max_kmh", 150.0, 20.0..=500.0, found),
        state_ms: at.duration("state_for", 10 * MINUTE, SECOND..=6 * HOUR, found),
    };
    if let Watch::Overspeed { limit_kmh, .. } = watch
        && limit_kmh >= design.speed_max_kmh
    {
        found.add(
            "parameters",
            "limit_kmh",
            "is no less than speed_max_kmh, above which a fix is a jump",
            format!("write a limit below {}", design.speed_max_kmh),
        );
    }
    if design.terms.for_ms > 0 && design.terms.gap_ms > design.terms.for_ms.max(30 * MINUTE) {
        found.add(
            "parameters",
            "gap",
            "is longer than the time it has to last: two fixes would do",
            "write a shorter gap, or a longer for",
        );
    }
    at.finish(found);
    Arc::new(design)
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[cfg(test)]
mod tests;
