//! The routes of the papers: a list and an edit for each kind.

use super::{REGISTERS, Route, VIEW, get, put};
use crate::dto::papers::{
    AreaRow, BackgroundRow, CleaningRow, MaintenanceRow, ManifestRow, NightPermitRow, NoticeRow, PaperQuery, PutArea,
    PutBackground, PutCleaning, PutMaintenance, PutManifest, PutNightPermit, PutNotice, PutSchedule, ScheduleRow,
};
use crate::handlers::papers;
use crate::view::papers::Paper;
use model::register::{Area, Background, Cleaning, Maintenance, Manifest, NightPermit, Notice, Schedule};
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        pair::<Area, AreaRow, PutArea>("/areas", "Areas of the map", "New area, or the next edit of one"),
        pair::<Notice, NoticeRow, PutNotice>("/notices", "Pollution notices", "New notice, or the next edit of one"),
        pair::<NightPermit, NightPermitRow, PutNightPermit>(
            "/night-permits",
            "Night work permits",
            "New night work permit, or the next edit of one",
        ),
        pair::<Cleaning, CleaningRow, PutCleaning>(
            "/cleanings",
            "Cleaning records",
            "New cleaning record, or the next edit of one",
        ),
        pair::<Manifest, ManifestRow, PutManifest>("/manifests", "Manifests", "New manifest, or the next edit of one"),
        pair::<Maintenance, MaintenanceRow, PutMaintenance>(
            "/maintenances",
            "Maintenance windows",
            "New maintenance window, or the next edit of one",
        ),
        pair::<Schedule, ScheduleRow, PutSchedule>(
            "/schedules",
            "Open hours and meal peaks",
            "New schedule, or the next edit of one",
        ),
        pair::<Background, BackgroundRow, PutBackground>(
            "/backgrounds",
            "Background stations",
            "New background station, or the next edit of one",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn pair<T, Row, Put>(path: &'static str, list: &'static str, edit: &'static str) -> [Route; 2]
where
    T: Paper<Row = Row, Put = Put>,
    Row: ToSchema + serde::Serialize + Send + 'static,
    Put: ToSchema + serde::de::DeserializeOwned + Send + 'static,
{
    [
        get(path, VIEW, list).query::<PaperQuery>().reply_page::<Row>().to(papers::list::<T>),
        put(path, REGISTERS, edit).body::<Put>().reply::<Row>().to(papers::put::<T>),
    ]
}
