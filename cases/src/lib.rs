//! Alerts and the case flow; drives the rules and commits their effects.
