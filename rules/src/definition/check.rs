//! Checks a rule's text.
use super::{CompiledRule, Problem};
/// Compiles a rule's text.
pub fn check(_text: &str) -> Result<CompiledRule, Vec<Problem>> {
    unimplemented!()
}
/// `90s`, `10min`, `6h`, `3d` in milliseconds.
pub fn duration_ms(_text: &str) -> Option<i64> {
    unimplemented!()
}
