//! What held at an event time: the questions that rules ask of the registers. Ties go to the row that began last, then to the
//! higher id, so that an answer depends on the rows alone.

use super::Facts;
use crate::geo::Wgs84;
use crate::id::{DeviceId, GridId, SubjectId};
use crate::register::{
    Area, AreaPurpose, Background, Calendar, Cleaning, Grid, Maintenance, Manifest, NightPermit, Notice, Permit,
    Schedule, Stops, WeekWindow, windows,
};
use crate::time::EventTime;
use std::sync::Arc;

impl Facts {
    /// The calendar that says which days are holidays: the one of code `holidays`, else the first.
    pub fn holidays(&self) -> Option<&Arc<Calendar>> {
        self.calendars.get("holidays").or_else(|| self.calendars.values().next())
    }

    /// Whether one of the windows holds at the instant, with the holidays; an empty list holds always.
    pub fn is_open(&self, list: &[WeekWindow], at: EventTime) -> bool {
        windows::is_open(list, self.holidays().map(Arc::as_ref), at)
    }

    /// The areas that are valid at `at`, by id; their windows are not asked.
    pub fn areas_at(&self, at: EventTime) -> impl Iterator<Item = &Arc<Area>> {
        self.areas.values().filter(move |area| area.is_valid(at))
    }

    /// The areas of a purpose that hold at `at`, windows and all, by id.
    pub fn areas_open(&self, purpose: AreaPurpose, at: EventTime) -> impl Iterator<Item = &Arc<Area>> {
        self.areas_at(at).filter(move |area| area.purpose == purpose && self.is_open(&area.windows, at))
    }

    /// The areas of a purpose that hold at `at` and have the place inside, by id.
    pub fn areas_around(&self, place: Wgs84, purpose: AreaPurpose, at: EventTime) -> impl Iterator<Item = &Arc<Area>> {
        self.areas_open(purpose, at).filter(move |area| area.contains(place))
    }

    /// The grid of a subject; a gate is in its site's.
    pub fn grid_of(&self, subject: SubjectId) -> Option<&Arc<Grid>> {
        let row = self.subjects.get(&subject)?;
        let site = || match row.details {
            crate::register::SubjectDetails::Gate { site } => self.subjects.get(&site)?.grid,
            _ => None,
        };
        self.grids.get(&row.grid.or_else(site)?)
    }

    /// The notices that are valid at `at`, by id.
    pub fn notices_at(&self, at: EventTime) -> impl Iterator<Item = &Arc<Notice>> {
        self.notices.values().filter(move |notice| notice.is_valid(at))
    }

    /// The strictest notice that stops such work in the grid at `at`. `None` for a grid: what is in no grid.
    pub fn stopped_at(&self, work: Stops, grid: Option<GridId>, at: EventTime) -> Option<&Arc<Notice>> {
        let grid = grid.and_then(|id| self.grids.get(&id)).map(Arc::as_ref);
        self.notices_at(at)
            .filter(|notice| notice.stops.contains(&work) && notice.covers(grid))
            .max_by_key(|notice| (notice.level, notice.valid_from, notice.id))
    }

    /// [`Self::stopped_at`] in the subject's grid.
    pub fn subject_stopped_at(&self, work: Stops, subject: SubjectId, at: EventTime) -> Option<&Arc<Notice>> {
        self.stopped_at(work, self.grid_of(subject).map(|grid| grid.id), at)
    }

    /// The night permit under which the site may work at `at`.
    pub fn night_permit_at(&self, site: SubjectId, at: EventTime) -> Option<&Arc<NightPermit>> {
        self.night_permits
            .values()
            .filter(|row| row.site == site && row.is_valid(at) && self.is_open(&row.windows, at))
            .max_by_key(|row| (row.valid_from, row.id))
    }

    /// The cleaning records of a subject that are no mistakes, in the order they were entered.
    pub fn cleanings_of(&self, subject: SubjectId) -> impl Iterator<Item = &Arc<Cleaning>> {
        self.cleaned.get(&subject).into_iter().flatten().filter_map(|id| self.cleanings.get(id)).filter(|row| !row.void)
    }

    /// The last cleaning at or before `at`.
    pub fn last_cleaning(&self, subject: SubjectId, at: EventTime) -> Option<&Arc<Cleaning>> {
        self.cleanings_of(subject).filter(|row| row.cleaned_at <= at).max_by_key(|row| (row.cleaned_at, row.id))
    }

    /// The manifests of a truck that are no mistakes, in the order they were entered.
    pub fn manifests_of(&self, truck: SubjectId) -> impl Iterator<Item = &Arc<Manifest>> {
        self.hauled.get(&truck).into_iter().flatten().filter_map(|id| self.manifests.get(id)).filter(|row| !row.void)
    }

    /// The maintenance window that the device or subject is in at `at`; the narrowest of several: a device's before a subject's
    /// before everything's.
    pub fn maintenance_at(
        &self,
        device: Option<DeviceId>,
        subject: Option<SubjectId>,
        at: EventTime,
    ) -> Option<&Arc<Maintenance>> {
        self.maintenances
            .values()
            .filter(|row| row.is_valid(at) && row.concerns(device, subject))
            .max_by_key(|row| (row.device.is_some(), row.subject.is_some(), row.valid_from, row.id))
    }

    /// The schedule of a subject at `at`: its own, else the one of its kind.
    pub fn schedule_at(&self, subject: SubjectId, at: EventTime) -> Option<&Arc<Schedule>> {
        let kind = self.subjects.get(&subject).map_or("", |row| row.details.kind());
        let fits = |row: &Schedule| row.subject.map_or_else(|| row.subject_kind == kind, |own| own == subject);
        self.schedules
            .values()
            .filter(|row| row.is_valid(at) && fits(row))
            .max_by_key(|row| (row.subject.is_some(), row.valid_from, row.id))
    }

    /// Whether the subject is open at `at`; one without a schedule always is.
    pub fn is_open_at(&self, subject: SubjectId, at: EventTime) -> bool {
        self.schedule_at(subject, at).is_none_or(|row| self.is_open(&row.open, at))
    }

    /// Whether a meal peak of the subject lasts at `at`; `None` when its peaks are not known.
    pub fn is_peak_at(&self, subject: SubjectId, at: EventTime) -> Option<bool> {
        let row = self.schedule_at(subject, at).filter(|row| !row.peaks.is_empty())?;
        Some(windows::is_in_one(&row.peaks, self.holidays().map(Arc::as_ref), at))
    }

    /// The station whose values are the background of the quantity in the grid at `at`: of several, the one of the longest region.
    pub fn background_at(&self, quantity: &str, grid: Option<GridId>, at: EventTime) -> Option<&Arc<Background>> {
        let grid = grid.and_then(|id| self.grids.get(&id)).map(Arc::as_ref);
        self.backgrounds
            .values()
            .filter(|row| row.quantity == quantity && row.is_valid(at) && row.covers(grid))
            .max_by_key(|row| (row.region.len(), row.valid_from, row.id))
    }

    /// Whether a permit lets its trucks drive at `at`: valid, not suspended, inside one of its windows. Notices are asked apart.
    pub fn permit_holds(&self, permit: &Permit, at: EventTime) -> bool {
        permit.is_valid(at) && !permit.is_suspended(at) && self.is_open(&permit.windows, at)
    }
}

#[cfg(test)]
mod tests;
