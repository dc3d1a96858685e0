//! Sans-IO codecs: HJ 212, JT/T 808, Modbus register maps, MQTT topics and payloads.
