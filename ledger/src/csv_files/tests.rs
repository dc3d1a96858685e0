//! Tables in and out.

use super::*;
use crate::testing::{author, rig, truck};
use database::both;

const GOOD: &str = "编码,名称,经度,纬度,规模,灶头数,地址,电话\nr1,合成餐馆一,113.55,34.80,小型,2,\"甲路1号,二层\",12345\nr2,合成餐馆二,,,large,8.5,,\n";

#[test]
fn utf8_with_bom_and_gbk_read_alike() {
    both(async |db| {
        let rig = rig(db).await;
        let (gbk, _, _) = encoding_rs::GBK.encode(GOOD);
        let bom = format!("\u{feff}{GOOD}");
        let plan = rig.ledger.plan_csv(CsvKind::Restaurants, &gbk).unwrap();
        assert_eq!((plan.new.len(), plan.problems.len()), (2, 0), "{plan:#?}");
        assert_eq!(plan.new, rig.ledger.plan_csv(CsvKind::Restaurants, bom.as_bytes()).unwrap().new);
        rig.ledger.apply_csv(&author(), CsvKind::Restaurants, &gbk).await.unwrap();
        let again = rig.ledger.apply_csv(&author(), CsvKind::Restaurants, bom.as_bytes()).await.unwrap();
        assert_eq!((again.unchanged, again.changed.len()), (2, 0));
    });
}

#[test]
fn a_table_with_some_columns_keeps_the_others() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.apply_csv(&author(), CsvKind::Restaurants, GOOD.as_bytes()).await.unwrap();
        let part = "code,name,phone\nr1,改名,999\n";
        let plan = rig.ledger.apply_csv(&author(), CsvKind::Restaurants, part.as_bytes()).await.unwrap();
        assert_eq!(plan.changed.len(), 1);
        let table = String::from_utf8(rig.ledger.export_csv(CsvKind::Restaurants).unwrap()).unwrap();
        assert!(table.contains("r1,改名,,113.55,34.8,小型,2.0,\"甲路1号,二层\",,,999,是"), "{table}");
    });
}

