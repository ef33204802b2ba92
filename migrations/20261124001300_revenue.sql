-- What subscriptions earn, by Stripe's time. Kept so that every table is the same
-- whatever the order in which Stripe's news came. The read model `revenue`.

-- What Stripe said of a subscription, and as of when.
create table read_models.revenue_accounts (
    position        bigint primary key,
    subscription_id uuid not null,
    latest          jsonb not null
);
create index on read_models.revenue_accounts (subscription_id);

create table read_models.revenue_subscriptions (
    subscription_id uuid primary key,
    -- Ids at Stripe.
    stripe          text not null,
    customer        text,
    -- Who subscribes: the customer, or the subscription itself while that is not known.
    subscriber      text not null generated always as (coalesce(customer, stripe)) stored,
    -- When it is neither paid, late nor on trial: nobody tries to collect anything.
    stopped         tstzmultirange not null default '{}',
    -- Its trial: of which currency, when it ended, and whether it was paid then.
    trial_currency  text,
    trial_ended_at  timestamptz,
    converted       boolean not null default false
);
create index on read_models.revenue_subscriptions (subscriber);
create index on read_models.revenue_subscriptions (trial_ended_at);

-- What changed in what a subscriber comes to in a month, in one currency.
create table read_models.revenue_movements (
    subscriber  text not null,
    currency    text not null,
    effective   timestamptz not null,
    -- new, reactivation, expansion, contraction or churn.
    kind        text not null,
    -- By how much, in smallest units: an exact fraction.
    numerator   bigint not null,
    denominator bigint not null,
    primary key (subscriber, currency, effective)
);
create index on read_models.revenue_movements (effective);

-- Invoices that were paid.
create table read_models.revenue_payments (
    invoice         text primary key,
    subscription_id uuid not null,
    currency        text not null,
    minor           bigint not null,
    paid_at         timestamptz not null
);
create index on read_models.revenue_payments (paid_at);

-- Attempts to collect an invoice that failed.
create table read_models.revenue_failures (
    invoice         text not null,
    attempt         integer not null,
    subscription_id uuid not null,
    currency        text not null,
    -- What was to be paid.
    minor           bigint not null,
    failed_at       timestamptz not null,
    next_attempt_at timestamptz,
    primary key (invoice, attempt)
);
create index on read_models.revenue_failures (failed_at);

-- What had gone back of a charge in total, at times.
create table read_models.revenue_refunds (
    charge          text not null,
    total           bigint not null,
    subscription_id uuid not null,
    currency        text not null,
    refunded_at     timestamptz not null,
    primary key (charge, total)
);

-- Disputes that were lost.
create table read_models.revenue_disputes (
    dispute         text primary key,
    subscription_id uuid not null,
    currency        text not null,
    minor           bigint not null,
    lost_at         timestamptz not null
);
