//! Claim codes, on both engines.

use super::*;
use crate::testing::{author, device, profile, rig};
use database::both;
use model::principal::{Admission, Attempt};
use model::seams::DeviceDirectory as _;

fn new(profile: &str, uses_max: u32, policy: Policy) -> NewClaim {
    NewClaim {
        name: "street 7".into(),
        profile: profile.into(),
        vendor: "MAKER".into(),
        prefix: "s7-".into(),
        policy,
        uses_max,
        expires: IngestTime(1_790_000_000_000 + 86_400_000),
    }
}

fn shown<'a>(code: &'a str, serial: &'a str) -> Claiming<'a> {
    Claiming { code, serial, origin: "10.0.0.7" }
}

fn refusal<T: std::fmt::Debug>(done: Result<T, ClaimError>) -> ClaimRefusal {
    match done {
        Err(ClaimError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn profiles() -> Vec<Object> {
    [ProtocolKind::Mqtt, ProtocolKind::Hj212, ProtocolKind::Jt808]
        .map(|protocol| profile(&format!("p-{}", protocol.code()), protocol))
        .into()
}

#[test]
fn a_device_that_shows_a_code_is_made_and_gets_a_credential_of_its_own_once() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        let (claim, code) = ledger.new_claim(&author(), new("p-mqtt", 5, Policy::Accepted)).await.unwrap();
        assert_eq!((code.len(), code.matches('-').count()), (23, 3));
        let made = ledger.claim(shown(&code, "SN-00A1")).await.unwrap();
        let (username, password) = (made.issued.value("username"), made.issued.value("password").map(str::as_bytes));
        assert_eq!(username, Some("s7-sn-00a1"));
        let attempt = Attempt::Mqtt { client_id: "", username, password };
        assert!(matches!(ledger.directory().admit(attempt), Admission::Granted(_)));
        // Typed by hand, without strokes; the same serial gets nothing more.
        let typed = code.replace('-', " ").to_uppercase();
        assert_eq!(refusal(ledger.claim(shown(&typed, "SN-00A1")).await), ClaimRefusal::Known);
        ledger.claim(shown(&typed, "SN-00A2")).await.unwrap();
        let listed = ledger.claims().await.unwrap();
        assert_eq!((listed.len(), listed[0].uses, listed[0].id), (1, 2, claim.id));
        let attempts = ledger.claim_attempts(10).await.unwrap();
        assert_eq!(attempts.len(), 3);
        assert_eq!(attempts.iter().filter(|one| one.device.is_some()).count(), 2);
        let text = format!("{listed:?}{attempts:?}");
        assert!(!text.contains(&code) && !text.contains("password"), "{text}");
    });
}

#[test]
fn a_pending_device_has_its_credential_and_waits_to_be_switched_on() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        let (_, code) = ledger.new_claim(&author(), new("p-hj212", 1, Policy::Pending)).await.unwrap();
        let made = ledger.claim(shown(&code, "4101000000000000000000A1")).await.unwrap();
        assert_eq!(made.policy, Policy::Pending);
        let (mn, password) = (made.issued.value("mn").unwrap(), made.issued.value("pw").unwrap());
        let admit = || ledger.directory().admit(Attempt::Hj212 { mn, password });
        assert!(matches!(admit(), Admission::Disabled));
        let mut known = Device::clone(&ledger.facts_now().devices[&made.device]);
        known.enabled = true;
        ledger.edit(&author(), vec![Object::Device(known)]).await.unwrap();
        assert!(matches!(admit(), Admission::Granted(_)));
    });
}

#[test]
fn a_code_that_is_wrong_used_up_expired_or_revoked_makes_nothing() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        ledger.edit(&author(), vec![device(-1, "s7-taken", ProtocolKind::Mqtt, "s7-taken")]).await.unwrap();
        let (_, one) = ledger.new_claim(&author(), new("p-mqtt", 1, Policy::Accepted)).await.unwrap();
        let (revoked, gone) = ledger.new_claim(&author(), new("p-mqtt", 9, Policy::Accepted)).await.unwrap();
        let (_, trucks) = ledger.new_claim(&author(), new("p-jt808", 9, Policy::Accepted)).await.unwrap();
        assert!(ledger.revoke_claim(&author(), revoked.id).await.unwrap());
        assert!(!ledger.revoke_claim(&author(), 99).await.unwrap());
        assert_eq!(refusal(ledger.claim(shown("aaaaa-aaaaa-aaaaa-aaaaa", "a")).await), ClaimRefusal::Unknown);
        assert_eq!(refusal(ledger.claim(shown(&gone, "a")).await), ClaimRefusal::Revoked);
        assert_eq!(refusal(ledger.claim(shown(&one, "taken")).await), ClaimRefusal::Known);
        for bad in ["", "a b", "../x", "油烟", &"9".repeat(33)] {
            assert_eq!(refusal(ledger.claim(shown(&one, bad)).await), ClaimRefusal::Serial, "{bad}");
        }
        assert_eq!(refusal(ledger.claim(shown(&trucks, "no-phone")).await), ClaimRefusal::Serial);
        ledger.claim(shown(&one, "a")).await.unwrap();
        assert_eq!(refusal(ledger.claim(shown(&one, "b")).await), ClaimRefusal::UsedUp);
        rig.clock.advance_ms(2 * 86_400_000);
        assert_eq!(refusal(ledger.claim(shown(&trucks, "13900000007")).await), ClaimRefusal::Expired);
        assert_eq!(ledger.facts_now().devices.len(), 2);
    });
}

#[test]
fn of_devices_that_claim_at_once_no_more_are_made_than_the_code_allows() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        let (_, code) = ledger.new_claim(&author(), new("p-mqtt", 3, Policy::Accepted)).await.unwrap();
        let serials: Vec<String> = (0..10).map(|n| format!("n{n}")).collect();
        let all = serials.iter().map(|serial| ledger.claim(shown(&code, serial)));
        let mut made = 0;
        for done in futures_join(all).await {
            match done {
                Ok(_) => made += 1,
                Err(error) => assert!(matches!(error, ClaimError::Refused(ClaimRefusal::UsedUp)), "{error:?}"),
            }
        }
        assert_eq!((made, ledger.facts_now().devices.len()), (3, 3));
    });
}

/// Polls all of them in turn.
async fn futures_join<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(output) = one.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[test]
fn a_claim_that_makes_no_sense_is_told_by_field() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.edit(&author(), profiles()).await.unwrap();
        let bad = NewClaim {
            name: " ".into(),
            prefix: "UPPER".into(),
            uses_max: 0,
            expires: IngestTime(0),
            ..new("p-modbus", 0, Policy::Pending)
        };
        let Err(LedgerError::Invalid(problems)) = rig.ledger.new_claim(&author(), bad).await else { panic!() };
        let places: Vec<_> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["profile", "name", "prefix", "uses_max", "expires"]);
    });
}
