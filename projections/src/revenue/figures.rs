//! Figures of a moment, added up from facts. Amounts stay exact fractions: whoever shows
//! them rounds them, once.

use std::collections::BTreeMap;

use aggregates::subscription::exact::Fraction;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Kind;

/// How long what is rolling rolls: 30 days of 24 hours, as Stripe has it.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// A month of a time zone's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first day.
    pub month: NaiveDate,
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// What changed in monthly revenue, and for how many subscribers, by [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moves {
    amounts: [Fraction; 5],
    subscribers: [i64; 5],
}

/// Money of a month, in the currency's smallest unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Money {
    /// What invoices were paid with, taxes included.
    pub paid: i64,
    /// Of that, with invoices of which an attempt had failed.
    pub recovered: i64,
    /// What went back to customers, whenever it had been paid.
    pub refunded: i64,
    /// What disputes took that were lost, whenever it had been paid.
    pub disputes_lost: i64,
}

/// A month of a currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Month {
    /// Its first day.
    pub month: NaiveDate,
    /// Monthly recurring revenue at its first instant, before anything changed in it.
    pub start: Fraction,
    /// What changed in it.
    pub moves: Moves,
    /// What was paid in it, and went back.
    pub money: Money,
}

/// What the 30 days before a moment brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolling {
    /// Monthly recurring revenue when they began.
    pub mrr_at_start: Fraction,
    /// Active subscribers when they began.
    pub active_at_start: i64,
    /// What changed in them.
    pub moves: Moves,
    /// Trials that were paid for when they were over.
    pub trials_converted: i64,
    /// Trials that were cancelled, or were over and never paid for.
    pub trials_lost: i64,
}

