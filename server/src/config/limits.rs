//! `[limits]`: what an address and a device may do at the edge; see [`gateway::limits`].

use super::reader::Section;
use gateway::limits::{Allowance, LimitsConfig};
use std::time::Duration;

pub(super) fn read(s: &mut Section<'_>) -> LimitsConfig {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let limits = LimitsConfig {
        trusted: s.list("trusted"),
        connections_per_address_max: count(s.number("connections_per_address_max", 4_096, 1..=1_000_000)),
        connects_per_minute_max: small(s.number("connects_per_minute_max", 6_000, 1..=1_000_000)),
        guesses_max: count(s.number("guesses_max", 30, 1..=100)),
        strangers_max: count(s.number("strangers_max", 2_000, 1..=10_000)),
        rubbish_bytes_max: s.number("rubbish_kib_per_minute_max", 4_096, 1..=1_048_576) << 10,
        ban: Duration::from_secs(s.number("ban_s", 60, 1..=86_400)),
        ban_max: Duration::from_secs(s.number("ban_s_max", 3_600, 1..=604_800)),
        device: Allowance {
            frames_per_second: f64::from(small(s.number("device_frames_per_second", 100, 1..=1_000_000))),
            frames_burst: f64::from(small(s.number("device_frames_burst", 5_000, 1..=1_000_000))),
            bytes_per_second: f64::from(small(s.number("device_kib_per_second", 512, 1..=1_048_576))) * 1024.0,
            bytes_burst: f64::from(small(s.number("device_burst_kib", 16_384, 1..=1_048_576))) * 1024.0,
        },
        stranger_bytes_per_second: s.number("stranger_kib_per_second", 16, 1..=1_048_576) << 10,
        stranger_bytes_burst: s.number("stranger_burst_kib", 64, 1..=1_048_576) << 10,
    };
    if limits.ban_max < limits.ban {
        s.problem("ban_s_max", format!("must not be less than ban_s ({})", limits.ban.as_secs()));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Environment};
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<super::super::Problem>> {
        Config::parse(text, &Environment(Box::new(|_| None)))
    }

    #[test]
    fn the_defaults_are_the_edges_own() {
        assert_eq!(parse("").unwrap().limits, LimitsConfig::default());
    }

    #[test]
    fn a_wrong_limit_is_named() {
        let text = "[limits]\ntrusted = [\"street\"]\nban_s = 600\nban_s_max = 60\nguesses_max = 0";
        let keys: Vec<_> = parse(text).unwrap_err().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["limits.trusted", "limits.guesses_max", "limits.ban_s_max"]);
        assert_eq!(parse("[limits]\ntrusted = [\"100.64.0.0/10\"]").unwrap().limits.trusted.len(), 1);
    }
}
