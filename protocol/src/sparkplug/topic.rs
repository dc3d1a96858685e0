//! `spBv1.0/{group}/{message}/{edge}[/{device}]`

use std::fmt;

/// What every topic of the namespace starts with.
pub const ROOT: &str = "spBv1.0/";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    NodeBirth,
    NodeDeath,
    NodeData,
    NodeCommand,
    DeviceBirth,
    DeviceDeath,
    DeviceData,
    DeviceCommand,
}

impl MessageKind {
    pub const ALL: [Self; 8] = [
        Self::NodeBirth,
        Self::NodeDeath,
        Self::NodeData,
        Self::NodeCommand,
        Self::DeviceBirth,
        Self::DeviceDeath,
        Self::DeviceData,
        Self::DeviceCommand,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::NodeBirth => "NBIRTH",
            Self::NodeDeath => "NDEATH",
            Self::NodeData => "NDATA",
            Self::NodeCommand => "NCMD",
            Self::DeviceBirth => "DBIRTH",
            Self::DeviceDeath => "DDEATH",
            Self::DeviceData => "DDATA",
            Self::DeviceCommand => "DCMD",
        }
    }

    /// An edge node publishes it; commands go to the node.
    pub const fn is_upward(self) -> bool {
        !matches!(self, Self::NodeCommand | Self::DeviceCommand)
    }

    pub const fn is_birth(self) -> bool {
        matches!(self, Self::NodeBirth | Self::DeviceBirth)
    }

    pub const fn is_death(self) -> bool {
        matches!(self, Self::NodeDeath | Self::DeviceDeath)
    }

    const fn names_a_device(self) -> bool {
        matches!(self, Self::DeviceBirth | Self::DeviceDeath | Self::DeviceData | Self::DeviceCommand)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Topic<'a> {
    pub group: &'a str,
    pub kind: MessageKind,
    pub edge: &'a str,
    /// There exactly when the message is a device's.
    pub device: Option<&'a str>,
}

impl<'a> Topic<'a> {
    /// Reads what stands behind [`ROOT`].
    pub fn parse(rest: &'a str) -> Option<Self> {
        let mut levels = rest.split('/');
        let (group, word, edge) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next();
        let kind = MessageKind::ALL.into_iter().find(|kind| kind.word() == word)?;
        let is_whole = levels.next().is_none()
            && kind.names_a_device() == device.is_some()
            && [Some(group), Some(edge), device].into_iter().flatten().all(|level| !level.is_empty());
        is_whole.then_some(Self { group, kind, edge, device })
    }
}

impl fmt::Display for Topic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, kind, edge, device } = self;
        write!(f, "{ROOT}{group}/{}/{edge}", kind.word())?;
        device.map_or(Ok(()), |device| write!(f, "/{device}"))
    }
}
