//! Washes and exits at one gate, and which wash belongs to which exit.

use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::plate;
use crate::engine::judge::Observation;
use model::record::Happening;
use std::collections::VecDeque;

/// A vehicle that left, as the camera saw it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exit {
    pub(super) at: i64,
    pub(super) seq: u64,
    pub(super) device: i64,
    /// Normal; empty: the camera could not read it.
    pub(super) plate: String,
    /// What the camera says of it.
    pub(super) is_clean: Option<bool>,
    pub(super) is_truck: Option<bool>,
    pub(super) is_loaded: Option<bool>,
    pub(super) confidence: Option<f64>,
}

/// The washes of one exit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Washed {
    pub(super) count: u32,
    /// All together; `None`: the length of one is not known.
    pub(super) seconds: Option<f64>,
    /// Of the first.
    pub(super) seq: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Wash {
    at: i64,
    seq: u64,
    /// Until when, as far as it is known.
    until: Option<i64>,
    /// The washer's own count.
    counted_s: Option<f64>,
    plate: String,
}

/// What is remembered of a gate.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Passing {
    /// Not yet any exit's, in event-time order.
    washes: VecDeque<Wash>,
    /// Of the last minutes.
    exits: VecDeque<(i64, String)>,
}

impl Passing {
    /// An exit that is not the same one seen again, with its washes.
    pub(super) fn take(&mut self, seen: &Observation, before_ms: i64, seconds_min: f64) -> Option<(Exit, Washed)> {
        let happening = seen.happening.as_deref()?;
        match happening.what.as_str() {
            "wash" => {
                self.washes.push_back(wash(seen, happening));
                if self.washes.len() > WASHES_KEPT {
                    self.washes.pop_front();
                }
                None
            }
            "vehicle_exit" => {
                let exit = exit(seen, happening);
                while self.exits.front().is_some_and(|(at, _)| seen.at.saturating_sub(*at) > AGAIN_MS) {
                    self.exits.pop_front();
                }
                let is_again = |known: &String| !exit.plate.is_empty() && plate::is_misread(known, &exit.plate);
                if self.exits.iter().any(|(_, known)| is_again(known)) {
                    return None;
                }
                self.exits.push_back((exit.at, exit.plate.clone()));
                let washed = self.washes_of(&exit, before_ms, seconds_min);
                Some((exit, washed))
            }
            _ => None,
        }
    }

