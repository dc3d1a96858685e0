//! Files in and out, on both engines.

use super::*;
use crate::testing::{author, device, grid, installation, office, permit, profile, rig, site, truck};
use database::both;
use model::envelope::ProtocolKind;

fn fine(_: &str) -> Vec<Problem> {
    Vec::new()
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library")
}

#[test]
fn the_shipped_library_applies_and_applies_again_to_no_change() {
    both(async |db| {
        let rig = rig(db).await;
        let plan = rig.ledger.apply_dir(&author(), &library(), &fine).await.unwrap();
        assert!(plan.new.len() > 15 && plan.changed.is_empty());
        let again = rig.ledger.plan_dir(&library(), &fine).await.unwrap();
        assert_eq!((again.new.len(), again.changed.len(), again.problems.len()), (0, 0, 0), "{again:#?}");
        assert_eq!(again.unchanged, plan.new.len());
        assert!(rig.ledger.facts_now().limits.values().all(|limit| !limit.verified));
    });
}

#[test]
fn an_export_applies_back_to_no_change_here_and_in_an_empty_ledger() {
    both(async |db| {
        let first = rig(db.clone()).await;
        first.ledger.apply_dir(&author(), &library(), &fine).await.unwrap();
        let mut closed = permit(0, "permit-1", -3);
        if let Object::Permit(row) = &mut closed {
            row.site = Some(model::id::SubjectId(-2));
            row.valid_to = Some(model::time::EventTime(1_790_000_000_123));
            row.windows = vec![model::register::WeekWindow { weekdays: vec![], from_minute: 1320, to_minute: 360 }];
        }
        let batch = vec![
            office(-1, "o1"),
            grid(0, "410102001001001", -1),
            site(-2, "s1"),
            truck(-3, "豫A12345"),
            crate::testing::subject(0, "g1", model::register::SubjectDetails::Gate { site: model::id::SubjectId(-2) }),
            closed,
            profile("p-mqtt", ProtocolKind::Mqtt),
            device(-4, "d1", ProtocolKind::Mqtt, "d1"),
            installation(0, -4, -2, 5, Some(1_000)),
        ];
        first.ledger.edit(&author(), batch).await.unwrap();
        first.ledger.set_rule(&author(), "r1", "a = 1\n", true, &fine).await.unwrap();
        first.ledger.set_rule(&author(), "r2", "b = 1\n", false, &fine).await.unwrap();
        let out = tempfile::tempdir().unwrap();
        first.ledger.export_dir(out.path(), Existing::Refuse).await.unwrap();
        let plan = first.ledger.plan_dir(out.path(), &fine).await.unwrap();
        assert_eq!((plan.new.len(), plan.changed.len(), plan.problems.len()), (0, 0, 0), "{plan:#?}");
        // A second export of what the files make in an empty ledger is the same text.
        let place = tempfile::tempdir().unwrap();
        let options = database::Options::sqlite(place.path().join("second.db"));
        let second = rig(database::Database::open(options).await.unwrap()).await;
        second.ledger.apply_dir(&author(), out.path(), &fine).await.unwrap();
        let back = tempfile::tempdir().unwrap();
        let names = second.ledger.export_dir(back.path(), Existing::Refuse).await.unwrap().written;
        assert!(names.len() > 8);
        for name in names {
            let read = |dir: &Path| std::fs::read_to_string(dir.join(&name)).unwrap();
            let sorted = |text: String| {
                let mut rows: Vec<String> =
                    text.split("\n[[").map(|row| row.trim().trim_start_matches("[[").to_owned()).collect();
                rows.sort();
                rows
            };
            assert_eq!(sorted(read(back.path())), sorted(read(out.path())), "{name}");
        }
    });
}

