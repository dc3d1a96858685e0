//! A table of devices becomes devices with credentials, or every mistake is told at its place, on both engines.

use super::*;
use crate::testing::{author, device, profile, rig};
use database::both;
use model::principal::{Admission, Attempt, Registration};
use model::seams::DeviceDirectory as _;

const TABLE: &str = "编码,协议,标识,型号配置,厂商,密码,终端
fume-1,mqtt,fume-1,p-mqtt,甲厂,,
dust-1,hj212,4101000000000000000000A1,p-hj212,甲厂,123456,
truck-1,jt808,13900000007,p-jt808,乙厂,,T000007
";

fn profiles() -> Vec<Object> {
    [ProtocolKind::Mqtt, ProtocolKind::Hj212, ProtocolKind::Jt808]
        .map(|protocol| profile(&format!("p-{}", protocol.code()), protocol))
        .into()
}

#[test]
fn a_table_becomes_devices_and_a_table_of_credentials_that_work() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        let plan = ledger.plan_fleet(TABLE.as_bytes()).unwrap();
        assert_eq!((plan.new.len(), plan.problems.len()), (3, 0), "{:?}", plan.problems);
        assert!(ledger.facts_now().devices.is_empty());
        let fleet = ledger.apply_fleet(&author(), TABLE.as_bytes()).await.unwrap();
        assert_eq!(fleet.issued, 3);
        let text = String::from_utf8(fleet.credentials).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let cell = |code: &str, column: usize| rows.iter().find(|row| row[0] == code).unwrap()[column];
        let attempt = Attempt::Mqtt {
            client_id: "",
            username: Some(cell("fume-1", 2)),
            password: Some(cell("fume-1", 3).as_bytes()),
        };
        assert!(matches!(ledger.directory().admit(attempt), Admission::Granted(_)));
        assert_eq!((cell("dust-1", 3), cell("fume-1", 4)), ("123456", "lantian/v1/fume-1/telemetry"));
        let attempt = Attempt::Hj212 { mn: "4101000000000000000000A1", password: "123456" };
        assert!(matches!(ledger.directory().admit(attempt), Admission::Granted(_)));
        let ask = |terminal| ledger.directory().register_terminal("13900000007", terminal, Box::new(|_| ()));
        assert!(matches!(ask("M/T000008"), Registration::Taken { .. }));
        assert!(matches!(ask("M/T000007"), Registration::Granted(_)));
        // The same table without the two columns changes nothing and hands out nothing.
        let again: String = TABLE.lines().map(|line| line.rsplitn(3, ',').last().unwrap().to_owned() + "\n").collect();
        let fleet = ledger.apply_fleet(&author(), again.as_bytes()).await.unwrap();
        assert_eq!((fleet.issued, fleet.plan.unchanged), (0, 3));
    });
}

#[test]
fn every_mistake_of_a_table_is_told_at_its_line_and_column_and_nothing_is_made() {
    both(async |db| {
        let rig = rig(db).await;
        let ledger = &rig.ledger;
        ledger.edit(&author(), profiles()).await.unwrap();
        ledger.edit(&author(), vec![device(-1, "old-1", ProtocolKind::Hj212, "MNOLD")]).await.unwrap();
        let table = "code,protocol,identity,profile,password,terminal
fume-1,mqtt,fume-1,p-mqtt,123456,
dust-1,hj212,MN1,p-hj212,a;b,
dust-2,hj212,MN2,p-hj212,,T1
truck-1,jt808,13900000007,p-jt808,,a/b/c
old-1,hj212,MNOLD,p-hj212,123456,
";
        let problems = ledger.plan_fleet(table.as_bytes()).unwrap().problems;
        let told: Vec<_> = problems.iter().map(|problem| (problem.line, problem.place.as_str())).collect();
        assert_eq!(told, [(2, "密码"), (3, "密码"), (4, "终端"), (5, "终端"), (6, "密码")], "{problems:?}");
        assert!(ledger.apply_fleet(&author(), table.as_bytes()).await.is_err());
        assert_eq!(ledger.facts_now().devices.len(), 1);
        let wrong = ledger.plan_fleet("code,protocol,identity,profile,secret\nx,mqtt,x,none,y\n".as_bytes()).unwrap();
        assert!(wrong.problems.iter().any(|problem| problem.line == 1 && problem.place == "secret"), "{wrong:?}");
    });
}
