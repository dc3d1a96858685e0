//! What every target promises besides its own: no input takes longer than a frame may.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time of the processor for one input, which holds at least one frame. It does not count what other processes take.
pub const FRAME_TIME_MAX: Duration = Duration::from_millis(10);

/// How often work that took too long runs again. On a crowded machine the processor's clock counts what its owner took from it, several times in a row;
/// work that is slow in itself is slow every time.
const ATTEMPTS: u32 = 20;

/// Runs the target's work; when it took too long it runs again, so that a page fault or the first use of a table is not taken for it.
///
/// # Panics
/// When it takes longer than [`FRAME_TIME_MAX`] each of `ATTEMPTS` times.
pub fn within(mut work: impl FnMut()) {
    for _ in 0..ATTEMPTS {
        let begin = processor_time();
        work();
        if processor_time().saturating_sub(begin) <= FRAME_TIME_MAX {
            return;
        }
    }
    panic!("an input takes longer than {FRAME_TIME_MAX:?}");
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
