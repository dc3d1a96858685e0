//! Promises of a request's life.

use super::super::{History, Period};
use super::*;
use proptest::prelude::*;

const QN: &str = "20260101120000123";

fn history() -> Request<'static> {
    let period = Period { begin: (2026, 1, 1, 0, 0, 0, 0), end: (2026, 1, 1, 1, 0, 0, 0) };
    Request::GetHistory { history: History::Minute, period }
}

fn start(request: &Request<'_>) -> Dialogue {
    Dialogue::start(request, "A", QN, Timing::default(), 0)
}

fn hear(dialogue: &mut Dialogue, text: &str, now_ms: i64) -> Heard {
    dialogue.on_message(&Message::parse(text).0, now_ms)
}

fn reply(reply: Reply) -> String {
    let (cn, data) = reply_data(reply);
    format!("QN={QN};ST=91;CN={cn};MN=A;Flag=4;CP=&&{data}&&")
}

const READY: Reply = Reply::Request(Some(QnRtn::Ready));
const DONE: Reply = Reply::Result(Some(ExeRtn::Done));

#[test]
fn a_history_is_accepted_uploaded_and_done() {
    let mut dialogue = start(&history());
    assert_eq!(hear(&mut dialogue, &reply(READY), 100), Heard::Accepted);
    for minute in 0..3 {
        let text = format!("QN=2026010112010000{minute};CN=2051;MN=A;Flag=5;CP=&&DataTime=202601010{minute}0000&&");
        let expected = if minute < 2 { Heard::Upload } else { Heard::Foreign };
        assert_eq!(hear(&mut dialogue, &text, 200), expected, "{text}");
        if minute < 2 {
            assert_eq!(hear(&mut dialogue, &text, 300), Heard::Repeated);
        }
    }
    assert_eq!(hear(&mut dialogue, &reply(DONE), 400), Heard::Ended(Ending::Executed(Some(ExeRtn::Done))));
    assert_eq!((dialogue.uploads(), dialogue.deadline_ms()), (2, None));
    assert_eq!(hear(&mut dialogue, &reply(DONE), 500), Heard::Repeated);
}

#[test]
fn silence_is_asked_three_times_and_then_ends() {
    let mut dialogue = start(&Request::StartRealTime);
    assert_eq!(dialogue.on_time(9_999), Step::Wait);
    assert_eq!(dialogue.on_time(10_000), Step::Send { send: 2 });
    assert_eq!(dialogue.on_time(20_000), Step::Send { send: 3 });
    assert_eq!(dialogue.on_time(29_999), Step::Wait);
    assert_eq!(dialogue.on_time(30_000), Step::Ended(Ending::NoAnswer));
    assert_eq!(hear(&mut dialogue, &reply(READY), 31_000), Heard::Late);
    assert_eq!(dialogue.ending(), Some(Ending::NoAnswer));
}

#[test]
fn a_refusal_ends_with_its_reason_and_a_lost_9011_does_not_matter() {
    let mut dialogue = start(&Request::SetRealTimeInterval { seconds: 60 });
    let refused = Reply::Request(Some(QnRtn::PasswordWrong));
    let ending = Ending::Refused(Some(QnRtn::PasswordWrong));
    assert_eq!(hear(&mut dialogue, &reply(refused), 1), Heard::Ended(ending));
    assert_eq!(hear(&mut dialogue, &reply(refused), 2), Heard::Repeated);

    let mut dialogue = start(&Request::SetRealTimeInterval { seconds: 60 });
    assert_eq!(hear(&mut dialogue, &reply(DONE), 1), Heard::Ended(Ending::Executed(Some(ExeRtn::Done))));
    assert_eq!(hear(&mut dialogue, &reply(READY), 2), Heard::Repeated);
}

#[test]
fn a_notice_ends_with_9013_alone() {
    let mut dialogue = start(&Request::StopRealTime);
    assert_eq!(hear(&mut dialogue, &reply(Reply::DataTaken), 1), Heard::Foreign);
    assert_eq!(hear(&mut dialogue, &reply(Reply::NoticeTaken), 1), Heard::Ended(Ending::NoticeTaken));
    let mut dialogue = start(&Request::StartRealTime);
    assert_eq!(hear(&mut dialogue, &reply(Reply::NoticeTaken), 1), Heard::Foreign);
}

