//! Promises of the limits, on paused time.

use super::*;
use model::gatekeeper::BanReason;
use model::time::{IngestTime, ManualClock};
use tokio::time::advance;

fn limits(config: LimitsConfig) -> Arc<Limits> {
    Limits::new(config, Arc::new(ManualClock::at(IngestTime(1_000))))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_address_holds_so_many_connections_and_gives_them_back() {
    let limits = limits(LimitsConfig { connections_per_address_max: 2, ..LimitsConfig::default() });
    let (a, b) = (ip("10.0.0.1"), ip("10.0.0.2"));
    let first = limits.enter(a).unwrap();
    let _second = limits.enter(a).unwrap();
    assert_eq!(limits.enter(a).unwrap_err(), Turned::Connections);
    let _other = limits.enter(b).unwrap();
    drop(first);
    let _again = limits.enter(a).unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_who_has_a_network_of_ipv6_is_one_address() {
    let limits = limits(LimitsConfig { connections_per_address_max: 1, ..LimitsConfig::default() });
    let _one = limits.enter(ip("2001:db8:1:2::1")).unwrap();
    assert_eq!(limits.enter(ip("2001:db8:1:2:ffff::9")).unwrap_err(), Turned::Connections);
    let _next = limits.enter(ip("2001:db8:1:3::1")).unwrap();
    let _mapped = limits.enter(ip("::ffff:10.0.0.1")).unwrap();
    assert_eq!(limits.enter(ip("10.0.0.1")).unwrap_err(), Turned::Connections);
}

#[tokio::test(start_paused = true)]
async fn connects_are_limited_by_the_minute_and_come_back_with_time() {
    let limits = limits(LimitsConfig { connects_per_minute_max: 60, ..LimitsConfig::default() });
    let a = ip("10.0.0.1");
    for _ in 0..60 {
        drop(limits.enter(a).unwrap());
    }
    assert_eq!(limits.enter(a).unwrap_err(), Turned::Connects);
    advance(Duration::from_millis(1_100)).await;
    drop(limits.enter(a).unwrap());
    assert_eq!(limits.enter(a).unwrap_err(), Turned::Connects);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_is_refused_for_a_growing_and_bounded_time() {
    let limits = limits(LimitsConfig::default());
    let a = ip("10.0.0.1");
    let mut lengths = Vec::new();
    for round in 0..8 {
        let seat = limits.enter(a).unwrap();
        for guess in 0..=30 {
            assert!(!seat.is_banned());
            seat.guessed("mn", format!("{round}-{guess}").as_bytes());
        }
        assert!(seat.is_banned());
        assert_eq!(limits.enter(a).unwrap_err(), Turned::Banned);
        assert!(limits.is_banned(a) && !limits.is_banned(ip("10.0.0.2")));
        let ban = limits.bans().remove(0);
        assert_eq!((ban.address, ban.reason, ban.refused, ban.times), (a, BanReason::Guessing, 2, round + 1));
        lengths.push(ban.until.since_ms(ban.since) / 60_000);
        advance(Duration::from_millis(u64::try_from(ban.until.since_ms(ban.since)).unwrap())).await;
        assert!(limits.bans().is_empty());
    }
    assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test(start_paused = true)]
async fn the_same_wrong_secret_for_ever_is_no_guess() {
    let limits = limits(LimitsConfig::default());
    let seat = limits.enter(ip("10.0.0.1")).unwrap();
    for _ in 0..100_000 {
        seat.guessed("mn", b"old password");
        seat.stranger("a logger nobody knows");
    }
    assert!(!seat.is_banned() && limits.bans().is_empty());
}

/// A street of devices behind one carrier's address, some with old passwords, some unknown, some with a wrong check.
#[tokio::test(start_paused = true)]
async fn a_thousand_devices_behind_one_address_are_not_banned() {
    let limits = limits(LimitsConfig::default());
    let nat = ip("100.64.0.1");
    let mut seats = Vec::new();
    for device in 0..1_031 {
        let seat = limits.enter(nat).unwrap();
        match device % 10 {
            0 => (0..100).for_each(|_| seat.guessed(&format!("mn-{device}"), b"old")),
            1 => (0..100).for_each(|_| seat.stranger(&format!("mn-{device}"))),
            2 => (0..60).for_each(|_| seat.rubbish(800)),
            _ => assert!(seat.establish()),
        }
        assert!(!seat.is_banned(), "device {device}");
        seats.push(seat);
    }
    assert!(limits.bans().is_empty());
    drop(seats);
    // All of them come back at once, some of them twice.
    for _ in 0..2_000 {
        drop(limits.enter(nat).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_counted_by_the_minute() {
    let limits = limits(LimitsConfig { rubbish_bytes_max: 1_000, ..LimitsConfig::default() });
    let seat = limits.enter(ip("10.0.0.1")).unwrap();
    for _ in 0..10 {
        seat.rubbish(1_000);
        assert!(!seat.is_banned());
        advance(Duration::from_mins(1)).await;
    }
    seat.rubbish(1_001);
    assert!(seat.is_banned());
    assert_eq!(limits.bans()[0].reason, BanReason::Rubbish);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_network_is_neither_counted_nor_banned() {
    let trusted = vec!["100.64.0.0/10".parse().unwrap()];
    let limits = limits(LimitsConfig { trusted, connections_per_address_max: 1, ..LimitsConfig::default() });
    let (one, two) = (limits.enter(ip("100.64.0.1")).unwrap(), limits.enter(ip("100.64.0.1")).unwrap());
    for guess in 0..1_000_u32 {
        one.guessed("mn", &guess.to_be_bytes());
        limits.guessed(ip("100.64.0.1"), "mn", &guess.to_be_bytes());
        two.rubbish(1 << 30);
    }
    assert!(!one.is_banned() && limits.bans().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lifted_ban_is_over_and_forgotten() {
    let limits = limits(LimitsConfig { rubbish_bytes_max: 10, ..LimitsConfig::default() });
    let a = ip("10.0.0.1");
    assert!(!limits.lift(a));
    limits.enter(a).unwrap().rubbish(11);
    assert!(limits.lift(a) && !limits.lift(a));
    let seat = limits.enter(a).unwrap();
    seat.rubbish(11);
    assert_eq!(limits.bans()[0].times, 1);
}

#[tokio::test(start_paused = true)]
async fn addresses_are_forgotten_and_never_more_than_the_bound() {
    let limits = limits(LimitsConfig::default());
    let address = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
    for number in 0..ADDRESSES_MAX + 100 {
        drop(limits.enter(address(number)).unwrap());
    }
    assert_eq!(limits.lock().of.len(), ADDRESSES_MAX);
    advance(Duration::from_mins(11)).await;
    for _ in 0..2 * ADDRESSES_MAX / SWEPT_AT_ONCE {
        drop(limits.enter(address(1)).unwrap());
        advance(Duration::from_millis(10)).await;
    }
    assert_eq!(limits.lock().of.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_over_its_allowance_waits_and_over_time_has_its_rate() {
    let device =
        Allowance { frames_per_second: 10.0, frames_burst: 20.0, bytes_per_second: 1_000.0, bytes_burst: 1_000.0 };
    let limits = limits(LimitsConfig { device, ..LimitsConfig::default() });
    let (pace, began, mut sent) = (limits.pace(DeviceId(1)), Instant::now(), 0);
    while began.elapsed() < Duration::from_mins(1) {
        let pause = limits.spend(&pace, 5, 10);
        sent += 5;
        advance(pause.max(Duration::from_millis(1))).await;
    }
    assert!((610..=630).contains(&sent), "{sent}");
    assert!(limits.spend(&limits.pace(DeviceId(2)), 20, 10).is_zero(), "another device pays for it");
    assert!(limits.spend(&limits.pace(DeviceId(3)), 1, 3_000) > Duration::from_secs(1), "bytes are not counted");
    let slowed = limits.slowed();
    assert_eq!(slowed.len(), 2);
    assert!(
        slowed.iter().any(|one| one.device == DeviceId(1) && one.pauses > 100 && one.paused_ms > 50_000),
        "{slowed:?}"
    );
}
