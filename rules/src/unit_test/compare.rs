//! Expected episodes against those that stand, and the difference as lines that a person reads.

use super::Problem;
use super::read::{Expect, Places, span};
use super::registers::{Registers, subject_code, time_ms};
use crate::definition::suggestion;
use model::episode::{Episode, EpisodeClass};
use model::facts::Facts;
use model::id::{EpisodeId, SubjectId};
use model::time::{EventTime, LocalStamp};
use std::collections::BTreeSet;
use toml::Spanned;

/// An expected episode with its times resolved.
#[derive(Debug)]
pub(super) struct Wanted {
    subject: SubjectId,
    from: i64,
    to: To,
    near: i64,
    extreme: Option<f64>,
    threshold: Option<f64>,
    class: Option<EpisodeClass>,
    settled: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Any,
    Lasts,
    At(i64),
}

impl Wanted {
    pub(super) fn read(
        row: &Spanned<Expect>,
        start: i64,
        registers: &Registers,
        places: &Places<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let (byte, row, what) = (row.span().start, row.get_ref(), "test.expect");
        let before = problems.len();
        let mut time = |text: &str| {
            let at = span(text).map(|offset| start.saturating_add(offset)).or_else(|| time_ms(text));
            if at.is_none() {
                let hint = "write an offset from the start, as \"1h 5min\"";
                problems.push(places.at(byte, what, format!("\"{text}\" is no time"), hint));
            }
            at.unwrap_or(start)
        };
        let from = time(&row.from);
        let to = match row.to.as_deref() {
            None => To::Any,
            Some("lasts") => To::Lasts,
            Some(text) => To::At(time(text)),
        };
        let near = row.near.as_ref().map_or(0, |text| time(text).saturating_sub(start));
        let subject = registers.id("subject", &row.subject);
        if subject.is_none() {
            let hint = suggestion(&row.subject, &registers.codes("subject"));
            problems.push(places.at(byte, what, format!("there is no subject \"{}\" in this file", row.subject), hint));
        }
        let (extreme, threshold, class, settled) = (row.extreme, row.threshold, row.class, row.settled);
        let subject = SubjectId(subject.filter(|_| problems.len() == before)?);
        Some(Self { subject, from, to, near, extreme, threshold, class, settled })
    }

    /// What is not as it was expected, apart from subject and start.
    fn wrongs(&self, found: &Episode, settled: bool, start: i64) -> Vec<String> {
        let mut wrongs = Vec::new();
        match (self.to, found.end) {
            (To::Lasts, Some(end)) => wrongs.push(format!("should last, ended {}", when(end.0, start))),
            (To::At(at), None) => wrongs.push(format!("should end {}, lasts", when(at, start))),
            (To::At(at), Some(end)) if (end.0 - at).abs() > self.near => {
                wrongs.push(format!("should end {}, ended {}", when(at, start), when(end.0, start)));
            }
            (To::Any, _) | (To::Lasts, None) | (To::At(_), Some(_)) => {}
        }
        if (found.start.0 - self.from).abs() > self.near {
            wrongs.push(format!("should start {}, started {}", when(self.from, start), when(found.start.0, start)));
        }
        for (name, wanted, found) in
            [("extreme", self.extreme, found.extreme), ("threshold", self.threshold, found.threshold)]
        {
            if let Some(wanted) = wanted.filter(|wanted| !alike(*wanted, found)) {
                wrongs.push(format!("{name} should be {wanted}, is {}", rounded(found)));
            }
        }
        if let Some(class) = self.class.filter(|class| *class != found.class) {
            wrongs.push(format!("class should be {}, is {}", class_word(class), class_word(found.class)));
        }
        if let Some(wanted) = self.settled.filter(|wanted| *wanted != settled) {
            wrongs.push(if wanted { "a case could not be opened yet".into() } else { "a case could be opened".into() });
        }
        wrongs
    }
}

