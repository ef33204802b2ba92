-- Codes that did not do what their senders hoped, and answers to the questions of
-- campaigns.

create table read_models.misses (
    -- Of the event.
    position    bigint primary key,
    at          timestamptz not null,
    person      uuid not null,
    -- Null: of none.
    campaign_id uuid,
    reason      text not null,
    -- bot or api.
    source      text not null
);
create index on read_models.misses (at);
create index on read_models.misses (campaign_id, position);
create index on read_models.misses (person, position);

-- How many there were, by hour: what a spike is seen in.
create table read_models.miss_hours (
    hour        timestamptz not null,
    -- The nil UUID: of none.
    campaign_id uuid not null,
    reason      text not null,
    source      text not null,
    misses      bigint not null,
    primary key (hour, campaign_id, reason, source)
);
create index on read_models.miss_hours (campaign_id, hour);

-- Whom the bot does not listen to, or did not.
create table read_models.lockouts (
    person    uuid primary key,
    since     timestamptz not null,
    until     timestamptz not null,
    in_a_row  int not null,
    -- Of the stream.
    version   bigint not null
);
create index on read_models.lockouts (until);

create table read_models.submissions (
    id           uuid primary key,
    campaign_id  uuid not null,
    person       uuid not null,
    telegram_id  bigint not null,
    name         text,
    -- A list of {question, answer}.
    answers      jsonb not null,
    -- pending, approved, fulfilled or rejected.
    status       text not null,
    -- Why it was rejected, or why the coupon could not be redeemed.
    reason       text,
    redemption   uuid,
    submitted_at timestamptz not null,
    decided_at   timestamptz,
    -- Of the event that handed it in.
    position     bigint not null,
    -- Of the stream.
    version      bigint not null
);
create index on read_models.submissions (position);
create index on read_models.submissions (campaign_id, status, position);
create index on read_models.submissions (status, position);
