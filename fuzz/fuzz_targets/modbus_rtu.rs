//! Any bytes on an RTU line, cut and timed by themselves, end each request once, within the bound; what is taken for an answer
//! has the shape of its request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::modbus::rtu::{Ask, FRAME_BYTES_MAX, Line, Outcome, Read, Timing};
use protocol::modbus::{Answer, Block, Function};

fn run(bytes: &[u8]) {
    let mut line = Line::new(Timing::default());
    let (mut now, mut open) = (0_i64, 0_u32);
    for chunk in bytes.chunks(9) {
        let Some((first, chunk)) = chunk.split_first() else { break };
        now += i64::from(*first) * 10;
        let function = Function::from_u8(first % 4 + 1).unwrap_or(Function::Coils);
        let block = Block { function, address: u16::from(*first), count: u16::from(first % 3) + 1 };
        if let Some(read) = Read::new(1, block)
            && matches!(line.ask(read, now), Ask::Send(_))
        {
            open += 1;
        }
        for outcome in [line.push(chunk, now), line.on_time(now)].into_iter().flatten() {
            assert!(open > 0);
            open -= 1;
            if let Outcome::Answered(answer) = outcome {
                match answer.answer {
                    Answer::Registers(words) => assert_eq!(words.len(), usize::from(answer.count)),
                    Answer::Bits(bits) => assert_eq!(bits.len(), usize::from(answer.count)),
                    Answer::Exception(code) => assert!(code > 0),
                }
            }
        }
        assert!(open <= 1 && line.buffered() <= FRAME_BYTES_MAX);
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
