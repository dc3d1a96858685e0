//! Promises of the profiles, on positions of our own.

use super::*;
use crate::jt808::Item;
use proptest::prelude::*;

fn with<'a>(status: u32, items: &[(u8, &'a [u8])]) -> Position<'a> {
    let items = items.iter().map(|(id, value)| Item { id: *id, value }).collect();
    Position { status, items, ..Position::default() }
}

/// Entries with their sum byte.
fn f0(entries: &[(u8, &[u8])]) -> Vec<u8> {
    let mut value = Vec::new();
    for (tag, entry) in entries {
        value.extend([*tag, u8::try_from(entry.len()).unwrap()]);
        value.extend_from_slice(entry);
    }
    value.push(value.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
    value
}

fn e1(bits: &[u32]) -> [u8; 4] {
    bits.iter().fold(0_u32, |word, bit| word | 1 << bit).to_be_bytes()
}

#[test]
fn nested_states_are_read_with_their_faults() {
    let read = |bits: &[u32], status| {
        let value = f0(&[(0xE1, &e1(bits)), (0xE2, &[0, 0, 0x30, 0x39]), (0xE8, &[1])]);
        TruckState::read(&with(status, &[(0xF0, &value)]), &TruckProfile::NESTED_F0)
    };
    let closed = read(&[], 0);
    assert_eq!(
        (closed.cover_open, closed.bed_lifted, closed.load),
        (Some(Tristate::No), Some(Tristate::No), Some(Load::Empty))
    );
    assert_eq!((closed.weight, closed.overloaded), (Some(12_345), Some(Tristate::No)));
    let open = read(&[9, 10, 19], 3 << 8);
    assert_eq!(
        (open.cover_open, open.bed_lifted, open.load),
        (Some(Tristate::Yes), Some(Tristate::Yes), Some(Load::Full))
    );
    assert_eq!(open.overloaded, Some(Tristate::Yes));
    let broken = read(&[9, 29, 30, 25], 3 << 8);
    assert_eq!(
        (broken.cover_open, broken.bed_lifted, broken.load),
        (Some(Tristate::Fault), Some(Tristate::Fault), Some(Load::Fault))
    );
    assert_eq!(broken.load.map(Load::is_loaded), Some(Tristate::Fault));
}

#[test]
fn a_wrong_sum_is_a_fault_and_an_absent_item_says_nothing() {
    let mut value = f0(&[(0xE1, &e1(&[9]))]);
    *value.last_mut().unwrap() ^= 1;
    let damaged = TruckState::read(&with(0, &[(0xF0, &value)]), &TruckProfile::NESTED_F0);
    assert_eq!((damaged.cover_open, damaged.weight), (Some(Tristate::Fault), None));
    let short = TruckState::read(&with(0, &[(0xF0, &[0xE1, 9, 0])]), &TruckProfile::NESTED_F0);
    assert_eq!(short.cover_open, Some(Tristate::Fault));
    let silent = TruckState::read(&with(1 << 8, &[]), &TruckProfile::NESTED_F0);
    assert_eq!((silent.cover_open, silent.bed_lifted, silent.load), (None, None, Some(Load::Half)));
    let without = f0(&[(0xE8, &[1])]);
    assert_eq!(TruckState::read(&with(0, &[(0xF0, &without)]), &TruckProfile::NESTED_F0).cover_open, None);
}

#[test]
fn dump_events_and_violations_are_read() {
    let dump = [&[0][..], &[0x26, 1, 1, 8, 0, 0], &[0x26, 1, 1, 8, 5, 0]].concat();
    let state = TruckState::read(&with(3 << 8, &[(0xE3, &dump), (0xE4, &[0, 0, 0, 2])]), &TruckProfile::EVENTS_E3_E4);
    let dump = state.dump.unwrap();
    assert_eq!((dump.normal, dump.start_bcd[3], dump.end_bcd[4], state.load), (true, 8, 5, Some(Load::Full)));
    assert_eq!(state.violations, Some(Violations { cover_open: false, bed_lifted: true }));
    // The same items mean other things with other makers, in other lengths.
    let other = TruckState::read(&with(0, &[(0xE3, &[0; 6]), (0xE4, &[0; 2])]), &TruckProfile::EVENTS_E3_E4);
    assert_eq!((other.dump, other.violations), (None, None));
}

#[test]
fn polarity_is_the_profiles() {
    let read = |value: &[u8], profile| TruckState::read(&with(0, &[(0xE5, value), (0xE6, value)]), profile);
    let vendor = read(&[0b0000_1100], &TruckProfile::COVER_CLOSED_IS_1);
    assert_eq!(
        (vendor.cover_open, vendor.bed_lifted, vendor.load),
        (Some(Tristate::Yes), Some(Tristate::No), Some(Load::Full))
    );
    let vendor = read(&[0b0000_1011], &TruckProfile::COVER_CLOSED_IS_1);
    assert_eq!(
        (vendor.cover_open, vendor.bed_lifted, vendor.load),
        (Some(Tristate::No), Some(Tristate::Yes), Some(Load::Fault))
    );
    let codes = read(&[2, 1, 0], &TruckProfile::CODES_1_AND_2);
    assert_eq!(
        (codes.cover_open, codes.bed_lifted, codes.load),
        (Some(Tristate::Fault), Some(Tristate::Yes), Some(Load::Empty))
    );
    let bit_9 = TruckState::read(&with(2 << 8, &[]), &TruckProfile::STATUS_BIT_9);
    assert_eq!(
        (bit_9.load, TruckState::read(&with(2 << 8, &[]), &TruckProfile::STANDARD).load),
        (Some(Load::Full), Some(Load::Fault))
    );
}

proptest! {
    #[test]
    fn any_item_under_any_profile_is_read_without_a_panic(
        items in prop::collection::vec((0xE0_u8..=0xFF, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        at in 0..TruckProfile::EXAMPLES.len(), lowest in any::<u16>(), width in any::<u8>(),
    ) {
        let items: Vec<_> = items.iter().map(|(id, value)| (*id, &value[..])).collect();
        let position = with(0, &items);
        TruckState::read(&position, &TruckProfile::EXAMPLES[at]);
        let weight = Some(Bits { place: Place::Item(0xE5), lowest, width });
        TruckState::read(&position, &TruckProfile { weight, ..TruckProfile::STANDARD });
    }
}
