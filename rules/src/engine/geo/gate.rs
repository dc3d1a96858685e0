//! Rules over what passes one gate: sequences of washes and exits of the same plate.
//!
//! | kind | raised at an exit when | not judged when |
//! |---|---|---|
//! | `not_washed` | no wash of it came before, and the camera does not say that it is clean | the gate has no working washer and the camera says nothing |
//! | `wash_too_short` | its washes together were shorter than `seconds_min` | how long one lasted is not known |
//! | `unlicensed` | its plate is in no register, or no permit for this site is valid | the plate may be misread; it may be no truck |
//!
//! A wash of a washer without a camera names no plate: it belongs to the next exit, and further ones to it as long as it was
//! not washed long enough. One that names a plate belongs to that plate. A plate that passes twice within two minutes passed once.

mod judge;
mod passing;

use crate::definition::design::{Design, KindRow};
use crate::definition::reader::{Findings, Reader};
use crate::engine::judge::{Judge, Key, Reads};
use judge::GateJudge;
use model::record::RecordKind;
use std::sync::Arc;

pub(crate) const NOT_WASHED: KindRow =
    KindRow { code: "not_washed", read: |root, found| Some(read(What::NotWashed, root, found)) };
pub(crate) const WASH_TOO_SHORT: KindRow =
    KindRow { code: "wash_too_short", read: |root, found| Some(read(What::TooShort, root, found)) };
pub(crate) const UNLICENSED: KindRow =
    KindRow { code: "unlicensed", read: |root, found| Some(read(What::Unlicensed, root, found)) };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    NotWashed,
    TooShort,
    Unlicensed,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GateDesign {
    pub(crate) what: What,
    /// A wash counts for an exit so long after it began.
    pub(crate) before_ms: i64,
    pub(crate) seconds_min: f64,
    /// A camera that is less sure of a plate is not believed.
    pub(crate) confidence_min: f64,
}

impl Design for GateDesign {
    fn key(&self) -> Key {
        Key::Gate
    }

    fn reads(&self) -> Reads {
        Reads { happenings: true, ..Reads::default() }.kind(RecordKind::Event)
    }

    fn lookback_ms(&self) -> i64 {
        self.before_ms
    }

    fn unit(&self) -> &str {
        if self.what == What::Unlicensed { "" } else { "s" }
    }

    fn sentence(&self) -> String {
        let minutes = self.before_ms / 60_000;
        match self.what {
            What::NotWashed => format!("出场前 {minutes} 分钟内同一出入口没有冲洗记录"),
            What::TooShort => format!("出场前 {minutes} 分钟内冲洗合计不足 {} 秒", self.seconds_min),
            What::Unlicensed => "出场车辆号牌未登记，或没有本工地有效的准运证".to_owned(),
        }
    }

    fn judge(self: Arc<Self>, version: u32) -> Box<dyn Judge> {
        Box::new(GateJudge::new(self, version))
    }
}

fn read(what: What, root: &mut Reader<'_>, found: &mut Findings<'_>) -> Arc<dyn Design> {
    let mut at = root.table("parameters", found);
    let (mut before_ms, mut seconds_min) = (30 * MINUTE, 30.0);
    if what != What::Unlicensed {
        before_ms = at.duration("before", before_ms, MINUTE..=6 * 60 * MINUTE, found);
        seconds_min = at.number("seconds_min", seconds_min, 1.0..=3_600.0, found);
    }
    let confidence_min = at.number("confidence_min", 0.8, 0.0..=1.0, found);
    at.finish(found);
    Arc::new(GateDesign { what, before_ms, seconds_min, confidence_min })
}

const MINUTE: i64 = 60_000;

#[cfg(test)]
mod tests;
