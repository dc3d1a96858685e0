//! The one table of roles: who may do what. Nothing else in the program decides it.

use model::case::CaseMove;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    /// 受理员
    Acceptor,
    /// 值班长
    ShiftLeader,
    /// 派遣员
    Dispatcher,
    /// 专业部门
    Squadron,
    /// 核查员
    Reviewer,
    RuleAuthor,
    /// A device maker: sees its own devices only.
    Vendor,
    Administrator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See everything of the district: map, devices, alerts, cases, registers.
    View,
    /// See the devices of one's own vendor, their frames and refusals.
    ViewOwnDevices,
    /// Acknowledge alerts, open a case by hand.
    HandleAlerts,
    /// Tell devices what to do; what may lock us out of one needs [`Self::ManageDevices`] too.
    CommandDevices,
    /// Offices, grids, subjects, permits, installations, calendars.
    EditRegisters,
    /// Devices, profiles, credentials, quarantine.
    ManageDevices,
    EditLimits,
    EditRules,
    /// Make live what another person wrote.
    ApproveRules,
    /// People, sessions of others, audit.
    ManagePeople,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Viewer,
        Self::Acceptor,
        Self::ShiftLeader,
        Self::Dispatcher,
        Self::Squadron,
        Self::Reviewer,
        Self::RuleAuthor,
        Self::Vendor,
        Self::Administrator,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Acceptor => "acceptor",
            Self::ShiftLeader => "shift_leader",
            Self::Dispatcher => "dispatcher",
            Self::Squadron => "squadron",
            Self::Reviewer => "reviewer",
            Self::RuleAuthor => "rule_author",
            Self::Vendor => "vendor",
            Self::Administrator => "administrator",
        }
    }

    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Viewer => "查看员",
            Self::Acceptor => "受理员",
            Self::ShiftLeader => "值班长",
            Self::Dispatcher => "派遣员",
            Self::Squadron => "专业部门",
            Self::Reviewer => "核查员",
            Self::RuleAuthor => "规则编制员",
            Self::Vendor => "设备厂商",
            Self::Administrator => "管理员",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }

    pub const fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Administrator => true,
            Self::Vendor => matches!(permission, P::ViewOwnDevices),
            Self::RuleAuthor => {
                matches!(permission, P::View | P::ViewOwnDevices | P::EditLimits | P::EditRules | P::ApproveRules)
            }
            Self::Viewer | Self::Squadron | Self::Reviewer => matches!(permission, P::View | P::ViewOwnDevices),
            Self::Acceptor => matches!(permission, P::View | P::ViewOwnDevices | P::HandleAlerts),
            Self::Dispatcher => {
                matches!(permission, P::View | P::ViewOwnDevices | P::HandleAlerts | P::CommandDevices)
            }
            Self::ShiftLeader => matches!(
                permission,
                P::View | P::ViewOwnDevices | P::HandleAlerts | P::CommandDevices | P::EditRegisters | P::ApproveRules
            ),
        }
    }

    /// Whether the role may make a case's move. A squadron only on cases dispatched to its office, which the caller checks.
    pub const fn may_move(self, wanted: CaseMove) -> bool {
        use CaseMove as M;
        match self {
            Self::Administrator => true,
            Self::Acceptor => matches!(wanted, M::Verify | M::Reject),
            Self::ShiftLeader => matches!(wanted, M::Verify | M::File | M::Reject | M::Void),
            Self::Dispatcher => matches!(wanted, M::Dispatch),
            Self::Squadron => matches!(wanted, M::Return | M::Handle),
            Self::Reviewer => matches!(wanted, M::Close | M::Rework),
            Self::Viewer | Self::RuleAuthor | Self::Vendor => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_move_has_a_role_besides_the_administrator() {
        for wanted in CaseMove::ALL {
            let able = |role: &Role| *role != Role::Administrator && role.may_move(wanted);
            assert!(Role::ALL.iter().any(able), "{wanted:?}");
        }
    }

    #[test]
    fn a_vendor_sees_its_own_devices_and_nothing_else() {
        assert!(Role::Vendor.may(Permission::ViewOwnDevices));
        assert!(!Role::Vendor.may(Permission::View));
        assert!(CaseMove::ALL.into_iter().all(|wanted| !Role::Vendor.may_move(wanted)));
    }

    #[test]
    fn devices_are_told_what_to_do_by_those_who_dispatch_and_by_nobody_who_only_looks() {
        let may: Vec<_> = Role::ALL.into_iter().filter(|role| role.may(Permission::CommandDevices)).collect();
        assert_eq!(may, [Role::ShiftLeader, Role::Dispatcher, Role::Administrator]);
    }

    #[test]
    fn codes_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_code(role.code()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.code());
        }
    }
}