    fn washes_of(&mut self, exit: &Exit, before_ms: i64, seconds_min: f64) -> Washed {
        while self.washes.front().is_some_and(|wash| exit.at.saturating_sub(wash.at) > before_ms) {
            self.washes.pop_front();
        }
        let mut washed = Washed { count: 0, seconds: Some(0.0), seq: exit.seq };
        let mut others = VecDeque::new();
        for wash in std::mem::take(&mut self.washes) {
            let is_own = !wash.plate.is_empty() && plate::is_misread(&wash.plate, &exit.plate);
            let is_enough = washed.count > 0 && washed.seconds.is_none_or(|seconds| seconds >= seconds_min);
            let is_free = (wash.plate.is_empty() || exit.plate.is_empty()) && !is_enough;
            if !is_own && !is_free {
                others.push_back(wash);
                continue;
            }
            if washed.count == 0 {
                washed.seq = wash.seq;
            }
            washed.count += 1;
            washed.seconds = washed.seconds.zip(wash.seconds(exit.at)).map(|(all, one)| all + one);
        }
        self.washes = others;
        washed
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.unsigned(self.washes.len() as u64);
        for wash in &self.washes {
            w.signed(wash.at);
            w.unsigned(wash.seq);
            w.optional(wash.until);
            w.flag(wash.counted_s.is_some());
            if let Some(seconds) = wash.counted_s {
                w.float(seconds);
            }
            w.text(&wash.plate);
        }
        w.unsigned(self.exits.len() as u64);
        for (at, plate) in &self.exits {
            w.signed(*at);
            w.text(plate);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut passing = Self::default();
        for _ in 0..r.count()? {
            passing.washes.push_back(Wash {
                at: r.signed()?,
                seq: r.unsigned()?,
                until: r.optional()?,
                counted_s: if r.flag()? { Some(r.float()?) } else { None },
                plate: r.text()?.to_owned(),
            });
        }
        for _ in 0..r.count()? {
            passing.exits.push_back((r.signed()?, r.text()?.to_owned()));
        }
        Some(passing)
    }
}

impl Wash {
    /// How long it lasted before the exit: what was told, or what the washer counted if that is more.
    fn seconds(&self, exit: i64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a span of milliseconds")]
        let told = self.until.map(|until| (until.min(exit) - self.at).max(0) as f64 / 1_000.0);
        match (told, self.counted_s) {
            (Some(told), Some(counted)) => Some(told.max(counted)),
            (told, counted) => told.or(counted),
        }
    }
}

fn wash(seen: &Observation, happening: &Happening) -> Wash {
    let counted = attribute(happening, &["wash_seconds", "seconds"]).and_then(|text| text.parse::<f64>().ok());
    Wash {
        at: seen.at,
        seq: seen.seq,
        until: happening.end.map(|end| end.0),
        counted_s: counted.filter(|seconds| seconds.is_finite() && (0.0..=86_400.0).contains(seconds)),
        plate: happening.plate.as_deref().map(plate::normal).unwrap_or_default(),
    }
}

fn exit(seen: &Observation, happening: &Happening) -> Exit {
    let flag = |names: &[&str]| {
        attribute(happening, names).and_then(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true),
            "false" | "no" | "0" => Some(false),
            _ => None,
        })
    };
    let load = attribute(happening, &["load", "load_state", "loaded"]).map(str::to_ascii_lowercase);
    let is_loaded = load.as_deref().and_then(|load| match load {
        "loaded" | "full" | "half" | "true" | "1" | "2" | "3" | "满载" | "半载" | "载货" => Some(true),
        "empty" | "false" | "0" | "空载" | "空车" => Some(false),
        _ => None,
    });
    let kind = attribute(happening, &["vehicle", "vehicle_type", "type"]).map(str::to_ascii_lowercase);
    let colour = attribute(happening, &["plate_colour", "plate_color"]).map(str::to_ascii_lowercase);
    let by_kind = kind.as_deref().and_then(|kind| {
        let is_any = |words: &[&str]| words.iter().any(|word| kind.contains(word));
        if is_any(TRUCKS) { Some(true) } else { is_any(CARS).then_some(false) }
    });
    let by_colour = colour.as_deref().and_then(|colour| match colour {
        "yellow" | "黄" | "黄色" | "黄绿" => Some(true),
        "blue" | "蓝" | "蓝色" | "green" | "绿" | "绿色" => Some(false),
        _ => None,
    });
    // A cover and a load are looked for on trucks alone.
    let by_load = (is_loaded.is_some() || attribute(happening, &["covered"]).is_some()).then_some(true);
    let confidence = attribute(happening, &["confidence", "score"]).and_then(|text| text.parse::<f64>().ok());
    Exit {
        at: seen.at,
        seq: seen.seq,
        device: seen.device.0,
        plate: happening.plate.as_deref().map(plate::normal).unwrap_or_default(),
        is_clean: flag(&["washed"]),
        is_truck: by_kind.or(by_colour).or(by_load),
        is_loaded,
        // Some cameras count to a hundred.
        confidence: confidence.map(|sure| if sure > 1.0 { sure / 100.0 } else { sure }),
    }
}

fn attribute<'a>(happening: &'a Happening, names: &[&str]) -> Option<&'a str> {
    let found = happening.attributes.iter().find(|(name, _)| names.contains(&name.as_str()));
    found.map(|(_, value)| value.trim())
}

const TRUCKS: &[&str] = &["truck", "muck", "dump", "heavy", "渣土", "货车", "大型", "自卸"];
const CARS: &[&str] = &["car", "passenger", "sedan", "van", "bus", "轿车", "小型", "客车", "小车"];
/// The same plate passes again after this.
const AGAIN_MS: i64 = 120_000;
const WASHES_KEPT: usize = 256;
