//! A call of an operator: its arguments, taken one after the other, and what is told when one of them is not what belongs there.

use super::super::parse::{Argument, Node, NodeKind};
use super::super::token::Wrong;
use super::super::window::Shape;
use crate::definition::suggestion;
use model::quantity::{QUANTITIES, QuantitySpec};
use model::unit::Unit;

/// A call whose arguments are being read.
#[derive(Debug)]
pub(super) struct Call<'n> {
    pub(super) name: &'n str,
    pub(super) arguments: &'n [Argument],
    pub(super) node: &'n Node,
    pub(super) used: usize,
}

impl<'n> Call<'n> {
    pub(super) fn wrong(&self, message: &str, hint: impl Into<String>) -> Wrong {
        Wrong::new(self.node.from, self.node.to, format!("{} {message}", self.name), hint)
    }

    pub(super) fn next(&mut self) -> Result<&'n Node, Wrong> {
        let next = self.arguments.get(self.used).filter(|argument| argument.name.is_none());
        let next = next.ok_or_else(|| self.wrong("has too few arguments", usage(self.name)))?;
        self.used += 1;
        Ok(&next.value)
    }

    /// A named argument, if it is the next one.
    pub(super) fn named(&mut self, name: &str) -> Option<&'n Node> {
        let next = self.arguments.get(self.used).filter(|argument| argument.name.as_deref() == Some(name))?;
        self.used += 1;
        Some(&next.value)
    }

    pub(super) fn quantity(&mut self) -> Result<&'static QuantitySpec, Wrong> {
        let node = self.next()?;
        let NodeKind::Name(name) = &node.kind else {
            return Err(Wrong::new(node.from, node.to, "a field's name belongs here", usage(self.name)));
        };
        QUANTITIES.iter().find(|spec| spec.code == name).ok_or_else(|| {
            let codes: Vec<&str> = QUANTITIES.iter().map(|spec| spec.code).collect();
            Wrong::new(node.from, node.to, format!("\"{name}\" is no field"), suggestion(name, &codes))
        })
    }

    pub(super) fn text(&mut self) -> Result<String, Wrong> {
        let node = self.next()?;
        match &node.kind {
            NodeKind::Text(text) => Ok(text.clone()),
            _ => Err(Wrong::new(node.from, node.to, "a text belongs here", usage(self.name))),
        }
    }

    pub(super) fn word(&mut self, words: &[&str]) -> Result<String, Wrong> {
        let node = self.next()?;
        let (NodeKind::Text(text) | NodeKind::Name(text)) = &node.kind else {
            return Err(Wrong::new(node.from, node.to, "a word belongs here", usage(self.name)));
        };
        if words.contains(&text.as_str()) {
            return Ok(text.clone());
        }
        Err(Wrong::new(node.from, node.to, format!("\"{text}\" is not known"), suggestion(text, words)))
    }

    pub(super) fn duration(&mut self) -> Result<i64, Wrong> {
        let node = self.next()?;
        duration_ms(node).ok_or_else(|| Wrong::new(node.from, node.to, "a time belongs here", usage(self.name)))
    }

    pub(super) fn named_duration(&mut self, name: &str) -> Result<Option<i64>, Wrong> {
        let Some(node) = self.named(name) else { return Ok(None) };
        let ms = duration_ms(node);
        ms.map(Some).ok_or_else(|| Wrong::new(node.from, node.to, format!("{name} is no time"), usage(self.name)))
    }

    pub(super) fn percent(&mut self) -> Result<f64, Wrong> {
        let node = self.next()?;
        percent(node).ok_or_else(|| Wrong::new(node.from, node.to, "a share belongs here", "write for example 95%"))
    }

    pub(super) fn share(&mut self, name: &str, default: f64) -> Result<f64, Wrong> {
        let Some(node) = self.named(name) else { return Ok(default) };
        percent(node)
            .ok_or_else(|| Wrong::new(node.from, node.to, format!("{name} is no share"), "write for example valid 75%"))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a duration as written; its range is checked by who asked")]
pub(super) fn duration_ms(node: &Node) -> Option<i64> {
    match node.kind {
        NodeKind::Number(seconds, Some(Unit::Second)) => Some((seconds * 1_000.0) as i64),
        _ => None,
    }
}

pub(super) fn percent(node: &Node) -> Option<f64> {
    match node.kind {
        NodeKind::Number(share, Some(Unit::Percent)) if (0.0..=100.0).contains(&share) => Some(share / 100.0),
        _ => None,
    }
}

pub(super) fn shape(name: &str) -> Option<Shape> {
    Some(match name {
        "mean" => Shape::Mean,
        "sum" => Shape::Sum,
        "min" => Shape::Least,
        "max" => Shape::Most,
        "median" => Shape::Percentile(0.5),
        "percentile" => Shape::Percentile(-1.0),
        "spread" => Shape::Spread,
        "rate" => Shape::Rate,
        "count" => Shape::Count,
        "share" => Shape::Share,
        "previous" => Shape::Previous,
        "same_for" => Shape::Same,
        "pause" => Shape::Pause,
        "daily" => Shape::Daily,
        "repeats" => Shape::Repeats,
        "baseline" => Shape::Baseline,
        _ => return None,
    })
}

/// How an operator is written.
pub(super) fn usage(name: &str) -> String {
    let example = match name {
        "percentile" => "percentile(noise, 95%, 1h, valid 75%)",
        "previous" | "pause" | "abs" | "converted" => return format!("write {name}(fume)"),
        "same_for" => "same_for(fume, within 0.001 mg/m3)",
        "daily" => "daily(mean(pm10, 1h) > limit(pm10), 1h)",
        "repeats" => "repeats(fume > 10 * previous(fume), 7d, within 5min)",
        "share" | "count" => return format!("write {name}(fume > limit(fume), 1h)"),
        "baseline" => "baseline(purifier_current, 30d, least 7d)",
        "background" => "background(pm10, 1h, valid 50%, cap 150 ug/m3)",
        "where" => "where(fan_on, fume)",
        "either" => "either(converted(fume), fume)",
        "limit" => "limit(fume), or limit(noise, 'night') for the rows of a class",
        "number" => "number(night())",
        "flagged" => "flagged(fume, 'DT')",
        "stage" => "stage(earthwork)",
        "size" => "size(large)",
        "stopped" => "stopped(earthwork)",
        "night" | "open" | "peak" | "delay" | "stoves" | "since_cleaning" | "night_permit" => {
            return format!("write {name}()");
        }
        other => return format!("write {other}(fume, 10min, valid 75%)"),
    };
    format!("write {example}")
}

pub(super) const FUNCTIONS: &[&str] = &[
    "mean",
    "sum",
    "min",
    "max",
    "median",
    "percentile",
    "spread",
    "rate",
    "count",
    "share",
    "previous",
    "same_for",
    "pause",
    "daily",
    "repeats",
    "baseline",
    "abs",
    "where",
    "either",
    "converted",
    "background",
    "limit",
    "stoves",
    "since_cleaning",
    "number",
    "night_permit",
    "open",
    "peak",
    "night",
    "delay",
    "stage",
    "size",
    "stopped",
    "flagged",
];
