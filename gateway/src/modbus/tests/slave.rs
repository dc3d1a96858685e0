//! RTU slaves at the other end of a stream. Registers hold their own address; units differ in how they behave:
//!
//! | unit | behaves |
//! |---|---|
//! | 1, 9 | answers |
//! | 2 | is dead |
//! | 3 | answers each third question only after everybody's patience is over |
//! | 4 | answers with a wrong check |
//! | 5 | is busy twice before each answer |
//! | 6 | refuses with exception 2 |
//! | 7 | answers every question twice |
//! | 8 | answers in two pieces with a heartbeat before them |

use protocol::modbus::rtu::{crc16, encode_answer};
use protocol::modbus::{Answer, BlockAnswer, Function};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// Longer than the tests' time-out, shorter than two of them.
const LATE: Duration = Duration::from_millis(220);
pub(super) const HEARTBEAT: &[u8] = b"PING";

/// Answers until the stream ends. `asked` counts all questions.
pub(super) async fn answer<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, asked: Arc<AtomicUsize>) {
    let mut question = [0_u8; 8];
    let mut of_unit = [0_usize; 256];
    while stream.read_exact(&mut question).await.is_ok() {
        let [body @ .., low, high] = question;
        assert_eq!(crc16(&body).to_le_bytes(), [low, high], "a question with a wrong check");
        asked.fetch_add(1, Ordering::SeqCst);
        let [unit, function, ..] = body;
        let number = of_unit[usize::from(unit)];
        of_unit[usize::from(unit)] += 1;
        let function = Function::from_u8(function).unwrap();
        let (address, count) = (u16::from_be_bytes([body[2], body[3]]), u16::from_be_bytes([body[4], body[5]]));
        let told = |answer| encode_answer(unit, &BlockAnswer { function, address, count, answer }).unwrap();
        let values = told(Answer::Registers((address..address + count).collect()));
        let sent: Vec<Vec<u8>> = match unit {
            2 => Vec::new(),
            3 if number % 3 == 0 => {
                tokio::time::sleep(LATE).await;
                vec![values]
            }
            4 => vec![values.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at + 1 == values.len())).collect()],
            5 if number % 3 < 2 => vec![told(Answer::Exception(6))],
            6 => vec![told(Answer::Exception(2))],
            7 => vec![values.clone(), values],
            8 => {
                let (one, two) = values.split_at(4);
                vec![HEARTBEAT.to_vec(), one.to_vec(), two.to_vec()]
            }
            _ => vec![values],
        };
        for bytes in sent {
            stream.write_all(&bytes).await.unwrap();
        }
    }
}

/// A serial server: RTU slaves behind a TCP port. Its address as a poll has it, and how often it was asked.
pub(super) async fn serial_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("rtu+tcp://{}", listener.local_addr().unwrap());
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(answer(stream, Arc::clone(&counted)));
        }
    });
    (address, asked)
}
