//! Modbus RTU slaves over TCP, in either direction: a serial server that is dialled, or a 4G modem (DTU) that dials in with a registration
//! packet and heartbeats. The line can be as bad as real ones are: late answers, wrong checks, busy and dead slaves.

use crate::noise::uniform;
use anyhow::{Context, Result};
use bytes::{Buf, BytesMut};
use protocol::modbus::rtu::{FRAME_BYTES_MAX, crc16, encode_answer};
use protocol::modbus::{Answer, BlockAnswer, Function};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

/// What lies behind the line.
pub trait Slaves: Send + Sync {
    /// Holding and input registers from address 0 on; `None`: no such unit, so nobody answers.
    fn registers(&self, unit: u8) -> Option<Vec<u16>>;
}

/// Shares of questions, 0–1, decided by the seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineFaults {
    /// The answer comes after everybody's patience is over.
    pub late: f64,
    pub late_by: Duration,
    /// The answer's check is wrong.
    pub damaged: f64,
    /// Exception 6 instead of an answer.
    pub busy: f64,
}

impl LineFaults {
    pub const NONE: Self = Self { late: 0.0, late_by: Duration::ZERO, damaged: 0.0, busy: 0.0 };
    /// A tenth of the questions.
    pub const TENTH: Self = Self { late: 0.04, late_by: Duration::from_millis(1_300), damaged: 0.03, busy: 0.03 };
}

/// A bus with its slaves.
#[derive(Clone)]
pub struct Bus {
    pub slaves: Arc<dyn Slaves>,
    pub faults: LineFaults,
    pub seed: u64,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("faults", &self.faults).finish_non_exhaustive()
    }
}

/// What a modem says by itself.
#[derive(Debug, Clone, Default)]
pub struct Modem {
    pub registration: Vec<u8>,
    pub heartbeat: Vec<u8>,
    pub heartbeat_every: Duration,
}

/// A modem dials again after so long.
const REDIAL: Duration = Duration::from_secs(1);
/// Unit, function, address, count, check.
const QUESTION_BYTES: usize = 8;

/// Binds, and answers whoever dials until the task is dropped.
///
/// # Errors
/// The address is taken.
pub async fn listen(address: SocketAddr, bus: Bus) -> Result<()> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("listen at {address} as a serial server"))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bus = bus.clone();
            tokio::spawn(async move {
                if let Err(error) = line(stream, &bus, &Modem::default()).await {
                    tracing::debug!(%error, "a serial line ended");
                }
            });
        }
    });
    Ok(())
}

/// Dials, registers, answers; again after a loss, for ever.
pub async fn dial(target: &str, modem: &Modem, bus: &Bus) {
    loop {
        let ended = match TcpStream::connect(target).await {
            Ok(stream) => line(stream, bus, modem).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, target, "a modem's line ended");
        }
        sleep(REDIAL).await;
    }
}

async fn line(mut stream: TcpStream, bus: &Bus, modem: &Modem) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(&modem.registration).await?;
    let mut input = BytesMut::with_capacity(FRAME_BYTES_MAX);
    let mut asked = 0_u64;
    let beats = !modem.heartbeat.is_empty() && !modem.heartbeat_every.is_zero();
    let mut beat = Instant::now() + modem.heartbeat_every;
    loop {
        // Cancel-safe: one read and a timer.
        tokio::select! {
            read = stream.read_buf(&mut input) => if read? == 0 { return Ok(()) },
            () = sleep_until(beat), if beats => {
                beat += modem.heartbeat_every;
                stream.write_all(&modem.heartbeat).await?;
            }
        }
        while let Some(question) = question(&mut input) {
            asked += 1;
            if let Some(answer) = bus.answer(question, asked).await {
                stream.write_all(&answer).await?;
            }
        }
    }
}

/// The next whole question with a right check; what is none is passed over.
fn question(input: &mut BytesMut) -> Option<[u8; 6]> {
    while let Some([body @ .., low, high]) = input.first_chunk::<QUESTION_BYTES>() {
        let mut question = [0; 6];
        question.copy_from_slice(body);
        if crc16(&question).to_le_bytes() == [*low, *high] {
            input.advance(QUESTION_BYTES);
            return Some(question);
        }
        input.advance(1);
    }
    None
}

impl Bus {
    async fn answer(&self, [unit, function, a1, a0, c1, c0]: [u8; 6], asked: u64) -> Option<Vec<u8>> {
        let registers = self.slaves.registers(unit)?;
        let (address, count) = (u16::from_be_bytes([a1, a0]), u16::from_be_bytes([c1, c0]));
        let known = Function::from_u8(function);
        let kind = known.unwrap_or(Function::HoldingRegisters);
        let told = |answer| encode_answer(unit, &BlockAnswer { function: kind, address, count, answer });
        if known.is_none_or(Function::is_bits) {
            // The function of a refusal is the one that was asked for.
            let mut refusal = vec![unit, function | 0x80, 1];
            refusal.extend(crc16(&refusal).to_le_bytes());
            return Some(refusal);
        }
        let from = usize::from(address);
        let answer = registers
            .get(from..from + usize::from(count))
            .filter(|words| !words.is_empty())
            .map_or(Answer::Exception(2), |words| Answer::Registers(words.to_vec()));
        let draw = uniform(&[self.seed, u64::from(unit), asked]);
        let LineFaults { late, late_by, damaged, busy } = self.faults;
        if draw < busy {
            return told(Answer::Exception(6));
        }
        let mut answer = told(answer)?;
        if draw < busy + damaged
            && let Some(last) = answer.last_mut()
        {
            *last ^= 0x55;
        } else if draw < busy + damaged + late {
            sleep(late_by).await;
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;

    impl Slaves for One {
        fn registers(&self, unit: u8) -> Option<Vec<u16>> {
            (unit == 1).then(|| vec![0, 66])
        }
    }

    fn asked(body: [u8; 6]) -> Vec<u8> {
        [body.as_slice(), &crc16(&body).to_le_bytes()].concat()
    }

    #[tokio::test]
    async fn questions_are_found_in_noise_and_answered_or_refused() {
        let mut input = BytesMut::from(&[&[9_u8, 9, 9][..], &asked([1, 3, 0, 0, 0, 2]), &[1, 3]].concat()[..]);
        let bus = Bus { slaves: Arc::new(One), faults: LineFaults::NONE, seed: 1 };
        let found = question(&mut input).unwrap();
        assert_eq!(question(&mut input), None);
        assert_eq!(bus.answer(found, 1).await.unwrap(), [1, 3, 4, 0, 0, 0, 0x42, 0x7A, 0x02]);
        assert_eq!(bus.answer([1, 3, 0, 1, 0, 2], 1).await.unwrap()[1..3], [0x83, 2]);
        assert_eq!(bus.answer([1, 6, 0, 1, 0, 2], 1).await.unwrap()[1..3], [0x86, 1]);
        assert_eq!(bus.answer([2, 3, 0, 0, 0, 1], 1).await, None);
    }
}
