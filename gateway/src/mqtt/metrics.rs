//! Names of the MQTT front's metrics.

/// Labels: none.
pub const CONNECTIONS: &str = "gateway_mqtt_connections";
pub const SESSIONS: &str = "gateway_mqtt_sessions";
/// Absent sessions that gave way to newer ones of the same principal.
pub const SESSIONS_CROWDED_TOTAL: &str = "gateway_mqtt_sessions_crowded_total";
pub const SUBSCRIPTIONS: &str = "gateway_mqtt_subscriptions";
pub const RETAINED: &str = "gateway_mqtt_retained_messages";
pub const QUEUED: &str = "gateway_mqtt_queued_messages";
/// PUBLISH packets taken from clients.
pub const PUBLISHES_TOTAL: &str = "gateway_mqtt_publishes_total";
/// Answered with PUBACK or PUBREC, always after the append.
pub const ACKNOWLEDGED_TOTAL: &str = "gateway_mqtt_acknowledged_total";
/// PUBLISH packets sent to clients.
pub const DELIVERED_TOTAL: &str = "gateway_mqtt_delivered_total";
/// Label `why`: see `Closing::word`.
pub const CLOSED_TOTAL: &str = "gateway_mqtt_closed_total";
/// Label `why`.
pub const CONNECT_REFUSED_TOTAL: &str = "gateway_mqtt_connect_refused_total";
/// Devices that showed a claim code. Label `status`.
pub const PROVISIONS_TOTAL: &str = "gateway_mqtt_provisions_total";
/// Label `why`: `not_granted`, `malformed`, `oversize`.
pub const REFUSED_TOTAL: &str = "gateway_mqtt_refused_total";
/// Messages for subscribers that were not delivered. Label `why`: `queue_full`, `expired`, `too_large`, `fan_out_full`,
/// `fan_out_down`, `offline`.
pub const DROPPED_TOTAL: &str = "gateway_mqtt_dropped_total";
/// Reading was stopped because the window of unacknowledged messages was full.
pub const WINDOW_FULL_TOTAL: &str = "gateway_mqtt_window_full_total";
/// Reading was stopped because the byte budget was used up.
pub const BUDGET_WAIT_TOTAL: &str = "gateway_mqtt_budget_waits_total";
/// Connections refused or delayed because the limit of connections was reached.
pub const LIMIT_TOTAL: &str = "gateway_mqtt_connection_limit_total";
pub const STORE_ERRORS_TOTAL: &str = "gateway_mqtt_session_store_errors_total";
pub const FAN_OUT_REBUILT_TOTAL: &str = "gateway_mqtt_fan_out_rebuilt_total";
/// Retained messages refused because the store of them was full.
pub const RETAINED_FULL_TOTAL: &str = "gateway_mqtt_retained_full_total";
