//! The registers as of a place in the journal: the fold of all revisions up to it. Settle and the rules read nothing else
//! about the world, so replay of a journal sees what the first run saw.

use crate::id::{
    AreaId, BackgroundId, CleaningId, DeviceId, GridId, InstallationId, LimitId, MaintenanceId, ManifestId,
    NightPermitId, NoticeId, OfficeId, PermitId, ScheduleId, SubjectId,
};
use crate::register::{
    Area, Background, Calendar, Cleaning, Device, DeviceProfile, Grid, Installation, Limit, Maintenance, Manifest,
    NightPermit, Notice, Object, Office, Permit, Revision, RuleVersion, Schedule, Subject,
};
use crate::time::EventTime;
use std::collections::BTreeMap;
use std::sync::Arc;

mod at;

/// Cleaning records of one subject that are remembered: daily ones for more than two years. Of more, the lowest ids go.
pub const CLEANINGS_PER_SUBJECT_MAX: usize = 1_000;
/// Manifests of one truck that are remembered, about a year of them. Of more, the lowest ids go.
pub const MANIFESTS_PER_TRUCK_MAX: usize = 2_000;

/// Cheap to clone: rows are shared. Maps are ordered, so that walks over them are the same in every run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Number of the last revision applied.
    pub revision: u64,
    pub offices: BTreeMap<OfficeId, Arc<Office>>,
    pub grids: BTreeMap<GridId, Arc<Grid>>,
    pub subjects: BTreeMap<SubjectId, Arc<Subject>>,
    pub permits: BTreeMap<PermitId, Arc<Permit>>,
    pub limits: BTreeMap<LimitId, Arc<Limit>>,
    pub profiles: BTreeMap<String, Arc<DeviceProfile>>,
    pub devices: BTreeMap<DeviceId, Arc<Device>>,
    pub installations: BTreeMap<InstallationId, Arc<Installation>>,
    pub calendars: BTreeMap<String, Arc<Calendar>>,
    /// The newest version of each rule.
    pub rules: BTreeMap<String, Arc<RuleVersion>>,
    pub areas: BTreeMap<AreaId, Arc<Area>>,
    pub notices: BTreeMap<NoticeId, Arc<Notice>>,
    pub night_permits: BTreeMap<NightPermitId, Arc<NightPermit>>,
    /// The newest of each subject, see [`CLEANINGS_PER_SUBJECT_MAX`].
    pub cleanings: BTreeMap<CleaningId, Arc<Cleaning>>,
    /// The newest of each truck, see [`MANIFESTS_PER_TRUCK_MAX`].
    pub manifests: BTreeMap<ManifestId, Arc<Manifest>>,
    pub maintenances: BTreeMap<MaintenanceId, Arc<Maintenance>>,
    pub schedules: BTreeMap<ScheduleId, Arc<Schedule>>,
    pub backgrounds: BTreeMap<BackgroundId, Arc<Background>>,
    installed: BTreeMap<DeviceId, Vec<InstallationId>>,
    permitted: BTreeMap<SubjectId, Vec<PermitId>>,
    cleaned: BTreeMap<SubjectId, Vec<CleaningId>>,
    hauled: BTreeMap<SubjectId, Vec<ManifestId>>,
}

impl Facts {
    /// Applies the next revision; one that was applied before is ignored. Returns whether anything changed.
    pub fn apply(&mut self, revision: &Revision) -> bool {
        if revision.number <= self.revision {
            return false;
        }
        self.revision = revision.number;
        match revision.object.clone() {
            Object::Office(row) => drop(self.offices.insert(row.id, Arc::new(row))),
            Object::Grid(row) => drop(self.grids.insert(row.id, Arc::new(row))),
            Object::Subject(row) => drop(self.subjects.insert(row.id, Arc::new(row))),
            Object::Permit(row) => self.put_permit(row),
            Object::Limit(row) => drop(self.limits.insert(row.id, Arc::new(row))),
            Object::Profile(row) => drop(self.profiles.insert(row.code.clone(), Arc::new(row))),
            Object::Device(row) => drop(self.devices.insert(row.id, Arc::new(row))),
            Object::Installation(row) => self.put_installation(row),
            Object::Calendar(row) => drop(self.calendars.insert(row.code.clone(), Arc::new(row))),
            Object::Rule(row) => drop(self.rules.insert(row.code.clone(), Arc::new(row))),
            Object::Area(row) => drop(self.areas.insert(row.id, Arc::new(row))),
            Object::Notice(row) => drop(self.notices.insert(row.id, Arc::new(row))),
            Object::NightPermit(row) => drop(self.night_permits.insert(row.id, Arc::new(row))),
            Object::Cleaning(row) => self.put_cleaning(row),
            Object::Manifest(row) => self.put_manifest(row),
            Object::Maintenance(row) => drop(self.maintenances.insert(row.id, Arc::new(row))),
            Object::Schedule(row) => drop(self.schedules.insert(row.id, Arc::new(row))),
            Object::Background(row) => drop(self.backgrounds.insert(row.id, Arc::new(row))),
        }
        true
    }

