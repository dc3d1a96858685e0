//! Who gets the code of a phone, and who does not, on both engines.

use super::*;
use crate::keys::Keys;
use crate::testing::{Rig, author, device, profile, rig};
use database::both;
use model::envelope::ProtocolKind;
use model::principal::{Admission, Attempt};
use model::seams::DeviceDirectory as _;
use model::time::SystemClock;
use tokio::sync::oneshot;

const PHONE: &str = "13800000001";
const TRUCK: DeviceId = DeviceId(1);

async fn with_truck(db: database::Database) -> Rig {
    let rig = rig(db).await;
    let batch = vec![profile("p-jt808", ProtocolKind::Jt808), device(0, "t1", ProtocolKind::Jt808, PHONE)];
    rig.ledger.edit(&author(), batch).await.unwrap();
    rig.ledger.credentials().issue(&author(), TRUCK).await.unwrap();
    rig
}

/// Another process on the same database.
async fn again(rig: &Rig, db: &database::Database) -> Ledger {
    Ledger::open(db.clone(), Keys::open(rig.dir.path()).unwrap(), Arc::new(SystemClock)).await.unwrap()
}

fn ask(ledger: &Ledger, terminal: &str) -> (Registration, oneshot::Receiver<Registration>) {
    let (tell, told) = oneshot::channel();
    let done = Box::new(move |answer| drop(tell.send(answer)));
    (ledger.directory().register_terminal(PHONE, terminal, done), told)
}

/// Asks, lets the ledger write down what waits, and gives the answer.
async fn registers(ledger: &Ledger, terminal: &str) -> Registration {
    let (answer, told) = ask(ledger, terminal);
    if !matches!(answer, Registration::Pending) {
        return answer;
    }
    tokio::select! {
        () = ledger.keep_terminals() => panic!("it runs for ever"),
        answer = told => answer.unwrap(),
    }
}

fn code(answer: &Registration) -> Option<bytes::Bytes> {
    if let Registration::Granted(code) = answer { Some(code.clone()) } else { None }
}

fn holder(answer: &Registration) -> Option<&str> {
    if let Registration::Taken { holder, .. } = answer { Some(holder.as_deref().unwrap_or("by hand")) } else { None }
}

#[test]
fn the_first_terminal_holds_the_phone_also_after_a_restart_until_the_credential_is_rotated() {
    both(async |db| {
        let rig = with_truck(db.clone()).await;
        let given = code(&registers(&rig.ledger, "M/T1").await).unwrap();
        assert_eq!(given.len(), 32);
        let restarted = again(&rig, &db).await;
        assert_eq!(code(&registers(&restarted, "M/T1").await).unwrap(), given);
        assert_eq!(holder(&registers(&restarted, "M/T2").await), Some("M/T1"));
        assert_eq!(restarted.credentials().terminal(TRUCK).as_deref(), Some("M/T1"));
        restarted.credentials().rotate(&author(), TRUCK).await.unwrap();
        let fresh = code(&registers(&restarted, "M/T2").await).unwrap();
        assert_ne!(fresh, given);
        rig.ledger.refresh().await.unwrap();
        let admit = |auth_code| rig.ledger.directory().admit(Attempt::Jt808 { phone: PHONE, auth_code });
        assert!(matches!(admit(&fresh), Admission::Granted(_)) && matches!(admit(&given), Admission::WrongSecret));
        assert_eq!(holder(&registers(&restarted, "M/T1").await), Some("M/T2"));
    });
}

#[test]
fn of_terminals_that_ask_at_once_one_gets_the_code() {
    both(async |db| {
        let rig = with_truck(db).await;
        let (first, told) = ask(&rig.ledger, "M/T1");
        assert!(matches!(first, Registration::Pending));
        assert_eq!(holder(&ask(&rig.ledger, "M/T2").0), Some("M/T1"));
        let (same, told_too) = ask(&rig.ledger, "M/T1");
        assert!(matches!(same, Registration::Pending));
        tokio::select! {
            () = rig.ledger.keep_terminals() => panic!("it runs for ever"),
            both = async { (told.await.unwrap(), told_too.await.unwrap()) } => {
                assert_eq!(code(&both.0).unwrap(), code(&both.1).unwrap());
            }
        }
    });
}

#[test]
fn of_two_processes_the_database_decides() {
    both(async |db| {
        let rig = with_truck(db.clone()).await;
        let other = again(&rig, &db).await;
        assert!(code(&registers(&rig.ledger, "M/T1").await).is_some());
        // The other has not looked since and takes the phone for free.
        assert_eq!(holder(&registers(&other, "M/T2").await), Some("M/T1"));
    });
}

#[test]
fn a_claim_under_a_credential_that_was_rotated_meanwhile_gets_nothing() {
    both(async |db| {
        let rig = with_truck(db).await;
        let (_, told) = ask(&rig.ledger, "M/T1");
        rig.ledger.credentials().rotate(&author(), TRUCK).await.unwrap();
        let answer = tokio::select! {
            () = rig.ledger.keep_terminals() => panic!("it runs for ever"),
            answer = told => answer.unwrap(),
        };
        assert!(matches!(answer, Registration::Unavailable));
        assert_eq!(rig.ledger.credentials().terminal(TRUCK), None);
    });
}

#[test]
fn a_code_that_was_set_by_hand_is_given_to_no_terminal() {
    both(async |db| {
        let rig = with_truck(db).await;
        let issued = rig.ledger.credentials().rotate(&author(), TRUCK).await.unwrap();
        let auth_code = issued.value("auth_code").unwrap().as_bytes();
        let admission = rig.ledger.directory().admit(Attempt::Jt808 { phone: PHONE, auth_code });
        assert!(matches!(admission, Admission::Granted(_)));
        // At once, before it is on disk, and after it.
        assert_eq!(holder(&ask(&rig.ledger, "M/T1").0), Some("by hand"));
        let mut changes = rig.ledger.directory().changes();
        tokio::select! {
            () = rig.ledger.keep_terminals() => panic!("it runs for ever"),
            changed = changes.changed() => changed.unwrap(),
        }
        assert_eq!(rig.ledger.credentials().terminal(TRUCK).as_deref(), Some(BY_HAND));
        assert_eq!(holder(&registers(&rig.ledger, "M/T1").await), Some("by hand"));
        rig.ledger.credentials().rotate(&author(), TRUCK).await.unwrap();
    });
}

#[test]
fn an_operator_may_name_the_only_terminal_beforehand() {
    both(async |db| {
        let rig = with_truck(db).await;
        let credentials = rig.ledger.credentials();
        for bad in ["", "a b", "a/b/c", "ä"] {
            assert!(credentials.set_terminal(&author(), TRUCK, bad).await.is_err(), "{bad}");
        }
        for named in ["T1", "M/T1"] {
            credentials.rotate(&author(), TRUCK).await.unwrap();
            credentials.set_terminal(&author(), TRUCK, named).await.unwrap();
            assert_eq!(holder(&registers(&rig.ledger, "M/T2").await), Some(named));
            assert!(code(&registers(&rig.ledger, "M/T1").await).is_some());
        }
        assert_eq!(holder(&registers(&rig.ledger, "N/T1").await), Some("M/T1"));
        credentials.revoke(&author(), TRUCK).await.unwrap();
        assert!(matches!(registers(&rig.ledger, "M/T1").await, Registration::Unknown));
    });
}
