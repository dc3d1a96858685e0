//! Bytes to and from a line of RTU frames, wherever it comes from: a socket that we dialled, a serial port, or the connection of a modem
//! that dialled in, whose socket its own session holds.

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

/// Bytes of one read.
const CHUNK_BYTES: usize = 512;
/// Chunks between a modem's session and its bus. Beyond it what the modem says is dropped: nobody asked.
pub(super) const CHUNKS_MAX: usize = 64;

#[derive(Debug)]
pub(super) enum Pipe {
    Tcp(TcpStream),
    Serial(super::serial::Port),
    Dtu(DtuPipe),
}

impl Pipe {
    /// At least one byte. Cancel-safe.
    pub(super) async fn read(&mut self) -> io::Result<Bytes> {
        let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
        let count = match self {
            Self::Tcp(stream) => stream.read_buf(&mut buffer).await?,
            Self::Serial(port) => port.reader.read_buf(&mut buffer).await?,
            Self::Dtu(pipe) => return pipe.from.recv().await.ok_or_else(gone),
        };
        if count == 0 { Err(gone()) } else { Ok(buffer.freeze()) }
    }

    /// What is there already; `None`: nothing.
    pub(super) fn waiting(&mut self) -> Option<io::Result<Bytes>> {
        self.read().now_or_never()
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Serial(port) => port.writer.write_all(bytes).await,
            Self::Dtu(pipe) => {
                let sent = pipe.to.send(Bytes::copy_from_slice(bytes)).await;
                pipe.wake.notify_one();
                sent.map_err(|_| gone())
            }
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// The bus's end of a modem's connection. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct DtuPipe {
    from: mpsc::Receiver<Bytes>,
    to: mpsc::Sender<Bytes>,
    wake: Arc<Notify>,
}

/// The session's end.
#[derive(Debug)]
pub(super) struct DtuEnd {
    pub(super) up: mpsc::Sender<Bytes>,
    pub(super) down: mpsc::Receiver<Bytes>,
}

/// `wake` tells the session that there is something to send, or that the bus has let go.
pub(super) fn dtu_pipe(wake: Arc<Notify>) -> (DtuPipe, DtuEnd) {
    let (up, from) = mpsc::channel(CHUNKS_MAX);
    // One question at a time.
    let (to, down) = mpsc::channel(2);
    (DtuPipe { from, to, wake }, DtuEnd { up, down })
}

impl Drop for DtuPipe {
    fn drop(&mut self) {
        // So that the session sees the closed channel.
        self.from.close();
        let (closed, _) = mpsc::channel(1);
        self.to = closed;
        self.wake.notify_one();
    }
}