/// Empty when all that is expected stands and nothing else.
pub(super) fn differences(
    wanted: &[Wanted],
    stands: &[Episode],
    settled: &BTreeSet<EpisodeId>,
    facts: &Facts,
    start: i64,
) -> Vec<String> {
    let mut free: Vec<&Episode> = stands.iter().collect();
    let mut lines = Vec::new();
    let mut wrong = false;
    let mut open = Vec::new();
    for expected in wanted {
        let fits = |episode: &&Episode| {
            episode.subject == expected.subject
                && expected.wrongs(episode, settled.contains(&episode.id), start).is_empty()
        };
        match free.iter().position(fits) {
            Some(at) => lines.push(format!("= {}", found_line(free.remove(at), facts, start))),
            None => open.push(expected),
        }
    }
    for expected in open {
        wrong = true;
        lines.push(format!("- {}", wanted_line(expected, facts, start)));
        let near = free.iter().enumerate().filter(|(_, episode)| episode.subject == expected.subject);
        let near = near.min_by_key(|(_, episode)| (episode.start.0 - expected.from).abs()).map(|(at, _)| at);
        match near.map(|at| free.remove(at)) {
            None => lines.push("  nothing of the kind stands".into()),
            Some(episode) => {
                lines.push(format!("+ {}", found_line(episode, facts, start)));
                let wrongs = expected.wrongs(episode, settled.contains(&episode.id), start);
                lines.extend(wrongs.into_iter().map(|line| format!("  {line}")));
            }
        }
    }
    for episode in free {
        wrong = true;
        lines.push(format!("+ {}", found_line(episode, facts, start)));
        lines.push("  was not expected".into());
    }
    if wrong { lines } else { Vec::new() }
}

fn wanted_line(wanted: &Wanted, facts: &Facts, start: i64) -> String {
    let to = match wanted.to {
        To::Any => "any end".to_owned(),
        To::Lasts => "lasts".to_owned(),
        To::At(at) => when(at, start),
    };
    let mut line = format!("{}  {} → {to}", subject_code(facts, wanted.subject), when(wanted.from, start));
    for (name, value) in [("extreme", wanted.extreme), ("threshold", wanted.threshold)] {
        line.push_str(&value.map(|value| format!("  {name} {value}")).unwrap_or_default());
    }
    line
}

fn found_line(episode: &Episode, facts: &Facts, start: i64) -> String {
    let to = episode.end.map_or_else(|| "lasts".to_owned(), |end| when(end.0, start));
    format!(
        "{}  {} → {to}  extreme {}  threshold {}",
        subject_code(facts, episode.subject),
        when(episode.start.0, start),
        rounded(episode.extreme),
        rounded(episode.threshold)
    )
}

/// `1h 5min (19:05:00)`, Beijing time.
fn when(at: i64, start: i64) -> String {
    let offset = at - start;
    let (sign, ms) = if offset < 0 { ("-", -offset) } else { ("", offset) };
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        let count = match unit {
            "d" => ms / length,
            "h" => ms % 86_400_000 / length,
            "min" => ms % 3_600_000 / length,
            _ => ms % 60_000 / length,
        };
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        }
    }
    let text = if parts.is_empty() { "0s".to_owned() } else { format!("{sign}{}", parts.join(" ")) };
    let stamp = LocalStamp::of(EventTime(at), model::time::BEIJING_OFFSET_MINUTES);
    let clock = stamp.fields().map_or_else(String::new, |(_, _, _, h, m, s, _)| format!(" ({h:02}:{m:02}:{s:02})"));
    text + &clock
}

fn alike(a: f64, b: f64) -> bool {
    (a - b).abs() <= (a.abs() * 1e-3).max(1e-6)
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

const fn class_word(class: EpisodeClass) -> &'static str {
    match class {
        EpisodeClass::Violation => "violation",
        EpisodeClass::DeviceFault => "device_fault",
        EpisodeClass::DoubtfulData => "doubtful_data",
    }
}
