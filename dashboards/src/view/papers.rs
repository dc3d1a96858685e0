//! The papers of the registers between the page and the model: one [`Paper`] for each kind, so that the handlers are the same for
//! all of them.

use crate::dto::common::{NamedRef, Time};
use crate::dto::papers::{
    AreaCircle, AreaRow, BackgroundRow, CleaningRow, MaintenanceRow, ManifestRow, NightPermitRow, NoticeRow, PutArea,
    PutBackground, PutCleaning, PutMaintenance, PutManifest, PutNightPermit, PutNotice, PutSchedule, ScheduleRow,
    Standing,
};
use crate::dto::words::SubjectKind;
use crate::problem::{ApiError, ApiResult};
use crate::view::subject::line_in;
use crate::view::{refs, registers};
use model::facts::Facts;
use model::id::{
    AreaId, BackgroundId, CleaningId, DeviceId, GridId, MaintenanceId, ManifestId, NightPermitId, NoticeId, PermitId,
    ScheduleId, SubjectId,
};
use model::register::{
    Area, Background, Circle, Cleaning, Maintenance, Manifest, NightPermit, Notice, Object, Schedule, WeekWindow,
};
use model::time::EventTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// One kind of paper.
pub(crate) trait Paper: Sized + Send + Sync + 'static {
    type Put: DeserializeOwned + Send;
    type Row: Serialize + Send;

    /// All of them, newest first.
    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>>;
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>>;
    fn of(object: &Object) -> Option<&Self>;
    fn id(&self) -> i64;
    /// The id of the row that is edited; 0 for a new one.
    fn edited(put: &Self::Put) -> i64;
    /// The row as the ledger takes it.
    fn read(put: Self::Put) -> ApiResult<Object>;
    fn row(&self, facts: &Facts, now: EventTime) -> Self::Row;
    /// Subjects that it is about.
    fn subjects(&self) -> Vec<SubjectId>;
    /// What else it may be found by.
    fn texts(&self) -> Vec<&str>;
    /// `None`: it has no span.
    fn standing(&self, now: EventTime) -> Option<Standing>;
}

fn standing(void: bool, (from, to): (EventTime, Option<EventTime>), now: EventTime) -> Standing {
    if void {
        Standing::Void
    } else if now < from {
        Standing::Upcoming
    } else if to.is_some_and(|end| end <= now) {
        Standing::Over
    } else {
        Standing::InForce
    }
}

fn windows(rows: &[WeekWindow]) -> Vec<crate::dto::registers::Window> {
    rows.iter().map(registers::window).collect()
}

fn windows_in(rows: Vec<crate::dto::registers::Window>) -> Vec<WeekWindow> {
    rows.into_iter().map(registers::window_in).collect()
}

/// Whom a row may be found by: its subjects' names, codes and plates, and its own texts.
pub(crate) fn matches<T: Paper>(row: &T, facts: &Facts, needle: &str) -> bool {
    let subjects = row.subjects();
    let named =
        subjects.iter().filter_map(|id| facts.subjects.get(id)).flat_map(|subject| refs::subject_texts(subject));
    refs::found(needle, named.chain(row.texts()))
}