#[test]
fn every_mistake_in_the_files_is_told_with_its_place_and_nothing_is_applied() {
    both(async |db| {
        let rig = rig(db).await;
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("a.toml", "[[office]]\ncode = \"o\"\nname = \"机构\"\n\n[[office]]\ncode = \"o\"\nname = \"又\"\n");
        write("b.toml", "[[grid]]\ncode = \"g\"\nname = \"g\"\noffice = \"nowhere\"\n\n[[ofice]]\ncode = \"x\"\n");
        write(
            "c.toml",
            "[[limit]]\nquantity = \"fume\"\nvalue = \"two\"\nunit = \"mg/m3\"\nstandard = \"s\"\nvalid_from = 2020-13-01\n",
        );
        write("d.toml", "[[calendar]]\ncode = \"c\"\nhours = []\nholiday = []\n");
        write("rules/r.toml", "broken");
        let check = |text: &str| {
            if text == "broken" { vec![Problem { line: 1, ..Problem::new("", "is no rule") }] } else { Vec::new() }
        };
        let error = rig.ledger.apply_dir(&author(), dir.path(), &check).await.unwrap_err();
        let LedgerError::Invalid(problems) = error else { panic!("{error}") };
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let has = |start: &str, words: &str| told.iter().any(|t| t.starts_with(start) && t.contains(words));
        assert!(has("a.toml:6: code", "stands already in a.toml line 1"), "{told:#?}");
        assert!(has("b.toml:4: office", "nowhere"), "{told:#?}");
        assert!(has("b.toml:6: ofice", "is no kind of register"), "{told:#?}");
        assert!(has("c.toml:6", ""), "{told:#?}");
        assert!(has("d.toml:4", "holiday"), "{told:#?}");
        assert!(has("rules/r.toml:1", "is no rule"), "{told:#?}");
        assert_eq!(rig.ledger.facts_now().revision, 0);
    });
}

#[test]
fn a_problem_of_content_has_the_line_of_its_key() {
    both(async |db| {
        let rig = rig(db).await;
        let dir = tempfile::tempdir().unwrap();
        let text = "[[profile]]\ncode = \"p\"\nname = \"p\"\nprotocol = \"mqtt\"\nfactors = [\n  { code = \"a\", quantity = \"fume\", unit = \"mg/m3\" },\n  { code = \"b\", quantity = \"smoke\", unit = \"mg/m3\" },\n]\n";
        std::fs::write(dir.path().join("p.toml"), text).unwrap();
        let plan = rig.ledger.plan_dir(dir.path(), &fine).await.unwrap();
        assert_eq!(plan.problems.len(), 1, "{plan:#?}");
        assert_eq!((plan.problems[0].line, plan.problems[0].place.as_str()), (7, "factors[1].quantity"));
    });
}

#[test]
fn a_rules_change_is_its_next_version_and_a_rollback_is_one_too() {
    both(async |db| {
        let rig = rig(db).await;
        let rule = async |text: &str| rig.ledger.set_rule(&author(), "fume", text, true, &fine).await.unwrap();
        let version = || rig.ledger.facts_now().rules["fume"].version;
        assert!(rule("a").await.is_some());
        assert!(rule("a").await.is_none());
        rule("b").await;
        assert_eq!(version(), 2);
        rig.ledger.rollback_rule(&author(), "fume", 1, &fine).await.unwrap();
        assert_eq!((version(), rig.ledger.facts_now().rules["fume"].text.as_str()), (3, "a"));
        assert!(rig.ledger.rollback_rule(&author(), "fume", 9, &fine).await.is_err());
        assert!(rig.ledger.set_rule(&author(), "a/b", "a", true, &fine).await.is_err());
        let dir = tempfile::tempdir().unwrap();
        rig.ledger.export_dir(dir.path(), Existing::Refuse).await.unwrap();
        std::fs::write(dir.path().join("rules/fume.toml"), "c").unwrap();
        let plan = rig.ledger.apply_dir(&author(), dir.path(), &fine).await.unwrap();
        assert_eq!((plan.changed.len(), version()), (1, 4));
    });
}

#[test]
fn an_export_refuses_a_folder_that_is_not_empty() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.edit(&author(), vec![office(-1, "o1")]).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("offices.toml"), "# mine").unwrap();
        let refused = rig.ledger.export_dir(dir.path(), Existing::Refuse).await;
        assert!(matches!(refused, Err(LedgerError::Refused(why)) if why.contains("--force")));
        assert_eq!(std::fs::read_to_string(dir.path().join("offices.toml")).unwrap(), "# mine");
    });
}

