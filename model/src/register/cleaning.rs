//! Cleaning records (清洗记录): when a restaurant's hood, duct, purifier or fan was cleaned, and by whom.

use crate::id::{CleaningId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// What was cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleaningPart {
    /// 集气罩.
    Hood,
    /// 烟道.
    Duct,
    /// 净化器.
    Purifier,
    /// 风机.
    Fan,
}

impl CleaningPart {
    pub const ALL: [Self; 4] = [Self::Hood, Self::Duct, Self::Purifier, Self::Fan];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Hood => "hood",
            Self::Duct => "duct",
            Self::Purifier => "purifier",
            Self::Fan => "fan",
        }
    }
}

/// One cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cleaning {
    pub id: CleaningId,
    pub subject: SubjectId,
    pub cleaned_at: EventTime,
    /// The firm or person that cleaned.
    #[serde(default)]
    pub cleaned_by: String,
    pub parts: Vec<CleaningPart>,
    /// `sha256:…` of a picture that is kept, or where the paper lies.
    #[serde(default)]
    pub picture: String,
    #[serde(default)]
    pub note: String,
    /// Entered by mistake: no cleaning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}
