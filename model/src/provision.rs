//! A device that shows a claim code where it speaks, and what it is told. The register decides; the edge only carries.

use std::net::IpAddr;

/// What a device shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    pub code: String,
    /// Its serial number.
    pub serial: String,
    /// `None`: a stream without an address.
    pub from: Option<IpAddr>,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provisioned {
    /// What to set, by name; given this once.
    Made {
        settings: Vec<(&'static str, String)>,
        /// It is switched off until a person switches it on.
        pending: bool,
    },
    /// It is told nothing more. `guessed`: there is no such code.
    Refused { guessed: bool },
    /// It asks again later.
    Unavailable,
}

/// Told once, on any thread; it must only hand over.
pub type Told = Box<dyn FnOnce(Provisioned) + Send>;

/// Who makes devices of claim codes. Bounded inside; never blocks.
pub trait Provisioner: Send + Sync {
    fn provision(&self, claimant: Claimant, told: Told);
}
