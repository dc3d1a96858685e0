//! How a truck's terminal tells cover, bed and load in its JT/T 808 positions: a known layout, or bits of the profile's own.
//!
//! The standard knows the load alone. The layouts beside it were read from firmware and platforms and are assumptions; both polarities
//! of the cover are in use, so whoever knows the vehicle says which it has.

use serde::{Deserialize, Serialize};

/// The table `truck` of a device profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truck {
    #[serde(default)]
    pub layout: TruckLayout,
    /// Instead of the layout's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_open: Option<TruckBits>,
    /// Instead of the layout's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bed_lifted: Option<TruckBits>,
}

/// A known layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TruckLayout {
    /// Load in bits 8 and 9 of the status word, nothing else.
    #[default]
    Standard,
    #[serde(rename = "nested-f0")]
    NestedF0,
    #[serde(rename = "events-e3-e4")]
    EventsE3E4,
    #[serde(rename = "cover-closed-is-1")]
    CoverClosedIs1,
    #[serde(rename = "codes-1-and-2")]
    Codes1And2,
    #[serde(rename = "status-bit-9")]
    StatusBit9,
}

/// Some bits of the status word, of an item, or of an entry nested in one; bit 0 is the last byte's lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruckBits {
    /// None: the status word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u8>,
    /// Of an entry nested in the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u8>,
    pub bit: u16,
    /// 1 to 32.
    #[serde(default = "one")]
    pub width: u8,
    /// The value that means yes, and the one that means no; any other is a broken sensor.
    pub yes: u32,
    pub no: u32,
    /// In the same place; 1: the sensor is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault_bit: Option<u16>,
}

const fn one() -> u8 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_have_the_names_of_the_documents() {
        for name in ["standard", "nested-f0", "events-e3-e4", "cover-closed-is-1", "codes-1-and-2", "status-bit-9"] {
            let layout: TruckLayout = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(serde_json::to_string(&layout).unwrap(), format!("\"{name}\""));
        }
        let truck: Truck =
            serde_json::from_str(r#"{"cover_open": {"item": 229, "bit": 3, "yes": 0, "no": 1}}"#).unwrap();
        assert_eq!((truck.layout, truck.cover_open.unwrap().width), (TruckLayout::Standard, 1));
    }
}
