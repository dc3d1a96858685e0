//! What the desk looks at in a logger's frame, and under which check a fault of it goes.

use super::super::book::{Finding, Status, Weight, place_of};
use super::super::values;
use super::{DATA, Logger, RECENT_MAX, Recent, memfind};
use protocol::explain::{Explained, Trouble};
use protocol::hj212::{DataFlag, Message, Parts, ProblemCode, Suffix, cn};

impl Logger {
    /// Sorts what the explainer found under the checks; a frame without trouble of a check keeps it.
    pub(super) fn look_at_troubles(&mut self, explained: &Explained) {
        let mut hit: Vec<&str> = Vec::new();
        for (place, trouble) in explained.explanation.all_troubles() {
            let (check, weight) = check_of(trouble);
            hit.push(check);
            let mut finding = Finding::of_trouble(check, place, trouble, weight);
            finding.frame = self.book.frames_up;
            finding.advice = ProblemCode::ALL.iter().find(|code| code.code() == trouble.code).map(|code| code.advice());
            self.book.found(finding);
        }
        for check in ["check", "length", "form", "head", "qn"] {
            if !hit.contains(&check) {
                self.book.kept(check);
            }
        }
        let cn = explained.explanation.spans.iter().find(|span| span.name == "CN").map(|span| span.value.clone());
        if cn.is_some_and(|cn| DATA.iter().any(|data| cn.starts_with(data))) {
            for check in ["data_time", "statistic"] {
                if !hit.contains(&check) {
                    self.book.kept(check);
                }
            }
        }
        if explained.explanation.spans.iter().any(|span| span.name == "PNUM") && !hit.contains(&"packets") {
            self.book.kept("packets");
        }
    }

    /// Whether it came before; what is odd about how it comes again.
    pub(super) fn is_repeated(
        &mut self,
        raw: &[u8],
        message: &Message<'_>,
        explained: &Explained,
        new: &mut Vec<Finding>,
    ) -> bool {
        let parts = Parts::split(raw);
        let (qn, cn) = (message.qn.unwrap_or_default().to_owned(), message.cn.unwrap_or_default().to_owned());
        if cn.starts_with("90") {
            return false; // an answer bears the number of what it answers
        }
        let time = message.plain("DataTime").unwrap_or_default().to_owned();
        let of = (cn, time, message.pno);
        let place = |name| place_of(&explained.explanation, name);
        let same_qn = self.recent.iter().find(|recent| !qn.is_empty() && recent.qn == qn);
        let same_time = self.recent.iter().find(|recent| !of.1.is_empty() && recent.of == of);
        let finding = match (same_qn, same_time) {
            (Some(recent), _) if recent.segment == parts.segment => {
                self.book.kept("duplicate");
                return true;
            }
            (Some(recent), _) if recent.of == of => Some(
                Finding::new(
                    "duplicate",
                    "content_changed",
                    "同一 QN 重发时内容改变",
                    "another content under the same QN",
                )
                .at(place("QN")),
            ),
            (Some(_), _) => Some(
                Finding::new("qn", "qn_reused", "QN 被另一包重复使用", "a QN that another frame had").at(place("QN")),
            ),
            (None, Some(recent)) if data_of(&recent.segment) == data_of(parts.segment) => Some(
                Finding::new("duplicate", "new_number", "重发时换了新的 QN", "the same data again under a new QN")
                    .at(place("QN"))
                    .should(),
            ),
            (None, Some(_)) => Some(
                Finding::new(
                    "duplicate",
                    "value_changed",
                    "同一 DataTime 的数值改变",
                    "other values for the same DataTime",
                )
                .at(place("DataTime")),
            ),
            (None, None) => None,
        };
        let known = same_qn.is_some() || same_time.is_some();
        if let Some(finding) = finding {
            self.add(finding, new);
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { qn, segment: parts.segment.to_vec(), of });
        known
    }

    pub(super) fn look_at_values(&mut self, message: &Message<'_>, explained: &Explained, new: &mut Vec<Finding>) {
        let mut values = 0;
        for item in &message.items {
            for field in &item.fields {
                let key = format!("{}-{}", field.code, field.suffix);
                let place = place_of(&explained.explanation, &key);
                match Suffix::of(field) {
                    Suffix::Flag => match DataFlag::read(field.text) {
                        // The explainer has named it.
                        Some(DataFlag::Other(_)) => {}
                        _ => self.book.kept("flag"),
                    },
                    suffix if suffix.is_value() => match field.text.trim().parse::<f64>() {
                        Ok(value) => {
                            values += 1;
                            if let Some(finding) = values::judge(field.code, value) {
                                self.add(finding.at(place), new);
                            }
                        }
                        Err(_) => self.add(
                            Finding::new("value", "no_number", "监测值不是数字", "a value that is no number")
                                .at(place)
                                .detail(key.clone()),
                            new,
                        ),
                    },
                    _ => {}
                }
            }
            let has = |wanted: fn(Suffix) -> bool| item.fields.iter().any(|field| wanted(Suffix::of(field)));
            if has(Suffix::is_value) && !has(|suffix| suffix == Suffix::Flag) {
                let code = item.fields.first().map_or("", |field| field.code);
                let text = Finding::new("flag", "flag_missing", "监测值没有数据标记", "a value without a flag");
                self.add(text.should().at(place_of(&explained.explanation, code)).detail(code), new);
            }
        }
        if values > 0 {
            self.book.kept("value");
        }
    }

