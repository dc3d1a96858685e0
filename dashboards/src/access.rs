//! Who may call a route. The roles' table itself is [`ledger::Role::may`]; here is only which permission a route asks for.

use ledger::{Permission, Role};

/// What a route asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A device or bridge, by HTTP Basic with its MQTT user name and token; the handler asks for it.
    Device,
    /// Anyone who is logged in, also while the password must be changed.
    Session,
    /// Who holds the permission. What a vendor must not know of answers 404.
    Needs(Permission),
    /// Who may make at least one move of a case.
    MovesCases,
}

impl Access {
    /// Whether a role may call it.
    pub fn allows(self, role: Role) -> bool {
        match self {
            Self::Public | Self::Device | Self::Session => true,
            Self::Needs(permission) => role.may(permission),
            Self::MovesCases => model::case::CaseMove::ALL.into_iter().any(|wanted| role.may_move(wanted)),
        }
    }

    pub const fn describe(self) -> &'static str {
        match self {
            Self::Public => "Needs no login.",
            Self::Device => "Needs the device's credential (HTTP Basic).",
            Self::Session => "Needs a login.",
            Self::Needs(Permission::View) => "Needs `view`.",
            Self::Needs(Permission::ViewOwnDevices) => "Needs `view_own_devices`; a vendor sees its own devices only.",
            Self::Needs(Permission::HandleAlerts) => "Needs `handle_alerts`.",
            Self::Needs(Permission::CommandDevices) => "Needs `command_devices`.",
            Self::Needs(Permission::EditRegisters) => "Needs `edit_registers`.",
            Self::Needs(Permission::ManageDevices) => "Needs `manage_devices`.",
            Self::Needs(Permission::EditLimits) => "Needs `edit_limits`.",
            Self::Needs(Permission::EditRules) => "Needs `edit_rules`.",
            Self::Needs(Permission::ApproveRules) => "Needs `approve_rules`.",
            Self::Needs(Permission::ManagePeople) => "Needs `manage_people`.",
            Self::MovesCases => "Needs a role that moves cases.",
        }
    }
}