#[test]
fn twenty_kinds_of_mistakes_are_told_by_row_and_column_and_nothing_is_applied() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.edit(&author(), vec![truck(0, "豫A1")]).await.unwrap();
        let revision = rig.ledger.facts_now().revision;
        let told = |kind, table: &str| -> Vec<String> {
            let plan = rig.ledger.plan_csv(kind, table.as_bytes()).unwrap();
            plan.problems.iter().map(|p| format!("{}|{}|{}", p.line, p.place, p.message)).collect()
        };
        let cases: [(CsvKind, &str, &str); 24] = [
            (CsvKind::Restaurants, "编码\nr1\n", "1|名称|this column is missing"),
            (CsvKind::Restaurants, "编码,名称,颜色\nr1,a,红\n", "1|颜色|is no column"),
            (CsvKind::Restaurants, "编码,名称,编码\nr1,a,r1\n", "1|编码|stands twice"),
            (CsvKind::Restaurants, "编码,名称\n,a\n", "2|编码|must not be empty"),
            (CsvKind::Restaurants, "编码,名称\nr1,a\nr1,b\n", "3|编码|r1 stands already"),
            (CsvKind::Restaurants, "编码,名称\nr 1,a\n", "2|编码|write 1 to 64"),
            (CsvKind::Restaurants, "编码,名称\nr1,a,b\n", "2||has 3 cells"),
            (CsvKind::Restaurants, "编码,名称,灶头数\nr1,a,三\n", "2|灶头数|\"三\": is no number"),
            (CsvKind::Restaurants, "编码,名称,灶头数\nr1,a,-1\n", "2|灶头数|write a number above 0"),
            (CsvKind::Restaurants, "编码,名称,规模\nr1,a,巨型\n", "2|规模|\"巨型\": write 小型"),
            (CsvKind::Restaurants, "编码,名称,网格\nr1,a,g9\n", "2|网格|there is no grid"),
            (CsvKind::Restaurants, "编码,名称,经度\nr1,a,113.5\n", "2|经度|write both"),
            (CsvKind::Restaurants, "编码,名称,经度,纬度\nr1,a,34.8,113.5\n", "2|经度|write [longitude"),
            (CsvKind::Restaurants, "编码,名称,启用\nr1,a,maybe\n", "2|启用|\"maybe\": write 是"),
            (CsvKind::Restaurants, "编码,名称\n豫A1,a\n", "2|编码|豫A1 is a subject of another kind"),
            (CsvKind::Trucks, "编码,车牌\nt2,豫A1\n", "2|车牌|豫A1 is taken by subject 豫A1"),
            (CsvKind::Trucks, "编码,车牌\nt2,豫 A·2\n", "2|车牌|write the plate"),
            (CsvKind::Devices, "编码,协议,标识,型号配置\nd1,opc,x,p\n", "2|协议|\"opc\": write mqtt"),
            (CsvKind::Devices, "编码,协议,标识,型号配置\nd1,mqtt,x,p\n", "2|型号配置|there is no profile"),
            (CsvKind::Devices, "编码,协议,标识,型号配置\nd1,jt808,x,p\n", "2|标识|write the terminal's phone"),
            (CsvKind::Installations, "设备,监管对象,起始\nd9,豫A1,2026-01-01\n", "2|设备|there is no device"),
            (CsvKind::Installations, "设备,监管对象,起始\nd9,豫A1,昨天\n", "2|起始|\"昨天\": write a date"),
            (
                CsvKind::Permits,
                "编码,车辆,路线,半宽米,起始,截止\np1,豫A1,113.5 34.8;113.6 34.8,50,2026-02-01,2026-01-01\n",
                "2|截止|must be after",
            ),
            (CsvKind::Permits, "编码,车辆,路线,半宽米,起始\np1,豫A1,113.5;34.8,50,2026-02-01\n", "2|路线|"),
        ];
        for (kind, table, wanted) in cases {
            let told = told(kind, table);
            assert!(told.iter().any(|t| t.starts_with(wanted)), "{table}: {wanted} in {told:#?}");
            assert!(rig.ledger.apply_csv(&author(), kind, table.as_bytes()).await.is_err(), "{table}");
        }
        assert_eq!(rig.ledger.facts_now().revision, revision);
    });
}

#[test]
fn every_table_exports_to_what_imports_to_no_change() {
    both(async |db| {
        let rig = rig(db).await;
        let profiles = crate::testing::profile("p-mqtt", model::envelope::ProtocolKind::Mqtt);
        rig.ledger.edit(&author(), vec![profiles]).await.unwrap();
        let tables = [
            (CsvKind::Restaurants, GOOD),
            (CsvKind::Sites, "编码,名称,施工阶段,施工单位\ns1,工地,土方,'=cmd()\n"),
            (CsvKind::Trucks, "编码,车牌,车牌颜色,核定载重\nt1,豫A12345,黄,15.5\n"),
            (CsvKind::Devices, "编码,协议,标识,型号配置,厂商,启用\nd1,MQTT,d1,p-mqtt,甲厂,否\n"),
            (CsvKind::Installations, "设备,监管对象,点位,起始,截止\nd1,t1,tracker,2026-01-01 08:30,2026/2/1\n"),
            (
                CsvKind::Permits,
                "编码,车辆,工地,路线,半宽米,时段,起始\np1,t1;豫A12345,s1,113.5 34.8; 113.52 34.81,60,22:00-06:00;1,2 12:00-13:00,2026-01-01\n",
            ),
            (CsvKind::Cleanings, "餐馆,清洗时间,清洗部位\nr1,2026-01-01,净化器;烟道\n"),
            (
                CsvKind::Manifests,
                "联单号,来源,车辆,工地,准运证,装车时间,方量\nL-1,司机,豫A12345,s1,p1,2026-01-02 21:00,12.5\n",
            ),
            (CsvKind::NightPermits, "证明编号,工地,时段,起始,截止\n夜-1,s1,22:00-02:00,2026-01-01,2026-01-05\n"),
        ];
        for (kind, table) in tables {
            let quoted = table.replace("22:00-06:00;1,2 12:00-13:00", "\"22:00-06:00;1,2 12:00-13:00\"");
            let quoted = quoted.replace("t1;豫A12345", "t1");
            let plan = rig.ledger.apply_csv(&author(), kind, quoted.as_bytes()).await.unwrap();
            assert!(!plan.new.is_empty());
        }
        for kind in CsvKind::ALL {
            let table = rig.ledger.export_csv(kind).unwrap();
            let plan = rig.ledger.plan_csv(kind, &table).unwrap();
            let text = String::from_utf8_lossy(&table);
            assert!(plan.problems.is_empty() && plan.new.is_empty() && plan.changed.is_empty(), "{plan:#?}\n{text}");
            assert!(plan.unchanged > 0);
        }
        let sites = String::from_utf8(rig.ledger.export_csv(CsvKind::Sites).unwrap()).unwrap();
        assert!(sites.contains("'=cmd()"), "{sites}");
    });
}

