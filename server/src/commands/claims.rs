//! Claim codes on the command line.

use super::author;
use crate::args::ClaimAdd;
use crate::compose::Stores;
use anyhow::{Context, Result, bail};
use ledger::{NewClaim, Policy};

pub(super) async fn add(stores: &Stores, wanted: ClaimAdd) -> Result<()> {
    let new = NewClaim {
        name: wanted.name,
        profile: wanted.profile,
        vendor: wanted.vendor,
        prefix: wanted.prefix,
        policy: if wanted.pending { Policy::Pending } else { Policy::Accepted },
        uses_max: wanted.count,
        expires: stores.clock.now().plus_ms(i64::from(wanted.days) * 86_400_000),
    };
    let (claim, code) = stores.ledger.new_claim(&author(), new).await.context("make the claim code")?;
    println!("claim {}: the code is not shown again", claim.id);
    println!("  code     {code}");
    println!("  expires  {}", claim.expires);
    println!("A device posts {{\"code\": \"…\", \"serial\": \"…\"}} to /api/v1/provision.");
    Ok(())
}

pub(super) async fn list(stores: &Stores) -> Result<()> {
    let now = stores.clock.now();
    for claim in stores.ledger.claims().await.context("list the claim codes")? {
        let state = match (claim.revoked, claim.expires <= now, claim.uses >= claim.uses_max) {
            (true, ..) => "revoked",
            (_, true, _) => "expired",
            (.., true) => "used up",
            _ => "open",
        };
        println!(
            "{:>4}  {state:<8} {:>5}/{:<5} {:<20} until {}  {}",
            claim.id, claim.uses, claim.uses_max, claim.profile, claim.expires, claim.name
        );
    }
    Ok(())
}

pub(super) async fn revoke(stores: &Stores, id: i64) -> Result<()> {
    if !stores.ledger.revoke_claim(&author(), id).await.context("revoke the claim code")? {
        bail!("find the claim code {id}");
    }
    println!("claim {id} is revoked; the devices it made stay");
    Ok(())
}
