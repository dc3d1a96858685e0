//! What the tests share: a ledger on a fresh database and a few valid objects.

use crate::keys::Keys;
use crate::store::{Author, Ledger};
use database::Database;
use model::envelope::ProtocolKind;
use model::geo::Wgs84;
use model::id::{DeviceId, GridId, InstallationId, OfficeId, PermitId, SubjectId};
use model::principal::Strictness;
use model::register::{
    Device, DeviceProfile, Factor, Grid, Installation, Object, Office, Permit, Subject, SubjectDetails,
};
use model::time::{EventTime, IngestTime, ManualClock};
use model::unit::Unit;
use std::sync::Arc;

pub(crate) struct Rig {
    pub(crate) ledger: Ledger,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) async fn rig(db: Database) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(IngestTime(1_790_000_000_000)));
    let ledger = Ledger::open(db, Keys::open(dir.path()).unwrap(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    Rig { ledger, clock, dir }
}

pub(crate) fn author() -> Author {
    Author::new("tester", "test")
}

pub(crate) fn office(id: i64, code: &str) -> Object {
    Object::Office(Office { id: OfficeId(id), code: code.into(), name: format!("机构{code}"), parent: None })
}

pub(crate) fn grid(id: i64, code: &str, office: i64) -> Object {
    let outline = Vec::new();
    Object::Grid(Grid { id: GridId(id), code: code.into(), name: code.into(), office: OfficeId(office), outline })
}

pub(crate) fn subject(id: i64, code: &str, details: SubjectDetails) -> Object {
    let place = Some(Wgs84 { lon: 113.55, lat: 34.8 });
    let (code, name) = (code.to_owned(), format!("合成{code}"));
    Object::Subject(Subject { id: SubjectId(id), code, name, grid: None, place, details, active: true })
}

pub(crate) fn truck(id: i64, plate: &str) -> Object {
    let details =
        SubjectDetails::Truck { plate: plate.into(), plate_colour: "黄".into(), company: String::new(), load_t: None };
    subject(id, plate, details)
}

pub(crate) fn site(id: i64, code: &str) -> Object {
    let (stage, address, builder) = (Some("earthwork".into()), String::new(), String::new());
    subject(id, code, SubjectDetails::Site { stage, address, builder, outline: Vec::new() })
}

pub(crate) fn profile(code: &str, protocol: ProtocolKind) -> Object {
    let factor = Factor {
        code: "fume".into(),
        quantity: "fume".into(),
        unit: Unit::MgPerM3,
        scale: 1.0,
        offset: 0.0,
        statistic: None,
        min: None,
        max: None,
    };
    Object::Profile(DeviceProfile {
        code: code.into(),
        name: code.into(),
        protocol,
        strictness: Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 60,
        factors: vec![factor],
        registers: Vec::new(),
        gcj02: false,
        downlink: None,
        truck: None,
        events: Vec::new(),
    })
}

pub(crate) fn device(id: i64, code: &str, protocol: ProtocolKind, identity: &str) -> Object {
    Object::Device(Device {
        id: DeviceId(id),
        code: code.into(),
        name: String::new(),
        protocol,
        identity: identity.into(),
        profile: format!("p-{}", protocol.code()),
        vendor: String::new(),
        enabled: true,
        poll: None,
    })
}

pub(crate) fn installation(id: i64, device: i64, subject: i64, from: i64, to: Option<i64>) -> Object {
    Object::Installation(Installation {
        id: InstallationId(id),
        device: DeviceId(device),
        subject: SubjectId(subject),
        point: "outlet".into(),
        valid_from: EventTime(from),
        valid_to: to.map(EventTime),
    })
}

pub(crate) fn permit(id: i64, code: &str, truck: i64) -> Object {
    Object::Permit(Permit {
        id: PermitId(id),
        code: code.into(),
        trucks: vec![SubjectId(truck)],
        site: None,
        disposal_site: None,
        corridor: vec![Wgs84 { lon: 113.5, lat: 34.8 }, Wgs84 { lon: 113.54, lat: 34.8 }],
        corridor_half_width_m: 50.0,
        windows: Vec::new(),
        valid_from: EventTime(0),
        valid_to: None,
        suspended: false,
        suspensions: Vec::new(),
    })
}