#[test]
fn answers_to_others_and_of_others_are_foreign() {
    let mut dialogue = start(&history());
    for text in [
        "QN=20260101120000124;CN=9011;MN=A;CP=&&QnRtn=1&&",
        "QN=20260101120000123;CN=9011;MN=B;CP=&&QnRtn=1&&",
        "QN=20260101120000123;CN=9011;CP=&&QnRtn=1&&",
        "QN=20260101120000999;CN=2051;MN=A;CP=&&DataTime=20260101120000;a-Avg=1&&",
        "QN=20260101120000999;CN=2011;MN=A;CP=&&DataTime=20260101003000;a-Rtd=1&&",
    ] {
        assert_eq!(hear(&mut dialogue, text, 1), Heard::Foreign, "{text}");
    }
    assert_eq!(dialogue.on_time(10_000), Step::Send { send: 2 });
}

#[test]
fn real_time_data_that_flow_anyway_are_no_answer_before_the_acceptance() {
    let data = "QN=20260101120001000;CN=2011;MN=A;Flag=5;CP=&&DataTime=20260101120000;a-Rtd=1&&";
    let mut dialogue = start(&Request::StartRealTime);
    assert_eq!(hear(&mut dialogue, data, 1), Heard::Foreign);
    assert_eq!(hear(&mut dialogue, &reply(READY), 2), Heard::Accepted);
    assert_eq!(hear(&mut dialogue, data, 3), Heard::Ended(Ending::Flowing));
}

#[test]
fn an_execution_that_never_reports_ends_and_each_upload_gives_it_time() {
    let mut dialogue = start(&history());
    hear(&mut dialogue, &reply(READY), 1_000);
    let upload = "QN=20260101130000000;CN=2051;MN=A;CP=&&DataTime=20260101000000;a-Avg=1&&";
    assert_eq!(hear(&mut dialogue, upload, 60_000), Heard::Upload);
    assert_eq!(dialogue.on_time(61_000), Step::Wait);
    assert_eq!(dialogue.on_time(120_000), Step::Ended(Ending::NoResult));
    assert_eq!(hear(&mut dialogue, &reply(DONE), 130_000), Heard::Late);
}

#[derive(Debug, Clone)]
enum Act {
    Hear(String),
    Pass(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let number = prop_oneof![Just(QN.to_owned()), "[0-9]{17}", Just(String::new())];
    let hear = (number, prop_oneof![Just("A"), Just("B")], "(9011|9012|9013|9014|2051|2011|1012)", 0_u16..12, 0_u8..4)
        .prop_map(|(qn, mn, cn, number, hour)| {
            let data = match cn.as_str() {
                "9011" => format!("QnRtn={number}"),
                "9012" => format!("ExeRtn={number}"),
                _ => format!("DataTime=202601010{hour}0000;a-Avg=1"),
            };
            Act::Hear(format!("QN={qn};CN={cn};MN={mn};Flag=5;CP=&&{data}&&"))
        });
    prop::collection::vec(prop_oneof![3 => hear, 1 => (0_i64..15_000).prop_map(Act::Pass)], 0..60)
}

proptest! {
    #[test]
    fn every_request_ends_once_within_its_bound(acts in acts(), which in 0_usize..3) {
        let request = [history(), Request::StopRealTime, Request::SetMinuteInterval { minutes: 5 }][which];
        let timing = Timing { total_ms: 200_000, ..Timing::default() };
        let mut dialogue = Dialogue::start(&request, "A", QN, timing, 0);
        let (mut now, mut ended, mut sends) = (0, None, 1);
        for act in acts {
            let ending = match act {
                Act::Hear(text) => match hear(&mut dialogue, &text, now) {
                    Heard::Ended(ending) => {
                        prop_assert!(ended.is_none(), "it ended twice");
                        Some(ending)
                    }
                    Heard::Upload => {
                        prop_assert!(which == 0 && ended.is_none() && text.contains("CN=2051") && text.contains("MN=A"));
                        None
                    }
                    Heard::Accepted => {
                        prop_assert!(ended.is_none() && text.contains(QN));
                        None
                    }
                    Heard::Foreign | Heard::Repeated | Heard::Late => None,
                },
                Act::Pass(ms) => {
                    now += ms;
                    match dialogue.on_time(now) {
                        Step::Wait => None,
                        Step::Send { send } => {
                            sends += 1;
                            prop_assert!(ended.is_none() && send == sends && sends <= timing.sends_max);
                            None
                        }
                        Step::Ended(ending) => Some(ending),
                    }
                }
            };
            ended = ended.or(ending);
            prop_assert_eq!(dialogue.ending(), ended);
            prop_assert!(dialogue.numbers.len() <= NUMBERS_MAX);
        }
        // Left alone it ends in bounded time.
        for _ in 0..8 {
            now += 60_000;
            dialogue.on_time(now);
        }
        prop_assert!(dialogue.ending().is_some());
    }
}