#[test]
fn a_forced_export_removes_what_an_earlier_one_wrote_and_nothing_else() {
    both(async |db| {
        let rig = rig(db).await;
        rig.ledger.edit(&author(), vec![office(-1, "o1")]).await.unwrap();
        rig.ledger.set_rule(&author(), "own-rule", "own text", true, &fine).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        rig.ledger.export_dir(dir.path(), Existing::Refuse).await.unwrap();
        assert!(at("rules/own-rule.toml").is_file());
        // An older export wrote a register and a rule that are no more; somebody else wrote a draft and a note.
        std::fs::write(at("permits.toml"), "").unwrap();
        std::fs::write(at("rules/gone.toml"), "old").unwrap();
        let list = std::fs::read_to_string(at("lantian-export.txt")).unwrap();
        let outside = dir.path().parent().unwrap().join("outside.toml");
        std::fs::write(at("lantian-export.txt"), format!("{list}rules/gone.toml\n../outside.toml\nnote.md\n")).unwrap();
        std::fs::write(&outside, "").unwrap();
        std::fs::write(at("rules/draft.toml"), "draft").unwrap();
        std::fs::write(at("note.md"), "note").unwrap();
        rig.ledger.set_rule(&author(), "own-rule", "own text", false, &fine).await.unwrap();
        let done = rig.ledger.export_dir(dir.path(), Existing::Replace).await.unwrap();
        assert_eq!(done.removed, ["permits.toml", "rules/gone.toml", "rules/own-rule.toml"]);
        assert_eq!(done.left, ["rules/draft.toml"]);
        assert!(at("rules/off/own-rule.toml").is_file() && at("note.md").is_file() && outside.is_file());
        std::fs::remove_file(outside).unwrap();
        let again = rig.ledger.export_dir(dir.path(), Existing::Replace).await.unwrap();
        assert_eq!((again.removed.len(), again.written), (0, done.written));
    });
}

/// One row of each of the registers that people keep about the subjects, on subjects and devices of their own.
fn papers() -> &'static str {
    r#"
[[area]]
code = "no-go-1"
name = "合成禁行区"
purpose = "no_go"
outline = [[113.50, 34.80], [113.52, 34.80], [113.52, 34.82], [113.50, 34.82]]
windows = [{ weekdays = [1, 2, 3, 4, 5], from_minute = 420, to_minute = 1200 }]
valid_from = 2026-01-01

[[area]]
code = "slow-1"
name = "合成限速区"
purpose = "speed"
circle = { centre = [113.55, 34.80], radius_m = 300.0 }
speed_limit_kmh = 40.0
valid_from = 2026-01-01
valid_to = 2027-01-01

[[notice]]
code = "预警-1"
level = "orange"
grids = ["410102001001001"]
stops = ["earthwork", "muck_transport"]
source = "合成通知"
valid_from = 2026-11-20T08:00:00+08:00
valid_to = 2026-11-23T08:00:00+08:00

[[night_permit]]
code = "夜-1"
site = "s1"
windows = [{ from_minute = 1320, to_minute = 360 }]
issuer = "合成机关"
valid_from = 2026-11-20
valid_to = 2026-11-25

[[cleaning]]
subject = "r1"
cleaned_at = 2026-11-01
parts = ["hood", "purifier"]
cleaned_by = "合成清洗"

[[manifest]]
code = "L-1"
truck = "豫A12345"
site = "s1"
permit = "permit-1"
source = "driver"
loaded_at = 2026-11-20T21:00:00+08:00
unloaded_at = 2026-11-20T21:50:00+08:00
volume_m3 = 12.5

[[manifest]]
code = "L-1"
truck = "豫A12345"
source = "gps"
loaded_at = 2026-11-20T21:03:00+08:00

[[maintenance]]
device = "d1"
valid_from = 2026-11-20T08:00:00+08:00
valid_to = 2026-11-20T10:00:00+08:00
why = "更换传感器"

