//! SQL of the chunk store.
