//! The route table: every route under `/api/v1`, one line each, in the order of the pages.

use crate::access::Access;
use crate::dto::addresses::{AddressList, LiftBan};
use crate::dto::alerts::{
    Acknowledge, AcknowledgeMany, AlertBatch, AlertDetail, AlertQuery, AlertRow, Assign, Assignee, NewComment,
};
use crate::dto::arrivals::{Arrived, DevicePayload};
use crate::dto::auth::{ChangePassword, LoginRequest, Me, SetLanguage};
use crate::dto::cases::{CaseDetail, CaseList, CaseQuery, MoveRequest};
use crate::dto::claims::{ClaimHandout, ClaimList, NewClaim, Provision, Provisioned};
use crate::dto::commands::{CommandQuery, CommandRow, NewCommand};
use crate::dto::devices::{
    CredentialHandout, DeviceDetail, DeviceList, DeviceQuery, EditDevice, EventsQuery, FrameRow, InstallationRow,
    LossDay, LossQuery, NewDevice, NewInstallation, SetEnabled,
};
use crate::dto::explain::{ExplainFrame, ExplainQuery, ExplainedFrame};
use crate::dto::health::{Health, OutageRow};
use crate::dto::imports::{ImportQuery, ImportReport};
use crate::dto::ledger::{DeviceLedger, DistrictLedger, DistrictLedgerQuery, LedgerQuery};
use crate::dto::live::{EventLive, LiveMessage, LiveRequest};
use crate::dto::map::MapData;
use crate::dto::notify::{ChannelRow, DeliveryQuery, DeliveryRow, PolicyRow, PutChannel, PutPolicy};
use crate::dto::overview::Overview;
use crate::dto::quarantine::{
    AcceptUnknown, QuarantineQuery, QuarantinedRecord, Rederive, RederiveReport, RefusedList, RefusedQuery,
    RejectUnknown, UnknownIdentity,
};
use crate::dto::registers::{
    CalendarRow, GridRow, LimitRevision, LimitRow, OfficeRow, PermitQuery, PermitRow, ProfileRow, PutLimit, PutPermit,
    QuantityRow,
};
use crate::dto::rules::{PutRule, Rollback, RuleCheck, RuleDetail, RuleRevision, RuleRow, RuleText};
use crate::dto::series::{Series, SeriesQuery};
use crate::dto::silences::{NewSilence, SilenceQuery, SilenceRow};
use crate::dto::subjects::{PutSubject, SearchHit, SearchQuery, SubjectDetail, SubjectQuery, SubjectRow};
use crate::dto::users::{AuditQuery, AuditRow, NewUser, OneTimePassword, UserRow};
use crate::dto::words;
use crate::handlers::{
    addresses, alert_moves, alerts, arrivals, auth, cases, claims, commands, credentials, devices, explain, frames,
    imports, loss, map, notify, overview, pictures, quarantine, registers, rules, series, silences, subjects, users,
};
use crate::spec::{Spec, document, word};
use crate::state::AppState;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use ledger::Permission as P;
use std::collections::BTreeMap;

mod papers;

const VIEW: Access = Access::Needs(P::View);
const OWN: Access = Access::Needs(P::ViewOwnDevices);
const DEVICES: Access = Access::Needs(P::ManageDevices);
const REGISTERS: Access = Access::Needs(P::EditRegisters);
const COMMANDS: Access = Access::Needs(P::CommandDevices);
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

/// A row with its handler.
pub(crate) struct Route {
    pub(crate) spec: Spec,
    pub(crate) handler: MethodRouter<AppState>,
}

impl Spec {
    fn to<H: Handler<T, AppState>, T: 'static>(self, handler: H) -> Route {
        let handler = match self.method {
            Method::POST => routing::post(handler),
            Method::PUT => routing::put(handler),
            _ => routing::get(handler),
        };
        Route { spec: self, handler }
    }
}

/// Every route without its handler, for the document and for tests.
pub fn specs() -> Vec<Spec> {
    routes().into_iter().map(|route| route.spec).collect()
}

