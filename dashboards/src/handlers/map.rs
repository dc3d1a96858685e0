//! Everything the map draws.

use crate::dto::common::Place;
use crate::dto::map::{MapCorridor, MapData, MapOutline, MapSubject, TruckFix};
use crate::dto::words::SubjectKind;
use crate::extract::Json;
use crate::state::AppState;
use crate::view::papers::Paper as _;
use crate::view::subject::{Installed, current, outline};
use crate::view::{device, refs};
use axum::extract::State;
use ingest::live::LiveFilter;
use model::facts::Facts;
use model::register::{Notice, Permit, Stops, SubjectDetails};
use model::time::{EventTime, IngestTime};
use std::sync::Arc;

pub(crate) async fn map(State(state): State<AppState>) -> Json<MapData> {
    let now = state.now();
    let facts = state.facts();
    let installed = Installed::now(&facts, now);
    let subjects: Vec<_> = facts
        .subjects
        .values()
        .filter(|subject| subject.active && !matches!(subject.details, SubjectDetails::Truck { .. }))
        .map(|subject| MapSubject {
            id: subject.id.0,
            kind: SubjectKind::of(&subject.details),
            code: subject.code.clone(),
            name: subject.name.clone(),
            place: subject.place.map(Place::from),
            outline: outline(subject),
            state: current(&state, &facts, subject, installed.at(subject.id), now),
            site: match &subject.details {
                SubjectDetails::Gate { site } => Some(site.0),
                _ => None,
            },
        })
        .collect();
    let at = EventTime(now.0);
    let corridors = facts
        .permits
        .values()
        .filter(|permit| permit.valid_to.is_none_or(|end| at < end) && !permit.corridor.is_empty())
        .map(|permit| MapCorridor {
            permit: permit.id.0,
            code: permit.code.clone(),
            line: refs::places(&permit.corridor),
            half_width_m: permit.corridor_half_width_m,
            trucks: permit.trucks.iter().map(|id| id.0).collect(),
            valid_from: permit.valid_from.into(),
            valid_to: permit.valid_to.map(Into::into),
            suspended: permit.is_suspended(at),
            open_now: facts.permit_holds(permit, at) && stopped(&facts, permit, at).is_none(),
        })
        .collect();
    let grids = facts
        .grids
        .values()
        .filter(|grid| !grid.outline.is_empty())
        .map(|grid| MapOutline { id: grid.id.0, name: grid.name.clone(), outline: refs::places(&grid.outline) })
        .collect();
    Json(MapData {
        at: now.into(),
        centre: centre(subjects.iter().filter_map(|subject| subject.place)),
        district: state.config.district.clone(),
        attribution: state.config.attribution.clone(),
        subjects,
        corridors,
        areas: facts.areas_at(at).map(|area| area.row(&facts, at)).collect(),
        grids,
        trucks: trucks(&state, &facts, now),
    })
}

/// The notice that stops the trucks of a permit: where its site is, or in the whole district.
fn stopped<'a>(facts: &'a Facts, permit: &Permit, at: EventTime) -> Option<&'a Arc<Notice>> {
    let grid = permit.site.and_then(|site| facts.grid_of(site)).map(|grid| grid.id);
    facts.stopped_at(Stops::MuckTransport, grid, at)
}

/// The newest fix of every truck.
pub(crate) fn trucks(state: &AppState, facts: &Facts, now: IngestTime) -> Vec<TruckFix> {
    let known = state.hub.snapshot(&LiveFilter::default());
    known
        .iter()
        .filter_map(|known| device::truck_fix(state, facts, facts.devices.get(&known.device)?, known, now))
        .collect()
}

fn centre(places: impl Iterator<Item = Place>) -> Option<Place> {
    let (mut lon, mut lat, mut count) = (0.0, 0.0, 0.0);
    for Place([x, y]) in places {
        lon += x;
        lat += y;
        count += 1.0;
    }
    (count > 0.0).then(|| Place([lon / count, lat / count]))
}