/// The figures of one currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Its three letters.
    pub currency: String,
    /// Monthly recurring revenue: what active and late subscriptions come to in a month,
    /// without trials, free and metered ones, taxes, and coupons that do not last for ever.
    /// Source: docs.stripe.com/billing/subscriptions/analytics/glossary, "Monthly Recurring
    /// Revenue (MRR)"; for coupons support.stripe.com/questions/billing-analytics.
    pub mrr: Fraction,
    /// Customers with at least one subscription that counts. Source: the glossary,
    /// "Customers, subscribers, and subscriptions".
    pub active: i64,
    /// The last 30 days.
    pub rolling: Rolling,
    /// Invoices that could not be collected yet.
    pub open_failed: i64,
    /// What is to be paid of them, in the smallest unit.
    pub open_failed_minor: i64,
    /// The months that were asked for, in order.
    pub months: Vec<Month>,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum FiguresError {
    /// What the database says.
    #[error("the figures could not be read")]
    Database(#[from] sqlx::Error),
    /// Their sum is beyond what can be held exactly.
    #[error("the figures cannot be added up exactly")]
    Sum,
    /// Written by a newer version than this one.
    #[error("a change of an unknown kind")]
    Kind,
}

impl Moves {
    const NONE: Self = Self { amounts: [Fraction::ZERO; 5], subscribers: [0; 5] };

    /// By how much monthly revenue changed in this way; negative, where it became less.
    #[must_use]
    pub const fn amount(&self, kind: Kind) -> Fraction {
        self.amounts[kind as usize]
    }

    /// How often a subscriber's did.
    #[must_use]
    pub const fn subscribers(&self, kind: Kind) -> i64 {
        self.subscribers[kind as usize]
    }

    /// By how much monthly revenue changed in all.
    #[must_use]
    pub fn total(&self) -> Option<Fraction> {
        self.amounts.into_iter().try_fold(Fraction::ZERO, Fraction::plus)
    }

    /// How many became subscribers: for the first time, or again.
    #[must_use]
    pub const fn joined(&self) -> i64 {
        self.subscribers(Kind::New) + self.subscribers(Kind::Reactivation)
    }

    fn add(&mut self, kind: Kind, amount: Fraction, subscribers: i64) -> Option<()> {
        let at = kind as usize;
        self.amounts[at] = self.amounts[at].plus(amount)?;
        self.subscribers[at] += subscribers;
        Some(())
    }

    /// What there is after these changes, when there was nothing before: an amount, and subscribers.
    fn balance(&self) -> Option<(Fraction, i64)> {
        Some((self.total()?, self.joined() - self.subscribers(Kind::Churn)))
    }
}

impl Figures {
    /// Average revenue per user: MRR / active subscribers; none without any. Source: the
    /// glossary, "Average revenue per user (ARPU)".
    #[must_use]
    pub fn arpu(&self) -> Option<Fraction> {
        self.mrr.over(Fraction::whole(self.active.into()))
    }

    /// Annual recurring revenue: twelve times MRR.
    #[must_use]
    pub fn arr(&self) -> Option<Fraction> {
        self.mrr.times(Fraction::whole(12))
    }

    /// Subscribers' lifetime value: ARPU / subscriber churn rate; none when nobody churned.
    /// Source: the glossary, "Subscriber lifetime value".
    #[must_use]
    pub fn ltv(&self) -> Option<Fraction> {
        self.arpu()?.over(self.rolling.churn_rate()?)
    }
}

impl Rolling {
    /// Subscriber churn rate: churned / (active 30 days ago + those who joined since). Who
    /// churns twice counts twice, above and below. Source:
    /// support.stripe.com/questions/calculating-churn-rate-in-billing.
    #[must_use]
    pub fn churn_rate(&self) -> Option<Fraction> {
        let churned = self.moves.subscribers(Kind::Churn);
        Fraction::new(churned.into(), i128::from(self.active_at_start) + i128::from(self.moves.joined()))
    }

    /// Gross MRR churn rate: (churn + contraction) / MRR 30 days ago.
    #[must_use]
    pub fn gross_mrr_churn(&self) -> Option<Fraction> {
        let lost = self.moves.amount(Kind::Churn).plus(self.moves.amount(Kind::Contraction))?;
        Fraction::ZERO.minus(lost)?.over(self.mrr_at_start)
    }

    /// Net MRR churn rate: (churn + contraction − expansion − reactivation) / MRR 30 days
    /// ago; negative when more was won than lost.
    #[must_use]
    pub fn net_mrr_churn(&self) -> Option<Fraction> {
        let new = self.moves.amount(Kind::New);
        new.minus(self.moves.total()?)?.over(self.mrr_at_start)
    }

    /// Trial conversion rate: converted / (converted + lost). Source:
    /// support.stripe.com/questions/calculating-trial-conversion-rate-in-billing.
    #[must_use]
    pub fn trial_conversion(&self) -> Option<Fraction> {
        Fraction::new(self.trials_converted.into(), i128::from(self.trials_converted) + i128::from(self.trials_lost))
    }
}

/// Whether PostgreSQL knows a time zone by this name of IANA's.
///
/// # Errors
/// What the database says.
pub async fn is_time_zone(executor: impl PgExecutor<'_>, name: &str) -> Result<bool, sqlx::Error> {
    if name == "UTC" {
        return Ok(true);
    }
    sqlx::query_scalar!(r#"select exists (select from pg_timezone_names where name = $1) as "is!""#, name)
        .fetch_one(executor)
        .await
}

/// The months of a time zone from that of `from` to that of `to`. Without `to`, the last
/// one is that of `at`; without `from`, there are twelve.
///
/// # Errors
/// What the database says: also of a time zone that it does not know.
pub async fn months(
    executor: impl PgExecutor<'_>,
    zone: &str,
    at: DateTime<Utc>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Result<Vec<Span>, sqlx::Error> {
    sqlx::query_as!(
        Span,
        r#"with last as (select date_trunc('month', coalesce($4::date::timestamp, $2::timestamptz at time zone $1)) as month)
           select m::date as "month!", m at time zone $1 as "start!", (m + interval '1 month') at time zone $1 as "end!"
             from last, generate_series(coalesce($3::date::timestamp, last.month - interval '11 months'), last.month,
                                        interval '1 month') as m
            order by m"#,
        zone,
        at,
        from,
        to,
    )
    .fetch_all(executor)
    .await
}

/// The figures of a moment, of each currency that anybody subscribed or paid in by then, in
/// the order of their letters, where payments of before the first of `months` do not count;
/// or of one currency. `months` follow each other.
///
/// The caller's transaction must see one moment of the tables.
///
/// # Errors
/// [`FiguresError`].
pub async fn figures(
    connection: &mut PgConnection,
    at: DateTime<Utc>,
    months: &[Span],
    currency: Option<&str>,
) -> Result<Vec<Figures>, FiguresError> {
    let began = at.checked_sub_signed(WINDOW).unwrap_or(DateTime::<Utc>::MIN_UTC);
    // Bucket 0 is before the first month, 1 the first month, and the last one after them.
    let borders: Vec<_> = months.iter().map(|span| span.start).chain(months.last().map(|span| span.end)).collect();
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for row in sqlx::query!(
        r#"select currency, kind, width_bucket(effective, $2::timestamptz[]) as "bucket!", effective > $3 as "recent!",
                  denominator, count(*) as "count!", sum(numerator)::text as "numerator!"
             from revenue_movements
            where effective <= $1 and ($4::text is null or currency = $4)
            group by 1, 2, 3, 4, 5"#,
        at,
        &borders,
        began,
        currency,
    )
    .fetch_all(&mut *connection)
    .await?
    {
        let kind = Kind::of(&row.kind).ok_or(FiguresError::Kind)?;
        let numerator = row.numerator.parse().map_err(|_| FiguresError::Sum)?;
        let amount = Fraction::new(numerator, row.denominator.into()).ok_or(FiguresError::Sum)?;
        let sums = sums.entry(row.currency).or_insert_with(|| Sums::of(months.len()));
        let part = if row.recent { &mut sums.recent } else { &mut sums.earlier };
        part.add(kind, amount, row.count).ok_or(FiguresError::Sum)?;
        if let Some(month) = bucket(&mut sums.months, row.bucket) {
            month.add(kind, amount, row.count).ok_or(FiguresError::Sum)?;
        }
    }
    for row in sqlx::query!(
        r#"with movements as (
               select currency, paid_at as at, minor as paid,
                      case when exists (select from revenue_failures f where f.invoice = p.invoice) then minor else 0 end as recovered,
                      0::bigint as refunded, 0::bigint as lost
                 from revenue_payments p where paid_at between $4 and $1
               union all
               select currency, refunded_at, 0, 0,
                      total - coalesce((select max(b.total) from revenue_refunds b where b.charge = r.charge and b.total < r.total), 0), 0
                 from revenue_refunds r where refunded_at between $4 and $1
               union all
               select currency, lost_at, 0, 0, 0, minor from revenue_disputes where lost_at between $4 and $1)
           select currency as "currency!", width_bucket(at, $2::timestamptz[]) as "bucket!", sum(paid)::bigint as "paid!",
                  sum(recovered)::bigint as "recovered!", sum(refunded)::bigint as "refunded!", sum(lost)::bigint as "disputes_lost!"
             from movements
            where $3::text is null or currency = $3
            group by 1, 2"#,
        at,
        &borders,
        currency,
        // Nobody asks for the money of the time before.
        months.first().map_or(at, |span| span.start),
    )
    .fetch_all(&mut *connection)
    .await?
    {
        let sums = sums.entry(row.currency).or_insert_with(|| Sums::of(months.len()));
        if let Some(money) = bucket(&mut sums.money, row.bucket) {
            let (paid, recovered) = (row.paid, row.recovered);
            *money = Money { paid, recovered, refunded: row.refunded, disputes_lost: row.disputes_lost };
        }
    }
    for row in sqlx::query!(
        r#"select trial_currency as "currency!", count(*) filter (where converted) as "converted!",
                  count(*) filter (where not converted) as "lost!"
             from revenue_subscriptions
            where trial_ended_at > $2 and trial_ended_at <= $1 and ($3::text is null or trial_currency = $3)
            group by 1"#,
        at,
        began,
        currency,
    )
    .fetch_all(&mut *connection)
    .await?
    {
        sums.entry(row.currency).or_insert_with(|| Sums::of(months.len())).trials = (row.converted, row.lost);
    }
    for (currency, count, minor) in super::failed::open(&mut *connection, at, currency).await? {
        sums.entry(currency).or_insert_with(|| Sums::of(months.len())).failed = (count, minor);
    }
    sums.into_iter().map(|(currency, sums)| sums.figures(currency, months).ok_or(FiguresError::Sum)).collect()
}

/// What was added up of one currency.
struct Sums {
    /// Changes until 30 days before the moment, and since.
    earlier: Moves,
    recent: Moves,
    /// Changes before the first month, in each one, and after the last one.
    months: Vec<Moves>,
    money: Vec<Money>,
    trials: (i64, i64),
    failed: (i64, i64),
}

impl Sums {
    fn of(months: usize) -> Self {
        let (moves, money) = (vec![Moves::NONE; months + 2], vec![Money::default(); months + 2]);
        Self { earlier: Moves::NONE, recent: Moves::NONE, months: moves, money, trials: (0, 0), failed: (0, 0) }
    }

    fn figures(self, currency: String, spans: &[Span]) -> Option<Figures> {
        let (mrr_at_start, active_at_start) = self.earlier.balance()?;
        let (change, joined) = self.recent.balance()?;
        let mut start = self.months.first()?.total()?;
        let mut months = Vec::with_capacity(spans.len());
        for ((span, moves), money) in spans.iter().zip(self.months.iter().skip(1)).zip(self.money.iter().skip(1)) {
            months.push(Month { month: span.month, start, moves: *moves, money: *money });
            start = start.plus(moves.total()?)?;
        }
        let ((trials_converted, trials_lost), (open_failed, open_failed_minor)) = (self.trials, self.failed);
        Some(Figures {
            currency,
            mrr: mrr_at_start.plus(change)?,
            active: active_at_start + joined,
            rolling: Rolling { mrr_at_start, active_at_start, moves: self.recent, trials_converted, trials_lost },
            open_failed,
            open_failed_minor,
            months,
        })
    }
}

fn bucket<T>(buckets: &mut [T], number: i32) -> Option<&mut T> {
    usize::try_from(number).ok().and_then(|number| buckets.get_mut(number))
}
