//! The MQTT front.
