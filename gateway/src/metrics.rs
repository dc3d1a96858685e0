//! Names of this crate's metrics. Labels come from small closed sets: `protocol`, `reason`, `kind`; never a device id.

// Shared
pub const DEVICES_ONLINE: &str = "gateway_devices_online";
pub const TAKEOVERS_TOTAL: &str = "gateway_takeovers_total";
/// A connection had to wait for the byte budget.
pub const BUDGET_FULL_TOTAL: &str = "gateway_budget_full_total";

/// Connections closed at once because of their address, by `reason`.
pub const TURNED_AWAY_TOTAL: &str = "gateway_turned_away_total";
/// Addresses that were banned for a while, by `reason`.
pub const BANS_TOTAL: &str = "gateway_bans_total";
pub const BANNED_ADDRESSES: &str = "gateway_banned_addresses";
/// Connections of addresses that could not be remembered, because too many are.
pub const ADDRESSES_FULL_TOTAL: &str = "gateway_addresses_full_total";
/// Connections without a device that gave way because a listener was full, by `protocol`.
pub const CROWDED_OUT_TOTAL: &str = "gateway_crowded_out_total";
/// Pauses in reading because a device sent more than its limit.
pub const DEVICE_PAUSES_TOTAL: &str = "gateway_device_pauses_total";
/// Times that a connection was read more slowly because nobody had got in on it.
pub const STRANGER_PAUSES_TOTAL: &str = "gateway_stranger_pauses_total";

// TCP listeners (HJ 212, JT/T 808)
pub const CONNECTIONS: &str = "gateway_connections";
pub const CONNECTIONS_TOTAL: &str = "gateway_connections_total";
/// The listener was full and waited before it accepted.
pub const CONNECTIONS_FULL_TOTAL: &str = "gateway_connections_full_total";
pub const ACCEPT_ERRORS_TOTAL: &str = "gateway_accept_errors_total";
/// Ends of connections by `reason`.
pub const CLOSED_TOTAL: &str = "gateway_closed_total";
pub const SESSION_PANICS_TOTAL: &str = "gateway_session_panics_total";
pub const RECEIVED_BYTES_TOTAL: &str = "gateway_received_bytes_total";
pub const GARBAGE_BYTES_TOTAL: &str = "gateway_garbage_bytes_total";
pub const FRAMES_TOTAL: &str = "gateway_frames_total";
/// Frames that were not taken, by `reason`.
pub const REFUSED_TOTAL: &str = "gateway_frames_refused_total";
pub const UNKNOWN_TOTAL: &str = "gateway_unknown_identities_total";
/// Frames taken in spite of a wrong check or length.
pub const REMARKED_TOTAL: &str = "gateway_frames_remarked_total";
pub const ANSWERS_TOTAL: &str = "gateway_answers_total";
/// The window of unacknowledged frames was full, reading stopped.
pub const WINDOW_FULL_TOTAL: &str = "gateway_window_full_total";
/// Batches the journal did not take, by `reason`.
pub const APPEND_FAILED_TOTAL: &str = "gateway_append_failed_total";
pub const APPEND_STALLED_TOTAL: &str = "gateway_append_stalled_total";
pub const APPEND_SECONDS: &str = "gateway_append_seconds";

/// JT/T 808 terminals that asked for the code of a phone another one holds.
pub const TERMINALS_REFUSED_TOTAL: &str = "gateway_terminals_refused_total";
/// Registrations that could not be written down and got no answer.
pub const REGISTRATIONS_UNANSWERED_TOTAL: &str = "gateway_registrations_unanswered_total";

