//! The registers (台账) and who may touch them: offices, grids, subjects, permits, limits, profiles, devices, installations, calendars, rules;
//! people and sessions; devices' credentials; the audit of every change; import and export as files.
//!
//! # What others call
//!
//! | call | promise |
//! |---|---|
//! | `Ledger::open(db, Keys::open(&data_dir)?, clock) -> Ledger` | migrates its tables, loads all; cheap to clone |
//! | `ledger.facts_now() -> Arc<Facts>` | the registers now (no wait) |
//! | `ledger.facts_as_of(Position) -> Facts` | the fold of the revisions that stand in the journal at or before the position |
//! | `ledger.edit(&Author, Vec<Object>) -> Vec<Revision>` | checks all, tells all problems at once, writes all or nothing. Id 0 = a new object; a negative id = new too, and other objects of the call may refer to it; the ledger gives the ids |
//! | `ledger.edit_seen(&Author, seen, Vec<Object>)` | the same, refused with [`LedgerError::Stale`] when one of the objects was changed after revision `seen` |
//! | `ledger.set_rule(&Author, code, text, active, check)`, `ledger.rollback_rule(&Author, code, version)` | a rule's next version; a rollback is a new version with old text |
//! | `ledger.write_draft`, `test_draft`, `shadow_draft`, `note_backtest`, `submit_draft`, `approve_draft`, `reject_draft`, `withdraw_draft`, `drafts`, `switch_off_rule` | a rule's way from one person's draft to another person's approval, every step audited |
//! | `ledger.history(kind, key, limit) -> Vec<Revision>` | an object's revisions, newest first |
//! | `ledger.unpublished(limit)`, `ledger.mark_published(number, Position)`, `ledger.mark_all_published(&[(number, Position)])`, `ledger.changes()` | the outbox to the journal: append each unpublished revision in order, then mark it; `changes()` is a `watch` of the newest number. Marking twice keeps the earlier position, so a reader of the journal may mark too |
//! | `ledger.refresh()`, `newest(&mut connection)` | take over what another process changed; whether there is anything |
//! | `ledger.check(Vec<Object>) -> Vec<Problem>` | what an edit would be told; writes nothing |
//! | `ledger.directory() -> Arc<Directory>` | [`model::seams::DeviceDirectory`]; current after every edit and credential change |
//! | `ledger.directory().changes()` | a `watch` of the directory's revision, for who must cut connections at once |
//! | `ledger.keep_terminals()` | to be run beside all else: writes down which JT/T 808 terminal holds which phone, and answers it |
//! | `ledger.credentials()` | [`Credentials`]: `issue`, `rotate`, `revoke`, `set_terminal`, `terminal`, `set_hj212_password`, `issue_bridge`, `state`, `bridges` |
//! | `ledger.commands()` | [`Commands`]: `order`, `list`, `one`, `cancel`, `changes`, `arrivals`: what the platform tells devices |
//! | `ledger.desk()`, `ledger.keep_commands()` | the same queue as [`model::downlink::Downlink`] for the sessions, and what is to be run beside all else to keep it |
//! | `ledger.accept_unknown(&Author, Acceptance) -> Accepted` | a quarantined identity becomes a device with a credential |
//! | `ledger.people()` | [`People`]: `create`, `login`, `change_password`, `reset_password`, `update`, `list`, `session`, `logout`, `sessions`, `revoke_session` |
//! | `ledger.audit()` | [`Audit`]: `record`, `page` |
//! | `ledger.plan_dir(dir, check)`, `ledger.apply_dir(&Author, dir, check)`, `ledger.export_dir(dir, Existing)` | TOML files ⇄ registers |
//! | `ledger.plan_csv(kind, bytes)`, `ledger.apply_csv(&Author, kind, bytes)`, `ledger.export_csv(kind)` | CSV ⇄ registers |
//! | `ledger.plan_fleet(bytes)`, `ledger.apply_fleet(&Author, bytes)` | a CSV table of devices ⇒ devices with credentials, and those as CSV, once |
//! | `ledger.edit_and_issue(&Author, Vec<Object>, &[Wanted])` | an edit and the credentials of its devices in one transaction |
//! | `ledger.new_claim`, `claims`, `revoke_claim`, `claim_attempts`; `ledger.claim(Claiming)` | claim codes, and the device that shows one |
//! | `calendar::{add_working_minutes, working_ms_between, is_working}` | working time of a [`model::register::Calendar`] |
//! | `Role`, `Permission`, `Role::may`, `Role::may_move` | the one table of roles |
//!
//! # Invariants
//! - `revision` is append-only; what is in memory is its fold. One edit is one transaction: revisions and audit rows.
//! - Numbers of revisions have no gaps and grow with commit order.
//! - A secret is never in `revision`, `audit`, a log or an error.
//!
//! # Tables (component `ledger`)
//! `revision`, `audit`, `person`, `session`, `credential`, `bridge`, `command`, `downlink_mark`, `claim`, `claim_use`, `rule_draft`, `rule_draft_step`; see `schema*.sql`.

mod audit;
pub mod calendar;
mod check;
mod claims;
mod credentials;
mod csv_files;
mod directory;
mod downlink;
mod error;
mod files;
mod fleet_csv;
mod issue;
mod keys;
pub mod metrics;
mod object;
mod password;
mod people;
mod plan;
mod roles;
mod rows;
mod rule_drafts;
mod rule_versions;
mod sessions;
mod store;
mod terminals;

pub use audit::{Audit, AuditEntry, AuditFilter};
pub use claims::{Claim, ClaimAttempt, ClaimError, ClaimRefusal, Claimed, Claiming, NewClaim, Policy};
pub use credentials::{Acceptance, Accepted, Bridge, CredentialState, Credentials, Issued, Setting};
pub use csv_files::CsvKind;
pub use directory::Directory;
pub use downlink::{Arrival, CommandCheck, CommandRow, Commands, Desk, OPEN_PER_DEVICE_MAX, WAIT_MAX, WAIT_MIN};
pub use error::{LedgerError, Problem};
pub use files::{Existing, Exported, RuleCheck};
pub use fleet_csv::Fleet;
pub use issue::Wanted;
pub use keys::Keys;
pub use object::ObjectKey;
pub use people::{Login, LoginError, NewPerson, People, Person};
pub use plan::{Change, Plan};
pub use roles::{Permission, Role};
pub use rule_drafts::{DraftState, DraftStep, RuleDraft, RuleTests};
pub use sessions::{Session, SessionInfo};
pub use store::{Author, Ledger, newest};
pub use terminals::check_name as check_terminal_name;

#[cfg(test)]
mod testing;
