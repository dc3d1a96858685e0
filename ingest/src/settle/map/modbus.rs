//! modbus → records. (The codec is not there yet.)
use crate::settle::draft::Decoded;
use crate::settle::foreign::Foreign;
use crate::settle::profile::Profile;
use model::envelope::Envelope;
pub fn decode<'p>(_envelope: &Envelope, _profile: &'p Profile, _foreign: &mut Foreign) -> Decoded<'p> {
    Decoded::Nothing
}
