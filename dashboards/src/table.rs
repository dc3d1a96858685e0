//! The route table: every route under `/api/v1`, one line each, in the order of the pages.

use crate::access::Access;
use crate::dto::alerts::{Acknowledge, AlertDetail, AlertQuery, AlertRow, NewComment};
use crate::dto::auth::{ChangePassword, LoginRequest, Me, SetLanguage};
use crate::dto::cases::{CaseDetail, CaseList, CaseQuery, MoveRequest};
use crate::dto::devices::{
    CredentialHandout, DeviceDetail, DeviceList, DeviceQuery, EditDevice, FrameRow, InstallationRow, LossDay, LossQuery,
    NewDevice, NewInstallation, SetEnabled,
};
use crate::dto::health::{Health, OutageRow};
use crate::dto::imports::{ImportQuery, ImportReport};
use crate::dto::live::{LiveMessage, LiveRequest};
use crate::dto::map::MapData;
use crate::dto::overview::Overview;
use crate::dto::quarantine::{
    AcceptUnknown, QuarantineQuery, QuarantinedRecord, Rederive, RederiveReport, RefusedList, RejectUnknown,
    UnknownIdentity,
};
use crate::dto::registers::{
    CalendarRow, GridRow, LimitRevision, LimitRow, OfficeRow, PermitQuery, PermitRow, ProfileRow, PutLimit, PutPermit,
    QuantityRow,
};
use crate::dto::rules::{PutRule, Rollback, RuleCheck, RuleDetail, RuleRevision, RuleRow, RuleText};
use crate::dto::series::{Series, SeriesQuery};
use crate::dto::subjects::{PutSubject, SearchHit, SearchQuery, SubjectDetail, SubjectQuery, SubjectRow};
use crate::dto::users::{AuditQuery, AuditRow, NewUser, OneTimePassword, UserRow};
use crate::dto::words;
use crate::spec::{Spec, document, word};
use axum::http::Method;
use ledger::Permission as P;
use std::collections::BTreeMap;

const VIEW: Access = Access::Needs(P::View);
const OWN: Access = Access::Needs(P::ViewOwnDevices);
const DEVICES: Access = Access::Needs(P::ManageDevices);
const REGISTERS: Access = Access::Needs(P::EditRegisters);
const ALERTS: Access = Access::Needs(P::HandleAlerts);
const RULES: Access = Access::Needs(P::EditRules);
const LIMITS: Access = Access::Needs(P::EditLimits);
const PEOPLE: Access = Access::Needs(P::ManagePeople);

fn get(path: &'static str, access: Access, what: &'static str) -> Spec {
    Spec::new(Method::GET, path, access, what)
}
fn post(path: &'static str, access: Access, what: &'static str) -> Spec {
    Spec::new(Method::POST, path, access, what)
}
fn put(path: &'static str, access: Access, what: &'static str) -> Spec {
    Spec::new(Method::PUT, path, access, what)
}

