//! Who is let in at the edge, and who is not, on both engines.

use super::*;
use crate::testing::{Rig, author, device, profile, rig, site};
use database::both;
use model::principal::{Admission, Attempt, Principal, Registration};
use model::seams::DeviceDirectory as _;

async fn with_devices(db: database::Database) -> Rig {
    let rig = rig(db).await;
    let mut batch: Vec<Object> = ProtocolKind::ALL
        .into_iter()
        .filter(|protocol| *protocol != ProtocolKind::Modbus)
        .map(|protocol| profile(&format!("p-{}", protocol.code()), protocol))
        .collect();
    batch.push(device(0, "m1", ProtocolKind::Mqtt, "m1"));
    batch.push(device(0, "m2", ProtocolKind::Mqtt, "m2"));
    batch.push(device(0, "h1", ProtocolKind::Hj212, "MN0001"));
    batch.push(device(0, "t1", ProtocolKind::Jt808, "13800000001"));
    batch.push(device(0, "t2", ProtocolKind::Jt808, "13800000002"));
    rig.ledger.edit(&author(), batch).await.unwrap();
    rig
}

fn mqtt(rig: &Rig, name: &str, token: &str) -> Admission {
    let password = Some(token.as_bytes());
    rig.ledger.directory().admit(Attempt::Mqtt { client_id: "c", username: Some(name), password })
}

fn granted(admission: &Admission) -> Option<Arc<Principal>> {
    if let Admission::Granted(principal) = admission { Some(Arc::clone(principal)) } else { None }
}

#[test]
fn a_token_lets_in_its_own_device_only() {
    both(async |db| {
        let rig = with_devices(db).await;
        let issued = rig.ledger.credentials().issue(&author(), DeviceId(1)).await.unwrap();
        rig.ledger.credentials().issue(&author(), DeviceId(2)).await.unwrap();
        let token = issued.value("password").unwrap();
        let principal = granted(&mqtt(&rig, "m1", token)).unwrap();
        assert_eq!((principal.grants.clone(), &*principal.name), (Grants::One(DeviceId(1)), "m1"));
        assert!(matches!(mqtt(&rig, "m2", token), Admission::WrongSecret));
        assert!(matches!(mqtt(&rig, "m1", "wrong"), Admission::WrongSecret));
        assert!(matches!(mqtt(&rig, "m3", token), Admission::UnknownIdentity));
        assert!(matches!(mqtt(&rig, "h1", token), Admission::UnknownIdentity));
    });
}

#[test]
fn a_revoked_rotated_or_switched_off_device_is_cut() {
    both(async |db| {
        let rig = with_devices(db).await;
        let (credentials, directory) = (rig.ledger.credentials(), rig.ledger.directory());
        let first = credentials.issue(&author(), DeviceId(1)).await.unwrap();
        let old = granted(&mqtt(&rig, "m1", first.value("password").unwrap())).unwrap();
        assert!(directory.still_admitted(&old));
        let before = directory.revision();
        let second = credentials.rotate(&author(), DeviceId(1)).await.unwrap();
        assert!(directory.revision() > before && !directory.still_admitted(&old));
        assert!(matches!(mqtt(&rig, "m1", first.value("password").unwrap()), Admission::WrongSecret));
        let token = second.value("password").unwrap();
        let now = granted(&mqtt(&rig, "m1", token)).unwrap();
        let mut off = device(1, "m1", ProtocolKind::Mqtt, "m1");
        if let Object::Device(row) = &mut off {
            row.enabled = false;
        }
        rig.ledger.edit(&author(), vec![off]).await.unwrap();
        assert!(!directory.still_admitted(&now));
        assert!(matches!(mqtt(&rig, "m1", token), Admission::Disabled));
        rig.ledger.edit(&author(), vec![device(1, "m1", ProtocolKind::Mqtt, "m1")]).await.unwrap();
        assert!(directory.still_admitted(&now));
        credentials.revoke(&author(), DeviceId(1)).await.unwrap();
        assert!(!directory.still_admitted(&now));
        assert!(matches!(mqtt(&rig, "m1", token), Admission::WrongSecret));
        assert!(credentials.state(DeviceId(1)).unwrap().revoked);
    });
}

