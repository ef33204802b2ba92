//! What subscriptions say of access, and what that comes to for an address.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use projections::subscriptions::Access;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Which subscriptions count; none: all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which {
    /// Those that open this channel.
    pub channel: Option<i64>,
    /// Those of this plan.
    pub plan: Option<Uuid>,
}

/// Whether somebody has access, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether they have.
    pub has_access: bool,
    /// Until when, if it ends without further news.
    pub until: Option<DateTime<Utc>>,
    /// By which rule: see [`aggregates::subscription::Rule::as_str`].
    pub rule: Arc<str>,
    /// The subscription that says so; none when they have none that counts.
    pub subscription: Option<Decisive>,
}

/// The subscription that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisive {
    /// Its id.
    pub id: Uuid,
    /// Where it stands: see [`aggregates::subscription::Status::as_str`].
    pub status: Arc<str>,
    /// What it opens; none when no plan has its prices.
    pub opens: Option<Arc<Opens>>,
}

/// A plan, as subscriptions know it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opens {
    /// Its id.
    pub plan: Uuid,
    /// What it was called.
    pub name: String,
    /// The channel it opened.
    pub channel: i64,
}

/// The same decision as the table's, from what the read model says of an address.
#[must_use]
pub fn decide_from(rows: Vec<Access>, which: Which, now: DateTime<Utc>) -> Decision {
    let mut entries = Entries::default();
    let says: Vec<(Uuid, Says)> = rows.into_iter().map(|row| (row.id, entries.says(row))).collect();
    decide(says.iter().map(|(id, says)| (*id, says)), which, now)
}

/// An address, folded to lower case and hashed.
type EmailKey = [u8; 16];

fn key(email: &str) -> EmailKey {
    let hash: [u8; 32] = Sha256::digest(email.trim().to_lowercase()).into();
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// What a subscription says.
pub(super) struct Says {
    entitled: bool,
    until: Option<DateTime<Utc>>,
    status: Arc<str>,
    rule: Arc<str>,
    rule_after: Arc<str>,
    opens: Option<Arc<Opens>>,
    position: i64,
}

#[derive(Default)]
pub(super) struct Entries {
    by_email: BTreeMap<(EmailKey, Uuid), Says>,
    /// Under which address each subscription stands.
    emails: HashMap<Uuid, EmailKey>,
    /// Each word and each plan, once.
    words: BTreeSet<Arc<str>>,
    plans: BTreeSet<Arc<Opens>>,
}

impl Entries {
    pub(super) fn of(&self, email: &str) -> impl Iterator<Item = (Uuid, &Says)> {
        let key = key(email);
        self.by_email.range((key, Uuid::nil())..=(key, Uuid::max())).map(|((_, id), says)| (*id, says))
    }

    pub(super) fn put(&mut self, access: Access) {
        let id = access.id;
        if let Some(old) = self.emails.remove(&id) {
            self.by_email.remove(&(old, id));
        }
        // Whom it belongs to may come to be known later.
        if let Some(email) = &access.email {
            let key = key(email);
            let says = self.says(access);
            self.emails.insert(id, key);
            self.by_email.insert((key, id), says);
        }
    }

    fn says(&mut self, access: Access) -> Says {
        let opens = access.plan_id.zip(access.plan_name).zip(access.channel);
        let opens = opens.map(|((plan, name), channel)| Opens { plan, name, channel });
        Says {
            entitled: access.entitled,
            until: access.ends_at,
            status: self.word(&access.status),
            rule: self.word(&access.rule),
            rule_after: self.word(&access.rule_after),
            opens: opens.map(|opens| self.plan(opens)),
            position: access.position,
        }
    }

    fn word(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.words.get(word) {
            return known.clone();
        }
        let word: Arc<str> = word.into();
        self.words.insert(word.clone());
        word
    }

    fn plan(&mut self, opens: Opens) -> Arc<Opens> {
        if let Some(known) = self.plans.get(&opens) {
            return known.clone();
        }
        let opens = Arc::new(opens);
        self.plans.insert(opens.clone());
        opens
    }
}

impl Says {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.entitled && self.until.is_some_and(|until| until <= now)
    }

    fn gives_access(&self, now: DateTime<Utc>) -> bool {
        self.entitled && !self.is_over(now)
    }

    fn counts(&self, which: Which) -> bool {
        let opens = self.opens.as_deref();
        which.channel.is_none_or(|channel| opens.is_some_and(|opens| opens.channel == channel))
            && which.plan.is_none_or(|plan| opens.is_some_and(|opens| opens.plan == plan))
    }
}

