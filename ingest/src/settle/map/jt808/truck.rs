//! Cover, bed and load of a truck, as its profile says where they are. A broken sensor is a value flagged as a fault, which nothing
//! judges; what a position does not say is absent.

use model::quantity::Quantity;
use model::record::Flag;
use model::truck::{Truck, TruckBits, TruckLayout};
use protocol::jt808::{Bits, Load, Place, Position, StateSource, Tristate, TruckProfile, TruckState};

/// The profile's table made ready.
pub fn ready(truck: &Truck) -> TruckProfile {
    let layout = match truck.layout {
        TruckLayout::Standard => TruckProfile::STANDARD,
        TruckLayout::NestedF0 => TruckProfile::NESTED_F0,
        TruckLayout::EventsE3E4 => TruckProfile::EVENTS_E3_E4,
        TruckLayout::CoverClosedIs1 => TruckProfile::COVER_CLOSED_IS_1,
        TruckLayout::Codes1And2 => TruckProfile::CODES_1_AND_2,
        TruckLayout::StatusBit9 => TruckProfile::STATUS_BIT_9,
    };
    TruckProfile {
        cover_open: truck.cover_open.as_ref().map(source).or(layout.cover_open),
        bed_lifted: truck.bed_lifted.as_ref().map(source).or(layout.bed_lifted),
        ..layout
    }
}

fn source(own: &TruckBits) -> StateSource {
    let place = match (own.item, own.tag) {
        (None, _) => Place::Status,
        (Some(item), None) => Place::Item(item),
        (Some(item), Some(tag)) => Place::Nested { item, tag },
    };
    let bits = Bits { place, lowest: own.bit, width: own.width };
    StateSource { bits, yes: own.yes, no: own.no, fault: own.fault_bit.map(|bit| Bits::one(place, bit)) }
}

/// What a position says.
pub(super) fn values(position: &Position<'_>, profile: &TruckProfile) -> impl Iterator<Item = (Quantity, f64, Flag)> {
    let state = TruckState::read(position, profile);
    let known = |state: Tristate| match state {
        Tristate::Yes => (1.0, Flag::Normal),
        Tristate::No => (0.0, Flag::Normal),
        Tristate::Fault => (0.0, Flag::Fault),
    };
    let load = state.load.map(|load| match load {
        Load::Empty => (0.0, Flag::Normal),
        Load::Half => (1.0, Flag::Normal),
        Load::Full => (3.0, Flag::Normal),
        Load::Fault => (0.0, Flag::Fault),
    });
    let all = [
        (Quantity::LOAD_STATE, load),
        (Quantity::COVER_OPEN, state.cover_open.map(known)),
        (Quantity::BED_LIFTED, state.bed_lifted.map(known)),
    ];
    all.into_iter().filter_map(|(quantity, found)| found.map(|(value, flag)| (quantity, value, flag)))
}