[[schedule]]
subject_kind = "restaurant"
open = [{ from_minute = 600, to_minute = 1320 }]
peaks = [{ from_minute = 660, to_minute = 810 }, { from_minute = 1020, to_minute = 1200 }]
valid_from = 2026-01-01

[[background]]
quantity = "pm10"
device = "d1"
source = "合成背景站"
valid_from = 2026-01-01

[[permit]]
code = "permit-1"
trucks = ["豫A12345"]
corridor = [[113.5, 34.8], [113.54, 34.8]]
corridor_half_width_m = 50.0
valid_from = 2026-01-01
suspensions = [{ from = 2026-11-20T08:00:00+08:00, to = 2026-11-23T08:00:00+08:00, why = "橙色预警" }]
"#
}

/// What they refer to.
async fn subjects(rig: &crate::testing::Rig) {
    let restaurant: model::register::SubjectDetails = serde_json::from_value(json!({ "kind": "restaurant" })).unwrap();
    let batch = vec![
        office(-1, "o1"),
        grid(0, "410102001001001", -1),
        site(-2, "s1"),
        truck(-3, "豫A12345"),
        crate::testing::subject(0, "r1", restaurant),
        profile("p-mqtt", ProtocolKind::Mqtt),
        device(-4, "d1", ProtocolKind::Mqtt, "d1"),
    ];
    rig.ledger.edit(&author(), batch).await.unwrap();
}

#[test]
fn papers_of_every_kind_apply_export_and_apply_back_to_no_change() {
    both(async |db| {
        let rig = rig(db).await;
        subjects(&rig).await;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("papers.toml"), papers()).unwrap();
        let plan = rig.ledger.apply_dir(&author(), dir.path(), &fine).await.unwrap();
        assert_eq!((plan.new.len(), plan.problems.len()), (11, 0), "{plan:#?}");
        let again = rig.ledger.plan_dir(dir.path(), &fine).await.unwrap();
        assert_eq!((again.unchanged, again.new.len(), again.changed.len()), (11, 0, 0), "{again:#?}");
        let out = tempfile::tempdir().unwrap();
        let written = rig.ledger.export_dir(out.path(), Existing::Refuse).await.unwrap().written;
        assert!(written.contains(&"night_permits.toml".to_owned()), "{written:?}");
        let back = rig.ledger.plan_dir(out.path(), &fine).await.unwrap();
        assert_eq!((back.new.len(), back.changed.len(), back.problems.len()), (0, 0, 0), "{back:#?}");
        // What is in memory is what a fresh start reads from the tables.
        let facts = rig.ledger.facts_now();
        assert_eq!((facts.areas.len(), facts.manifests.len(), facts.schedules.len()), (2, 2, 1));
        let entries = rig.ledger.audit().page(&crate::AuditFilter { limit: 100, ..Default::default() }).await.unwrap();
        assert!(entries.iter().any(|entry| entry.kind == "cleaning"), "an edit of a cleaning record is in the audit");
    });
}

