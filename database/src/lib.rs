//! SQL pool, dialect, migrations and the both-engines test harness.
