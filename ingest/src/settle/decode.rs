//! Stage 1: raw bytes → drafts. The device's profile (as of the journal position) says what its codes mean.

use super::births::{Births, View};
use super::draft::{Decoded, Fault};
use super::foreign::Foreign;
use super::map;
use super::profile::Profile;
use super::train;
use model::envelope::{Channel, Envelope, Position};
use model::facts::Facts;
use model::verdict::QuarantineReason;

/// Reads one frame. `None` for the profile quarantines it: it can be derived again once the device has one.
pub fn decode<'p>(
    envelope: &Envelope,
    facts: &Facts,
    profile: Option<&'p Profile>,
    foreign: &mut Foreign,
) -> Decoded<'p> {
    let profile = match usable(envelope, profile) {
        Ok(profile) => profile,
        Err(fault) => return Decoded::Unreadable(fault),
    };
    match envelope.channel {
        Channel::MqttTelemetry
        | Channel::MqttEvent
        | Channel::MqttStatus
        | Channel::MqttReply
        | Channel::MqttThingsboard
        | Channel::HttpTelemetry
        | Channel::HttpEvent
        | Channel::HttpPictures => map::mqtt::decode(envelope, facts, profile, foreign),
        // Without what births said: for a frame that is derived again.
        Channel::MqttSparkplug => match map::sparkplug::Read::of(&envelope.raw) {
            Ok(read) => map::sparkplug::decode(envelope, &read, View::default(), profile, foreign),
            Err(fault) => Decoded::Unreadable(fault),
        },
        Channel::MqttOnvif => map::onvif::decode(envelope, profile, foreign),
        Channel::Hj212Frame => map::hj212::decode(envelope, profile, foreign),
        Channel::Jt808Frame => map::jt808::decode(envelope, profile, foreign),
        Channel::Jt808Attachment => map::jt808::attachment::decode(envelope, profile),
        Channel::ModbusReading => map::modbus::decode(envelope, profile, foreign),
    }
}

/// Reads a Sparkplug message, which also changes what is known of births, whatever the profile.
pub fn decode_sparkplug<'p>(
    (position, envelope): (Position, &Envelope),
    profile: Option<&'p Profile>,
    foreign: &mut Foreign,
    births: &mut Births,
) -> Decoded<'p> {
    let read = map::sparkplug::Read::of(&envelope.raw);
    let view = read.as_ref().map(|read| read.see(births, position)).unwrap_or_default();
    match (usable(envelope, profile), read) {
        (Ok(profile), Ok(read)) => map::sparkplug::decode(envelope, &read, view, profile, foreign),
        (Err(fault), _) | (_, Err(fault)) => Decoded::Unreadable(fault),
    }
}

/// Reads the message that its packets make, all of which are there, in their order.
pub fn decode_train<'p, 'a>(
    last: &Envelope,
    packets: impl Iterator<Item = &'a Envelope>,
    profile: Option<&'p Profile>,
) -> Decoded<'p> {
    let profile = match usable(last, profile) {
        Ok(profile) => profile,
        Err(fault) => return Decoded::Unreadable(fault),
    };
    match train::whole(packets) {
        Some(whole) => map::jt808::decode_whole(last, &whole, profile),
        None => Decoded::Unreadable(Fault::not_understood("packets that do not fit together")),
    }
}

/// Reads one frame as it stands, even when it is a packet of a split message.
pub fn decode_packet<'p>(
    envelope: &Envelope,
    facts: &Facts,
    profile: Option<&'p Profile>,
    foreign: &mut Foreign,
) -> Decoded<'p> {
    match (envelope.channel, profile) {
        (Channel::Hj212Frame, Some(profile)) if profile.protocol() == envelope.channel.protocol() => {
            map::hj212::decode_whole(envelope, profile, foreign)
        }
        _ => decode(envelope, facts, profile, foreign),
    }
}

fn usable<'p>(envelope: &Envelope, profile: Option<&'p Profile>) -> Result<&'p Profile, Fault> {
    let profile = profile.ok_or_else(|| Fault::new(QuarantineReason::NoProfile, "the device has no profile"))?;
    if profile.protocol() != envelope.channel.protocol() {
        let place = format!("profile {} is for {}", profile.source.code, profile.protocol().code());
        return Err(Fault::new(QuarantineReason::NoProfile, place));
    }
    Ok(profile)
}
