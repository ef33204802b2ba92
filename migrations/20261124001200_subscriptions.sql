-- Plans, subscriptions, and who is in which channel.

create table read_models.plans (
    id             uuid primary key,
    name           text not null,
    -- offered or retired.
    status         text not null,
    -- How often it is paid for.
    every_count    integer not null,
    every_interval text not null,
    -- Telegram's id of what it opens.
    channel        bigint not null,
    -- Ids of prices at Stripe, in the order of the terms.
    prices         text[] not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    -- Of the stream: the ETag.
    version        bigint not null
);
create index on read_models.plans (created_at, id);

-- Which plans a price at Stripe stands for. Nothing keeps two plans from having
-- the same price; the newest that is offered has it then.
create table read_models.plan_prices (
    price text not null,
    plan  uuid not null,
    primary key (price, plan)
);
create index on read_models.plan_prices (plan);

create table read_models.subscriptions (
    id                  uuid primary key,
    email               text,
    -- The Telegram account that joined or is expected to: pseudonym and id.
    person              uuid,
    telegram_id         bigint,
    plan_id             uuid,
    plan_name           text,
    channel             bigint,
    -- stripe or grant.
    origin              text not null,
    stripe_subscription text,
    stripe_customer     text,
    -- pending, invited, active, past_due, cancelling or ended: the word of the last event.
    status              text not null,
    -- What an active one is entitled by.
    standing            text,
    -- Whether it gives access, as long as ends_at has not come.
    entitled            boolean not null,
    -- By which rule, and by which one once ends_at has come.
    rule                text not null,
    rule_after          text not null,
    -- When time alone ends it; null: it does not.
    ends_at             timestamptz,
    -- Since when it gives no access any more.
    ended_at            timestamptz,
    past_due_since      timestamptz,
    -- at_period_end or now, while Stripe has not done what it was asked.
    cancelling          text,
    period_end          timestamptz,
    trial_end           timestamptz,
    -- What it comes to in a month, in millionths of the currency's smallest unit.
    mrr_currency        text,
    mrr_micros          bigint,
    -- The link that can be used to come in.
    link_url            text,
    link_kind           text,
    link_expires        timestamptz,
    -- When who sits in its place took it.
    joined_at           timestamptz,
    -- The last decision by hand.
    last_reason         text,
    last_by             text,
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    -- Of the last event.
    position            bigint not null,
    -- Of the stream: the ETag.
    version             bigint not null,
    -- The aggregate, from which all of this is made.
    state               jsonb not null
);
create index on read_models.subscriptions (lower(email));
create index on read_models.subscriptions (telegram_id);
create index on read_models.subscriptions (person);
create index on read_models.subscriptions (created_at, id);
create index on read_models.subscriptions (status, created_at, id);
create index on read_models.subscriptions (plan_id, created_at, id);
create index on read_models.subscriptions (updated_at, id);
create index on read_models.subscriptions (ends_at);
-- By their end, those without one last.
create index on read_models.subscriptions
    (least(coalesce(ends_at, '9999-12-31Z'::timestamptz), '9999-12-31Z'::timestamptz), id);
create index on read_models.subscriptions (stripe_customer);
create index on read_models.subscriptions (stripe_subscription);

create table read_models.members (
    -- Telegram's ids.
    channel           bigint not null,
    user_id           bigint not null,
    is_in             boolean not null,
    -- Since when they are in, or out; null: never heard of.
    since             timestamptz,
    -- The name of the link of ours by which they came.
    link              text,
    whitelisted       boolean not null,
    -- Whether they should be in, as long as runs_out_at has not come, by which
    -- rule, and which subscription says so.
    should_be_in      boolean not null,
    rule              text not null,
    subscription      uuid,
    -- By which rule once runs_out_at has come.
    rule_after        text not null,
    -- When time alone takes their access; null: it does not.
    runs_out_at       timestamptz,
    -- Since when they are about to be removed, and what Telegram said when it was tried last.
    removal_due_since timestamptz,
    removal_error     text,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    -- Of the event that made the row: what lists are sorted by.
    first_position    bigint not null,
    -- Of the last event.
    position          bigint not null,
    version           bigint not null,
    -- The aggregate, from which all of this is made.
    state             jsonb not null,
    primary key (channel, user_id)
);
create index on read_models.members (user_id);
create index on read_models.members (first_position);
create index on read_models.members (channel, first_position) where is_in;
create index on read_models.members (runs_out_at);
create index on read_models.members (removal_due_since) where removal_due_since is not null;
