//! Trip sheets as bytes.

use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::walk::{read_place, write_place};
use model::id::{AreaId, DeviceId, PermitId, SubjectId};
use model::time::EventTime;
use model::trip::{
    TripCover, TripDeviation, TripPart, TripPlace, TripRemark, TripSegment, TripSheet, TripUnloading, TripVerdict,
    TripWash,
};

pub(super) fn write(sheet: &TripSheet, w: &mut Writer) {
    for number in [sheet.truck.0, sheet.device.0, sheet.site.0, sheet.loaded.0, sheet.left.0] {
        w.signed(number);
    }
    w.optional(sheet.permit.map(|id| id.0));
    w.flag(sheet.wash.is_some());
    if let Some(wash) = sheet.wash {
        w.signed(wash.gate.0);
        w.signed(wash.at.0);
        w.optional(wash.seconds.map(i64::from));
    }
    for seconds in [sheet.cover.closed_s, sheet.cover.open_s, sheet.cover.unknown_s, sheet.metres] {
        w.unsigned(seconds.into());
    }
    w.optional(sheet.metres_in_corridor.map(i64::from));
    w.unsigned(sheet.deviations.len() as u64);
    for one in &sheet.deviations {
        deviation(one, w);
    }
    w.flag(sheet.unloading.is_some());
    if let Some(one) = sheet.unloading {
        w.signed(one.from.0);
        w.signed(one.to.0);
        write_place(one.place, w);
        let (kind, id) = match one.at {
            TripPlace::Unknown => (0, 0),
            TripPlace::DisposalSite(id) => (1, id.0),
            TripPlace::Area(id) => (2, id.0),
            TripPlace::Site(id) => (3, id.0),
        };
        w.unsigned(kind);
        w.signed(id);
        w.flag(one.is_permitted);
    }
    w.optional(sheet.returned.map(|at| at.0));
    w.unsigned(sheet.segments.len() as u64);
    for one in &sheet.segments {
        w.unsigned(one.what as u64);
        w.signed(one.from.0);
        w.signed(one.to.0);
        write_place(one.start, w);
        write_place(one.end, w);
        w.unsigned(one.metres.into());
    }
    w.unsigned(sheet.verdict as u64);
    w.unsigned(sheet.remarks.len() as u64);
    for remark in &sheet.remarks {
        w.unsigned(*remark as u64);
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Option<TripSheet> {
    let (truck, device, site) = (SubjectId(r.signed()?), DeviceId(r.signed()?), SubjectId(r.signed()?));
    let (loaded, left) = (EventTime(r.signed()?), EventTime(r.signed()?));
    let permit = r.optional()?.map(PermitId);
    let wash = if r.flag()? {
        let (gate, at) = (SubjectId(r.signed()?), EventTime(r.signed()?));
        let seconds = r.optional()?.map(u32::try_from).transpose().ok()?;
        Some(TripWash { gate, at, seconds })
    } else {
        None
    };
    let cover = TripCover { closed_s: r.small()?, open_s: r.small()?, unknown_s: r.small()? };
    let metres = r.small()?;
    let metres_in_corridor = r.optional()?.map(u32::try_from).transpose().ok()?;
    let deviations = (0..r.count()?).map(|_| read_deviation(r)).collect::<Option<_>>()?;
    let unloading = if r.flag()? {
        let (from, to, place) = (EventTime(r.signed()?), EventTime(r.signed()?), read_place(r)?);
        let (kind, id) = (r.unsigned()?, r.signed()?);
        let at = match kind {
            0 => TripPlace::Unknown,
            1 => TripPlace::DisposalSite(SubjectId(id)),
            2 => TripPlace::Area(AreaId(id)),
            3 => TripPlace::Site(SubjectId(id)),
            _ => return None,
        };
        Some(TripUnloading { from, to, place, at, is_permitted: r.flag()? })
    } else {
        None
    };
    let returned = r.optional()?.map(EventTime);
    let segments = (0..r.count()?).map(|_| segment(r)).collect::<Option<_>>()?;
    let verdict = match r.unsigned()? {
        0 => TripVerdict::Lawful,
        1 => TripVerdict::Incomplete,
        2 => TripVerdict::Suspect,
        _ => return None,
    };
    let remark = |r: &mut Reader<'_>| TripRemark::ALL.get(usize::try_from(r.unsigned()?).ok()?).copied();
    let remarks = (0..r.count()?).map(|_| remark(r)).collect::<Option<_>>()?;
    Some(TripSheet {
        truck,
        device,
        site,
        loaded,
        left,
        permit,
        wash,
        cover,
        metres,
        metres_in_corridor,
        deviations,
        unloading,
        returned,
        segments,
        verdict,
        remarks,
    })
}

pub(super) fn deviation(one: &TripDeviation, w: &mut Writer) {
    w.signed(one.from.0);
    w.signed(one.to.0);
    w.unsigned(one.metres.into());
    write_place(one.place, w);
}

pub(super) fn read_deviation(r: &mut Reader<'_>) -> Option<TripDeviation> {
    let (from, to) = (EventTime(r.signed()?), EventTime(r.signed()?));
    Some(TripDeviation { from, to, metres: r.small()?, place: read_place(r)? })
}

fn segment(r: &mut Reader<'_>) -> Option<TripSegment> {
    let what = match r.unsigned()? {
        0 => TripPart::Loading,
        1 => TripPart::Hauling,
        2 => TripPart::Unloading,
        3 => TripPart::Returning,
        _ => return None,
    };
    let (from, to) = (EventTime(r.signed()?), EventTime(r.signed()?));
    Some(TripSegment { what, from, to, start: read_place(r)?, end: read_place(r)?, metres: r.small()? })
}