/// Of several that give access, the one that does longest; of several that do not, the
/// one of which there is the newest news.
pub(super) fn decide<'a>(says: impl Iterator<Item = (Uuid, &'a Says)>, which: Which, now: DateTime<Utc>) -> Decision {
    let rank = |says: &Says| {
        let until = says.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if says.gives_access(now) {
            (true, until, says.position)
        } else {
            (false, DateTime::<Utc>::MIN_UTC, says.position)
        }
    };
    let counting = says.filter(|(_, says)| says.counts(which));
    let Some((id, says)) = counting.max_by_key(|(_, says)| rank(says)) else {
        let rule = aggregates::subscription::Rule::Missing.as_str().into();
        return Decision { has_access: false, until: None, rule, subscription: None };
    };
    let (has_access, over) = (says.gives_access(now), says.is_over(now));
    let status = if over { aggregates::subscription::Status::Ended.as_str().into() } else { says.status.clone() };
    Decision {
        has_access,
        until: says.until.filter(|_| has_access),
        rule: if over { says.rule_after.clone() } else { says.rule.clone() },
        subscription: Some(Decisive { id, status, opens: says.opens.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const CHANNEL: i64 = -100;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn access(id: u128, email: &str, hours: Option<i64>) -> Access {
        Access {
            id: Uuid::from_u128(id),
            email: Some(email.to_owned()),
            status: "active".to_owned(),
            entitled: true,
            rule: "manual_grant".to_owned(),
            rule_after: "grant_over".to_owned(),
            ends_at: hours.map(|hours| now() + TimeDelta::hours(hours)),
            plan_id: Some(Uuid::from_u128(9)),
            plan_name: Some("VIP".to_owned()),
            channel: Some(CHANNEL),
            position: i64::try_from(id).unwrap(),
        }
    }

    fn out(id: u128, email: &str) -> Access {
        let rule = || "revoked".to_owned();
        Access {
            status: "ended".to_owned(),
            entitled: false,
            rule: rule(),
            rule_after: rule(),
            ends_at: None,
            ..access(id, email, None)
        }
    }

    fn by(entries: &Entries, email: &str, which: Which, hours: i64) -> (bool, Option<u128>, String) {
        let decision = decide(entries.of(email), which, now() + TimeDelta::hours(hours));
        let id = decision.subscription.map(|says| says.id.as_u128());
        (decision.has_access, id, decision.rule.to_string())
    }

    #[test]
    fn the_subscription_that_gives_access_longest_decides() {
        let mut entries = Entries::default();
        for says in
            [access(1, "A@b.c", Some(1)), access(2, "a@B.c", Some(3)), out(3, "a@b.c"), access(4, "x@b.c", None)]
        {
            entries.put(says);
        }
        let any = Which::default();
        let is = |access, id, rule: &str| (access, id, rule.to_owned());
        assert_eq!(by(&entries, " a@b.C ", any, 0), is(true, Some(2), "manual_grant"));
        assert_eq!(by(&entries, "a@b.c", any, 3), is(false, Some(3), "revoked"), "of none, the newest news");
        assert_eq!(by(&entries, "x@b.c", any, 1_000_000), is(true, Some(4), "manual_grant"));
        assert_eq!(by(&entries, "y@b.c", any, 0), is(false, None, "missing"));
        let other = Which { channel: Some(-5), plan: None };
        assert_eq!(by(&entries, "a@b.c", other, 0), is(false, None, "missing"));
        let this = Which { channel: Some(CHANNEL), plan: Some(Uuid::from_u128(9)) };
        assert_eq!(by(&entries, "a@b.c", this, 0), is(true, Some(2), "manual_grant"));

        // Another address now; and what is known of it changes.
        entries.put(access(2, "new@b.c", Some(3)));
        assert_eq!(by(&entries, "a@b.c", any, 0), is(true, Some(1), "manual_grant"));
        assert_eq!(by(&entries, "a@b.c", Which { plan: Some(Uuid::nil()), ..any }, 0), is(false, None, "missing"));
        entries.put(out(2, "new@b.c"));
        assert_eq!(by(&entries, "new@b.c", any, 0), is(false, Some(2), "revoked"));
        entries.put(access(1, "a@b.c", Some(1)));
        assert_eq!(by(&entries, "a@b.c", any, 1), is(false, Some(3), "revoked"));
    }

    #[test]
    fn an_entry_takes_less_than_200_bytes() {
        let entry = size_of::<((EmailKey, Uuid), Says)>() + size_of::<(Uuid, EmailKey)>();
        assert!(entry <= 190, "{entry}");
    }
}
