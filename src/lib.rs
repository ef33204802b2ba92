//! PromoStack: coupon campaigns, trading signals and paid access for a Telegram
//! community, on one event log in PostgreSQL.

pub mod integrations;
