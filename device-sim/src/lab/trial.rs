//! What the lab does to a device to see how it takes it: withholds one answer, sends commands, cuts the connection once. A pure
//! state machine over data frames and time; the desks send and cut as it says.
//!
//! ```text
//! warm ─▶ withhold one answer ─▶ commands, one after the other ─▶ cut ─▶ away ─▶ back ─▶ done
//! ```
//! MQTT sends again only on a new connection, so there the withheld answer is that of the message before the cut.

use super::book::{Book, Finding};

/// How long the lab waits for what. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Data frames that are answered before the first test.
    pub warm_frames: u32,
    /// For a frame whose answer was withheld: three times the standard's ten seconds, and a little.
    pub withhold_ms: i64,
    /// For each step of a command.
    pub answer_ms: i64,
    /// How long a cut device is kept away.
    pub cut_ms: i64,
    /// For its return, and then for what it sends afterwards.
    pub back_ms: i64,
    /// The heartbeat interval that is set in a JT/T 808 terminal, seconds.
    pub heartbeat_s: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            warm_frames: 2,
            withhold_ms: 45_000,
            answer_ms: 30_000,
            cut_ms: 15_000,
            back_ms: 180_000,
            heartbeat_s: 30,
        }
    }
}

/// A data frame as the trial sees it.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// What a repetition has in common with the first: QN, serial, packet id.
    pub key: &'a str,
    /// The time it tells, UTC milliseconds.
    pub at: Option<i64>,
    pub wants_answer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Answer,
    /// Say nothing.
    Withhold,
    /// Close the connection, say nothing.
    Cut,
}

/// What is to be done about commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Send the command of this number.
    Send(usize),
    /// No answer came to it.
    Unanswered(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Nothing is done to the device.
    Passive,
    Warm(u32),
    Arm,
    Withheld {
        key: String,
        since: i64,
    },
    Command {
        index: usize,
        sent: Option<i64>,
    },
    CutArm {
        since: i64,
    },
    Away {
        since: i64,
        key: String,
    },
    Back {
        from: i64,
        to: i64,
        key: String,
        live: u32,
        caught: bool,
        resent: bool,
    },
    Done,
}

#[derive(Debug)]
pub struct Trial {
    pace: Pace,
    stage: Stage,
    commands: usize,
    /// MQTT: what was unanswered comes again on the next connection only.
    resends_after_cut: bool,
    last_at: Option<i64>,
    /// Shortest time between two data times.
    interval_ms: Option<i64>,
}

impl Trial {
    /// `None`: nothing is done, the device is only watched.
    pub fn new(pace: Option<Pace>, commands: usize, resends_after_cut: bool) -> Self {
        let stage = if pace.is_some() { Stage::Warm(0) } else { Stage::Passive };
        Self { pace: pace.unwrap_or_default(), stage, commands, resends_after_cut, last_at: None, interval_ms: None }
    }

    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Nothing more is done to the device.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    pub const fn is_passive(&self) -> bool {
        matches!(self.stage, Stage::Passive)
    }

