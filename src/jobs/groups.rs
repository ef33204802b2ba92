//! Which jobs are worked apart from which.

use super::Job;

impl Job {
    /// The kinds of jobs that wait for Telegram's limits, those that wait for Stripe, and
    /// those that wait for neither: worked apart, so that a queue of replies or a Stripe
    /// that does not answer keeps no redemption waiting.
    pub(crate) const GROUPS: [(&str, &[&str]); 5] = [
        ("jobs:messages", Self::MESSAGES),
        (
            "jobs:work",
            &[
                "coupon_bot_update",
                "forex_bot_update",
                "answer_press",
                "show_admin_menu",
                "conversation_finished",
                "show_submission",
                "show_failed_submission",
                "fulfil_submission",
                "reject_submission",
                "release_code",
                "bot_user_blocked",
                "release_broadcast",
                "address_broadcast",
                "resend_broadcast",
                "sync_subscription",
                "tell_subscriber",
                "apply_plan",
            ],
        ),
        ("jobs:stripe", Self::STRIPE),
        ("jobs:channel", Self::CHANNEL),
        ("jobs:signals", Self::SIGNALS),
    ];

    /// What calls Stripe, which may take a minute to say that it cannot.
    pub(crate) const STRIPE: &[&str] = &["stripe_event", "cancel_at_stripe", "refund_at_stripe"];

    /// What the bot does in its channels, for which it needs rights there: worked apart,
    /// so that a channel in which it has none keeps nothing else waiting.
    pub(crate) const CHANNEL: &[&str] =
        &["issue_link", "revoke_link", "answer_join_request", "remove_member", "check_drift"];

    /// What the forex bot sends, under limits of its own.
    pub(crate) const SIGNALS: &[&str] = &["post_signal", "forex_message"];

    /// Messages to one person, which go before broadcasts.
    pub(crate) const MESSAGES: &[&str] = &["telegram_message", "confirm_redemption", "coupon_card"];
}
