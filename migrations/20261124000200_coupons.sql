-- Coupons complete: terms of more kinds, unique codes in batches, publications,
-- reservations, and redemptions that are rolled back. The read models that get
-- new columns begin again at the start of the log.

-- Numbers of batches, each used once in the installation: a unique code holds
-- the number of its batch.
create sequence code_batches as integer minvalue 1 maxvalue 1048575;

truncate read_models.campaigns, read_models.redemptions;
update checkpoints set position = 0 where feed in ('campaigns', 'redemptions');

alter table read_models.campaigns
    alter column code drop not null,
    -- As they are in the log.
    add column terms json not null,
    add column reserved integer not null default 0,
    add column released integer not null default 0,
    add column published integer not null default 0;
-- What time alone will bring.
create index on read_models.campaigns (starts_at) where status = 'scheduled';
create index on read_models.campaigns (ends_at) where status in ('scheduled', 'active', 'paused');

alter table read_models.redemptions
    alter column telegram_id drop not null,
    add column batch integer,
    add column index integer,
    add column source text not null default 'bot',
    add column released_at timestamptz;
create index on read_models.redemptions (batch, index) where batch is not null;

-- The read model `coupons`.
create table read_models.batches (
    number      integer primary key,
    campaign_id uuid not null,
    -- Made from the key, or brought from outside.
    minted      boolean not null,
    count       integer not null,
    revoked_at  timestamptz,
    created_at  timestamptz not null
);
create index on read_models.batches (campaign_id, number);

create table read_models.imported_codes (
    -- The first import has it.
    code        text primary key,
    batch       integer not null,
    index       integer not null,
    campaign_id uuid not null
);
create unique index on read_models.imported_codes (batch, index);

create table read_models.publications (
    id           uuid primary key,
    campaign_id  uuid not null,
    person       uuid not null,
    telegram_id  bigint,
    batch        integer,
    index        integer,
    published_at timestamptz not null,
    position     bigint not null
);
create index on read_models.publications (person, position);
create index on read_models.publications (campaign_id, position);

create table read_models.reservations (
    id          uuid primary key,
    campaign_id uuid not null,
    person      uuid not null,
    batch       integer,
    index       integer,
    until       timestamptz not null,
    -- `standing`, `redeemed`, `cancelled` or `expired`.
    state       text not null
);
create index on read_models.reservations (until) where state = 'standing';
