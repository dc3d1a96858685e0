//! Promises of the RTU line.

use super::super::Function;
use super::*;
use proptest::prelude::*;

fn block(address: u16, count: u16) -> Block {
    Block { function: Function::HoldingRegisters, address, count }
}

fn read(unit: u8, address: u16, count: u16) -> Read {
    Read::new(unit, block(address, count)).unwrap()
}

fn words(read: Read, words: &[u16]) -> BlockAnswer {
    read.answered(Answer::Registers(words.to_vec()))
}

fn on_wire(read: Read, answer: &BlockAnswer) -> Vec<u8> {
    encode_answer(read.unit, answer).unwrap()
}

fn asked(line: &mut Line, read: Read, now: i64) {
    assert_eq!(line.ask(read, now), Ask::Send(read.encode()));
}

#[test]
fn the_known_exchange_of_a_dust_instrument_is_read() {
    let read = read(1, 0, 2);
    assert_eq!(read.encode(), [0x01, 0x03, 0x00, 0x00, 0x00, 0x02, 0xC4, 0x0B]);
    let frame = [0x01, 0x03, 0x04, 0x00, 0x00, 0x00, 0x42, 0x7A, 0x02];
    assert_eq!(read.answer_at_end(&frame), Some(words(read, &[0, 66])));
    assert_eq!(on_wire(read, &words(read, &[0, 66])), frame);
    let mut wrong = frame;
    wrong[8] ^= 1;
    assert_eq!(read.answer_at_end(&wrong), None);
}

#[test]
fn a_refusal_is_an_exception_and_never_a_value() {
    let read = read(1, 0, 2);
    let mut line = Line::new(Timing::default());
    asked(&mut line, read, 0);
    assert_eq!(line.ask(read, 0), Ask::Busy);
    let refusal = read.answered(Answer::Exception(2));
    assert_eq!(line.push(&[0x01, 0x83, 0x02, 0xC0, 0xF1], 5), Some(Outcome::Answered(refusal)));
    assert_eq!(line.deadline_ms(), None);
}

#[test]
fn an_echo_noise_and_answers_of_others_do_not_hide_the_answer() {
    let mine = read(1, 0, 2);
    let answer = words(mine, &[7, 8]);
    let strangers: [Vec<u8>; 5] = [
        mine.encode().to_vec(),
        on_wire(read(2, 0, 2), &words(mine, &[9, 9])),
        on_wire(mine, &words(read(1, 0, 3), &[9, 9, 9])),
        vec![0x01, 0x03, 0xFA],
        b"860000000000001\r\n".to_vec(),
    ];
    for stranger in strangers {
        let mut line = Line::new(Timing::default());
        asked(&mut line, mine, 0);
        assert_eq!(line.push(&stranger, 1), None, "{stranger:?}");
        assert_eq!(line.push(&on_wire(mine, &answer), 2), Some(Outcome::Answered(answer.clone())), "{stranger:?}");
        assert_eq!(line.strays(), stranger.len() as u64);
    }
}

#[test]
fn what_came_unasked_is_drained_before_the_next_request() {
    let read = read(1, 0, 1);
    let mut line = Line::new(Timing::default());
    assert_eq!(line.push(&on_wire(read, &words(read, &[1])), 0), None);
    asked(&mut line, read, 1);
    assert_eq!(line.push(&on_wire(read, &words(read, &[2])), 2), Some(Outcome::Answered(words(read, &[2]))));
}

#[test]
fn a_late_answer_of_the_same_shape_is_never_taken_for_the_next() {
    let (first, second) = (read(1, 0, 2), read(1, 100, 2));
    let (late, right) = (words(first, &[1, 1]), words(second, &[2, 2]));
    let mut line = Line::new(Timing::default());
    asked(&mut line, first, 0);
    assert_eq!(line.on_time(999), None);
    assert_eq!(line.on_time(1_000), Some(Outcome::TimedOut));
    assert_eq!(line.ask(second, 1_000), Ask::NotBefore(1_200));
    asked(&mut line, second, 1_200);
    // Both come: the second is the answer.
    assert_eq!(line.push(&on_wire(first, &late), 1_250), None);
    assert_eq!(line.push(&on_wire(second, &right), 1_300), Some(Outcome::Answered(right.clone())));
    // From here on nothing is suspect.
    asked(&mut line, second, 1_400);
    assert_eq!(line.push(&on_wire(second, &right), 1_450), Some(Outcome::Answered(right)));
}

