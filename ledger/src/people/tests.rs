//! Log-in, first password, lock-out and sessions, on both engines.

use super::guesses::{LOCK_MS_MAX, SIEGE_MAX};
use super::*;
use crate::testing::{author, rig};
use database::both;

fn new(login: &str, role: Role) -> NewPerson {
    NewPerson { login: login.into(), name: "甲".into(), role, office: None, vendor: String::new() }
}

#[test]
fn the_first_password_must_be_changed_and_then_is_void() {
    both(async |db| {
        let rig = rig(db).await;
        let people = rig.ledger.people();
        let (person, first) = people.create(&author(), new("wang", Role::Administrator)).await.unwrap();
        assert!(person.must_change);
        let login = people.login("wang", &first, "127.0.0.1").await.unwrap();
        assert!(login.person.must_change);
        for bad in ["short", first.as_str(), "my wang password"] {
            let error = people.change_password("wang", &first, bad, "x").await.unwrap_err();
            assert!(matches!(error, LoginError::Password(_)), "{bad}");
        }
        let changed = people.change_password("wang", &first, "correct horse", "x").await.unwrap();
        assert!(!changed.person.must_change);
        assert_eq!(people.session(&login.token).await.unwrap(), None);
        assert!(people.session(&changed.token).await.unwrap().is_some());
        assert!(matches!(people.login("wang", &first, "x").await, Err(LoginError::Wrong)));
        let reset = people.reset_password(&author(), person.id).await.unwrap();
        assert_eq!(people.session(&changed.token).await.unwrap(), None);
        assert!(people.login("wang", &reset, "x").await.unwrap().person.must_change);
    });
}

#[test]
fn wrong_passwords_lock_for_a_while_and_never_for_good() {
    both(async |db| {
        let rig = rig(db).await;
        let people = rig.ledger.people();
        let (_, password) = people.create(&author(), new("li", Role::Viewer)).await.unwrap();
        for _ in 0..5 {
            assert!(matches!(people.login("li", "wrong", "x").await, Err(LoginError::Wrong)));
        }
        let Err(LoginError::Locked { until }) = people.login("li", &password, "x").await else { panic!() };
        assert_eq!(until.since_ms(rig.clock.now()), 30_000);
        rig.clock.set(until);
        assert!(matches!(people.login("li", "wrong", "x").await, Err(LoginError::Wrong)));
        for _ in 0..12 {
            let Err(LoginError::Locked { until }) = people.login("li", &password, "x").await else { panic!() };
            assert!(until.since_ms(rig.clock.now()) <= LOCK_MS_MAX);
            rig.clock.set(until);
            assert!(matches!(people.login("li", "wrong", "x").await, Err(LoginError::Wrong)));
        }
        rig.clock.advance_ms(LOCK_MS_MAX);
        people.login("li", &password, "x").await.unwrap();
        assert!(matches!(people.login("li", "wrong", "x").await, Err(LoginError::Wrong)));
        people.login("li", &password, "x").await.unwrap();
        assert!(matches!(people.login("nobody", "wrong", "x").await, Err(LoginError::Wrong)));
    });
}

#[test]
fn nobody_locks_the_administrator_out_by_guessing_from_elsewhere() {
    both(async |db| {
        let rig = rig(db).await;
        let people = rig.ledger.people();
        let (admin, password) = people.create(&author(), new("admin", Role::Administrator)).await.unwrap();
        people.login("admin", &password, "10.0.0.1").await.unwrap();
        for guess in 0..20 {
            let done = people.login("admin", "wrong", "203.0.113.9").await;
            assert!(matches!((guess, done), (0..5, Err(LoginError::Wrong)) | (5.., Err(LoginError::Locked { .. }))));
        }
        people.login("admin", &password, "10.0.0.1").await.unwrap();
        // From very many addresses: then only addresses that it logged in from may try.
        for guess in 0..SIEGE_MAX {
            let from = format!("198.51.{}.{}", guess / 200, guess % 200);
            people.login("admin", "wrong", &from).await.unwrap_err();
        }
        assert!(matches!(people.login("admin", &password, "192.0.2.1").await, Err(LoginError::Locked { .. })));
        people.login("admin", &password, "10.0.0.1").await.unwrap();
        people.unlock(&author(), admin.id).await.unwrap();
        people.login("admin", &password, "192.0.2.1").await.unwrap();
        people.login("admin", &password, "203.0.113.9").await.unwrap();
    });
}

#[test]
fn a_session_ends_by_age_idleness_revocation_and_with_the_account() {
    both(async |db| {
        let rig = rig(db).await;
        let people = rig.ledger.people();
        let (person, password) = people.create(&author(), new("zhao", Role::Viewer)).await.unwrap();
        let token = async || people.login("zhao", &password, "10.0.0.1").await.unwrap().token;
        let valid = async |token: &str| people.session(token).await.unwrap().is_some();
        let (one, two, three) = (token().await, token().await, token().await);
        assert_ne!(one, two);
        assert!(!valid("made up").await);
        people.logout(&one).await.unwrap();
        assert!(!valid(&one).await && valid(&two).await);
        let list = people.sessions(person.id).await.unwrap();
        assert_eq!(list.len(), 2);
        people.revoke_session(person.id, list[1].id).await.unwrap();
        assert!(!valid(&two).await && valid(&three).await);
        for _ in 0..16 {
            rig.clock.advance_ms(11 * 3_600_000);
            valid(&three).await;
        }
        assert!(!valid(&three).await);
        let idle = token().await;
        rig.clock.advance_ms(13 * 3_600_000);
        assert!(!valid(&idle).await);
        let last = token().await;
        people.update(&author(), &Person { active: false, ..person.clone() }).await.unwrap();
        assert!(!valid(&last).await);
        assert!(matches!(people.login("zhao", &password, "x").await, Err(LoginError::Wrong)));
    });
}

#[test]
fn accounts_are_checked_and_the_last_administrator_stays() {
    both(async |db| {
        let rig = rig(db).await;
        let people = rig.ledger.people();
        let (admin, _) = people.create(&author(), new("admin", Role::Administrator)).await.unwrap();
        assert!(people.create(&author(), new("admin", Role::Viewer)).await.is_err());
        assert!(people.create(&author(), new("Big Name", Role::Viewer)).await.is_err());
        assert!(people.create(&author(), new("maker", Role::Vendor)).await.is_err());
        let error = people.update(&author(), &Person { active: false, ..admin.clone() }).await.unwrap_err();
        assert!(matches!(error, LedgerError::Refused(_)));
        assert_eq!(people.list().await.unwrap(), std::slice::from_ref(&admin));
        assert_eq!(people.get(admin.id).await.unwrap(), Some(admin));
    });
}
