//! What an operator at the machine may do for an account that cannot log in.

use super::author;
use crate::compose::Stores;
use anyhow::{Context, Result};
use model::id::UserId;

async fn find(stores: &Stores, name: &str) -> Result<UserId> {
    let people = stores.ledger.people().list().await.context("list the accounts")?;
    let known: Vec<&str> = people.iter().map(|person| person.login.as_str()).take(50).collect();
    let found = people.iter().find(|person| person.login == name).map(|person| person.id);
    found.with_context(|| format!("find the account {name:?}; known: {}", known.join(", ")))
}

pub(super) async fn unlock(stores: &Stores, name: &str) -> Result<()> {
    let id = find(stores, name).await?;
    stores.ledger.people().unlock(&author(), id).await.context("unlock the account")?;
    println!("{name} may log in again");
    Ok(())
}

pub(super) async fn reset(stores: &Stores, name: &str) -> Result<()> {
    let id = find(stores, name).await?;
    let password = stores.ledger.people().reset_password(&author(), id).await.context("reset the password")?;
    println!("account: {name}\none-time password: {password}");
    Ok(())
}