#[test]
fn cleaning_records_and_manifests_come_from_a_spreadsheet_and_twice_is_once() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.apply_csv(&author(), CsvKind::Restaurants, GOOD.as_bytes()).await.unwrap();
        rig.ledger.edit(&author(), vec![truck(0, "豫A1")]).await.unwrap();
        let cleanings = "餐馆,清洗时间,清洗部位,清洗单位\nr1,2026-11-01,净化器;集气罩,合成清洗\nr2,2026/11/2,烟道,\nr1,2026-11-01 09:30,风机,\n";
        for (new, unchanged) in [(3, 0), (0, 3)] {
            let plan = rig.ledger.apply_csv(&author(), CsvKind::Cleanings, cleanings.as_bytes()).await.unwrap();
            assert_eq!((plan.new.len(), plan.unchanged, plan.changed.len()), (new, unchanged, 0), "{plan:#?}");
        }
        let table = String::from_utf8(rig.ledger.export_csv(CsvKind::Cleanings).unwrap()).unwrap();
        assert!(table.contains("r1,2026-11-01,净化器;集气罩,合成清洗,,,\n"), "{table}");
        let loads =
            "联单号,来源,车辆,装车时间,方量\nL-1,司机,豫A1,2026-11-20 21:00,12.5\nL-1,定位,豫A1,2026-11-20 21:02,\n";
        let plan = rig.ledger.apply_csv(&author(), CsvKind::Manifests, loads.as_bytes()).await.unwrap();
        assert_eq!(plan.new.len(), 2);
        // The dump site writes when it was unloaded; what the site wrote stays.
        let unloaded = "联单号,来源,车辆,装车时间,卸车时间\nL-1,司机,豫A1,2026-11-20 21:00,2026-11-20 21:55\n";
        let plan = rig.ledger.apply_csv(&author(), CsvKind::Manifests, unloaded.as_bytes()).await.unwrap();
        assert_eq!((plan.changed.len(), plan.new.len()), (1, 0), "{plan:#?}");
        let facts = rig.ledger.facts_now();
        let first = facts.manifests.values().next().unwrap();
        assert_eq!((first.volume_m3, first.unloaded_at.is_some()), (Some(12.5), true));
        let bad = "餐馆,清洗时间,清洗部位\nr9,昨天,地板\n";
        let plan = rig.ledger.plan_csv(CsvKind::Cleanings, bad.as_bytes()).unwrap();
        let told: Vec<String> = plan.problems.iter().map(|p| format!("{}|{}|{}", p.line, p.place, p.message)).collect();
        assert!(told.iter().any(|one| one.starts_with("2|清洗时间|\"昨天\": write a date")), "{told:#?}");
        assert!(told.iter().any(|one| one.starts_with("2|清洗部位|\"地板\": write 集气罩, 烟道")), "{told:#?}");
        assert!(told.iter().any(|one| one.starts_with("2|餐馆|there is no subject")), "{told:#?}");
    });
}
