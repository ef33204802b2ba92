-- Why: signals are made and judged on candles of one minute, and years later it has to be
-- possible to see on which. So they are kept, and once kept they do not change: what a
-- source corrects afterwards is not taken over, as something may have been decided on it.

-- A year of gold is some 355,000 rows, 50 MB with the index: ten years are read by the
-- primary key as fast as one, so there are no partitions to look after.
create table candles (
    instrument text not null,
    -- When the minute begins.
    opened_at  timestamptz not null,
    -- Prices in hundred-thousandths of the quote currency.
    open       bigint not null,
    high       bigint not null,
    low        bigint not null,
    close      bigint not null,
    -- Changes of the price, where the source counts them; else 0.
    volume     int not null default 0,
    primary key (instrument, opened_at),
    check (low > 0 and low <= least(open, close) and high >= greatest(open, close) and volume >= 0),
    check (extract(epoch from opened_at) % 60 = 0)
);

-- From when until when everything the source has is kept: a minute in it that has no
-- candle had no change of the price, and is not missing.
create table candle_coverage (
    instrument    text primary key,
    -- The market: 'live', or the sandbox's replay. Candles of one are never mixed with those of the other.
    source        text not null,
    covered_from  timestamptz not null,
    covered_until timestamptz not null,
    check (covered_from <= covered_until)
);

-- The sandbox's market: what is replayed, and how its time goes. One row.
create table sandbox.market (
    one           boolean primary key default true check (one),
    -- 'seed 1': generated; 'file' and its hash: from the table below.
    source        text not null,
    -- At this instant of the world …
    origin_real   timestamptz not null,
    -- … it was this instant at the market.
    origin_market timestamptz not null,
    -- Milliseconds of an open market that pass in one second of the world.
    speed         bigint not null check (speed > 0),
    -- When there is nothing more to replay; null: never.
    ends_at       timestamptz
);

-- What a file held that is replayed.
create table sandbox.market_candle (
    opened_at  timestamptz primary key,
    open       bigint not null,
    high       bigint not null,
    low        bigint not null,
    close      bigint not null,
    volume     int not null
);
