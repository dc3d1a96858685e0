//! Simulated fleets with ground truth, over the real wires.
