//! The scenarios, by what they are about.

mod data;
mod fume;
mod gate;
mod gps;
mod presence;
mod purifier;
mod route;
mod site;
mod truck;

use super::Scenario;

pub fn all() -> impl Iterator<Item = &'static Scenario> {
    let all =
        [data::ALL, fume::ALL, gate::ALL, gps::ALL, presence::ALL, purifier::ALL, route::ALL, site::ALL, truck::ALL];
    all.into_iter().flatten()
}