impl Paper for Area {
    type Put = PutArea;
    type Row = AreaRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.areas.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.areas.get(&AreaId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Area(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutArea) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutArea) -> ApiResult<Object> {
        let nowhere = |field| ApiError::field(field, "no place on earth");
        let circle = match put.circle {
            None => None,
            Some(AreaCircle { centre, radius_m }) => {
                Some(Circle { centre: centre.to_wgs84().ok_or_else(|| nowhere("circle.centre"))?, radius_m })
            }
        };
        Ok(Object::Area(Self {
            id: AreaId(put.id.unwrap_or(0)),
            code: put.code,
            name: put.name,
            purpose: put.purpose.into(),
            outline: line_in(&put.outline).ok_or_else(|| nowhere("outline"))?,
            circle,
            speed_limit_kmh: put.speed_limit_kmh,
            windows: windows_in(put.windows),
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> AreaRow {
        AreaRow {
            id: self.id.0,
            code: self.code.clone(),
            name: self.name.clone(),
            purpose: self.purpose.into(),
            outline: refs::places(&self.outline),
            circle: self.circle.map(|one| AreaCircle { centre: one.centre.into(), radius_m: one.radius_m }),
            speed_limit_kmh: self.speed_limit_kmh,
            windows: windows(&self.windows),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            standing: standing(false, (self.valid_from, self.valid_to), now),
            open_now: self.is_valid(now) && facts.is_open(&self.windows, now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        Vec::new()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.code, &self.name]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(false, (self.valid_from, self.valid_to), now))
    }
}

impl Paper for Notice {
    type Put = PutNotice;
    type Row = NoticeRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.notices.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.notices.get(&NoticeId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Notice(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutNotice) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutNotice) -> ApiResult<Object> {
        Ok(Object::Notice(Self {
            id: NoticeId(put.id.unwrap_or(0)),
            code: put.code,
            level: put.level.into(),
            region: put.region,
            grids: put.grids.into_iter().map(GridId).collect(),
            stops: put.stops.into_iter().map(Into::into).collect(),
            source: put.source,
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
            void: put.void,
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> NoticeRow {
        NoticeRow {
            id: self.id.0,
            code: self.code.clone(),
            level: self.level.into(),
            region: self.region.clone(),
            grids: self.grids.iter().filter_map(|id| refs::grid(facts, *id)).collect(),
            stops: self.stops.iter().map(|one| (*one).into()).collect(),
            source: self.source.clone(),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            standing: standing(self.void, (self.valid_from, self.valid_to), now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        Vec::new()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.code, &self.source]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(self.void, (self.valid_from, self.valid_to), now))
    }
}

impl Paper for NightPermit {
    type Put = PutNightPermit;
    type Row = NightPermitRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.night_permits.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.night_permits.get(&NightPermitId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::NightPermit(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutNightPermit) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutNightPermit) -> ApiResult<Object> {
        Ok(Object::NightPermit(Self {
            id: NightPermitId(put.id.unwrap_or(0)),
            code: put.code,
            site: SubjectId(put.site),
            windows: windows_in(put.windows),
            issuer: put.issuer,
            reason: put.reason,
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
            void: put.void,
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> NightPermitRow {
        NightPermitRow {
            id: self.id.0,
            code: self.code.clone(),
            site: refs::subject(facts, self.site),
            windows: windows(&self.windows),
            issuer: self.issuer.clone(),
            reason: self.reason.clone(),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            standing: standing(self.void, (self.valid_from, self.valid_to), now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        vec![self.site]
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.code, &self.issuer]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(self.void, (self.valid_from, self.valid_to), now))
    }
}

impl Paper for Cleaning {
    type Put = PutCleaning;
    type Row = CleaningRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.cleanings.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.cleanings.get(&CleaningId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Cleaning(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutCleaning) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutCleaning) -> ApiResult<Object> {
        Ok(Object::Cleaning(Self {
            id: CleaningId(put.id.unwrap_or(0)),
            subject: SubjectId(put.subject),
            cleaned_at: put.cleaned_at.into(),
            cleaned_by: put.cleaned_by,
            parts: put.parts.into_iter().map(Into::into).collect(),
            picture: put.picture,
            note: put.note,
            void: put.void,
        }))
    }
    fn row(&self, facts: &Facts, _now: EventTime) -> CleaningRow {
        CleaningRow {
            id: self.id.0,
            subject: refs::subject(facts, self.subject),
            cleaned_at: self.cleaned_at.into(),
            cleaned_by: self.cleaned_by.clone(),
            parts: self.parts.iter().map(|one| (*one).into()).collect(),
            picture: self.picture.clone(),
            note: self.note.clone(),
            void: self.void,
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        vec![self.subject]
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.cleaned_by]
    }
    fn standing(&self, _now: EventTime) -> Option<Standing> {
        self.void.then_some(Standing::Void)
    }
}

impl Paper for Manifest {
    type Put = PutManifest;
    type Row = ManifestRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.manifests.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.manifests.get(&ManifestId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Manifest(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutManifest) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutManifest) -> ApiResult<Object> {
        Ok(Object::Manifest(Self {
            id: ManifestId(put.id.unwrap_or(0)),
            code: put.code,
            truck: SubjectId(put.truck),
            site: put.site.map(SubjectId),
            disposal_site: put.disposal_site.map(SubjectId),
            permit: put.permit.map(PermitId),
            source: put.source.into(),
            loaded_at: put.loaded_at.into(),
            unloaded_at: put.unloaded_at.map(Into::into),
            volume_m3: put.volume_m3,
            void: put.void,
        }))
    }
    fn row(&self, facts: &Facts, _now: EventTime) -> ManifestRow {
        let named = |id: PermitId| {
            facts.permits.get(&id).map(|row| NamedRef { id: id.0, code: row.code.clone(), name: row.code.clone() })
        };
        ManifestRow {
            id: self.id.0,
            code: self.code.clone(),
            source: self.source.into(),
            truck: refs::subject(facts, self.truck),
            site: self.site.and_then(|id| refs::subject(facts, id)),
            disposal_site: self.disposal_site.and_then(|id| refs::subject(facts, id)),
            permit: self.permit.and_then(named),
            loaded_at: self.loaded_at.into(),
            unloaded_at: self.unloaded_at.map(Time::from),
            volume_m3: self.volume_m3,
            void: self.void,
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        std::iter::once(self.truck).chain(self.site).chain(self.disposal_site).collect()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.code]
    }
    fn standing(&self, _now: EventTime) -> Option<Standing> {
        self.void.then_some(Standing::Void)
    }
}

impl Paper for Maintenance {
    type Put = PutMaintenance;
    type Row = MaintenanceRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.maintenances.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.maintenances.get(&MaintenanceId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Maintenance(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutMaintenance) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutMaintenance) -> ApiResult<Object> {
        Ok(Object::Maintenance(Self {
            id: MaintenanceId(put.id.unwrap_or(0)),
            device: put.device.map(DeviceId),
            subject: put.subject.map(SubjectId),
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
            why: put.why,
            void: put.void,
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> MaintenanceRow {
        MaintenanceRow {
            id: self.id.0,
            device: self.device.and_then(|id| refs::device(facts, id)),
            subject: self.subject.and_then(|id| refs::subject(facts, id)),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            why: self.why.clone(),
            standing: standing(self.void, (self.valid_from, self.valid_to), now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        self.subject.into_iter().collect()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.why]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(self.void, (self.valid_from, self.valid_to), now))
    }
}

impl Paper for Schedule {
    type Put = PutSchedule;
    type Row = ScheduleRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.schedules.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.schedules.get(&ScheduleId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Schedule(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutSchedule) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutSchedule) -> ApiResult<Object> {
        Ok(Object::Schedule(Self {
            id: ScheduleId(put.id.unwrap_or(0)),
            subject: put.subject.map(SubjectId),
            subject_kind: put.subject_kind.map_or_else(String::new, |kind| kind.code().to_owned()),
            open: windows_in(put.open),
            peaks: windows_in(put.peaks),
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> ScheduleRow {
        ScheduleRow {
            id: self.id.0,
            subject: self.subject.and_then(|id| refs::subject(facts, id)),
            subject_kind: SubjectKind::from_code(&self.subject_kind),
            open: windows(&self.open),
            peaks: windows(&self.peaks),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            standing: standing(false, (self.valid_from, self.valid_to), now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        self.subject.into_iter().collect()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.subject_kind]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(false, (self.valid_from, self.valid_to), now))
    }
}

impl Paper for Background {
    type Put = PutBackground;
    type Row = BackgroundRow;

    fn all(facts: &Facts) -> impl Iterator<Item = &Arc<Self>> {
        facts.backgrounds.values().rev()
    }
    fn find(facts: &Facts, id: i64) -> Option<&Arc<Self>> {
        facts.backgrounds.get(&BackgroundId(id))
    }
    fn of(object: &Object) -> Option<&Self> {
        if let Object::Background(row) = object { Some(row) } else { None }
    }
    fn id(&self) -> i64 {
        self.id.0
    }
    fn edited(put: &PutBackground) -> i64 {
        put.id.unwrap_or(0)
    }
    fn read(put: PutBackground) -> ApiResult<Object> {
        Ok(Object::Background(Self {
            id: BackgroundId(put.id.unwrap_or(0)),
            quantity: put.quantity,
            device: DeviceId(put.device),
            region: put.region,
            source: put.source,
            valid_from: put.valid_from.into(),
            valid_to: put.valid_to.map(Into::into),
        }))
    }
    fn row(&self, facts: &Facts, now: EventTime) -> BackgroundRow {
        BackgroundRow {
            id: self.id.0,
            quantity: self.quantity.clone(),
            device: refs::device(facts, self.device),
            region: self.region.clone(),
            source: self.source.clone(),
            valid_from: self.valid_from.into(),
            valid_to: self.valid_to.map(Time::from),
            standing: standing(false, (self.valid_from, self.valid_to), now),
        }
    }
    fn subjects(&self) -> Vec<SubjectId> {
        Vec::new()
    }
    fn texts(&self) -> Vec<&str> {
        vec![&self.quantity, &self.source]
    }
    fn standing(&self, now: EventTime) -> Option<Standing> {
        Some(standing(false, (self.valid_from, self.valid_to), now))
    }
}