    pub(super) fn look_at_clock(&mut self, message: &Message<'_>, explained: &Explained, at: Option<i64>, now: i64) {
        if message.cn != Some(cn::REAL_TIME) {
            return;
        }
        if let Some(at) = at {
            // A real-time value is at most as old as the interval.
            self.clock.heard(at, now, 0);
            self.clock.judge(&mut self.book, place_of(&explained.explanation, "DataTime"), false);
            if let Some(last) = self.last_real_time.replace(at)
                && at > last
                && self.intervals.len() < RECENT_MAX
            {
                self.intervals.push(at - last);
            }
        }
    }

    /// `DataTime` of a mean is the period's start: when it is told before the period is over, it was the end.
    pub(super) fn look_at_period(
        &mut self,
        message: &Message<'_>,
        at: Option<i64>,
        now: i64,
        timed: bool,
        explained: &Explained,
        new: &mut Vec<Finding>,
    ) {
        let (Some(command), Some(at)) = (message.cn, at) else { return };
        let length = match command {
            cn::HOUR => Some(3_600_000),
            cn::DAY => Some(86_400_000),
            cn::MINUTE => {
                let (last, step) = self.periods.entry(command.to_owned()).or_insert((at, None));
                if at > *last {
                    *step = Some(step.map_or(at - *last, |step: i64| step.min(at - *last)));
                }
                *last = (*last).max(at);
                *step
            }
            _ => return,
        };
        let Some(length) = length else { return };
        let place = place_of(&explained.explanation, "DataTime");
        let zoned = self.book.status("zone") == Status::Fail;
        if at.rem_euclid(60_000) != 0 {
            let text = Finding::new(
                "period",
                "period_not_aligned",
                "统计时段不从整分开始",
                "a period that does not begin with a minute",
            );
            self.add(text.at(place), new);
        } else if timed && !zoned && now + 2_000 < at + length {
            let text = Finding::new(
                "period",
                "period_is_end",
                "DataTime 像是时段结束，应为时段开始",
                "DataTime looks like the period's end; it is its start",
            );
            self.add(text.at(place).detail(format!("{} min", length / 60_000)), new);
        } else if timed {
            self.book.kept("period");
        }
    }

    pub(super) fn judge_interval(&mut self) {
        let mut sorted = self.intervals.clone();
        sorted.sort_unstable();
        let (Some(median), true) = (sorted.get(sorted.len() / 2).copied(), sorted.len() >= 3) else { return };
        let near = sorted.iter().filter(|step| (**step - median).abs() * 10 <= median).count();
        self.book.note("interval", format!("{} 秒", median / 1000), format!("{} s", median / 1000));
        if near * 10 >= sorted.len() * 8 {
            self.book.kept("interval");
        } else {
            let text = Finding::new(
                "interval",
                "interval_unsteady",
                "实时数据间隔不稳定",
                "the interval of real-time data is not steady",
            );
            self.book.found(text.should());
        }
    }
}

/// What stands behind `CP=`.
fn data_of(segment: &[u8]) -> &[u8] {
    memfind(segment, b"CP=").and_then(|at| segment.get(at..)).unwrap_or(segment)
}

/// Which check a problem belongs to, and whether the check fails by it.
fn check_of(trouble: &Trouble) -> (&'static str, Weight) {
    let code = trouble.code;
    let check = if code.starts_with("check_") {
        "check"
    } else if code.starts_with("length_") || code == "segment_long" {
        "length"
    } else if code.starts_with("qn_") {
        "qn"
    } else if code.starts_with("data_time_") {
        "data_time"
    } else if code == "statistic_for_command" || code == "suffix_repeated" {
        "statistic"
    } else if code.starts_with("packet_") {
        "packets"
    } else if matches!(code, "bare_flag" | "flag_unknown") {
        "flag"
    } else if code == "duplicate_factor" {
        "value"
    } else if ["st_", "cn_", "pw_", "mn_", "flag_", "cp_", "key_case", "comma", "head_"]
        .iter()
        .any(|start| code.starts_with(start))
    {
        "head"
    } else {
        "form"
    };
    let hard = trouble.fatal
        || matches!(check, "qn" | "data_time" | "packets")
        || matches!(
            code,
            "duplicate_factor"
                | "flag_unknown"
                | "statistic_for_command"
                | "cp_missing"
                | "end_missing"
                | "cn_missing"
                | "flag_not_number"
        );
    // A lower-case check is read all the same.
    (check, if hard && code != "check_lower_case" { Weight::Must } else { Weight::Should })
}
