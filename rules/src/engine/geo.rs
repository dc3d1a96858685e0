//! Everything that needs to know where something is: zones, permitted routes, plates, and the rules over them. Distances are
//! metres; a place counts as inside or outside of an edge only when it is farther from it than a receiver errs.

mod atlas;
pub(crate) mod corridors;
pub(crate) mod dark;
pub(crate) mod gate;
pub(crate) mod permits;
pub(crate) mod plane;
pub(crate) mod plate;
pub(crate) mod states;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod truck;
pub(crate) mod walk;
pub(crate) mod zones;

pub(crate) use atlas::Atlas;
