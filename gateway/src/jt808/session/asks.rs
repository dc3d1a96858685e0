//! What a terminal is asked for beside its answers: sub-packets that did not come. Never with more bytes than came from it, so that a
//! small packet that claims a long message makes nothing larger.

use super::super::trains::Say;
use super::Jt808Session;
use crate::metrics;
use crate::tcp::Actions;
use model::time::IngestTime;
use protocol::jt808::{MediaReply, Message, Phone, Resend};

/// Sub-packets are asked for with no more bytes than came, but for these of a connection's beginning.
pub(super) const CREDIT_BYTES_FIRST: usize = 128;
pub(super) const CREDIT_BYTES_MAX: usize = 16 << 10;

impl Jt808Session {
    pub(super) fn say(&mut self, phone: &Phone, mut say: Say, out: &mut Actions) {
        if let Some(bytes) = say.bytes().filter(|bytes| *bytes > self.credit) {
            // A small packet that claims a long message must not be answered by a larger frame than it.
            ::metrics::counter!(metrics::JT808_ASKS_CUT_TOTAL).increment(1);
            if !say.cut(bytes - self.credit) {
                return;
            }
        }
        let (version, message) = match say {
            Say::MediumDone { version, asked, medium } => {
                (version, Message::MediaReply(MediaReply { asked, id: medium, missing: Vec::new() }))
            }
            Say::MediumMissing { version, asked, medium, missing } => {
                (version, Message::MediaReply(MediaReply { asked: Some(asked), id: medium, missing }))
            }
            Say::Missing { version, first, numbers } => (version, Message::ResendDown(Resend { first, numbers })),
        };
        self.send(version, phone, &message, out);
    }

    /// Who may be asked for something.
    pub(super) fn phone(&self) -> Option<Phone> {
        let behind_modem = || self.carried.as_ref().and(self.voice.as_ref()).map(|voice| voice.phone);
        self.who.as_ref().map(|who| who.phone).or_else(behind_modem)
    }

    /// Asks for sub-packets that are missing.
    pub(super) fn ask_again(&mut self, phone: Option<Phone>, now: IngestTime, out: &mut Actions) {
        let Some(phone) = phone else { return };
        for say in self.trains.missing(now) {
            self.say(&phone, say, out);
        }
    }
}
