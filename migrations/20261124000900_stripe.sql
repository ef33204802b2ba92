-- Why: what Stripe tells us is kept as it came before anything is made of it, for
-- ever: an event comes more than once, late and in any order, takes effect once, and
-- can be looked at again when its effect is doubted.

create table stripe_events (
    -- Stripe's id of the event; of a body that is no event, "sha256:" and its hash.
    id           text primary key,
    -- The order in which they came here, with gaps.
    position     bigint generated always as identity,
    -- As in invoice.paid; of a body that is no event, empty.
    type         text not null,
    created      timestamptz,
    api_version  text,
    livemode     boolean not null,
    received_at  timestamptz not null,
    -- Byte for byte.
    body         bytea not null,
    -- What came of it; null until it is worked.
    outcome      text,
    worked_at    timestamptz
);
create unique index on stripe_events (position);
create index on stripe_events (type, position);
-- Bodies as they are in the row, up to 8 kB of them: compressing them would take longer than all else.
alter table stripe_events alter column body set storage external;
alter table stripe_events set (toast_tuple_target = 8160);

-- Keeps what is new of many events, and enqueues its jobs, in one statement, which is
-- one commit. Answers how many were enqueued. An event whose outcome is known as it
-- comes (nothing to do) gets no job.
create function take_stripe_events(
    ids text[], types text[], createds timestamptz[], versions text[], lives boolean[],
    receiveds timestamptz[], bodies bytea[], outcomes text[], correlations uuid[], tries int
) returns bigint language sql as $$
    with came as (
        select distinct on (id) *
          from unnest(ids, types, createds, versions, lives, receiveds, bodies, outcomes, correlations)
               as c (id, type, created, api_version, livemode, received_at, body, outcome, correlation)
         -- In the same order in all processes, so that none waits for another that waits for it.
         order by id
    ), kept as (
        insert into stripe_events (id, type, created, api_version, livemode, received_at, body, outcome, worked_at)
        select id, type, created, api_version, livemode, received_at, body, outcome,
               case when outcome is not null then received_at end
          from came
            on conflict (id) do nothing
        returning id, outcome
    ), enqueued as (
        insert into jobs (kind, payload, max_attempts, correlation_id, causation)
        select 'stripe_event', json_build_object('event', kept.id), tries, came.correlation, 'stripe-event:' || kept.id
          from kept join came using (id)
         where kept.outcome is null
        returning 1
    )
    select count(*) from enqueued
$$;

-- The twin of Stripe, for the sandbox. Nothing outside it reads or writes what follows.
create schema if not exists sandbox;

-- Everything that Stripe would call an object, in the shape of today.
create table sandbox.stripe_object (
    id      text primary key,
    kind    text not null,
    -- Lists go by it, newest first.
    serial  bigint generated always as identity,
    body    jsonb not null
);
create index stripe_object_list on sandbox.stripe_object (kind, serial);

-- What is known of subscriptions beside what Stripe shows.
create table sandbox.stripe_plan (
    subscription text primary key,
    -- So many payments to come fail.
    failures     int not null default 0
);

-- Where webhooks go; one row.
create table sandbox.stripe_endpoint (
    one     boolean primary key default true check (one),
    url     text not null,
    secret  text not null,
    -- basil: of today. old: as until 2025-03-31.
    shape   text not null default 'basil' check (shape in ('basil', 'old')),
    -- Nothing is sent until it is let go.
    held    boolean not null default false
);

create table sandbox.stripe_delivery (
    id              bigint generated always as identity primary key,
    event           text not null,
    body            text not null,
    attempts        int not null default 0,
    next_attempt_at timestamptz not null default now(),
    delivered_at    timestamptz
);
create index stripe_delivery_waiting on sandbox.stripe_delivery (id) where delivered_at is null;

-- Answers already given, for whoever asks the same again under the same key.
create table sandbox.stripe_answer (
    key     text primary key,
    request text not null,
    status  int not null,
    body    text not null
);

-- Failures a tester has ordered, used up in the order they were made.
create table sandbox.stripe_fault (
    id          bigint generated always as identity primary key,
    -- What the path begins with, as in /v1/refunds.
    path        text not null,
    remaining   int not null check (remaining >= 0),
    status      int,
    retry_after int,
    hang_ms     bigint,
    accept_then_drop boolean not null default false
);
