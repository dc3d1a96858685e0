//! A device and its credential are made together or not at all, on both engines.

use super::*;
use crate::testing::{author, device, profile, rig};
use database::both;
use model::principal::{Admission, Attempt, Registration};
use model::seams::DeviceDirectory as _;

fn wanted(code: &str) -> Wanted {
    Wanted { code: code.into(), ..Wanted::default() }
}

#[test]
fn a_device_and_the_hold_on_its_phone_are_written_together_or_not_at_all() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), vec![profile("p-jt808", ProtocolKind::Jt808)]).await.unwrap();
        let truck = || vec![device(-1, "truck-a", ProtocolKind::Jt808, "13900000007")];
        for bad in ["", "a/b/c", "T 1"] {
            let wanted = Wanted { terminal: Some(bad.into()), ..wanted("truck-a") };
            assert!(ledger.edit_and_issue(&author(), truck(), &[wanted]).await.is_err(), "{bad:?}");
            assert!(ledger.facts_now().devices.is_empty(), "{bad:?}");
        }
        let wanted = Wanted { terminal: Some("T000008".into()), ..wanted("truck-a") };
        let (_, issued) = ledger.edit_and_issue(&author(), truck(), &[wanted]).await.unwrap();
        assert!(issued[0].value("auth_code").is_some());
        let told = |terminal: &str| {
            ledger.directory().register_terminal("13900000007", terminal, Box::new(|_| panic!("told later")))
        };
        assert!(matches!(told("M/T000666"), Registration::Taken { .. }));
        assert!(matches!(told("M/T000008"), Registration::Granted(_)));
    });
}

#[test]
fn many_devices_get_their_credentials_at_once_and_each_works() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        let mut objects = vec![profile("p-mqtt", ProtocolKind::Mqtt), profile("p-hj212", ProtocolKind::Hj212)];
        objects.extend((1..=50).map(|n| device(-n, &format!("fume-{n}"), ProtocolKind::Mqtt, &format!("fume-{n}"))));
        objects.push(device(-99, "dust-1", ProtocolKind::Hj212, "MN1"));
        let mut all: Vec<_> = (1..=50).map(|n| wanted(&format!("fume-{n}"))).collect();
        all.push(Wanted { password: Some("s3cret".into()), ..wanted("dust-1") });
        let (_, issued) = ledger.edit_and_issue(&author(), objects, &all).await.unwrap();
        assert_eq!(issued.len(), 51);
        for one in &issued[..50] {
            let (username, password) = (one.value("username"), one.value("password").map(str::as_bytes));
            let attempt = Attempt::Mqtt { client_id: "", username, password };
            assert!(matches!(ledger.directory().admit(attempt), Admission::Granted(_)));
        }
        let attempt = Attempt::Hj212 { mn: "MN1", password: "s3cret" };
        assert!(matches!(ledger.directory().admit(attempt), Admission::Granted(_)));
        let again = ledger.credentials().issue_all(&author(), &["fume-1".into(), "fume-2".into()]).await.unwrap();
        assert_ne!(again[0].value("password"), issued[0].value("password"));
        assert!(ledger.credentials().issue_all(&author(), &["fume-1".into(), "nobody".into()]).await.is_err());
        assert_eq!(ledger.credentials().state(issued[0].device.unwrap()).unwrap().version, 2);
    });
}
