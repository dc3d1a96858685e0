//! One poll of one slave: its blocks in turn, with the pauses and the patience that its register row asks for.

use super::wire::{BUSY, Failure, Wire};
use crate::metrics;
use model::register::ModbusPoll;
use protocol::modbus::rtu::Read;
use protocol::modbus::{Answer, Block, BlockAnswer, Reading};
use std::time::Duration;
use tokio::time::sleep;

/// What a poll gave. Blocks that were not answered are missing in the reading, never zero.
pub(super) struct Polled {
    pub(super) reading: Reading,
    pub(super) failure: Option<Failure>,
}

impl Polled {
    /// Some values came.
    pub(super) fn is_useful(&self) -> bool {
        self.reading.blocks.iter().any(|block| !matches!(block.answer, Answer::Exception(_)))
    }
}

/// After the first block that is not answered the rest is left for the next poll.
pub(super) async fn poll(wire: &mut Wire, poll: &ModbusPoll, blocks: &[Block]) -> Polled {
    let mut polled =
        Polled { reading: Reading { unit: poll.unit, blocks: Vec::with_capacity(blocks.len()) }, failure: None };
    for block in blocks {
        let Some(read) = Read::new(poll.unit, *block) else { continue };
        match ask(wire, poll, read).await {
            Ok(answer) => {
                let Block { function, address, count } = *block;
                polled.reading.blocks.push(BlockAnswer { function, address, count, answer });
            }
            Err(failure) => {
                polled.failure = Some(failure);
                return polled;
            }
        }
    }
    let refused = |block: &BlockAnswer| match block.answer {
        Answer::Exception(code) => Some(code),
        _ => None,
    };
    let all: Option<Vec<u8>> = polled.reading.blocks.iter().map(refused).collect();
    polled.failure = all.and_then(|codes| codes.first().copied()).map(Failure::Refused);
    polled
}

/// One block, as often as it may be asked for.
async fn ask(wire: &mut Wire, poll: &ModbusPoll, read: Read) -> Result<Answer, Failure> {
    let limit = millis(poll.timeout_ms.max(1));
    let (mut again, mut busy) = (poll.retries, poll.busy_retries);
    loop {
        pause(poll.pause_ms).await;
        match wire.ask(read, limit).await {
            Ok(Answer::Exception(code)) if BUSY.contains(&code) && busy > 0 => {
                busy -= 1;
                ::metrics::counter!(metrics::MODBUS_RETRIES_TOTAL, "why" => "busy").increment(1);
                pause(poll.busy_wait_ms).await;
            }
            // A connection that must be made anew is not this loop's.
            Err(failure) if again > 0 && !wire.spoils(&failure) && !matches!(failure, Failure::Unreachable(_)) => {
                again -= 1;
                ::metrics::counter!(metrics::MODBUS_RETRIES_TOTAL, "why" => failure.code()).increment(1);
            }
            done => return done,
        }
    }
}

pub(super) async fn pause(ms: u32) {
    if ms > 0 {
        sleep(millis(ms)).await;
    }
}

pub(super) fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
