//! Packets of a split message. Each packet is a frame of its own with its own QN and whole items, so there are no bytes to
//! join: packets that agree in (`MN`, `CN`, `DataTime`) are one message (HJ 212-2017 tables C.49, C.50).

use super::message::Message;
use super::problem::ProblemCode;
use super::version::Version;

/// Packets of one message; a claim of more is odd.
pub const PACKETS_MAX: u32 = 1_000;

/// What packets of one message agree in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MergeKey<'a> {
    pub mn: &'a str,
    pub cn: &'a str,
    /// `None`: a packet (of 2005, or of careless firmware) that does not repeat `DataTime`.
    pub data_time: Option<&'a str>,
}

impl MergeKey<'_> {
    /// Whether a packet belongs to a message that is being collected: one without a time belongs to whichever is open.
    pub fn belongs_to(&self, open: &MergeKey<'_>) -> bool {
        let same_time = match (self.data_time, open.data_time) {
            (Some(mine), Some(its)) => mine == its,
            _ => true,
        };
        self.mn == open.mn && self.cn == open.cn && same_time
    }
}

/// Where a message stands among its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// One frame, one message.
    Whole,
    /// Number `number` (from 1) of `of`.
    Packet { key: MergeKey<'a>, of: u32, number: u32 },
}

impl<'a> Message<'a> {
    /// How the message is split. Numbers that make no sense read as [`Split::Whole`] and are named by
    /// [`Message::packet_problem`].
    pub fn split(&self) -> Split<'a> {
        let (Some(of @ 2..=PACKETS_MAX), Some(number)) = (self.pnum, self.pno) else { return Split::Whole };
        if number == 0 || number > of {
            return Split::Whole;
        }
        let key = MergeKey {
            mn: self.mn.unwrap_or_default(),
            cn: self.cn.unwrap_or_default(),
            data_time: self.plain("DataTime"),
        };
        Split::Packet { key, of, number }
    }

    /// What is odd about `PNUM`, `PNO` and bit D.
    pub fn packet_problem(&self) -> Option<ProblemCode> {
        let announced = self.flag.is_some_and(|flag| flag & Version::PACKET != 0);
        match (self.pnum, self.pno) {
            (None, None) => announced.then_some(ProblemCode::PacketNumbersMissing),
            (None, _) | (_, None) => Some(ProblemCode::PacketNumbersMissing),
            (Some(of), Some(number)) if of == 0 || number == 0 || number > of || of > PACKETS_MAX => {
                Some(ProblemCode::PacketNumbersWrong)
            }
            _ => (!announced && self.flag.is_some()).then_some(ProblemCode::PacketFlagMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Split<'_>, Option<ProblemCode>) {
        let (message, _) = Message::parse(text);
        (message.split(), message.packet_problem())
    }

    #[test]
    fn packets_merge_by_device_command_and_time() {
        let one = of("CN=2011;MN=A;Flag=7;PNUM=2;PNO=1;CP=&&DataTime=20260101120000;a-Rtd=1&&");
        let two = of("QN=2;CN=2011;MN=A;Flag=7;PNUM=2;PNO=2;CP=&&DataTime=20260101120000;b-Rtd=1&&");
        let other = of("CN=2011;MN=A;Flag=7;PNUM=2;PNO=2;CP=&&DataTime=20260101120100;b-Rtd=1&&");
        let untimed = of("CN=2011;MN=A;Flag=3;PNUM=2;PNO=2;CP=&&b-Rtd=1&&");
        let key = |split| match split {
            Split::Packet { key, .. } => key,
            Split::Whole => panic!("not a packet"),
        };
        let open = key(one.0);
        assert!(matches!(one, (Split::Packet { of: 2, number: 1, .. }, None)));
        assert!(key(two.0).belongs_to(&open) && key(untimed.0).belongs_to(&open));
        assert!(!key(other.0).belongs_to(&open));
    }

    #[test]
    fn packet_numbers_that_make_no_sense_are_named_and_read_whole() {
        let cases = [
            ("Flag=7;CP=&&&&", Some(ProblemCode::PacketNumbersMissing)),
            ("Flag=7;PNUM=2;CP=&&&&", Some(ProblemCode::PacketNumbersMissing)),
            ("Flag=7;PNUM=2;PNO=3;CP=&&&&", Some(ProblemCode::PacketNumbersWrong)),
            ("Flag=7;PNUM=2;PNO=0;CP=&&&&", Some(ProblemCode::PacketNumbersWrong)),
            ("Flag=7;PNUM=4000000000;PNO=1;CP=&&&&", Some(ProblemCode::PacketNumbersWrong)),
            ("Flag=7;PNUM=1;PNO=1;CP=&&&&", None),
            ("Flag=5;CP=&&&&", None),
        ];
        for (text, problem) in cases {
            assert_eq!(of(text), (Split::Whole, problem), "{text}");
        }
        let unannounced = of("Flag=5;PNUM=2;PNO=1;CP=&&&&");
        assert_eq!(unannounced.1, Some(ProblemCode::PacketFlagMissing));
        assert!(matches!(unannounced.0, Split::Packet { .. }));
    }
}
