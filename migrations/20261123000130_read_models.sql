-- What is seen. Every table here can be dropped and made again from the log
-- (`promostack rebuild`), which is also how they get new columns. Indexes are
-- not named, so that a rebuilt table has the same ones.

create schema read_models;

create table read_models.campaigns (
    id               uuid primary key,
    name             text not null,
    code             text not null,
    status           text not null,
    starts_at        timestamptz,
    ends_at          timestamptz,
    total_limit      integer,
    limit_per_person integer,
    redeemed         integer not null default 0,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    -- Of the stream: the ETag.
    version          bigint not null
);
create index on read_models.campaigns (created_at, id);
create index on read_models.campaigns (name, id);
create index on read_models.campaigns (status, created_at, id);
create index on read_models.campaigns (code);

create table read_models.redemptions (
    id          uuid primary key,
    campaign_id uuid not null,
    number      integer not null,
    person      uuid not null,
    telegram_id bigint not null,
    redeemed_at timestamptz not null,
    position    bigint not null
);
create index on read_models.redemptions (campaign_id, position);
create index on read_models.redemptions (person, position);
create index on read_models.redemptions (telegram_id, position);
create index on read_models.redemptions (position);
create index on read_models.redemptions (redeemed_at);
