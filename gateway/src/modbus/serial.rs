//! A serial port of this machine: opened raw, at its speed and character format, for one program at a time.
//!
//! Written on rustix's termios and tokio's readiness rather than with a serial-port crate: it is what follows, without a C library, and
//! Linux is what the product runs on.

use model::modbus::{Parity, SerialPort};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::termios::{ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex};
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::{Receiver, Sender};

/// Tokio's halves of a pipe do what a terminal needs: wait until it is ready, read, write.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) reader: Receiver,
    pub(super) writer: Sender,
}

impl Port {
    /// # Errors
    /// There is no such port, it is another program's, or it is no terminal device.
    pub(super) fn open(wanted: &SerialPort) -> io::Result<Self> {
        // NOCTTY: it must not become the server's terminal. NONBLOCK: no waiting for a carrier that a two-wire line does not have.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = rustix::fs::open(&wanted.path, flags, Mode::empty())?;
        // Before a byte is written: whatever is no serial port is left alone.
        if !rustix::termios::isatty(&port) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no serial port"));
        }
        rustix::fs::flock(&port, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another program or bus has it open"))?;
        let mut settings = rustix::termios::tcgetattr(&port)?;
        settings.make_raw();
        let modes = &mut settings.control_modes;
        modes.remove(ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB | ControlModes::CRTSCTS);
        modes.insert(ControlModes::CREAD | ControlModes::CLOCAL | ControlModes::CS8);
        match wanted.parity {
            Parity::None => {}
            Parity::Even => modes.insert(ControlModes::PARENB),
            Parity::Odd => modes.insert(ControlModes::PARENB | ControlModes::PARODD),
        }
        if wanted.stop_bits == 2 {
            modes.insert(ControlModes::CSTOPB);
        }
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        settings.set_speed(wanted.baud)?;
        rustix::termios::tcsetattr(&port, OptionalActions::Now, &settings)?;
        rustix::termios::tcflush(&port, QueueSelector::IOFlush)?;
        Self::halves(port)
    }

    /// Of a terminal that is in non-blocking mode.
    pub(super) fn halves(port: OwnedFd) -> io::Result<Self> {
        let reader = Receiver::from_owned_fd_unchecked(port.try_clone()?)?;
        Ok(Self { reader, writer: Sender::from_owned_fd_unchecked(port)? })
    }
}
