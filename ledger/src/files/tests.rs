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
