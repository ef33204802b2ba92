//! What may happen: the aggregates, pure and synchronous.