#[test]
fn one_answer_where_two_could_come_is_doubtful_unless_the_registers_are_the_same() {
    let (first, second) = (read(1, 0, 2), read(1, 100, 2));
    for (next, expected) in [(second, Outcome::Doubtful), (first, Outcome::Answered(words(first, &[1, 1])))] {
        let mut line = Line::new(Timing::default());
        asked(&mut line, first, 0);
        line.on_time(1_000);
        asked(&mut line, next, 1_200);
        assert_eq!(line.push(&on_wire(next, &words(next, &[1, 1])), 1_300), None);
        assert_eq!(line.on_time(1_500), Some(expected));
        assert_eq!(line.on_time(9_000), None);
    }
}

#[test]
fn a_late_answer_that_comes_in_the_quiet_time_ends_the_suspicion() {
    let (first, second) = (read(1, 0, 2), read(1, 100, 2));
    let mut line = Line::new(Timing::default());
    asked(&mut line, first, 0);
    line.on_time(1_000);
    assert_eq!(line.push(&on_wire(first, &words(first, &[1, 1])), 1_100), None);
    assert_eq!(line.ask(second, 1_250), Ask::NotBefore(1_300));
    asked(&mut line, second, 1_300);
    let right = words(second, &[2, 2]);
    assert_eq!(line.push(&on_wire(second, &right), 1_310), Some(Outcome::Answered(right)));
}

#[test]
fn a_late_answer_of_another_length_is_passed_over() {
    let (first, second) = (read(1, 0, 4), read(1, 100, 2));
    let mut line = Line::new(Timing::default());
    asked(&mut line, first, 0);
    line.on_time(1_000);
    asked(&mut line, second, 1_200);
    let right = words(second, &[2, 2]);
    let both = [on_wire(first, &words(first, &[1, 1, 1, 1])), on_wire(second, &right)].concat();
    assert_eq!(line.push(&both, 1_250), Some(Outcome::Answered(right)));
}

#[test]
fn requests_beyond_the_limits_are_none() {
    assert_eq!(Read::new(1, block(0, 0)), None);
    assert_eq!(Read::new(1, block(0, 126)), None);
    assert_eq!(Read::new(1, block(65_535, 2)), None);
    assert!(Read::new(1, Block { function: Function::Coils, address: 0, count: 2000 }).is_some());
}

fn any_exchange() -> impl Strategy<Value = (Read, BlockAnswer)> {
    (any::<u8>(), 1_u8..5, any::<u16>(), prop::collection::vec(any::<u16>(), 1..126), 0_u8..8).prop_map(
        |(unit, function, address, data, code)| {
            let function = Function::from_u8(function).unwrap();
            let count = u16::try_from(data.len()).unwrap();
            let address = address.min(u16::MAX - count);
            let read = Read::new(unit, Block { function, address, count }).unwrap();
            let answer = match code {
                1..4 => Answer::Exception(code),
                _ if function.is_bits() => Answer::Bits(data.iter().map(|word| word & 1 == 1).collect()),
                _ => Answer::Registers(data),
            };
            let answer = read.answered(answer);
            (read, answer)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_behind_any_noise_and_by_any_cut(
        (read, answer) in any_exchange(), noise in prop::collection::vec(any::<u8>(), 0..300), cut in 1_usize..40) {
        let frame = encode_answer(read.unit, &answer).unwrap();
        prop_assert!(frame.len() <= FRAME_BYTES_MAX);
        let stream = [noise.as_slice(), &frame].concat();
        for cut in [cut, 1, stream.len()] {
            let mut line = Line::new(Timing::default());
            line.ask(read, 0);
            let mut outcomes = Vec::new();
            for chunk in stream.chunks(cut) {
                outcomes.extend(line.push(chunk, 1));
                prop_assert!(line.buffered() <= FRAME_BYTES_MAX);
            }
            prop_assert_eq!(outcomes, vec![Outcome::Answered(answer.clone())]);
        }
    }

    #[test]
    fn a_changed_byte_is_never_an_answer((read, answer) in any_exchange(), at in any::<prop::sample::Index>(), with in 1_u8..) {
        let mut frame = encode_answer(read.unit, &answer).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= with;
        prop_assert_eq!(read.answer_at_end(&frame), None);
    }

    #[test]
    fn any_talk_ends_each_request_once(
        acts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), 0_i64..800, any::<bool>()), 0..60)) {
        let mut line = Line::new(Timing::default());
        let (mut now, mut open) = (0, 0_u32);
        for (bytes, ms, ask) in acts {
            now += ms;
            if ask && matches!(line.ask(read(1, 0, 1), now), Ask::Send(_)) {
                open += 1;
            }
            for outcome in [line.push(&bytes, now), line.on_time(now)].into_iter().flatten() {
                open = open.checked_sub(1).unwrap_or_else(|| panic!("nothing was asked: {outcome:?}"));
            }
            prop_assert!(open <= 1 && line.buffered() <= FRAME_BYTES_MAX);
        }
        line.on_time(now + 10_000);
        prop_assert_eq!(line.deadline_ms(), None);
    }
}
