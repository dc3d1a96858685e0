//! Device edge: listeners, sessions, MQTT front and fan-out, Modbus pollers.
