//! The `promostack` command.

fn main() {}
