//! Registers (台账), import, audit, people and credentials.
