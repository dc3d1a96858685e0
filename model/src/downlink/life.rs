//! The life of a command, pure: a state, something that happened, the next state.

use super::Command;
use crate::time::IngestTime;
use serde::{Deserialize, Serialize};

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for the device, or for the one before it.
    Queued,
    /// It may have left.
    Sent,
    /// The device has it (0x0001, 9011) and has not said how it went.
    Confirmed,
    Done,
    Failed,
    /// The deadline came before it was sent.
    Expired,
    Cancelled,
    /// It was sent and its answer may have been lost; it was not sent again, since twice is not once.
    Unknown,
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sent,
        Self::Confirmed,
        Self::Done,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
        Self::Unknown,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Confirmed => "confirmed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// It has not ended.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sent | Self::Confirmed)
    }

    /// The device may be at it.
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Sent | Self::Confirmed)
    }
}

/// A line of a command's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub at: IngestTime,
    pub state: State,
    /// A word of a small set: `no_answer`, `connection_lost` …; empty when the state says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What the device said, numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What happens to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A session has it and sends it, under this number.
    Sent {
        number: String,
    },
    /// Sent again, since nothing was heard.
    Again {
        send: u8,
    },
    /// The device has taken it.
    Confirmed {
        text: String,
    },
    /// An upload it asked for came.
    Upload {
        count: u32,
    },
    /// It is done; `result` is JSON, if the device answered with values.
    Done {
        text: String,
        result: Option<String>,
    },
    Failed {
        why: &'static str,
        text: String,
    },
    /// Nobody there took it: it waits until the device attaches again.
    NotTaken {
        why: &'static str,
    },
    /// The connection went, or we were restarted.
    Interrupted {
        why: &'static str,
    },
    /// The deadline came.
    Overdue,
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: it comes late, twice, or is known.
    Stay,
    /// The same state, a line of its story.
    Note {
        why: &'static str,
        text: String,
    },
    To {
        state: State,
        why: &'static str,
        text: String,
    },
}

/// Connections one command may be sent over, when each was lost before an answer.
pub const INTERRUPTIONS_MAX: u32 = 3;

/// The next step of a command that stands at `state` and was interrupted `interruptions` times before.
pub fn turn(state: State, command: &Command, interruptions: u32, told: &Told) -> Turn {
    let to = |state: State, why: &'static str, text: &str| Turn::To { state, why, text: text.to_owned() };
    if !state.is_open() {
        return Turn::Stay;
    }
    match told {
        Told::Sent { number } if state == State::Sent => Turn::Note { why: "number", text: number.clone() },
        Told::Again { send } if state == State::Sent => Turn::Note { why: "again", text: send.to_string() },
        Told::Confirmed { text } if state == State::Sent => to(State::Confirmed, "", text),
        Told::Upload { count: 1 } if state == State::Sent => to(State::Confirmed, "", ""),
        Told::Done { text, .. } if state.is_out() => to(State::Done, "", text),
        Told::Failed { why, text } => to(State::Failed, why, text),
        Told::NotTaken { why } if state == State::Sent => to(State::Queued, why, ""),
        Told::Interrupted { why } if state.is_out() => {
            if !command.is_repeatable() {
                to(State::Unknown, why, "")
            } else if interruptions >= INTERRUPTIONS_MAX {
                to(State::Failed, why, "")
            } else {
                to(State::Queued, why, "")
            }
        }
        Told::Overdue if state == State::Queued => to(State::Expired, "", ""),
        Told::Overdue if state == State::Confirmed => to(State::Unknown, "no_result", ""),
        Told::Overdue => to(State::Unknown, "no_answer", ""),
        _ => Turn::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMLESS: Command = Command::Hj212GetTime { pol: None };
    const ONCE: Command = Command::Hj212KeepSample;

    fn state(turn: &Turn) -> Option<State> {
        match turn {
            Turn::To { state, .. } => Some(*state),
            _ => None,
        }
    }

    #[test]
    fn what_has_ended_stays_whatever_comes() {
        let all = [
            Told::Sent { number: "1".into() },
            Told::Confirmed { text: String::new() },
            Told::Done { text: String::new(), result: None },
            Told::Failed { why: "refused", text: String::new() },
            Told::Interrupted { why: "connection_lost" },
            Told::Overdue,
        ];
        for ended in State::ALL.into_iter().filter(|state| !state.is_open()) {
            for told in &all {
                assert_eq!(turn(ended, &HARMLESS, 0, told), Turn::Stay, "{ended:?} {told:?}");
            }
        }
    }

    #[test]
    fn a_lost_connection_repeats_what_may_be_repeated_and_nothing_else() {
        let lost = Told::Interrupted { why: "connection_lost" };
        assert_eq!(state(&turn(State::Sent, &HARMLESS, 0, &lost)), Some(State::Queued));
        assert_eq!(state(&turn(State::Confirmed, &HARMLESS, 2, &lost)), Some(State::Queued));
        assert_eq!(state(&turn(State::Sent, &HARMLESS, INTERRUPTIONS_MAX, &lost)), Some(State::Failed));
        assert_eq!(state(&turn(State::Sent, &ONCE, 0, &lost)), Some(State::Unknown));
        assert_eq!(turn(State::Queued, &ONCE, 0, &lost), Turn::Stay);
    }

    #[test]
    fn an_answer_may_come_twice_late_or_without_its_confirmation() {
        let confirmed = Told::Confirmed { text: String::new() };
        assert_eq!(state(&turn(State::Sent, &HARMLESS, 0, &confirmed)), Some(State::Confirmed));
        assert_eq!(turn(State::Confirmed, &HARMLESS, 0, &confirmed), Turn::Stay);
        let done = Told::Done { text: String::new(), result: None };
        assert_eq!(state(&turn(State::Sent, &HARMLESS, 0, &done)), Some(State::Done));
        assert_eq!(turn(State::Queued, &HARMLESS, 0, &done), Turn::Stay);
    }

    #[test]
    fn the_deadline_expires_what_waits_and_leaves_open_what_was_sent() {
        assert_eq!(state(&turn(State::Queued, &ONCE, 0, &Told::Overdue)), Some(State::Expired));
        assert_eq!(state(&turn(State::Sent, &ONCE, 0, &Told::Overdue)), Some(State::Unknown));
        assert_eq!(state(&turn(State::Confirmed, &ONCE, 0, &Told::Overdue)), Some(State::Unknown));
    }

    #[test]
    fn codes_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.code());
        }
    }
}
