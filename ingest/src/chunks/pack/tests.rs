//! Promises of the packed form.
