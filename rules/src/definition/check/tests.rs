//! What a person sees who wrote a rule wrongly.

use super::*;

const GOOD: &str = r#"
code = "fume"
name_zh = "油烟"
name_en = "fume"
kind = "exceedance"
class = "violation"
[scope]
subject_kind = "restaurant"
[parameters]
quantity = "fume"
unit = "mg/m3"
window = "60min"
[case]
category = "06027"
name = "油烟污染"
[[basis]]
law = "大气污染防治法"
"#;

fn problems(text: &str) -> Vec<String> {
    check(text).expect_err("must be refused").iter().map(ToString::to_string).collect()
}

#[test]
fn a_short_rule_gets_safe_defaults() {
    let rule = check(GOOD).unwrap();
    let Kind::Exceedance(p) = &rule.kind else { panic!("{rule:?}") };
    assert_eq!((p.window_ms, p.statistic, p.clear_factor), (HOUR, Statistic::Mean, 1.0));
    assert_eq!((rule.horizon_ms, rule.demo), (6 * HOUR, false));
    assert_eq!(rule.case.unwrap().per_day_max, 200);
}

#[test]
fn every_problem_is_told_at_once_with_line_and_suggestion() {
    let text = GOOD
        .replace("quantity = \"fume\"", "quantity = \"fumee\"")
        .replace("window = \"60min\"", "window = \"60 cows\"\nclear_factor = 1.2\nwindw = 3")
        .replace("class = \"violation\"", "class = \"offence\"");
    let all = problems(&text);
    assert_eq!(all.len(), 5, "{all:#?}");
    let has = |part: &str| assert!(all.iter().any(|line| line.contains(part)), "{part}: {all:#?}");
    has("line 10: parameters.quantity: \"fumee\" is not a known quantity (did you mean \"fume\"?)");
    has("line 12: parameters.window: \"60 cows\" is no time");
    has("line 13: parameters.clear_factor: clears above the limit");
    has("line 14: parameters.windw: is not a key of this table (did you mean \"window\"?)");
    has("line 6: class: \"offence\" is not known");
}

#[test]
fn a_unit_of_another_dimension_is_refused() {
    let all = problems(&GOOD.replace("\"mg/m3\"", "\"m/s\""));
    assert_eq!(all, ["line 11: parameters.unit: \"m/s\" is no unit of fume (write unit = \"mg/m3\")"]);
}

#[test]
fn windows_that_cannot_be_are_refused() {
    for (window, why) in [("0s", "not possible"), ("30h", "not possible"), ("7h", "longer than the rule's horizon")] {
        let all = problems(&GOOD.replace("60min", window));
        assert!(all[0].contains(why), "{window}: {all:#?}");
    }
}

#[test]
fn a_text_that_is_no_toml_names_its_line() {
    let all = problems("code = \"x\"\nkind = = 3\n");
    assert!(all[0].starts_with("line 2: is not TOML"), "{all:#?}");
}

#[test]
fn numbers_without_a_unit_of_time_are_refused() {
    let all = problems(&GOOD.replace("\"60min\"", "60"));
    assert!(all[0].contains("a time needs its unit"), "{all:#?}");
    assert_eq!(duration_ms("-5s"), None);
    assert_eq!(duration_ms("9999999999999999d"), None);
    assert_eq!(duration_ms("90s"), Some(90_000));
}
