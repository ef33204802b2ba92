//! Who may be in the channels, and how they come in and go.

use aggregates::subscription::{DisputePolicy, RefundPolicy, Settings};

use super::{ConfigError, parsed, wrong};

/// Settings of paid channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// `PAST_DUE_GRACE_DAYS`: for how long somebody whose payment is late stays in.
    pub grace_days: u16,
    /// `REFUND_POLICY`: what a full refund does to access.
    pub refunds: RefundPolicy,
    /// `DISPUTE_POLICY`: what a dispute does to access.
    pub disputes: DisputePolicy,
    /// `CHANNEL_LINKS`: how people come in.
    pub links: LinkModel,
    /// `REMOVALS_DRY_RUN=1`: nobody is removed; who would be stands in the list of jobs.
    pub dry_run: bool,
    /// `REMOVALS_PER_HOUR`: removals from one channel in an hour without asking.
    pub removals_per_hour: u32,
}

/// How people come into a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkModel {
    /// They ask to join, and the bot lets them in.
    #[default]
    JoinRequest,
    /// A link lets one of them in, and is revoked then.
    SingleMember,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            grace_days: 0,
            refunds: RefundPolicy::default(),
            disputes: DisputePolicy::default(),
            links: LinkModel::default(),
            dry_run: false,
            removals_per_hour: 50,
        }
    }
}

impl Membership {
    pub(super) fn read(text: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let usual = Self::default();
        Ok(Self {
            grace_days: match parsed("PAST_DUE_GRACE_DAYS", text("PAST_DUE_GRACE_DAYS"), "a number of days")? {
                None => usual.grace_days,
                Some(days @ 0..=90) => days,
                Some(_) => return Err(wrong("PAST_DUE_GRACE_DAYS", "must be from 0 to 90 days")),
            },
            refunds: match text("REFUND_POLICY").as_deref() {
                None => usual.refunds,
                Some("keep") => RefundPolicy::KeepAccess,
                Some("end") => RefundPolicy::EndOnFullRefund,
                Some(_) => return Err(wrong("REFUND_POLICY", "must be keep or end")),
            },
            disputes: match text("DISPUTE_POLICY").as_deref() {
                None => usual.disputes,
                Some("keep") => DisputePolicy::KeepAccess,
                Some("end-when-opened") => DisputePolicy::EndWhenOpened,
                Some("end-when-lost") => DisputePolicy::EndWhenLost,
                Some(_) => return Err(wrong("DISPUTE_POLICY", "must be keep, end-when-opened or end-when-lost")),
            },
            links: match text("CHANNEL_LINKS").as_deref() {
                None => usual.links,
                Some("request") => LinkModel::JoinRequest,
                Some("single") => LinkModel::SingleMember,
                Some(_) => return Err(wrong("CHANNEL_LINKS", "must be request or single")),
            },
            dry_run: match text("REMOVALS_DRY_RUN").as_deref() {
                None | Some("0" | "false") => false,
                Some("1" | "true") => true,
                Some(_) => return Err(wrong("REMOVALS_DRY_RUN", "must be 1 or 0")),
            },
            removals_per_hour: match parsed("REMOVALS_PER_HOUR", text("REMOVALS_PER_HOUR"), "a number of people")? {
                None => usual.removals_per_hour,
                Some(0) => return Err(wrong("REMOVALS_PER_HOUR", "must be 1 or more; see REMOVALS_DRY_RUN")),
                Some(most) => most,
            },
        })
    }

    /// As subscriptions are told.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        Settings { grace_days: self.grace_days, refunds: self.refunds, disputes: self.disputes }
    }
}