    fn put_installation(&mut self, row: Installation) {
        if let Some(old) = self.installations.get(&row.id)
            && let Some(list) = self.installed.get_mut(&old.device)
        {
            list.retain(|id| *id != row.id);
        }
        let list = self.installed.entry(row.device).or_default();
        list.push(row.id);
        list.sort_unstable();
        self.installations.insert(row.id, Arc::new(row));
    }

    fn put_permit(&mut self, row: Permit) {
        for list in self.permitted.values_mut() {
            list.retain(|id| *id != row.id);
        }
        for truck in &row.trucks {
            let list = self.permitted.entry(*truck).or_default();
            list.push(row.id);
            list.sort_unstable();
        }
        self.permits.insert(row.id, Arc::new(row));
    }

    fn put_cleaning(&mut self, row: Cleaning) {
        if let Some(old) = self.cleanings.get(&row.id) {
            take_out(&mut self.cleaned, &old.subject, &row.id);
        }
        if let Some(oldest) = put_in(&mut self.cleaned, row.subject, row.id, CLEANINGS_PER_SUBJECT_MAX) {
            self.cleanings.remove(&oldest);
            if oldest == row.id {
                return;
            }
        }
        self.cleanings.insert(row.id, Arc::new(row));
    }

    fn put_manifest(&mut self, row: Manifest) {
        if let Some(old) = self.manifests.get(&row.id) {
            take_out(&mut self.hauled, &old.truck, &row.id);
        }
        if let Some(oldest) = put_in(&mut self.hauled, row.truck, row.id, MANIFESTS_PER_TRUCK_MAX) {
            self.manifests.remove(&oldest);
            if oldest == row.id {
                return;
            }
        }
        self.manifests.insert(row.id, Arc::new(row));
    }

    /// Where the device was installed at `at`; of several, the one that began last.
    pub fn installation_at(&self, device: DeviceId, at: EventTime) -> Option<&Arc<Installation>> {
        self.installed
            .get(&device)?
            .iter()
            .filter_map(|id| self.installations.get(id))
            .filter(|row| row.valid_from <= at && row.valid_to.is_none_or(|end| at < end))
            .max_by_key(|row| (row.valid_from, row.id))
    }

    /// All installations that a device ever had.
    pub fn installations_of(&self, device: DeviceId) -> impl Iterator<Item = &Arc<Installation>> {
        self.installed.get(&device).into_iter().flatten().filter_map(|id| self.installations.get(id))
    }

    /// Permits that name the truck, valid or not.
    pub fn permits_of(&self, truck: SubjectId) -> impl Iterator<Item = &Arc<Permit>> {
        self.permitted.get(&truck).into_iter().flatten().filter_map(|id| self.permits.get(id))
    }

    pub fn profile_of(&self, device: DeviceId) -> Option<&Arc<DeviceProfile>> {
        self.profiles.get(&self.devices.get(&device)?.profile)
    }
}

fn take_out<K: Ord, I: PartialEq>(index: &mut BTreeMap<K, Vec<I>>, owner: &K, id: &I) {
    if let Some(list) = index.get_mut(owner) {
        list.retain(|other| other != id);
    }
}

/// Adds an id to its owner's; what had to go for it comes back.
fn put_in<K: Ord, I: Ord + Copy>(index: &mut BTreeMap<K, Vec<I>>, owner: K, id: I, most: usize) -> Option<I> {
    let list = index.entry(owner).or_default();
    let place = list.partition_point(|other| *other < id);
    list.insert(place, id);
    (list.len() > most).then(|| list.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::IngestTime;

    fn install(number: u64, id: i64, subject: i64, from: i64, to: Option<i64>) -> Revision {
        Revision {
            number,
            at: IngestTime(0),
            author: "test".into(),
            object: Object::Installation(Installation {
                id: InstallationId(id),
                device: DeviceId(1),
                subject: SubjectId(subject),
                point: String::new(),
                valid_from: EventTime(from),
                valid_to: to.map(EventTime),
            }),
        }
    }

    #[test]
    fn a_moved_tracker_is_resolved_at_event_time() {
        let mut facts = Facts::default();
        assert!(facts.apply(&install(1, 1, 10, 0, Some(100))));
        assert!(facts.apply(&install(2, 2, 20, 100, None)));
        let subject = |at| facts.installation_at(DeviceId(1), EventTime(at)).map(|row| row.subject.0);
        assert_eq!((subject(-1), subject(0), subject(99), subject(100)), (None, Some(10), Some(10), Some(20)));
    }

    #[test]
    fn a_revision_that_comes_twice_changes_nothing() {
        let mut facts = Facts::default();
        facts.apply(&install(1, 1, 10, 0, None));
        let before = facts.clone();
        assert!(!facts.apply(&install(1, 1, 99, 0, None)));
        assert_eq!(facts, before);
    }
}
