//! The life of a case (案件), in the words of GB/T 30428: 登记 → 核实 → 立案 → 派遣 → 处置 → 核查 → 结案. A machine may
//! only register; filing (立案) is always a person's move (行政处罚法 art. 41).

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// 登记: opened by the engine or a person, waits for review.
    Registered,
    /// 核实: a person is verifying it.
    Verifying,
    /// 立案
    Filed,
    /// 派遣: handed to an office.
    Dispatched,
    /// 处置 done, waits for the check.
    Handled,
    /// 结案
    Closed,
    /// 不予立案
    Rejected,
    /// 作废
    Voided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseMove {
    /// 受理核实: start to verify.
    Verify,
    /// 立案
    File,
    /// 不予立案, needs a reason.
    Reject,
    /// 派遣, needs an office.
    Dispatch,
    /// 回退: the office gives it back, needs a reason.
    Return,
    /// 处置反馈: the office reports what it did.
    Handle,
    /// 返工: the check failed, needs a reason.
    Rework,
    /// 核查结案
    Close,
    /// 作废, needs a reason.
    Void,
}

/// A move that the case's state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a case that is {from:?} does not allow {wanted:?}")]
pub struct IllegalMove {
    pub from: CaseState,
    pub wanted: CaseMove,
}

impl CaseMove {
    pub const ALL: [Self; 9] = [
        Self::Verify,
        Self::File,
        Self::Reject,
        Self::Dispatch,
        Self::Return,
        Self::Handle,
        Self::Rework,
        Self::Close,
        Self::Void,
    ];

    /// Whether a reason must be given.
    pub const fn needs_reason(self) -> bool {
        matches!(self, Self::Reject | Self::Return | Self::Rework | Self::Void)
    }
}

impl CaseState {
    /// The state after a move.
    pub const fn after(self, wanted: CaseMove) -> Result<Self, IllegalMove> {
        use CaseMove as M;
        use CaseState as S;
        Ok(match (self, wanted) {
            (S::Registered, M::Verify) => S::Verifying,
            (S::Verifying, M::File) | (S::Dispatched, M::Return) => S::Filed,
            (S::Registered | S::Verifying, M::Reject) => S::Rejected,
            (S::Filed, M::Dispatch) | (S::Handled, M::Rework) => S::Dispatched,
            (S::Dispatched, M::Handle) => S::Handled,
            (S::Handled, M::Close) => S::Closed,
            (S::Registered | S::Verifying | S::Filed | S::Dispatched | S::Handled, M::Void) => S::Voided,
            (from, wanted) => return Err(IllegalMove { from, wanted }),
        })
    }

    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Rejected | Self::Voided)
    }

    /// The moves it allows, in the order of [`CaseMove::ALL`].
    pub fn moves(self) -> Vec<CaseMove> {
        CaseMove::ALL.into_iter().filter(|wanted| self.after(*wanted).is_ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_case_is_filed_without_a_persons_verification() {
        assert!(CaseState::Registered.after(CaseMove::File).is_err());
        assert_eq!(CaseState::Verifying.after(CaseMove::File), Ok(CaseState::Filed));
    }

    #[test]
    fn a_finished_case_allows_nothing() {
        for state in [CaseState::Closed, CaseState::Rejected, CaseState::Voided] {
            assert!(state.moves().is_empty());
            assert!(!state.is_open());
        }
    }
}