    /// Whether times of frames say something of the clock now: what comes after a break may be old by right.
    pub const fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Away { .. } | Stage::Back { .. })
    }

    pub const fn interval_ms(&self) -> Option<i64> {
        self.interval_ms
    }

    pub fn on_data(&mut self, data: &Data<'_>, now: i64, book: &mut Book) -> Reaction {
        self.learn_interval(data.at);
        match &mut self.stage {
            Stage::Warm(seen) => {
                *seen += 1;
                if *seen >= self.pace.warm_frames {
                    let first = if self.commands > 0 {
                        Stage::Command { index: 0, sent: None }
                    } else {
                        Stage::CutArm { since: now }
                    };
                    self.stage = if self.resends_after_cut { first } else { Stage::Arm };
                }
                Reaction::Answer
            }
            Stage::Arm if data.wants_answer => {
                self.stage = Stage::Withheld { key: data.key.to_owned(), since: now };
                Reaction::Withhold
            }
            Stage::Arm => {
                let text = Finding::new(
                    "retransmit",
                    "no_answer_wanted",
                    "设备不要求应答，丢失的数据无法补发",
                    "the device asks for no answer: what is lost stays lost",
                );
                book.found(text.should().advise("2017 版把 Flag 的 A 位置 1（Flag=5）", "set bit A of Flag (Flag=5)"));
                self.stage = Stage::Command { index: 0, sent: None };
                Reaction::Answer
            }
            Stage::Withheld { key, since } if *key == data.key => {
                let after = (now - *since) / 1000;
                book.kept("retransmit");
                book.note("retransmit", format!("{after} 秒后重发"), format!("again after {after} s"));
                self.stage = Stage::Command { index: 0, sent: None };
                Reaction::Answer
            }
            Stage::Passive | Stage::Done | Stage::Command { .. } | Stage::Withheld { .. } => Reaction::Answer,
            Stage::CutArm { .. } => {
                self.stage = Stage::Away { since: now, key: data.key.to_owned() };
                Reaction::Cut
            }
            Stage::Away { since, .. } if now < *since + self.pace.cut_ms => Reaction::Cut,
            Stage::Away { since, key } => {
                let (from, key) = (*since, key.clone());
                let away = (now - from) / 1000;
                book.kept("reconnect");
                book.note("reconnect", format!("断开 {away} 秒后恢复"), format!("back after {away} s"));
                self.stage = Stage::Back { from, to: now, key, live: 0, caught: false, resent: false };
                self.back(data, now, book);
                Reaction::Answer
            }
            Stage::Back { .. } => {
                self.back(data, now, book);
                Reaction::Answer
            }
        }
    }

    /// What came after the break: is it of the break?
    fn back(&mut self, data: &Data<'_>, now: i64, book: &mut Book) {
        let Stage::Back { from, to, key, live, caught, resent } = &mut self.stage else { return };
        if *key == data.key && !*resent {
            *resent = true;
            if self.resends_after_cut {
                book.kept("retransmit");
            }
        }
        match data.at {
            Some(at) if at >= *from && at < *to - 1_000 => {
                *caught = true;
                book.kept("backlog");
            }
            Some(at) if at >= *to => *live += 1,
            _ => {}
        }
        if *live >= LIVE_AFTER {
            self.over(now, book);
        }
    }

    /// The break is over: what did not come will not come.
    fn over(&mut self, _now: i64, book: &mut Book) {
        let Stage::Back { from, to, caught, resent, .. } = &self.stage else { return };
        let due = self.interval_ms.is_some_and(|interval| interval < *to - *from);
        if !caught && due {
            let text =
                Finding::new("backlog", "backlog_missing", "断线期间的数据没有补传", "data of the break never came");
            let seconds = (to - from) / 1000;
            book.found(text.detail(format!("{seconds} s")).advise(
                "断线时在设备内缓存，重连后按原时间补传",
                "keep data while the link is down and send them afterwards with their own time",
            ));
        }
        if !resent && self.resends_after_cut {
            let text = Finding::new(
                "retransmit",
                "not_sent_again",
                "断线前未应答的报文没有重发",
                "what was unanswered before the cut never came again",
            );
            book.found(text.advise("保留会话，重连后以 DUP=1 重发", "keep the session and send it again with DUP 1"));
        }
        self.stage = Stage::Done;
    }

    pub fn on_time(&mut self, now: i64, book: &mut Book) {
        match &self.stage {
            Stage::Withheld { since, key } if now - since > self.pace.withhold_ms => {
                let text = Finding::new(
                    "retransmit",
                    "not_sent_again",
                    "未收到应答，但没有重发",
                    "no answer came, and the frame did not come again",
                );
                book.found(text.detail(format!("{key}, {} s", (now - since) / 1000)).advise(
                    "按标准：等待应答超时（默认 10 秒）后重发，最多 3 次",
                    "wait ten seconds for the answer, then send the same frame again, up to three times",
                ));
                self.stage = Stage::Command { index: 0, sent: None };
            }
            Stage::Away { since, .. } if now - since > self.pace.cut_ms + self.pace.back_ms => {
                let text = Finding::new(
                    "reconnect",
                    "did_not_return",
                    "断线后没有重连",
                    "it did not connect again after the cut",
                );
                book.found(text.detail(format!("{} s", (now - since) / 1000)));
                self.stage = Stage::Done;
            }
            Stage::Back { to, .. } if now - to > self.pace.back_ms => self.over(now, book),
            _ => {}
        }
    }

    /// What is to be done about commands now, while the device is connected.
    pub fn errand(&mut self, now: i64) -> Option<Errand> {
        let Stage::Command { index, sent } = &mut self.stage else { return None };
        if *index >= self.commands {
            self.stage = Stage::CutArm { since: now };
            return None;
        }
        match sent {
            None => {
                *sent = Some(now);
                Some(Errand::Send(*index))
            }
            Some(at) if now - *at > self.pace.answer_ms => Some(Errand::Unanswered(*index)),
            Some(_) => None,
        }
    }

    /// The command at hand is settled, well or badly.
    pub fn errand_done(&mut self) {
        if let Stage::Command { index, sent } = &mut self.stage {
            *index += 1;
            *sent = None;
        }
    }

    /// The number of the command whose answer is awaited.
    pub const fn awaited(&self) -> Option<usize> {
        match self.stage {
            Stage::Command { index, sent: Some(_) } => Some(index),
            _ => None,
        }
    }

    fn learn_interval(&mut self, at: Option<i64>) {
        let Some(at) = at else { return };
        if let Some(last) = self.last_at
            && at > last
        {
            let step = at - last;
            self.interval_ms = Some(self.interval_ms.map_or(step, |known| known.min(step)));
        }
        self.last_at = Some(self.last_at.map_or(at, |last| last.max(at)));
    }
}

