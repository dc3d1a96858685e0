//! Rule definitions, compiler and the event-time engine. Pure: time and facts are arguments; nothing here does I/O.
//!
//! | call | promise |
//! |---|---|
//! | [`check`] | a rule file as TOML → [`CompiledRule`], or every problem at once with place and suggestion |
//! | [`Engine::new`] | an engine with the rules of `facts.rules` and no history |
//! | [`Engine::on_item`] | one item in journal order; appends what changed. `facts` already holds the item's revision |
//! | [`Engine::save`] / [`Engine::restore`] | state as rows of bytes, dirty ones only; restored byte-exactly |
//! | [`Engine::rules`], [`Engine::rule`] | the newest versions as compiled; a version judges event times from its activation on |
//! | [`Engine::explain`] | whether a subject is judged now, and if not, why |
//! | [`unit_test::run`] | the tests beside a rule: what devices say and the episodes that must stand |
//! | [`diff`] | what two versions do differently, setting by setting |
//! | [`Engine::why`] | each operand of a rule for a subject at an event time |
//! | [`Engine::standing`] | the episodes that stand and may still change |
//! | [`Engine::counters`] | what was counted and not judged |
//!
//! ## What stands
//! The standing set is a pure function of the observations (as a set), the facts and the last tick. Each key (rule, subject,
//! device) keeps the observations of its rule's horizon in event-time order and a machine state at the horizon's edge. An
//! observation that comes last in event time is one step; any other one replays from the edge. Then the derived stretches
//! are compared with the known episodes, which keeps ids: an episode keeps its id where its first-raised moment lies.
//! Data later than the horizon is counted, never judged. The definitions per kind are in `engine/exceedance.rs`,
//! `engine/presence.rs` (offline) and `engine/route.rs`.

pub mod backtest;
pub mod definition;
mod diff;
pub mod engine;
pub mod explain;
pub mod unit_test;

pub use definition::{CaseSpec, CompiledRule, Kind, Problem, check};
pub use diff::{Difference, diff, duration};
pub use engine::{Counters, Engine, StateError, StateRow};
pub use explain::{Explanation, JudgedState, NotJudged, Operand, Why};
