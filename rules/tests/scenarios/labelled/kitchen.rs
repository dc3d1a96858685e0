//! A restaurant's fume logger: minute means of HJ 212. Without edits a lawful day: open for lunch and dinner, fan and
//! purifier in step, fume well below the limit.

use super::dice::Dice;
use super::district::logger;
use super::story::{MINUTE, Said, Story, mean, values};
use model::quantity::Quantity;
use model::record::{Flag, RecordKind};

/// What the logger says of one minute.
#[derive(Debug, Clone)]
pub struct Minute {
    pub fume: f64,
    pub flag: Flag,
    /// Of purifier and fan.
    pub state_flag: Flag,
    pub purifier_on: f64,
    pub purifier_current: f64,
    pub fan_on: f64,
    pub fan_current: f64,
    /// m³/h; most loggers do not measure it.
    pub flow: Option<f64>,
    /// Fume without a value, as a broken channel sends.
    pub has_fume: bool,
    pub sent: bool,
    /// Milliseconds of the minute's begin by the logger's clock.
    pub jitter_ms: i64,
    pub delay_ms: i64,
}

/// Lunch 10:30 to 14:00, dinner 16:30 to 21:30.
pub fn is_open(of_day: i64) -> bool {
    (630..840).contains(&of_day) || (990..1_290).contains(&of_day)
}

impl Story {
    /// Minutes `from..to` of a restaurant that cooks by the clock.
    pub fn kitchen(&mut self, subject: i64, from: i64, to: i64, edit: impl FnMut(i64, &mut Minute, &mut Dice)) {
        self.logger(logger(subject), subject, from, to, edit);
    }

    /// The same with any logger.
    pub fn logger(
        &mut self,
        device: i64,
        subject: i64,
        from: i64,
        to: i64,
        mut edit: impl FnMut(i64, &mut Minute, &mut Dice),
    ) {
        for at in from..to {
            let of_day = at.rem_euclid(1_440);
            let cooks = is_open(of_day);
            let on = if cooks { 1.0 } else { 0.0 };
            let noise = self.dice.real(-1.0, 1.0);
            let mut minute = Minute {
                fume: if cooks { 0.8 + 0.3 * noise } else { 0.12 + 0.05 * noise },
                flag: Flag::Normal,
                state_flag: Flag::Normal,
                purifier_on: on,
                purifier_current: on * self.dice.real(2.3, 2.7),
                fan_on: on,
                fan_current: on * self.dice.real(7.5, 8.5),
                flow: None,
                has_fume: true,
                sent: true,
                jitter_ms: 0,
                delay_ms: MINUTE + self.dice.whole(500, 3_000),
            };
            edit(at, &mut minute, &mut self.dice);
            if minute.sent {
                self.say(minute.said(device, subject, at));
            }
        }
    }

    /// The logger sends the fume of the minutes `from..to` again, another one: settle revises.
    pub fn correct_fume(&mut self, subject: i64, from: i64, to: i64, arrives: i64, level: f64) {
        let device = logger(subject);
        let again: Vec<Said> = self
            .said
            .iter()
            .filter(|said| said.device == device && (from * MINUTE..to * MINUTE).contains(&said.at_ms))
            .cloned()
            .collect();
        for (step, mut said) in (0..).zip(again) {
            said.arrives_ms = arrives * MINUTE + step * 20;
            said.revises = true;
            said.body.values.iter_mut().filter(|v| v.quantity == Quantity::FUME).for_each(|v| v.value = level);
            self.say(said);
        }
    }
}

impl Minute {
    /// As the instrument puts it: two decimals.
    fn said(&self, device: i64, subject: i64, at: i64) -> Said {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let mut all = vec![
            mean(Quantity::PURIFIER_ON, self.purifier_on, self.state_flag),
            mean(Quantity::PURIFIER_CURRENT, rounded(self.purifier_current), self.state_flag),
            mean(Quantity::FAN_ON, self.fan_on, self.state_flag),
            mean(Quantity::FAN_CURRENT, rounded(self.fan_current), self.state_flag),
        ];
        if self.has_fume {
            all.push(mean(Quantity::FUME, rounded(self.fume), self.flag));
        }
        if let Some(flow) = self.flow {
            all.push(mean(Quantity::FLUE_FLOW, rounded(flow), Flag::Normal));
        }
        let at_ms = at * MINUTE + self.jitter_ms;
        Said {
            device,
            subject,
            kind: RecordKind::Minute,
            slot: 0,
            at_ms,
            arrives_ms: at_ms + self.delay_ms,
            revises: false,
            body: values(all),
        }
    }
}
