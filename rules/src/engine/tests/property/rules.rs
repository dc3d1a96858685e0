//! The rules of the property: the shipped ones with short windows, so that a short life holds many episodes, and a horizon
//! that some of the life leaves behind.

use super::super::world::{World, library};

/// Code, edits that shorten it, and edits of its later versions.
type Shortened = (&'static str, &'static [(&'static str, &'static str)], [&'static [(&'static str, &'static str)]; 2]);

const HORIZON: &str = "horizon = \"20min\"";

const RULES: &[Shortened] = &[
    (
        "fume-exceedance",
        &[
            ("horizon = \"6h\"", HORIZON),
            ("window = \"60min\"", "window = \"3min\""),
            ("valid_share_min = 0.75", "valid_share_min = 0.6"),
            ("for = \"0s\"", "for = \"60s\""),
            ("clear_for = \"10min\"", "clear_for = \"1min\""),
        ],
        [&[("clear_for = \"1min\"", "clear_for = \"3min\"")], &[("for = \"60s\"", "for = \"150s\"")]],
    ),
    (
        "device-offline",
        &[("horizon = \"6h\"", HORIZON), ("longer_than = \"30min\"", "longer_than = \"4min\"")],
        [
            &[("longer_than = \"4min\"", "longer_than = \"6min\"")],
            &[("longer_than = \"4min\"", "longer_than = \"3min\"")],
        ],
    ),
    (
        "data-gap",
        &[("horizon = \"24h\"", HORIZON), ("longer_than = \"60min\"", "longer_than = \"6min\"")],
        [
            &[("longer_than = \"6min\"", "longer_than = \"8min\"")],
            &[("longer_than = \"6min\"", "longer_than = \"4min\"")],
        ],
    ),
    (
        "truck-off-route",
        &[
            ("horizon = \"6h\"", HORIZON),
            ("for = \"10min\"", "for = \"1min\""),
            ("fixes_min = 5", "fixes_min = 2"),
            ("gap = \"3min\"", "gap = \"2min\""),
        ],
        [&[("margin_m = 20", "margin_m = 5")], &[("for = \"1min\"", "for = \"2min\"")]],
    ),
    (
        "fume-suspected",
        &[
            ("horizon = \"6h\"", HORIZON),
            ("value), 10min, valid 75%)", "value), 4min, valid 50%)"),
            ("clear_for = \"5min\"", "clear_for = \"1min\""),
            ("gap = \"10min\"", "gap = \"3min\""),
        ],
        [
            &[("clear = \"fume10 <= 0.9 * limit(fume)\"", "clear = \"fume10 <= 0.5 * limit(fume)\"")],
            &[("value), 4min, valid 50%)", "value), 2min, valid 50%)")],
        ],
    ),
    (
        "purifier-off",
        &[
            ("horizon = \"6h\"", HORIZON),
            ("for = \"10min\"", "for = \"1min\""),
            ("clear_for = \"2min\"", "clear_for = \"1min\""),
            ("gap = \"10min\"", "gap = \"3min\""),
        ],
        [&[("for = \"1min\"", "for = \"3min\"")], &[("for = \"1min\"", "count = \"2 of 3\"")]],
    ),
    (
        "near-limit",
        &[
            ("horizon = \"6h\"", HORIZON),
            (
                "value > 95% * limit(fume) && value <= limit(fume), 2h, valid 75%",
                "value > 40% * limit(fume), 5min, valid 40%",
            ),
            ("gap = \"30min\"", "gap = \"3min\""),
        ],
        [&[("crowd >= 80%", "crowd >= 60%")], &[("crowd < 70%", "crowd < 50%")]],
    ),
    (
        "data-flatline",
        &[("horizon = \"6h\"", HORIZON), ("for = \"6h\"", "for = \"2min\""), ("gap = \"15min\"", "gap = \"3min\"")],
        [&[("for = \"2min\"", "for = \"1min\"")], &[("within 0.0005 mg/m3", "within 0.6 mg/m3")]],
    ),
];

fn edit(code: &str, mut text: String, edits: &[(&str, &str)]) -> String {
    for (from, to) in edits {
        assert!(text.contains(from), "{code}: {from}");
        text = text.replace(from, to);
    }
    text
}

fn shortened((code, edits, _): &Shortened) -> String {
    edit(code, library(code), edits)
}

/// The text of a later version.
pub(super) fn edited(rule: usize, number: usize) -> (&'static str, String) {
    let row = &RULES[rule % RULES.len()];
    (row.0, edit(row.0, shortened(row), row.2[number % 2]))
}

pub(super) fn world() -> World {
    World::with(RULES.iter().map(|row| (row.0, shortened(row))).collect())
}