pub fn specs() -> Vec<Spec> {
    vec![
        post("/auth/login", Access::Public, "Log in; sets the session cookie").body::<LoginRequest>().reply::<Me>(),
        post("/auth/logout", Access::Session, "Log out"),
        get("/auth/me", Access::Session, "Who am I, what may I do").reply::<Me>(),
        post("/auth/password", Access::Session, "Change my password").body::<ChangePassword>().reply::<Me>(),
        put("/auth/language", Access::Session, "Choose my language").body::<SetLanguage>().reply::<Me>(),
        get("/overview", VIEW, "What needs me now").reply::<Overview>(),
        get("/health", OWN, "Disk, clock, lag, projection, banners").reply::<Health>(),
        get("/outages", VIEW, "Our own outages, newest first").reply_list::<OutageRow>(),
        get("/map", VIEW, "Everything the map draws").reply::<MapData>(),
        get("/search", OWN, "Find by plate, shop name, device or case number")
            .query::<SearchQuery>()
            .reply_list::<SearchHit>(),
        get("/subjects", VIEW, "Subjects").query::<SubjectQuery>().reply_page::<SubjectRow>(),
        post("/subjects", REGISTERS, "New subject").body::<PutSubject>().reply::<SubjectDetail>(),
        get("/subjects/{id}", VIEW, "One subject").reply::<SubjectDetail>(),
        put("/subjects/{id}", REGISTERS, "Edit a subject").body::<PutSubject>().reply::<SubjectDetail>(),
        get("/devices", OWN, "Devices").query::<DeviceQuery>().reply::<DeviceList>(),
        post("/devices", DEVICES, "New device; its credential is shown this once")
            .body::<NewDevice>()
            .reply::<CredentialHandout>(),
        get("/devices/{id}", OWN, "One device").reply::<DeviceDetail>(),
        put("/devices/{id}", DEVICES, "Edit a device").body::<EditDevice>().reply::<DeviceDetail>(),
        post("/devices/{id}/credential", DEVICES, "New credential; the old one stops at once")
            .reply::<CredentialHandout>(),
        post("/devices/{id}/enabled", DEVICES, "Switch on or off").body::<SetEnabled>().reply::<DeviceDetail>(),
        post("/devices/{id}/installations", DEVICES, "Install at a subject; ends the installation before it")
            .body::<NewInstallation>()
            .reply_list::<InstallationRow>(),
        get("/devices/{id}/frames", OWN, "The last 50 frames, newest first").reply_list::<FrameRow>(),
        get("/devices/{id}/loss", OWN, "The loss ledger by day").query::<LossQuery>().reply_list::<LossDay>(),
        get("/devices/{id}/series", OWN, "A chart's line").query::<SeriesQuery>().reply::<Series>(),
        get("/alerts", OWN, "Alerts, newest first").query::<AlertQuery>().reply_page::<AlertRow>(),
        get("/alerts/export", OWN, "The same as CSV").query::<AlertQuery>().reply_text("text/csv"),
        get("/alerts/{id}", OWN, "One alert with evidence and explanation").reply::<AlertDetail>(),
        post("/alerts/{id}/acknowledge", ALERTS, "I have seen it").body::<Acknowledge>().reply::<AlertDetail>(),
        post("/alerts/{id}/comments", ALERTS, "Comment").body::<NewComment>().reply::<AlertDetail>(),
        get("/cases", VIEW, "Cases").query::<CaseQuery>().reply::<CaseList>(),
        get("/cases/export", VIEW, "The same as CSV").query::<CaseQuery>().reply_text("text/csv"),
        get("/cases/{id}", VIEW, "One case").reply::<CaseDetail>(),
        post("/cases/{id}/moves", Access::MovesCases, "Make a move")
            .header("Idempotency-Key", "Any text of 8 to 64 characters; a repeat with the same key changes nothing.")
            .body::<MoveRequest>()
            .reply::<CaseDetail>(),
        get("/quarantine/unknown", DEVICES, "Unknown identities with samples").reply_list::<UnknownIdentity>(),
        post("/quarantine/unknown/accept", DEVICES, "Make a device of it; its credential is shown this once")
            .body::<AcceptUnknown>()
            .reply::<CredentialHandout>(),
        post("/quarantine/unknown/reject", DEVICES, "Turn it away").body::<RejectUnknown>(),
        get("/quarantine/refused", DEVICES, "Frames that were not taken").reply::<RefusedList>(),
        get("/quarantine/records", OWN, "Acknowledged but not stored, newest first")
            .query::<QuarantineQuery>()
            .reply_page::<QuarantinedRecord>(),
        post("/quarantine/rederive", DEVICES, "Settle a device's quarantined frames again")
            .body::<Rederive>()
            .reply::<RederiveReport>(),
        get("/limits", VIEW, "Limit rows").reply_list::<LimitRow>(),
        put("/limits", LIMITS, "New limit row, or the next edit of one").body::<PutLimit>().reply::<LimitRow>(),
        get("/limits/{id}/history", VIEW, "All edits of a limit row, newest first").reply_list::<LimitRevision>(),
        get("/permits", VIEW, "Permits").query::<PermitQuery>().reply_page::<PermitRow>(),
        put("/permits", REGISTERS, "New permit, or the next edit of one").body::<PutPermit>().reply::<PermitRow>(),
        get("/permits/{id}", VIEW, "One permit").reply::<PermitRow>(),
        get("/rules", VIEW, "Rules").reply_list::<RuleRow>(),
        post("/rules/check", RULES, "Check a rule's text: all problems at once").body::<RuleText>().reply::<RuleCheck>(),
        get("/rules/{code}", VIEW, "One rule with its text").reply::<RuleDetail>(),
        put("/rules/{code}", RULES, "New version of a rule").body::<PutRule>().reply::<RuleDetail>(),
        get("/rules/{code}/history", VIEW, "All versions, newest first").reply_list::<RuleRevision>(),
        post("/rules/{code}/rollback", RULES, "An old text becomes a new version").body::<Rollback>().reply::<RuleDetail>(),
        get("/profiles", OWN, "Device profiles").reply_list::<ProfileRow>(),
        get("/calendars", VIEW, "Working calendars").reply_list::<CalendarRow>(),
        get("/offices", VIEW, "Offices").reply_list::<OfficeRow>(),
        get("/grids", VIEW, "Grid cells").reply_list::<GridRow>(),
        get("/quantities", OWN, "What can be measured").reply_list::<QuantityRow>(),
        post("/imports", REGISTERS, "Import CSV: dry run or commit")
            .query::<ImportQuery>()
            .text_body("text/csv")
            .reply::<ImportReport>(),
        get("/users", PEOPLE, "People").reply_list::<UserRow>(),
        post("/users", PEOPLE, "New account with a one-time password").body::<NewUser>().reply::<OneTimePassword>(),
        post("/users/{id}/password", PEOPLE, "New one-time password; ends all sessions").reply::<OneTimePassword>(),
        post("/users/{id}/enabled", PEOPLE, "Switch an account on or off").body::<SetEnabled>().reply::<UserRow>(),
        get("/audit", PEOPLE, "Who changed what, newest first").query::<AuditQuery>().reply_page::<AuditRow>(),
        get("/live", OWN, "The live socket").upgrades::<LiveRequest, LiveMessage>(),
    ]
}

/// The whole `OpenAPI` document as pretty JSON with a final newline: what `dashboards/openapi.json` holds.
pub fn openapi_json() -> String {
    let mut schemas = BTreeMap::new();
    word::<words::Protocol>(&mut schemas);
    word::<words::CaseState>(&mut schemas);
    word::<words::EpisodeClass>(&mut schemas);
    word::<words::QuarantineReason>(&mut schemas);
    word::<words::Statistic>(&mut schemas);
    word::<words::RecordKind>(&mut schemas);
    word::<words::Presence>(&mut schemas);
    word::<words::SubjectKind>(&mut schemas);
    word::<crate::dto::alerts::Severity>(&mut schemas);
    word::<crate::dto::imports::ImportKind>(&mut schemas);
    word::<crate::dto::Time>(&mut schemas);
    let document = document(&specs(), schemas);
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}
