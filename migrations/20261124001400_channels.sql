-- What is kept of channels beside the log: what the bot may do there, what was done this hour, and what was said.

-- When Telegram last said how the bot stands in a channel.
create table channel_rights (
    channel bigint primary key,
    changed_at timestamptz not null
);

-- Removals, counted against what an hour may have. `position` is that of the event by which it is due.
create table removals (
    channel bigint not null,
    position bigint not null,
    at timestamptz not null,
    primary key (channel, position)
);
create index removals_by_time on removals (channel, at);

-- What admins were told, so that they are not told all the time.
create table alerts (
    subject text primary key,
    raised_at timestamptz not null
);

-- Reminders that were sent: one for each end of access and number of days.
create table reminders (
    subscription uuid not null,
    ends_at timestamptz not null,
    days smallint not null,
    primary key (subscription, ends_at, days)
);

-- Comparisons of Stripe, of what is known here, and of the channels; the last ones are kept.
create table drift_runs (
    id uuid primary key,
    repair boolean not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    members_checked bigint not null default 0,
    subscriptions_checked bigint not null default 0
);
create index drift_runs_by_time on drift_runs (started_at);

-- What they found. `number` counts within a run.
create table drift_found (
    run uuid not null references drift_runs on delete cascade,
    number bigint not null,
    kind text not null,
    channel bigint,
    telegram_id bigint,
    subscription uuid,
    detail text not null,
    repaired boolean not null,
    primary key (run, number)
);

-- Until when what Stripe lists is known here; one row.
create table stripe_sync (
    only_one boolean primary key check (only_one),
    caught_up_to timestamptz not null
);

-- Finds the subscription of an invoice, for what is told of a charge.
create index on read_models.subscriptions
    using gin ((state #> '{Known,basis,Stripe,ledger,invoices}'));
