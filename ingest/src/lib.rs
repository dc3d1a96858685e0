//! Journal, settle, chunk store, loss ledger, projections, live hub.
