//! Promises of the live hub.

use super::*;
use crate::live::LiveChange;
use model::quantity::Quantity;
use model::record::{Body, Flag, RecordKey, Statistic, Value};
use model::time::EventTime;
use model::verdict::Verdict;
use std::collections::BTreeSet;

fn record(device: i64, kind: RecordKind, at: i64, seq: u64, value: f64) -> Item {
    Item::Record(Box::new(SettledRecord {
        key: RecordKey { device: DeviceId(device), kind, slot: 0, at: EventTime(at) },
        subject: None,
        received: IngestTime(at),
        position: Position { partition: 0, seq },
        verdict: Verdict::Stored,
        body: Body {
            values: vec![Value { quantity: Quantity::FUME, statistic: Statistic::Instant, flag: Flag::Normal, value }],
            fix: None,
            happening: None,
        },
        remarks: Vec::new(),
    }))
}

fn batch(items: Vec<Item>) -> Batch {
    let up_to = items.last().map(Item::position).unwrap_or_default();
    Batch { items, up_to }
}

#[test]
fn late_data_never_moves_now() {
    let hub = LiveHub::new(LiveConfig::default());
    hub.apply(&batch(vec![record(1, RecordKind::Instant, 100, 1, 5.0), record(1, RecordKind::Instant, 50, 2, 9.0)]));
    let state = hub.device(DeviceId(1)).unwrap();
    assert_eq!((state.at, state.values[0].value), (EventTime(100), 5.0));
}

#[tokio::test]
async fn a_slow_subscriber_sees_the_newest_once_per_device() {
    let hub = LiveHub::new(LiveConfig::default());
    let mut subscription = hub.subscribe(LiveFilter::default()).unwrap();
    for at in 1..100 {
        hub.apply(&batch(vec![record(1, RecordKind::Instant, at, at.unsigned_abs(), 0.5)]));
    }
    let change = subscription.next().await.unwrap();
    assert_eq!((change.devices.len(), change.devices[0].at, change.lagged), (1, EventTime(99), false));
}

#[tokio::test]
async fn a_filter_keeps_other_devices_out() {
    let hub = LiveHub::new(LiveConfig::default());
    let devices = Some(Arc::new(BTreeSet::from([DeviceId(2)])));
    let mut subscription = hub.subscribe(LiveFilter { devices, events: true }).unwrap();
    hub.apply(&batch(vec![record(1, RecordKind::Event, 1, 1, 0.0)]));
    assert_eq!(subscription.take(), Some(LiveChange::default()));
    hub.apply(&batch(vec![record(2, RecordKind::Event, 1, 2, 0.0)]));
    let change = subscription.next().await.unwrap();
    assert_eq!((change.devices.len(), change.events.len()), (1, 1));
}

#[tokio::test]
async fn overflow_is_told_and_never_grows() {
    let hub = LiveHub::new(LiveConfig { subscriptions_max: 1, dirty_max: 2, events_max: 3 });
    let mut subscription = hub.subscribe(LiveFilter { devices: None, events: true }).unwrap();
    assert_eq!(hub.subscribe(LiveFilter::default()).err(), Some(TooManySubscriptions(1)));
    hub.apply(&batch((0..10).map(|n| record(n, RecordKind::Event, 1, n.unsigned_abs() + 1, 0.0)).collect()));
    let change = subscription.next().await.unwrap();
    assert_eq!((change.devices.len(), change.events.len(), change.lagged), (0, 3, true));
    assert_eq!(hub.snapshot(&LiveFilter::default()).len(), 10);
}

#[tokio::test]
async fn closing_the_hub_ends_its_subscriptions() {
    let hub = LiveHub::new(LiveConfig::default());
    let mut subscription = hub.subscribe(LiveFilter::default()).unwrap();
    hub.close();
    assert_eq!(subscription.next().await, None);
}
