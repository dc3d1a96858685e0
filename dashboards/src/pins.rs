//! Pictures of what became a case are pinned: the blob store never lets them go. Looked at now and then, newest cases first; a pin is
//! on disk, so that what was looked at once is not looked at again after a restart but for the newest.

use crate::problem::ApiResult;
use crate::state::AppState;
use crate::view::picture;
use cases::CaseQuery;
use model::blob::BlobId;
use model::id::CaseId;
use model::time::IngestTime;
use std::collections::HashMap;
use std::sync::Arc;

/// Cases looked at in one round.
const CASES_MAX: u32 = 200;

/// What was seen of each case.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    seen: HashMap<CaseId, IngestTime>,
}

impl Pins {
    /// One round.
    pub(crate) async fn look(&mut self, state: &AppState) -> ApiResult<()> {
        let query = CaseQuery { limit: Some(CASES_MAX), ..CaseQuery::default() };
        let page = state.cases.list(&query).await?;
        let facts = state.facts();
        let mut seen = HashMap::new();
        for case in page.rows {
            if self.seen.get(&case.id) == Some(&case.changed) {
                seen.insert(case.id, case.changed);
                continue;
            }
            let detail = state.cases.get(case.id).await?;
            let mut ids = Vec::new();
            for alert in &detail.alerts {
                ids.extend(picture::of_alert(state, &facts, alert, |_| true).await?);
            }
            let ids: Vec<BlobId> = ids.iter().filter_map(|row| row.hash.parse().ok()).collect();
            let blobs = Arc::clone(&state.blobs);
            let pinned = tokio::task::spawn_blocking(move || ids.into_iter().try_for_each(|id| blobs.pin(id))).await;
            if let Ok(Err(error)) = pinned {
                tracing::warn!(%error, "failed to pin a case's pictures, will try again");
                continue;
            }
            // One that still lasts may have more.
            if detail.alerts.iter().all(|alert| alert.episode.end.is_some()) {
                seen.insert(case.id, case.changed);
            }
        }
        self.seen = seen;
        Ok(())
    }
}
