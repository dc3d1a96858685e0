//! From a rule's text to a [`CompiledRule`], or all its problems at once.

use super::nearest::suggestion;
use super::reader::{Findings, Reader};
use super::{
    Absence, Basis, CaseSpec, CompiledRule, Exceedance, Judged, KINDS, Kind, KindRow, OffRoute, Offline, Problem,
    Scope, Severity,
};
use model::envelope::ProtocolKind;
use model::episode::EpisodeClass;
use model::quantity::{QUANTITIES, Quantity};
use model::record::Statistic;
use model::unit::Unit;

/// `500ms`, `90s`, `10min`, `6h`, `3d` in milliseconds.
pub fn duration_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => SECOND,
        "min" | "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

/// Compiles a rule's text.
///
/// # Errors
/// Every problem of the text, each with its place and what to write instead.
pub fn check(text: &str) -> Result<CompiledRule, Vec<Problem>> {
    let mut found = Findings::new(text);
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Err(vec![syntax(text, &error)]),
    };
    let mut root = Reader::root(&table);
    let rule = read(&mut root, &mut found);
    root.finish(&mut found);
    match rule {
        Some(rule) if found.problems.is_empty() => Ok(rule),
        _ => Err(found.problems),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    Problem {
        place: format!("line {line}"),
        message: format!("is not TOML: {}", error.message()),
        suggestion: "write key = value, texts in quotes".into(),
    }
}