#[expect(clippy::too_many_lines, reason = "one list, one line a route")]
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        post("/auth/login", Access::Public, "Log in; sets the session cookie")
            .body::<LoginRequest>()
            .reply::<Me>()
            .to(auth::login),
        post("/auth/logout", Access::Session, "Log out").to(auth::logout),
        get("/auth/me", Access::Session, "Who am I, what may I do").reply::<Me>().to(auth::who),
        post("/auth/password", Access::Session, "Change my password")
            .body::<ChangePassword>()
            .reply::<Me>()
            .to(auth::change_password),
        put("/auth/language", Access::Session, "Choose my language")
            .body::<SetLanguage>()
            .reply::<Me>()
            .to(auth::set_language),
        get("/overview", VIEW, "What needs me now").reply::<Overview>().to(overview::overview),
        get("/health", OWN, "Disk, clock, lag, projection, banners").reply::<Health>().to(overview::health),
        get("/outages", VIEW, "Our own outages, newest first").reply_list::<OutageRow>().to(overview::outages),
        get("/map", VIEW, "Everything the map draws").reply::<MapData>().to(map::map),
        get("/search", OWN, "Find by plate, shop name, device or case number")
            .query::<SearchQuery>()
            .reply_list::<SearchHit>()
            .to(subjects::search),
        get("/subjects", VIEW, "Subjects").query::<SubjectQuery>().reply_page::<SubjectRow>().to(subjects::list),
        post("/subjects", REGISTERS, "New subject").body::<PutSubject>().reply::<SubjectDetail>().to(subjects::create),
        get("/subjects/{id}", VIEW, "One subject").reply::<SubjectDetail>().to(subjects::one),
        put("/subjects/{id}", REGISTERS, "Edit a subject")
            .body::<PutSubject>()
            .reply::<SubjectDetail>()
            .to(subjects::edit),
        get("/devices", OWN, "Devices").query::<DeviceQuery>().reply::<DeviceList>().to(devices::list),
        post("/devices", DEVICES, "New device; its credential is shown this once")
            .body::<NewDevice>()
            .reply::<CredentialHandout>()
            .to(devices::create),
        get("/devices/{id}", OWN, "One device").reply::<DeviceDetail>().to(devices::one),
        put("/devices/{id}", DEVICES, "Edit a device").body::<EditDevice>().reply::<DeviceDetail>().to(devices::edit),
        post("/devices/{id}/credential", DEVICES, "New credential; the old one stops at once")
            .reply::<CredentialHandout>()
            .to(credentials::rotate),
        post("/devices/{id}/enabled", DEVICES, "Switch on or off")
            .body::<SetEnabled>()
            .reply::<DeviceDetail>()
            .to(devices::set_enabled),
        post("/devices/{id}/installations", DEVICES, "Install at a subject; ends the installation before it")
            .body::<NewInstallation>()
            .reply_list::<InstallationRow>()
            .to(devices::install),
        post(
            "/devices/{id}/telemetry",
            Access::Public,
            "Readings of a device over HTTP; answered once they are on disk",
        )
        .body::<DevicePayload>()
        .reply::<Arrived>()
        .to(arrivals::telemetry),
        post(
            "/devices/{id}/events",
            Access::Public,
            "Events of a camera or washer over HTTP; answered once they are on disk",
        )
        .body_or_multipart::<DevicePayload>()
        .reply::<Arrived>()
        .to(arrivals::events),
        get("/devices/{id}/commands", OWN, "What it was told and what became of it, newest first")
            .query::<CommandQuery>()
            .reply_list::<CommandRow>()
            .to(commands::list),
        post("/devices/{id}/commands", COMMANDS, "Put a command in its line; answered once it is on disk")
            .body::<NewCommand>()
            .reply::<CommandRow>()
            .to(commands::order),
        post("/devices/{id}/commands/{command}/cancel", COMMANDS, "End a command that has not ended")
            .reply::<CommandRow>()
            .to(commands::cancel),
        get("/devices/{id}/explanation", OWN, "One frame of a device, byte by byte")
            .query::<ExplainQuery>()
            .reply::<ExplainedFrame>()
            .to(explain::kept),
        post("/explain", OWN, "Explain a pasted frame of HJ 212, JT/T 808, Modbus or MQTT, byte by byte")
            .body::<ExplainFrame>()
            .reply::<ExplainedFrame>()
            .to(explain::paste),
        get("/devices/{id}/frames", OWN, "The last 50 frames, newest first")
            .reply_list::<FrameRow>()
            .to(frames::frames),
        get("/devices/{id}/events", OWN, "What happened to it, newest first")
            .query::<EventsQuery>()
            .reply_list::<EventLive>()
            .to(frames::events),
        get("/pictures/{code}", OWN, "A picture or file of a device, by its SHA-256")
            .reply_bytes("image/jpeg")
            .to(pictures::picture),
        get("/devices/{id}/loss", OWN, "The loss ledger by day")
            .query::<LossQuery>()
            .reply_list::<LossDay>()
            .to(devices::loss),
        get("/devices/{id}/ledger", OWN, "The loss ledger by day with gaps and clock, newest first")
            .query::<LedgerQuery>()
            .reply::<DeviceLedger>()
            .to(loss::device),
        get("/ledger", OWN, "The loss ledger of all devices, worst first")
            .query::<DistrictLedgerQuery>()
            .reply::<DistrictLedger>()
            .to(loss::district),
        get("/ledger/export", OWN, "The same as CSV")
            .query::<DistrictLedgerQuery>()
            .reply_text("text/csv")
            .to(loss::export),
        get("/devices/{id}/series", OWN, "A chart's line").query::<SeriesQuery>().reply::<Series>().to(series::series),
        get("/alerts", OWN, "Alerts, newest first").query::<AlertQuery>().reply_page::<AlertRow>().to(alerts::list),
        get("/alerts/export", OWN, "The same as CSV").query::<AlertQuery>().reply_text("text/csv").to(alerts::export),
        get("/alerts/{id}", OWN, "One alert with evidence and explanation").reply::<AlertDetail>().to(alerts::one),
        post("/alerts/{id}/acknowledge", ALERTS, "I have seen it")
            .body::<Acknowledge>()
            .reply::<AlertDetail>()
            .to(alert_moves::acknowledge),
        post("/alerts/acknowledge", ALERTS, "I have seen these")
            .body::<AcknowledgeMany>()
            .reply::<AlertBatch>()
            .to(alert_moves::acknowledge_many),
        post("/alerts/{id}/assign", ALERTS, "Give it to somebody, or take it away")
            .body::<Assign>()
            .reply::<AlertDetail>()
            .to(alert_moves::assign),
        get("/assignees", VIEW, "People an alert may be given to").reply_list::<Assignee>().to(alert_moves::assignees),
        get("/silences", VIEW, "Silences, newest first")
            .query::<SilenceQuery>()
            .reply_list::<SilenceRow>()
            .to(silences::list),
        post("/silences", ALERTS, "Nobody is told of alerts that match, until then")
            .body::<NewSilence>()
            .reply::<SilenceRow>()
            .to(silences::create),
        post("/silences/{id}/end", ALERTS, "End a silence now").reply::<SilenceRow>().to(silences::end),
        post("/alerts/{id}/comments", ALERTS, "Comment")
            .body::<NewComment>()
            .reply::<AlertDetail>()
            .to(alert_moves::comment),
        get("/notify/channels", VIEW, "Where messages go; without secrets")
            .reply_list::<ChannelRow>()
            .to(notify::channels),
        put("/notify/channels", PEOPLE, "New channel, or the next edit of one")
            .body::<PutChannel>()
            .reply::<ChannelRow>()
            .to(notify::put_channel),
        post("/notify/channels/{id}/test", PEOPLE, "Send a test; the log tells what became of it")
            .reply::<DeliveryRow>()
            .to(notify::test),
        get("/notify/policy", VIEW, "Routes, inhibitions and escalations").reply::<PolicyRow>().to(notify::policy),
        put("/notify/policy", REGISTERS, "The next version of them")
            .body::<PutPolicy>()
            .reply::<PolicyRow>()
            .to(notify::put_policy),
        get("/notify/deliveries", VIEW, "The log of deliveries, newest first")
            .query::<DeliveryQuery>()
            .reply_page::<DeliveryRow>()
            .to(notify::deliveries),
        post("/notify/deliveries/{id}/again", ALERTS, "Try one again that failed or expired")
            .reply::<DeliveryRow>()
            .to(notify::again),
        get("/cases", VIEW, "Cases").query::<CaseQuery>().reply::<CaseList>().to(cases::list),
        get("/cases/export", VIEW, "The same as CSV").query::<CaseQuery>().reply_text("text/csv").to(cases::export),
        get("/cases/{id}", VIEW, "One case").reply::<CaseDetail>().to(cases::one),
        post("/cases/{id}/moves", Access::MovesCases, "Make a move")
            .header("Idempotency-Key", "Any text of 8 to 64 characters; a repeat with the same key changes nothing.")
            .body::<MoveRequest>()
            .reply::<CaseDetail>()
            .to(cases::make_move),
        get("/quarantine/unknown", DEVICES, "Unknown identities with samples")
            .reply_list::<UnknownIdentity>()
            .to(quarantine::unknown),
        post("/quarantine/unknown/accept", DEVICES, "Make a device of it; its credential is shown this once")
            .body::<AcceptUnknown>()
            .reply::<CredentialHandout>()
            .to(quarantine::accept),
        post("/quarantine/unknown/reject", DEVICES, "Turn it away").body::<RejectUnknown>().to(quarantine::reject),
        get("/quarantine/refused", DEVICES, "Frames that were not taken")
            .query::<RefusedQuery>()
            .reply::<RefusedList>()
            .to(quarantine::refused),
        get("/quarantine/addresses", DEVICES, "Addresses refused for a while, and devices read more slowly")
            .reply::<AddressList>()
            .to(addresses::list),
        post("/quarantine/addresses/lift", DEVICES, "End a ban and forget what led to it")
            .body::<LiftBan>()
            .to(addresses::lift),
        get("/quarantine/records", OWN, "Acknowledged but not stored, newest first")
            .query::<QuarantineQuery>()
            .reply_page::<QuarantinedRecord>()
            .to(quarantine::records),
        post("/quarantine/rederive", DEVICES, "Settle a device's quarantined frames again")
            .body::<Rederive>()
            .reply::<RederiveReport>()
            .to(quarantine::rederive),
        get("/claims", DEVICES, "Claim codes, and the devices that showed one").reply::<ClaimList>().to(claims::list),
        post("/claims", DEVICES, "New claim code; it is shown this once")
            .body::<NewClaim>()
            .reply::<ClaimHandout>()
            .to(claims::create),
        post("/claims/{id}/revoke", DEVICES, "No device gets anything for it any more").to(claims::revoke),
        post("/provision", Access::Public, "A device shows a claim code and gets a credential of its own, once")
            .body::<Provision>()
            .reply::<Provisioned>()
            .to(claims::provision),
        get("/limits", VIEW, "Limit rows").reply_list::<LimitRow>().to(registers::limits),
        put("/limits", LIMITS, "New limit row, or the next edit of one")
            .body::<PutLimit>()
            .reply::<LimitRow>()
            .to(registers::put_limit),
        get("/limits/{id}/history", VIEW, "All edits of a limit row, newest first")
            .reply_list::<LimitRevision>()
            .to(registers::limit_history),
        get("/permits", VIEW, "Permits").query::<PermitQuery>().reply_page::<PermitRow>().to(registers::permits),
        put("/permits", REGISTERS, "New permit, or the next edit of one")
            .body::<PutPermit>()
            .reply::<PermitRow>()
            .to(registers::put_permit),
        get("/permits/{id}", VIEW, "One permit").reply::<PermitRow>().to(registers::permit),
        get("/rules", VIEW, "Rules").reply_list::<RuleRow>().to(rules::list),
        post("/rules/check", RULES, "Check a rule's text: all problems at once")
            .body::<RuleText>()
            .reply::<RuleCheck>()
            .to(rules::check),
        get("/rules/{code}", VIEW, "One rule with its text").reply::<RuleDetail>().to(rules::one),
        put("/rules/{code}", RULES, "New version of a rule").body::<PutRule>().reply::<RuleDetail>().to(rules::put),
        get("/rules/{code}/history", VIEW, "All versions, newest first")
            .reply_list::<RuleRevision>()
            .to(rules::history),
        post("/rules/{code}/rollback", RULES, "An old text becomes a new version")
            .body::<Rollback>()
            .reply::<RuleDetail>()
            .to(rules::rollback),
        get("/profiles", OWN, "Device profiles").reply_list::<ProfileRow>().to(registers::profiles),
        get("/calendars", VIEW, "Working calendars").reply_list::<CalendarRow>().to(registers::calendars),
        get("/offices", VIEW, "Offices").reply_list::<OfficeRow>().to(registers::offices),
        get("/grids", VIEW, "Grid cells").reply_list::<GridRow>().to(registers::grids),
        get("/quantities", OWN, "What can be measured").reply_list::<QuantityRow>().to(registers::quantities),
        post("/imports", REGISTERS, "Import CSV: dry run or commit")
            .query::<ImportQuery>()
            .text_body("text/csv")
            .reply::<ImportReport>()
            .to(imports::import),
        get("/users", PEOPLE, "People").reply_list::<UserRow>().to(users::list),
        post("/users", PEOPLE, "New account with a one-time password")
            .body::<NewUser>()
            .reply::<OneTimePassword>()
            .to(users::create),
        post("/users/{id}/password", PEOPLE, "New one-time password; ends all sessions")
            .reply::<OneTimePassword>()
            .to(users::reset),
        post("/users/{id}/enabled", PEOPLE, "Switch an account on or off")
            .body::<SetEnabled>()
            .reply::<UserRow>()
            .to(users::set_enabled),
        get("/audit", PEOPLE, "Who changed what, newest first")
            .query::<AuditQuery>()
            .reply_page::<AuditRow>()
            .to(users::audit),
        get("/live", OWN, "The live socket").upgrades::<LiveRequest, LiveMessage>().to(crate::live::upgrade),
    ];
    routes.extend(papers::routes());
    routes
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
    word::<crate::dto::notify::DeliveryState>(&mut schemas);
    word::<crate::dto::imports::ImportKind>(&mut schemas);
    word::<crate::dto::papers::Standing>(&mut schemas);
    word::<crate::dto::ledger::LedgerSort>(&mut schemas);
    word::<crate::dto::Time>(&mut schemas);
    let document = document(&specs(), schemas);
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}
