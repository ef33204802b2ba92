-- Numbers of campaigns, counted as things happen: ten million redemptions are
-- a row for each day and source. The read model `statistics`.

create table read_models.statistics_totals (
    campaign_id       uuid primary key,
    -- Whether everybody redeems one code; otherwise the codes are unique.
    shared            boolean not null,
    -- Of the terms in force.
    total_limit       integer,
    -- As they stand now: redemptions and reservations.
    redeemed          bigint not null default 0,
    reserved          bigint not null default 0,
    -- As there ever were: redemptions that were rolled back, and publications.
    released          bigint not null default 0,
    published         bigint not null default 0,
    -- Of all redemptions there ever were.
    first_redeemed_at timestamptz,
    last_redeemed_at  timestamptz
);

-- What happened on a day (UTC).
create table read_models.statistics_days (
    campaign_id uuid not null,
    day         date not null,
    -- redeemed, released, reserved or published.
    what        text not null,
    -- Of a redemption: through which door it came. Empty for all else.
    source      text not null,
    count       bigint not null,
    primary key (campaign_id, day, what, source)
);
-- All campaigns on some days.
create index on read_models.statistics_days (day) include (count) where what = 'redeemed';

create table read_models.statistics_batches (
    batch       integer primary key,
    campaign_id uuid not null,
    minted      boolean not null,
    count       integer not null,
    -- How many of its codes are redeemed or reserved.
    taken       integer not null default 0,
    revoked     boolean not null default false
);
create index on read_models.statistics_batches (campaign_id);

-- Which batch a reservation that stands holds a code of: its end does not say.
create table read_models.statistics_held (
    reservation uuid primary key,
    batch       integer not null
);

-- Lists of reservations, and whoever holds one.
create index on read_models.reservations (campaign_id, until, id);
create index on read_models.reservations (person) where state = 'standing';
