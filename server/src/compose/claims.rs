//! Devices that show a claim code at the edge: one after the other to the register, a bounded number waiting.

use anyhow::Result;
use ledger::{ClaimError, ClaimRefusal, Claiming, Ledger, Policy};
use model::provision::{Claimant, Provisioned, Provisioner, Told};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

type Waiting = (Claimant, Told);

pub(super) struct Claims(mpsc::Sender<Waiting>);

impl Claims {
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (wanted, waiting) = mpsc::channel(WAITING_MAX);
        (Self(wanted), waiting)
    }
}

impl Provisioner for Claims {
    fn provision(&self, claimant: Claimant, told: Told) {
        if let Err(error) = self.0.try_send((claimant, told)) {
            let (mpsc::error::TrySendError::Full((_, told)) | mpsc::error::TrySendError::Closed((_, told))) = error;
            told(Provisioned::Unavailable);
        }
    }
}

/// Works until `stop`; who waits then is told nothing and asks again.
pub(super) async fn run(ledger: Ledger, mut waiting: mpsc::Receiver<Waiting>, stop: CancellationToken) -> Result<()> {
    // Cancel-safe.
    while let Some(Some((claimant, told))) = stop.run_until_cancelled(waiting.recv()).await {
        told(made(&ledger, &claimant).await);
    }
    Ok(())
}

async fn made(ledger: &Ledger, claimant: &Claimant) -> Provisioned {
    let origin = claimant.from.map_or_else(|| "mqtt".to_owned(), |from| from.to_string());
    let claiming = Claiming { code: &claimant.code, serial: &claimant.serial, origin: &origin };
    match ledger.claim(claiming).await {
        Ok(claimed) => Provisioned::Made {
            settings: claimed.issued.settings.into_iter().map(|setting| (setting.name, setting.value)).collect(),
            pending: claimed.policy == Policy::Pending,
        },
        Err(ClaimError::Refused(refusal)) => Provisioned::Refused { guessed: refusal == ClaimRefusal::Unknown },
        Err(ClaimError::Ledger(error)) => {
            tracing::error!(%error, "failed to make a device of a claim");
            Provisioned::Unavailable
        }
    }
}

/// Claims that may wait.
const WAITING_MAX: usize = 256;
