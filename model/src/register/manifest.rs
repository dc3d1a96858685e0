//! Manifests (联单): one load of one truck from a site to where it was unloaded.

use crate::id::{ManifestId, PermitId, SubjectId};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestSource {
    /// The driver signed it.
    Driver,
    /// Made from the truck's positions.
    Gps,
}

impl ManifestSource {
    pub const ALL: [Self; 2] = [Self::Driver, Self::Gps];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Gps => "gps",
        }
    }
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub id: ManifestId,
    /// Its number; one number may stand once from each source.
    pub code: String,
    pub truck: SubjectId,
    #[serde(default)]
    pub site: Option<SubjectId>,
    #[serde(default)]
    pub disposal_site: Option<SubjectId>,
    #[serde(default)]
    pub permit: Option<PermitId>,
    pub source: ManifestSource,
    pub loaded_at: EventTime,
    /// None while under way.
    #[serde(default)]
    pub unloaded_at: Option<EventTime>,
    #[serde(default)]
    pub volume_m3: Option<f64>,
    /// Entered by mistake: no load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
}