fn read(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Option<CompiledRule> {
    let code = root.required("code", "\"my-rule\"", found).to_owned();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !code.is_empty() && (code.len() > CODE_MAX || !code.chars().all(plain)) {
        found.add("", "code", format!("\"{code}\" is not a code"), "use a-z, 0-9 and -, at most 48 characters");
    }
    let name_zh = root.required("name_zh", "\"规则名称\"", found).to_owned();
    let name_en = root.required("name_en", "\"name\"", found).to_owned();
    let class = root.word("class", CLASSES, found);
    if class.is_none() && root.text("class", found).is_none() {
        found.add("", "class", "is missing", "write class = \"violation\", \"device_fault\" or \"doubtful_data\"");
    }
    let words: Vec<(&'static str, Word)> = kinds().collect();
    let kind_word = root.word("kind", &words, found);
    if kind_word.is_none() && root.text("kind", found).is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        found.add("", "kind", "is missing", format!("write kind = one of {}", known.join(", ")));
    }
    let settle_ms = root.duration("settle", 10 * MINUTE, 0..=7 * DAY, found);
    let horizon_ms = root.duration("horizon", 6 * HOUR, MINUTE..=72 * HOUR, found);
    let observations = root.number("observations_max", 4_096.0, 16.0..=65_536.0, found);
    let demo = root.flag("demo", found);
    let scope = read_scope(root, found);
    let kind = kind_word.and_then(|word| read_kind(word, root, found));
    let case = read_case(root, found);
    let basis = read_basis(root, found);
    let kind = kind?;
    longest_fits(&kind, horizon_ms, found);
    if matches!(kind, Kind::OffRoute(_)) && scope.subject_kinds.iter().any(|kind| kind != "truck") {
        found.add("scope", "subject_kind", "only trucks have permits", "write subject_kind = \"truck\"");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 16..=65536")]
    let observations_max = observations as usize;
    Some(CompiledRule {
        code,
        name_zh,
        name_en,
        class: class?,
        demo,
        scope,
        kind,
        settle_ms,
        horizon_ms,
        observations_max,
        case,
        basis,
    })
}

fn read_kind(word: Word, root: &mut Reader<'_>, found: &mut Findings<'_>) -> Option<Kind> {
    if let Word::Judged(row) = word {
        let design = (row.read)(root, found)?;
        return Some(Kind::Judged(Judged { code: row.code, design, text: root.plain() }));
    }
    let mut parameters = root.table("parameters", found);
    let kind = match word {
        Word::Exceedance => Kind::Exceedance(read_exceedance(&mut parameters, found)),
        Word::Offline => Kind::Offline(read_offline(&mut parameters, found)),
        Word::OffRoute => Kind::OffRoute(read_route(&mut parameters, found)),
        Word::Judged(_) => return None,
    };
    parameters.finish(found);
    Some(kind)
}

/// What a rule must look back on has to lie inside its horizon.
fn longest_fits(kind: &Kind, horizon_ms: i64, found: &mut Findings<'_>) {
    let (key, ms) = match kind {
        Kind::Exceedance(p) => ("window", p.window_ms.saturating_add(p.for_ms)),
        Kind::Offline(p) => ("longer_than", p.longer_than_ms),
        Kind::OffRoute(p) => ("for", p.for_ms),
        Kind::Judged(p) => ("horizon", p.design.lookback_ms()),
    };
    if ms > horizon_ms {
        let section = if key == "horizon" { "" } else { "parameters" };
        let what = if key == "horizon" {
            format!("is shorter than the {} that the rule looks back", super::reader::words(ms))
        } else {
            "is longer than the rule's horizon".to_owned()
        };
        found.add(section, key, what, "make the horizon longer, at most \"72h\"");
    }
}

fn read_scope(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Scope {
    let mut scope = root.table("scope", found);
    let subject_kinds: Vec<String> = scope.texts("subject_kind", found).into_iter().map(str::to_owned).collect();
    for kind in &subject_kinds {
        if !SUBJECTS.contains(&kind.as_str()) {
            found.add("scope", "subject_kind", format!("\"{kind}\" is no kind of subject"), suggestion(kind, SUBJECTS));
        }
    }
    let profiles = scope.texts("profiles", found).into_iter().map(str::to_owned).collect();
    let words = scope.texts("protocols", found);
    let protocols = words.into_iter().filter_map(|word| protocol("scope", "protocols", word, found)).collect();
    scope.finish(found);
    Scope { subject_kinds, profiles, protocols }
}

fn protocol(section: &str, key: &str, word: &str, found: &mut Findings<'_>) -> Option<ProtocolKind> {
    let hit = ProtocolKind::ALL.into_iter().find(|kind| kind.code() == word);
    if hit.is_none() {
        found.add(
            section,
            key,
            format!("\"{word}\" is no protocol"),
            suggestion(word, &ProtocolKind::ALL.map(ProtocolKind::code)),
        );
    }
    hit
}

fn read_exceedance(at: &mut Reader<'_>, found: &mut Findings<'_>) -> Exceedance {
    let codes: Vec<&str> = QUANTITIES.iter().map(|spec| spec.code).collect();
    let wanted = at.required("quantity", "\"fume\"", found);
    let spec = QUANTITIES.iter().find(|spec| spec.code == wanted);
    if spec.is_none() && !wanted.is_empty() {
        found.add(
            "parameters",
            "quantity",
            format!("\"{wanted}\" is not a known quantity"),
            suggestion(wanted, &codes),
        );
    }
    let canonical = spec.map_or(Unit::One, |spec| spec.unit);
    let unit_text = at.required("unit", &format!("\"{}\"", canonical.code()), found);
    let unit = Unit::parse(unit_text).unwrap_or(canonical);
    if !unit_text.is_empty()
        && Unit::parse(unit_text).is_none_or(|unit| spec.is_some() && !unit.same_dimension(canonical))
    {
        let message = format!("\"{unit_text}\" is no unit of {wanted}");
        found.add("parameters", "unit", message, format!("write unit = \"{}\"", canonical.code()));
    }
    let statistic = at.word("statistic", STATISTICS, found).unwrap_or(Statistic::Mean);
    let mut others = at.table("statistic_of", found);
    let mut statistic_of = Vec::new();
    for (key, kind) in PROTOCOL_KEYS {
        if let Some(statistic) = others.word(key, STATISTICS, found) {
            statistic_of.push((*kind, statistic));
        }
    }
    others.finish(found);
    let window_ms = at.duration("window", HOUR, 10 * SECOND..=DAY, found);
    let interval_ms = Some(at.duration("interval", 0, SECOND..=HOUR, found)).filter(|ms| *ms > 0);
    if interval_ms.is_some_and(|interval| interval > window_ms || window_ms / interval > SLOTS_MAX) {
        found.add("parameters", "interval", "does not fit the window", "1 to 10000 intervals make a window");
    }
    let valid_share_min = at.number("valid_share_min", 0.75, 0.0..=1.0, found);
    let for_ms = at.duration("for", 0, 0..=DAY, found);
    let clear_factor = at.number("clear_factor", 1.0, 0.000_1..=10.0, found);
    if clear_factor > 1.0 {
        found.add("parameters", "clear_factor", "clears above the limit", "write a number up to 1.0");
    }
    let clear_ms = at.duration("clear_for", 0, 0..=DAY, found);
    let standard = at.text("standard", found).unwrap_or_default().to_owned();
    let region = at.text("region", found).unwrap_or_default().to_owned();
    let only_while = read_only_while(at, &codes, found);
    let not_converted = at.flag("not_converted", found);
    Exceedance {
        quantity: spec.map_or(Quantity::FUME, |spec| spec.quantity),
        statistic,
        statistic_of,
        unit,
        window_ms,
        interval_ms,
        valid_share_min,
        for_ms,
        clear_factor,
        clear_ms,
        standard,
        region,
        only_while,
        not_converted,
    }
}

fn read_only_while(at: &mut Reader<'_>, codes: &[&str], found: &mut Findings<'_>) -> Option<(Quantity, f64)> {
    let mut table = at.table("only_while", found);
    if !table.is_there() {
        return None;
    }
    let code = table.required("quantity", "\"fan_on\"", found);
    let least = table.number("at_least", 1.0, -1e9..=1e9, found);
    let section = table.section().to_owned();
    table.finish(found);
    let quantity = Quantity::from_code(code);
    if quantity.is_none() && !code.is_empty() {
        found.add(&section, "quantity", format!("\"{code}\" is not a known quantity"), suggestion(code, codes));
    }
    quantity.map(|quantity| (quantity, least))
}

fn read_offline(at: &mut Reader<'_>, found: &mut Findings<'_>) -> Offline {
    let judge = at.word("judge", ABSENCES, found).unwrap_or(Absence::Silence);
    let longer_than_ms = at.duration("longer_than", 30 * MINUTE, 10 * SECOND..=7 * DAY, found);
    Offline { judge, longer_than_ms }
}

fn read_route(at: &mut Reader<'_>, found: &mut Findings<'_>) -> OffRoute {
    let margin_m = at.number("margin_m", 20.0, 0.0..=5_000.0, found);
    let for_ms = at.duration("for", 10 * MINUTE, 0..=DAY, found);
    let fixes = at.number("fixes_min", 3.0, 1.0..=1_000.0, found);
    let clear_ms = at.duration("clear_for", MINUTE, 0..=DAY, found);
    let gap_ms = at.duration("gap", 3 * MINUTE, SECOND..=DAY, found);
    let speed_max_kmh = at.number("speed_max_kmh", 150.0, 20.0..=500.0, found);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in 1..=1000")]
    let fixes_min = fixes as u32;
    OffRoute { margin_m, for_ms, fixes_min, clear_ms, gap_ms, speed_max_kmh }
}

fn read_case(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Option<CaseSpec> {
    let mut at = root.table("case", found);
    if !at.is_there() {
        return None;
    }
    let category = at.required("category", "\"06027\"", found).to_owned();
    let name = at.required("name", "\"油烟污染\"", found).to_owned();
    let is_local_extension = at.flag("is_local_extension", found);
    let review = at.number("review_minutes", 480.0, 1.0..=100_000.0, found);
    let severity = at.word("severity", SEVERITIES, found).unwrap_or(Severity::Normal);
    let after_ms = at.duration("after", 0, 0..=30 * DAY, found);
    let cap = at.number("per_day_max", 200.0, 1.0..=100_000.0, found);
    at.finish(found);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are checked above")]
    let (review_minutes, per_day_max) = (review as u32, cap as u32);
    Some(CaseSpec { category, name, is_local_extension, review_minutes, severity, after_ms, per_day_max })
}

fn read_basis(root: &mut Reader<'_>, found: &mut Findings<'_>) -> Vec<Basis> {
    let mut rows = Vec::new();
    for mut at in root.tables("basis", found) {
        let law = at.required("law", "\"中华人民共和国大气污染防治法\"", found).to_owned();
        let mut text = |key| at.text(key, found).unwrap_or_default().to_owned();
        let (article, sentence, mark) = (text("article"), text("text"), text("mark"));
        if !mark.is_empty() && !MARKS.contains(&mark.as_str()) {
            found.add("basis", "mark", format!("\"{mark}\" is not known"), suggestion(&mark, MARKS));
        }
        at.finish(found);
        rows.push(Basis { law, article, text: sentence, mark });
    }
    if rows.is_empty() && found.problems.is_empty() {
        found.add("", "basis", "is missing: a rule rests on an article", "write [[basis]] with law and article");
    }
    rows
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Exceedance,
    Offline,
    OffRoute,
    Judged(&'static KindRow),
}

fn kinds() -> impl Iterator<Item = (&'static str, Word)> {
    let own = [("exceedance", Word::Exceedance), ("offline", Word::Offline), ("off_route", Word::OffRoute)];
    own.into_iter().chain(KINDS.iter().map(|row| (row.code, Word::Judged(row))))
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const CODE_MAX: usize = 48;
/// Keeps the window's sum in fixed point inside 64 bits.
const SLOTS_MAX: i64 = 10_000;
const SUBJECTS: &[&str] = &["restaurant", "site", "gate", "disposal_site", "truck"];
const MARKS: &[&str] = &["found", "found_weak", "remembered", "default"];
const CLASSES: &[(&str, EpisodeClass)] = &[
    ("violation", EpisodeClass::Violation),
    ("device_fault", EpisodeClass::DeviceFault),
    ("doubtful_data", EpisodeClass::DoubtfulData),
];
const STATISTICS: &[(&str, Statistic)] = &[("instant", Statistic::Instant), ("mean", Statistic::Mean)];
const ABSENCES: &[(&str, Absence)] = &[("silence", Absence::Silence), ("gap", Absence::Gap)];
const SEVERITIES: &[(&str, Severity)] =
    &[("low", Severity::Low), ("normal", Severity::Normal), ("high", Severity::High), ("urgent", Severity::Urgent)];
const PROTOCOL_KEYS: &[(&str, ProtocolKind)] = &[
    ("mqtt", ProtocolKind::Mqtt),
    ("hj212", ProtocolKind::Hj212),
    ("jt808", ProtocolKind::Jt808),
    ("modbus", ProtocolKind::Modbus),
];

#[cfg(test)]
mod tests;
