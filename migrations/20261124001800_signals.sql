-- Signals, and what checks for them came to. Prices and gains are in hundred-thousandths of the
-- quote currency; a gain is that of one unit of the instrument (an ounce of gold).

create table read_models.signals (
    instrument    text not null,
    number        integer not null,
    -- Whose it is; null: an admin's.
    strategy      text,
    -- buy or sell.
    direction     text not null,
    -- waiting, running or closed.
    status        text not null,
    -- The levels as they were when it was opened.
    entry         bigint not null,
    zone_low      bigint not null,
    zone_high     bigint not null,
    first_stop    bigint not null,
    -- A list, the nearest first: price, share in percent, and when it was hit what that earned.
    targets       jsonb not null,
    -- How many of them were hit.
    hit           smallint not null default 0,
    -- Where the stop is now.
    stop          bigint not null,
    -- The part of the way to the first target that was reached, in percent.
    milestone     smallint,
    -- Why the case for it does not hold; null while it does.
    weakness      text,
    opened_at     timestamptz not null,
    expires_at    timestamptz,
    -- When and at which price the position was opened; null: it was not.
    entered_at    timestamptz,
    entered_price bigint,
    closed_at     timestamptz,
    exit          text,
    -- At which price the rest was closed, and what share in percent that was.
    exit_price    bigint,
    exit_share    smallint,
    -- What it came to: all shares together.
    gain          bigint,
    -- From the entry to the first stop.
    risk          bigint not null,
    -- Gain over risk in millionths, to sort by.
    r_micros      bigint,
    -- What one pip was.
    pip           bigint not null,
    -- In which session it was opened.
    session       text not null,
    -- Who opened or ended it by hand, and why.
    opened_by     text,
    opened_reason text,
    closed_by     text,
    closed_reason text,
    -- What it was made by, and what the strategy saw.
    settings      jsonb not null,
    readings      jsonb,
    updated_at    timestamptz not null,
    -- Of its last event, in the log and in the stream.
    position      bigint not null,
    version       bigint not null,
    primary key (instrument, number)
);
create index on read_models.signals (opened_at, number);
create index on read_models.signals (closed_at, number);
create index on read_models.signals (coalesce(r_micros, -9223372036854775808), number);
create index on read_models.signals (coalesce(gain, -9223372036854775808), number);
create index on read_models.signals (status, number);

-- What happened to each.
create table read_models.signal_events (
    position   bigint primary key,
    instrument text not null,
    number     integer not null,
    at         timestamptz not null,
    -- The event's name in the log.
    event      text not null,
    -- At which price it happened; of a stop, where it is now.
    price      bigint,
    -- Which target, from 1, and what share of the position was closed, in percent.
    target     smallint,
    share      smallint,
    -- What that share earned for each unit of it; of the end, what all came to.
    gain       bigint,
    -- How it ended, or why the case for it does not hold.
    reason     text,
    -- The part of the way to the first target, in percent.
    milestone  smallint,
    by_name    text,
    by_reason  text
);
create index on read_models.signal_events (instrument, number, position);

-- The last check of each instrument: what came of it, and what the strategy saw.
create table read_models.signal_checks (
    instrument text primary key,
    at         timestamptz not null,
    strategy   text not null,
    -- Which signal was opened; null: none.
    number     integer,
    -- Why none was.
    pass       jsonb,
    readings   jsonb not null,
    position   bigint not null
);

-- How often what came of checks, by day (UTC). Reason: opened, or why no signal was.
create table read_models.signal_check_days (
    instrument text not null,
    day        date not null,
    strategy   text not null,
    reason     text not null,
    checks     integer not null,
    primary key (instrument, day, strategy, reason)
);
create index on read_models.signal_check_days (day);