/// Fresh data frames after which nothing old is expected any more.
const LIVE_AFTER: u32 = 4;

#[cfg(test)]
mod tests {
    use super::super::book::{Protocol, Status};
    use super::*;

    fn data(key: &str, at: i64) -> Data<'_> {
        Data { key, at: Some(at), wants_answer: true }
    }

    const PACE: Pace =
        Pace { warm_frames: 1, withhold_ms: 5_000, answer_ms: 1_000, cut_ms: 3_000, back_ms: 10_000, heartbeat_s: 1 };

    #[test]
    fn a_device_that_repeats_returns_and_catches_up_passes() {
        let mut book = Book::new(Protocol::Hj212, "LT");
        let mut trial = Trial::new(Some(PACE), 1, false);
        assert_eq!(trial.on_data(&data("a", 0), 0, &mut book), Reaction::Answer);
        assert_eq!(trial.on_data(&data("b", 1_000), 1_000, &mut book), Reaction::Withhold);
        assert_eq!(trial.on_data(&data("c", 2_000), 2_000, &mut book), Reaction::Answer);
        assert_eq!(trial.on_data(&data("b", 1_000), 4_000, &mut book), Reaction::Answer);
        assert_eq!(trial.errand(4_000), Some(Errand::Send(0)));
        trial.errand_done();
        assert_eq!(trial.errand(4_100), None);
        assert_eq!(trial.on_data(&data("d", 5_000), 5_000, &mut book), Reaction::Cut);
        assert_eq!(trial.on_data(&data("d", 5_000), 6_000, &mut book), Reaction::Cut, "kept away");
        assert_eq!(trial.on_data(&data("d", 5_000), 9_000, &mut book), Reaction::Answer);
        for (key, at) in [("e", 6_000), ("f", 7_000), ("g", 9_500), ("h", 10_000), ("i", 11_000), ("j", 12_000)] {
            trial.on_data(&data(key, at), at.max(9_000), &mut book);
        }
        assert!(trial.is_over());
        for check in ["retransmit", "reconnect", "backlog"] {
            assert_eq!(book.status(check), Status::Pass, "{check}");
        }
    }

    #[test]
    fn a_device_that_does_none_of_it_fails_each() {
        let mut book = Book::new(Protocol::Hj212, "LT");
        let mut trial = Trial::new(Some(PACE), 0, false);
        trial.on_data(&data("a", 0), 0, &mut book);
        trial.on_data(&data("b", 1_000), 1_000, &mut book);
        trial.on_time(7_000, &mut book);
        assert_eq!(book.status("retransmit"), Status::Fail);
        assert_eq!(trial.errand(7_000), None);
        assert_eq!(trial.on_data(&data("c", 8_000), 8_000, &mut book), Reaction::Cut);
        trial.on_data(&data("d", 12_000), 12_000, &mut book);
        for at in [13_000, 14_000, 15_000, 16_000] {
            trial.on_data(&data("x", at), at, &mut book);
        }
        assert_eq!((book.status("reconnect"), book.status("backlog")), (Status::Pass, Status::Fail));
        let mut gone = Trial::new(Some(PACE), 0, true);
        let mut book = Book::new(Protocol::Mqtt, "c");
        gone.on_data(&data("a", 0), 0, &mut book);
        assert_eq!(gone.on_data(&data("b", 1), 1, &mut book), Reaction::Cut);
        gone.on_time(20_000, &mut book);
        assert_eq!(book.status("reconnect"), Status::Fail);
    }
}