#[test]
fn an_authentication_code_is_bound_to_its_phone_and_version() {
    both(async |db| {
        let rig = with_devices(db).await;
        let (credentials, directory) = (rig.ledger.credentials(), rig.ledger.directory());
        let unknown = directory.register_terminal("13800000001", "M/T", Box::new(drop));
        assert!(matches!(unknown, Registration::Unknown));
        let issued = credentials.issue(&author(), DeviceId(4)).await.unwrap();
        credentials.issue(&author(), DeviceId(5)).await.unwrap();
        credentials.set_terminal(&author(), DeviceId(4), "T").await.unwrap();
        // The 2013 header pads the phone to 12 digits, the 2019 one to 20.
        let given = directory.register_terminal("013800000001", "M/T", Box::new(drop));
        let Registration::Granted(code) = given else { panic!("{given:?}") };
        assert_eq!(issued.value("auth_code").unwrap().as_bytes(), &code[..]);
        let admit = |phone, auth_code| directory.admit(Attempt::Jt808 { phone, auth_code });
        assert!(granted(&admit("00000000013800000001", &code)).is_some());
        assert!(matches!(admit("13800000002", &code), Admission::WrongSecret));
        assert!(matches!(admit("13900000000", &code), Admission::UnknownIdentity));
        credentials.rotate(&author(), DeviceId(4)).await.unwrap();
        assert!(matches!(admit("13800000001", &code), Admission::WrongSecret));
    });
}

#[test]
fn a_password_of_hj212_survives_a_restart_and_stands_nowhere_in_clear() {
    both(async |db| {
        let rig = with_devices(db.clone()).await;
        let credentials = rig.ledger.credentials();
        assert!(credentials.set_hj212_password(&author(), DeviceId(3), "12345").await.is_err());
        assert!(credentials.set_hj212_password(&author(), DeviceId(1), "123456").await.is_err());
        credentials.set_hj212_password(&author(), DeviceId(3), "pw654321").await.unwrap();
        let clock = Arc::new(model::time::SystemClock);
        let again = Ledger::open(db.clone(), Keys::open(rig.dir.path()).unwrap(), clock).await.unwrap();
        let directory = again.directory();
        assert_eq!(directory.hj212_password(DeviceId(3)).as_deref(), Some("pw654321"));
        let admit = |password| directory.admit(Attempt::Hj212 { mn: "MN0001", password });
        assert!(granted(&admit("pw654321")).is_some());
        assert!(matches!(admit("pw654322"), Admission::WrongSecret));
        let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM credential WHERE principal = 3")
            .fetch_one(&mut *db.read().await.unwrap())
            .await
            .unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"pw654321"));
        let audit = again.audit().page(&crate::AuditFilter::default()).await.unwrap();
        assert!(audit.iter().any(|entry| entry.what == "credential_issued"));
        assert!(!format!("{audit:?}").contains("pw654321"));
    });
}

#[test]
fn a_bridge_has_its_grants_and_can_be_revoked() {
    both(async |db| {
        let rig = with_devices(db).await;
        let credentials = rig.ledger.credentials();
        assert!(credentials.issue_bridge(&author(), "m1", Grants::Observer).await.is_err());
        assert!(credentials.issue_bridge(&author(), "b", Grants::One(DeviceId(99))).await.is_err());
        let issued = credentials.issue_bridge(&author(), "hub", Grants::Prefix("m".into())).await.unwrap();
        let principal = granted(&mqtt(&rig, "hub", issued.value("password").unwrap())).unwrap();
        assert_eq!(principal.grants, Grants::Prefix("m".into()));
        assert!(rig.ledger.directory().still_admitted(&principal));
        credentials.issue_bridge(&author(), "eye", Grants::Observer).await.unwrap();
        assert_eq!(credentials.bridges().len(), 2);
        let directory = rig.ledger.directory();
        assert_eq!(directory.bridge("hub").unwrap().grants, Grants::Prefix("m".into()));
        assert!(directory.bridge("m1").is_none() && directory.bridge("nobody").is_none());
        credentials.revoke_bridge(&author(), "hub").await.unwrap();
        assert!(directory.bridge("hub").is_none(), "a broker may not speak by it any more");
        assert!(!rig.ledger.directory().still_admitted(&principal));
    });
}

#[test]
fn a_quarantined_identity_is_accepted_with_place_and_credential() {
    both(async |db| {
        let rig = with_devices(db).await;
        rig.ledger.edit(&author(), vec![site(0, "s")]).await.unwrap();
        let wanted = Acceptance {
            protocol: ProtocolKind::Hj212,
            identity: "MN0002".into(),
            code: "h2".into(),
            name: "新设备".into(),
            profile: "p-hj212".into(),
            vendor: String::new(),
            subject: Some(SubjectId(1)),
            point: "outlet".into(),
            installed_from: EventTime(5),
            password: Some("654321".into()),
            unit: 1,
        };
        let accepted = rig.ledger.accept_unknown(&author(), wanted.clone()).await.unwrap();
        assert_eq!(accepted.issued.value("pw"), Some("654321"));
        let directory = rig.ledger.directory();
        assert!(granted(&directory.admit(Attempt::Hj212 { mn: "MN0002", password: "654321" })).is_some());
        let facts = rig.ledger.facts_now();
        assert_eq!(facts.installation_at(accepted.device, EventTime(6)).unwrap().subject, SubjectId(1));
        assert!(rig.ledger.accept_unknown(&author(), wanted).await.is_err());
    });
}
