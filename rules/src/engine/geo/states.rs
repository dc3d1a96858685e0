//! Load, cover and bed of a truck as its sensors told them last. A broken sensor is flagged and then says nothing; a bed switch
//! that is on while the truck drives fast sticks, and says nothing until it was off again.

use super::truck::watch::Because;
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::Observation;
use model::quantity::Quantity;
use model::record::{Flag, Statistic};

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct States {
    load: Told,
    cover: Told,
    bed: Told,
    ignition: Told,
    /// The bed's switch was on at a speed at which no bed is.
    is_stuck: bool,
    /// When loaded became empty.
    emptied: Option<i64>,
    /// When empty became loaded.
    filled: Option<i64>,
    /// It was loaded once: its sensor is one.
    has_load_sensor: bool,
}

/// What was told last, and when.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Told {
    #[default]
    Never,
    Known(i64, bool),
    Broken(i64, Flag),
}

impl States {
    /// `speed_kmh` of a fresh fix.
    pub(crate) fn take(&mut self, seen: &Observation, speed_kmh: Option<f64>) {
        for value in seen.values.iter().filter(|value| value.statistic == Statistic::Instant) {
            let told = if value.flag != Flag::Normal {
                Told::Broken(seen.at, value.flag)
            } else if value.value.is_finite() {
                Told::Known(seen.at, value.value >= 0.5)
            } else {
                continue;
            };
            match value.quantity {
                Quantity::LOAD_STATE => self.take_load(told),
                Quantity::COVER_OPEN => self.cover = told,
                Quantity::IGNITION => self.ignition = told,
                Quantity::BED_LIFTED => {
                    self.bed = told;
                    if matches!(told, Told::Known(_, false)) {
                        self.is_stuck = false;
                    }
                }
                _ => {}
            }
        }
        if matches!(self.bed, Told::Known(at, true) if at == seen.at) && speed_kmh.is_some_and(|kmh| kmh > DRIVING_KMH)
        {
            self.is_stuck = true;
        }
    }

    fn take_load(&mut self, told: Told) {
        let before = self.loaded_ever();
        if let Told::Known(at, is_loaded) = told {
            match (before, is_loaded) {
                (Some(true), false) => self.emptied = Some(at),
                (Some(false), true) => self.filled = Some(at),
                _ => {}
            }
            self.has_load_sensor |= is_loaded;
        }
        self.load = told;
    }

    pub(crate) fn loaded(&self, at: i64, state_ms: i64) -> Result<bool, Because> {
        self.load.at(at, state_ms)
    }

    /// As told last, however long ago.
    pub(crate) const fn loaded_ever(&self) -> Option<bool> {
        match self.load {
            Told::Known(_, is_loaded) => Some(is_loaded),
            Told::Never | Told::Broken(..) => None,
        }
    }

    pub(crate) fn cover(&self, at: i64, state_ms: i64) -> Result<bool, Because> {
        self.cover.at(at, state_ms)
    }

    pub(crate) fn ignition(&self, at: i64, state_ms: i64) -> Result<bool, Because> {
        self.ignition.at(at, state_ms)
    }

    pub(crate) fn bed(&self, at: i64, state_ms: i64) -> Result<bool, Because> {
        if self.is_stuck { Err(Because::Flagged(Flag::Impossible)) } else { self.bed.at(at, state_ms) }
    }

    pub(crate) const fn emptied(&self) -> Option<i64> {
        self.emptied
    }

    pub(crate) const fn filled(&self) -> Option<i64> {
        self.filled
    }

    /// A terminal without a sensor tells "empty" for ever: it knows a load only once it has told one.
    pub(crate) const fn knows_load(&self) -> bool {
        self.has_load_sensor
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for told in [self.load, self.cover, self.bed, self.ignition] {
            told.write(w);
        }
        w.flag(self.is_stuck);
        w.optional(self.emptied);
        w.optional(self.filled);
        w.flag(self.has_load_sensor);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let (load, cover, bed, ignition) = (Told::read(r)?, Told::read(r)?, Told::read(r)?, Told::read(r)?);
        let (is_stuck, emptied, filled, has_load_sensor) = (r.flag()?, r.optional()?, r.optional()?, r.flag()?);
        Some(Self { load, cover, bed, ignition, is_stuck, emptied, filled, has_load_sensor })
    }
}

impl Told {
    fn at(self, at: i64, state_ms: i64) -> Result<bool, Because> {
        match self {
            Self::Known(since, told) if at.saturating_sub(since) <= state_ms => Ok(told),
            Self::Broken(since, flag) if at.saturating_sub(since) <= state_ms => Err(Because::Flagged(flag)),
            Self::Never | Self::Known(..) | Self::Broken(..) => Err(Because::Unknown),
        }
    }

    fn write(self, w: &mut Writer) {
        match self {
            Self::Never => w.unsigned(0),
            Self::Known(at, told) => {
                w.unsigned(1 + u64::from(told));
                w.signed(at);
            }
            Self::Broken(at, flag) => {
                w.unsigned(3 + flag as u64);
                w.signed(at);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Option<Self> {
        Some(match r.unsigned()? {
            0 => Self::Never,
            told @ 1..=2 => Self::Known(r.signed()?, told == 2),
            flag => Self::Broken(r.signed()?, Flag::from_u8(u8::try_from(flag - 3).ok()?)?),
        })
    }
}

/// No truck drives so fast with its bed up.
const DRIVING_KMH: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::geo::testing::{Told as Say, seen};

    #[test]
    fn a_broken_sensor_says_nothing_and_an_old_state_is_unknown() {
        let mut states = States::default();
        states.take(&seen(1_000, &[Say::cover(true), Say::load(3.0)]), Some(30.0));
        assert_eq!((states.cover(2_000, 60_000), states.loaded(2_000, 60_000)), (Ok(true), Ok(true)));
        assert_eq!(states.cover(99_000, 60_000), Err(Because::Unknown));
        states.take(&seen(3_000, &[Say::broken(Quantity::COVER_OPEN)]), Some(30.0));
        assert_eq!(states.cover(4_000, 60_000), Err(Because::Flagged(Flag::Fault)));
    }

    #[test]
    fn a_bed_that_is_up_at_speed_sticks_until_it_was_down() {
        let mut states = States::default();
        states.take(&seen(1_000, &[Say::bed(true)]), Some(40.0));
        assert!(states.bed(1_000, 60_000).is_err());
        states.take(&seen(2_000, &[Say::bed(true)]), Some(0.0));
        assert!(states.bed(2_000, 60_000).is_err());
        states.take(&seen(3_000, &[Say::bed(false)]), Some(0.0));
        states.take(&seen(4_000, &[Say::bed(true)]), Some(0.0));
        assert_eq!(states.bed(4_000, 60_000), Ok(true));
    }

    #[test]
    fn states_survive_being_saved() {
        let mut states = States::default();
        states.take(&seen(1_000, &[Say::load(1.0), Say::broken(Quantity::COVER_OPEN), Say::bed(true)]), Some(0.0));
        states.take(&seen(2_000, &[Say::load(0.0)]), Some(0.0));
        assert_eq!((states.emptied(), states.knows_load()), (Some(2_000), true));
        let mut w = Writer::default();
        states.write(&mut w);
        assert_eq!(States::read(&mut Reader::new(&w.0)), Some(states));
    }
}
