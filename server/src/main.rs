//! The binary lantian.
fn main() {}
