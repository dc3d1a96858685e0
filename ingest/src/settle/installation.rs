//! Stage 3: where the device was mounted at the event time. Instruments are replaced and trackers change trucks, so "now" will not do.

use super::draft::Draft;
use model::facts::Facts;
use model::id::SubjectId;

/// `None` when it was installed nowhere: the record is stored all the same.
pub fn resolve(facts: &Facts, draft: &Draft<'_>) -> Option<SubjectId> {
    facts.installation_at(draft.key.device, draft.key.at).map(|row| row.subject)
}
