//! The scenarios, by what they are about.

mod fume;
mod presence;
mod route;

use super::Scenario;

pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [fume::ALL, presence::ALL, route::ALL].into_iter().flatten()
}
