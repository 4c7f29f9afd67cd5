//! Tasks of a checkout.
fn main() {}