/// Requests for JT/T 808 sub-packets that did not come.
pub const JT808_ASKED_AGAIN_TOTAL: &str = "gateway_jt808_asked_again_total";
/// Requests for sub-packets made shorter, or left out, since they were larger than what the terminal had sent.
pub const JT808_ASKS_CUT_TOTAL: &str = "gateway_jt808_asks_cut_total";
/// JT/T 808 messages whose missing sub-packets are no longer asked for, by `reason`.
pub const JT808_TRAINS_GIVEN_UP_TOTAL: &str = "gateway_jt808_trains_given_up_total";
/// JT/T 808 terminals over UDP that have authenticated and are remembered.
pub const UDP_SESSIONS: &str = "gateway_udp_sessions";
pub const UDP_DATAGRAMS_TOTAL: &str = "gateway_udp_datagrams_total";
/// Datagrams of which nothing was taken, by `reason` (window, budget, journal, sessions, rate, banned).
pub const UDP_DROPPED_TOTAL: &str = "gateway_udp_dropped_total";
/// Answers not sent because their address has not authenticated and they are larger than what it sent.
pub const UDP_WITHHELD_TOTAL: &str = "gateway_udp_answers_withheld_total";
/// 0x9208s sent.
pub const ATTACHMENTS_ASKED_TOTAL: &str = "gateway_jt808_attachments_asked_total";
/// Files of alarms that are on disk, with their event.
pub const ATTACHMENTS_TOTAL: &str = "gateway_jt808_attachments_total";
/// Files and connections of attachments that were refused, by `reason`.
pub const ATTACHMENTS_REFUSED_TOTAL: &str = "gateway_jt808_attachments_refused_total";
/// 0x9212s that asked for parts again.
pub const ATTACHMENTS_ASKED_AGAIN_TOTAL: &str = "gateway_jt808_attachments_asked_again_total";
/// Commands sent to devices, by `protocol`; their repeats.
pub const COMMANDS_SENT_TOTAL: &str = "gateway_commands_sent_total";
pub const COMMANDS_AGAIN_TOTAL: &str = "gateway_commands_sent_again_total";
/// MQTT commands that the device had not subscribed to.
pub const COMMANDS_NOT_TAKEN_TOTAL: &str = "gateway_commands_not_taken_total";
/// 1012s sent to HJ 212 devices.
pub const TIMES_TOLD_TOTAL: &str = "gateway_times_told_total";

// Conventions of others over MQTT, of our front and of brokers
/// Publishes by `convention`.
pub const INTAKE_TOTAL: &str = "gateway_intake_total";
/// Devices behind a modem whose half frames were given up for others of the same connection.
pub const CARRIERS_CROWDED_TOTAL: &str = "gateway_carriers_crowded_total";
/// Answers to a device behind a modem, or to an edge node, that nobody subscribes to.
pub const INTAKE_UNHEARD_TOTAL: &str = "gateway_intake_unheard_total";
/// ONVIF metadata frames: acknowledged and not taken.
pub const ONVIF_METADATA_TOTAL: &str = "gateway_onvif_metadata_total";
/// Sparkplug births that were asked for, by `why`.
pub const REBIRTHS_ASKED_TOTAL: &str = "gateway_sparkplug_rebirths_asked_total";
/// Rebirths that were due and not asked for, since one was asked for a short while ago.
pub const REBIRTHS_HELD_TOTAL: &str = "gateway_sparkplug_rebirths_held_total";
/// Sparkplug edge nodes beyond those that a connection is watched for.
pub const SPARKPLUG_UNWATCHED_TOTAL: &str = "gateway_sparkplug_unwatched_total";

// Brokers that we read from
pub const BROKERS_UP: &str = "gateway_brokers_up";
pub const BROKER_MESSAGES_TOTAL: &str = "gateway_broker_messages_total";
pub const BROKER_ACKNOWLEDGED_TOTAL: &str = "gateway_broker_acknowledged_total";
/// Connections that ended, or did not come about, by `reason`.
pub const BROKER_ENDED_TOTAL: &str = "gateway_broker_ended_total";
/// A broker had not kept our session when we came back.
pub const BROKER_SESSIONS_LOST_TOTAL: &str = "gateway_broker_sessions_lost_total";

// Modbus pollers
pub const MODBUS_TARGETS: &str = "gateway_modbus_targets";
pub const MODBUS_TARGETS_REFUSED_TOTAL: &str = "gateway_modbus_targets_refused_total";
pub const MODBUS_POLLS_TOTAL: &str = "gateway_modbus_polls_total";
pub const MODBUS_ERRORS_TOTAL: &str = "gateway_modbus_errors_total";
pub const MODBUS_BACKOFF_TOTAL: &str = "gateway_modbus_backoff_total";
/// Questions put again, by `why`: `busy` or the failure's `kind`.
pub const MODBUS_RETRIES_TOTAL: &str = "gateway_modbus_retries_total";
/// Modems that dialled in with a registration packet that is known.
pub const MODBUS_DTU_REGISTERED_TOTAL: &str = "gateway_modbus_dtu_registered_total";
pub const MODBUS_READINGS_LOST_TOTAL: &str = "gateway_modbus_readings_lost_total";
