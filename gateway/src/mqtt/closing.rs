//! Why a connection ends, and what follows from it: the reason version 5 is told, whether the will is published,
//! whether appends on their way are waited for.

use super::codec::reason;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// DISCONNECT without the will.
    Client,
    /// DISCONNECT that asks for the will.
    ClientWithWill,
    /// The stream ended or failed.
    Lost,
    KeepAlive,
    TakenOver,
    Stopping,
    Revoked,
    Malformed,
    Protocol,
    Oversize,
    NotGranted,
    AliasInvalid,
    TopicInvalid,
    ReceiveMaximum,
    BadMethod,
    DiskFull,
    Stalled,
    /// A packet did not end in time.
    SlowPacket,
    /// What it sent led to a ban of its address.
    Banned,
}

impl Closing {
    /// What version 5 is told; `None`: nothing, the client ended it.
    pub(super) const fn reason(self) -> Option<u8> {
        Some(match self {
            Self::Client | Self::ClientWithWill | Self::Lost => return None,
            Self::KeepAlive | Self::SlowPacket => reason::KEEP_ALIVE,
            Self::TakenOver => reason::TAKEN_OVER,
            Self::Stopping => reason::SHUTTING_DOWN,
            Self::Revoked | Self::NotGranted | Self::Banned => reason::NOT_AUTHORISED,
            Self::Malformed => reason::MALFORMED,
            Self::Protocol => reason::PROTOCOL,
            Self::Oversize => reason::TOO_LARGE,
            Self::AliasInvalid => reason::ALIAS_INVALID,
            Self::TopicInvalid => reason::TOPIC_INVALID,
            Self::ReceiveMaximum => reason::RECEIVE_MAXIMUM,
            Self::BadMethod => reason::BAD_METHOD,
            Self::DiskFull => reason::QUOTA,
            Self::Stalled => reason::BUSY,
        })
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Client | Self::ClientWithWill => "client",
            Self::Lost => "lost",
            Self::KeepAlive => "keep_alive",
            Self::TakenOver => "taken_over",
            Self::Stopping => "stopping",
            Self::Revoked => "revoked",
            Self::Malformed => "malformed",
            Self::Protocol => "protocol",
            Self::Oversize => "oversize",
            Self::NotGranted => "not_granted",
            Self::AliasInvalid => "alias_invalid",
            Self::TopicInvalid => "topic_invalid",
            Self::ReceiveMaximum => "receive_maximum",
            Self::BadMethod => "bad_method",
            Self::DiskFull => "disk_full",
            Self::Stalled => "stalled",
            Self::SlowPacket => "slow_packet",
            Self::Banned => "banned",
        }
    }

    /// Appends on their way are still waited for.
    pub(super) const fn drains(self) -> bool {
        !matches!(self, Self::DiskFull | Self::Stalled)
    }

    pub(super) const fn will(self) -> bool {
        !matches!(self, Self::Client | Self::Stopping)
    }
}