#[test]
fn every_mistake_in_the_papers_is_told_at_once_with_what_to_write() {
    both(async |db| {
        let rig = rig(db).await;
        subjects(&rig).await;
        let dir = tempfile::tempdir().unwrap();
        let tell = async |text: &str| -> Vec<String> {
            std::fs::write(dir.path().join("a.toml"), text).unwrap();
            let plan = rig.ledger.plan_dir(dir.path(), &fine).await.unwrap();
            plan.problems.iter().map(ToString::to_string).collect()
        };
        let from = "valid_from = 2026-01-01";
        let cases = [
            (format!("[[area]]\ncode = \"a\"\nname = \"a\"\npurpose = \"no_go\"\n{from}\n"), "a.toml:1: outline", "a circle"),
            (format!("[[area]]\ncode = \"a\"\nname = \"a\"\npurpose = \"nogo\"\n{from}\n"), "a.toml:4: purpose", "no_go"),
            (format!("[[area]]\ncode = \"a\"\nname = \"a\"\npurpose = \"speed\"\ncircle = {{ centre = [113.5, 34.8], radius_m = 50.0 }}\n{from}\n"), "a.toml:1: speed_limit_kmh", "km/h"),
            (format!("[[area]]\ncode = \"a\"\nname = \"a\"\npurpose = \"parking\"\noutline = [[113.50, 34.80], [113.52, 34.82], [113.52, 34.80], [113.50, 34.82]]\n{from}\n"), "a.toml:5: outline[0]", "crosses the side from point 3"),
            (format!("[[area]]\ncode = \"a\"\nname = \"a\"\npurpose = \"parking\"\ncircle = {{ centre = [34.8, 113.5], radius_m = 1.0 }}\n{from}\n"), "a.toml:5: circle.radius_m", "from 5 to 20000"),
            (format!("[[notice]]\ncode = \"n\"\nlevel = \"red\"\nregion = \"99\"\nstops = [\"earthwork\"]\n{from}\n"), "a.toml:4: region", "no grid's code begins so"),
            (format!("[[notice]]\ncode = \"n\"\nlevel = \"red\"\n{from}\n"), "a.toml:1: stops", "muck_transport"),
            (format!("[[night_permit]]\ncode = \"n\"\nsite = \"r1\"\nvalid_to = 2026-02-01\n{from}\n"), "a.toml:3: site", "is a restaurant; write a site"),
            (format!("[[night_permit]]\ncode = \"n\"\nsite = \"s1\"\n{from}\n"), "a.toml:1: valid_to", "a night permit ends"),
            ("[[cleaning]]\nsubject = \"r1\"\ncleaned_at = 2026-01-01\nparts = []\n".into(), "a.toml:4: parts", "purifier"),
            ("[[cleaning]]\nsubject = \"r1\"\ncleaned_at = \"soon\"\nparts = [\"fan\"]\n".into(), "a.toml:3: cleaned_at", "write a date"),
            ("[[manifest]]\ncode = \"m\"\ntruck = \"豫A12345\"\nsource = \"driver\"\nloaded_at = 2026-01-02\nunloaded_at = 2026-01-01\n".into(), "a.toml:6: unloaded_at", "after loaded_at"),
            ("[[manifest]]\ncode = \"m\"\ntruck = \"豫A12345\"\nsource = \"driver\"\nloaded_at = 2026-01-02\n\n[[manifest]]\ncode = \"m\"\ntruck = \"豫A12345\"\nsource = \"driver\"\nloaded_at = 2026-01-02\n".into(), "a.toml:8: code", "stands already"),
            (format!("[[maintenance]]\ndevice = \"d1\"\nwhy = \" \"\nvalid_to = 2028-01-01\n{from}\n"), "a.toml:3: why", "everybody sees it"),
            (format!("[[maintenance]]\ndevice = \"d1\"\nwhy = \"w\"\nvalid_to = 2028-01-01\n{from}\n"), "a.toml:4: valid_to", "366 days"),
            (format!("[[schedule]]\nsubject_kind = \"truck\"\n{from}\n"), "a.toml:2: subject_kind", "restaurant, site"),
            (format!("[[background]]\nquantity = \"smoke\"\ndevice = \"d1\"\n{from}\n"), "a.toml:2: quantity", "pm10"),
            (format!("[[permit]]\ncode = \"p\"\ntrucks = [\"豫A12345\"]\ncorridor = [[113.5, 34.8], [113.54, 34.8]]\ncorridor_half_width_m = 50.0\nsuspensions = [{{ from = 2026-01-01 }}, {{ from = 2026-02-01 }}]\n{from}\n"), "a.toml:6: suspensions[1].from", "one after the other"),
        ];
        for (text, place, words) in cases {
            let told = tell(&text).await;
            assert!(
                told.iter().any(|one| one.starts_with(place) && one.contains(words)),
                "{text}\n{place} {words}\n{told:#?}"
            );
        }
        let two = tell("[[cleaning]]\nsubject = \"r1\"\ncleaned_at = 1990-01-01\nparts = []\n").await;
        assert_eq!(two.len(), 2, "both problems of one row are told: {two:#?}");
        assert_eq!(rig.ledger.facts_now().areas.len(), 0);
    });
}
