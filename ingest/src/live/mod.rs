//! The live hub: the latest of each device, pushed to those who look. Fed after durability, in journal order.
//!
//! Newest wins by event time, per kind of record: late data never moves "now". A subscription queues *which* devices changed, not
//! the changes, and reads their state when it is served: so a slow page costs a set of ids and always sees the newest. Events (a pass
//! through a gate) are not coalesced; when their queue overflows, or too many devices wait, the subscription is told that it
//! `lagged` and takes a snapshot.

mod fan_out;
mod hub;
mod state;
mod subscription;

pub use fan_out::{FanOutFeed, settled_json};
pub use hub::{LiveConfig, LiveHub, TooManySubscriptions};
pub use state::{DeviceState, LiveFix, LiveValue};
pub use subscription::{LiveChange, LiveFilter, LiveSubscription};
