//! What is measured. A [`Quantity`] is a small number so that hot paths copy it; numbers below [`Quantity::FIRST_FOREIGN`]
//! are the built-in table below, the others stand for codes a device sent that no profile maps, kept as they are under
//! the device's own code and numbered by the chunk store's dictionary in journal order.

use crate::unit::Unit;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(pub u16);

/// A row of the built-in table: code, names, canonical unit, and the range outside of which a value is impossible.
#[derive(Debug, Clone, Copy)]
pub struct QuantitySpec {
    pub quantity: Quantity,
    pub code: &'static str,
    pub name_zh: &'static str,
    pub name_en: &'static str,
    pub unit: Unit,
    pub min: f64,
    pub max: f64,
}

macro_rules! quantities {
    ($($konst:ident = $number:literal, $code:literal, $zh:literal, $en:literal, $unit:ident, $min:literal, $max:literal;)*) => {
        impl Quantity { $(pub const $konst: Self = Self($number);)* }
        /// The built-in quantities, by number.
        pub const QUANTITIES: &[QuantitySpec] = &[$(QuantitySpec {
            quantity: Quantity($number), code: $code, name_zh: $zh, name_en: $en, unit: Unit::$unit, min: $min, max: $max,
        }),*];
    };
}

quantities! {
    FUME = 1, "fume", "油烟浓度", "fume", MgPerM3, 0.0, 1000.0;
    PARTICULATE = 2, "particulate", "颗粒物", "particulate matter", MgPerM3, 0.0, 1000.0;
    NMHC = 3, "nmhc", "非甲烷总烃", "non-methane hydrocarbons", MgPerM3, 0.0, 10000.0;
    PURIFIER_CURRENT = 4, "purifier_current", "净化器电流", "purifier current", Ampere, 0.0, 1000.0;
    PURIFIER_ON = 5, "purifier_on", "净化器开关", "purifier on", One, 0.0, 1.0;
    FAN_CURRENT = 6, "fan_current", "风机电流", "fan current", Ampere, 0.0, 1000.0;
    FAN_ON = 7, "fan_on", "风机开关", "fan on", One, 0.0, 1.0;
    FLUE_VELOCITY = 8, "flue_velocity", "烟气流速", "flue velocity", MPerS, 0.0, 100.0;
    FLUE_TEMPERATURE = 9, "flue_temperature", "烟气温度", "flue temperature", Celsius, -50.0, 500.0;
    FLUE_HUMIDITY = 10, "flue_humidity", "烟气湿度", "flue humidity", Percent, 0.0, 100.0;
    FLUE_FLOW = 11, "flue_flow", "排风量", "flue flow", M3PerH, 0.0, 1_000_000.0;
    PURIFIER_VOLTAGE = 12, "purifier_voltage", "净化器电压", "purifier voltage", Volt, 0.0, 100_000.0;
    FUME_CONVERTED = 13, "fume_converted", "油烟折算浓度", "converted fume", MgPerM3, 0.0, 1000.0;
    TSP = 20, "tsp", "总悬浮颗粒物", "TSP", UgPerM3, 0.0, 100_000.0;
    PM10 = 21, "pm10", "PM10", "PM10", UgPerM3, 0.0, 100_000.0;
    PM25 = 22, "pm25", "PM2.5", "PM2.5", UgPerM3, 0.0, 100_000.0;
    NOISE = 23, "noise", "噪声", "noise", DbA, 0.0, 180.0;
    TEMPERATURE = 24, "temperature", "气温", "temperature", Celsius, -60.0, 70.0;
    HUMIDITY = 25, "humidity", "相对湿度", "humidity", Percent, 0.0, 100.0;
    PRESSURE = 26, "pressure", "气压", "pressure", KPa, 40.0, 120.0;
    WIND_SPEED = 27, "wind_speed", "风速", "wind speed", MPerS, 0.0, 100.0;
    WIND_DIRECTION = 28, "wind_direction", "风向", "wind direction", Degree, 0.0, 360.0;
    WASHER_PUMP_CURRENT = 40, "washer_pump_current", "冲洗泵电流", "washer pump current", Ampere, 0.0, 1000.0;
    WASHER_FLOW = 41, "washer_flow", "冲洗流量", "washer flow", LPerMin, 0.0, 100_000.0;
    WASHER_PRESSURE = 42, "washer_pressure", "冲洗水压", "washer pressure", MPa, 0.0, 100.0;
    WASHER_PUMP_ON = 43, "washer_pump_on", "冲洗泵开关", "washer pump on", One, 0.0, 1.0;
    WASH_SECONDS = 44, "wash_seconds", "冲洗时长", "wash duration", Second, 0.0, 86_400.0;
    WASH_COUNT = 45, "wash_count", "冲洗次数", "wash count", One, 0.0, 4_294_967_295.0;
    MILEAGE = 50, "mileage", "里程", "mileage", Km, 0.0, 500_000_000.0;
    SIGNAL = 51, "signal", "信号强度", "signal strength", One, -200.0, 255.0;
    SATELLITES = 52, "satellites", "卫星数", "satellites", One, 0.0, 255.0;
    LOAD_STATE = 60, "load_state", "载重状态", "load state", One, 0.0, 3.0;
    COVER_OPEN = 61, "cover_open", "篷布未密闭", "cover open", One, 0.0, 1.0;
    BED_LIFTED = 62, "bed_lifted", "车厢举升", "bed lifted", One, 0.0, 1.0;
    IGNITION = 63, "ignition", "点火", "ignition", One, 0.0, 1.0;
}

impl Quantity {
    /// Numbers from here on are codes of devices that no profile maps.
    pub const FIRST_FOREIGN: u16 = 1000;

    pub fn spec(self) -> Option<&'static QuantitySpec> {
        QUANTITIES.iter().find(|spec| spec.quantity == self)
    }

    pub fn from_code(code: &str) -> Option<Self> {
        QUANTITIES.iter().find(|spec| spec.code == code).map(|spec| spec.quantity)
    }

    pub const fn is_foreign(self) -> bool {
        self.0 >= Self::FIRST_FOREIGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_unique_and_ordered() {
        for pair in QUANTITIES.windows(2) {
            assert!(pair[0].quantity < pair[1].quantity);
            assert!(pair[1].quantity.0 < Quantity::FIRST_FOREIGN);
        }
        for spec in QUANTITIES {
            assert_eq!(Quantity::from_code(spec.code), Some(spec.quantity));
            assert!(spec.min < spec.max);
        }
    }
}
