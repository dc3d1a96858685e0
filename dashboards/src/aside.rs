//! What stands beside every alert row and is not in it: people's names, and the silences that last. Read again every few seconds by
//! [`crate::run`], and by whoever changes one of them.

use crate::problem::ApiResult;
use crate::state::AppState;
use cases::Silence;
use model::id::UserId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Aside {
    pub(crate) people: BTreeMap<UserId, String>,
    pub(crate) silences: Vec<Silence>,
}

#[derive(Debug, Default)]
pub(crate) struct AsideCell(Mutex<Arc<Aside>>);

impl AsideCell {
    pub(crate) fn get(&self) -> Arc<Aside> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads both anew.
pub(crate) async fn refresh(state: &AppState) -> ApiResult<()> {
    let people = state.ledger.people().list().await?;
    let silences = state.cases.silences(Some(state.now()), cases::flow::SILENCES_MAX).await?.rows;
    let fresh = Aside { people: people.into_iter().map(|one| (one.id, one.name)).collect(), silences };
    *state.aside.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
    Ok(())
}
