//! What a profile says the platform tells its loggers by itself.

use super::Told;
use model::downlink::{Policy, Timeouts};
use model::envelope::ProtocolKind;
use model::register::DeviceProfile;

/// What the codec would refuse is told here, where it is written.
pub(super) fn policy(row: &DeviceProfile, policy: &Policy, told: &mut Told<'_>) {
    let is_logger = row.protocol == ProtocolKind::Hj212;
    told.must(is_logger, "downlink", "only HJ 212 loggers are told things by themselves; leave it out");
    if let Some(first) = &policy.first_contact {
        let field = |name: &str| format!("downlink.first_contact.{name}");
        let timeouts = first.timeouts.is_none_or(|Timeouts { over_time_s, re_count }| {
            (1..=3600).contains(&over_time_s) && (1..=99).contains(&re_count)
        });
        told.must(timeouts, &field("timeouts"), "write over_time_s 1 to 3600 and re_count 1 to 99");
        let seconds = first.real_time_interval_s.is_none_or(|seconds| (30..=3600).contains(&seconds));
        told.must(seconds, &field("real_time_interval_s"), "write 30 to 3600 seconds");
        let minutes = first.minute_interval.is_none_or(|m| [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30].contains(&m));
        told.must(minutes, &field("minute_interval"), "write 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes");
    }
    if let Some(gaps) = &policy.gaps {
        let longer = (60..=86_400).contains(&gaps.longer_than_s);
        told.must(longer, "downlink.gaps.longer_than_s", "write seconds, 60 to 86400");
        told.must((1..=168).contains(&gaps.hours_max), "downlink.gaps.hours_max", "write hours, 1 to 168");
    }
}
