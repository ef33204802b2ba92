//! PromoStack: coupon campaigns, trading signals and paid access for a Telegram
//! community, on one event log in PostgreSQL.

pub mod clock;
pub mod executor;
pub mod log;
pub mod metrics;
pub mod retry;
pub mod wake;
