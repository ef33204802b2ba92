-- Who uses the bot and for what: whom a broadcast can reach, and what the bot is
-- good for.

create table read_models.bot_users (
    person      uuid primary key,
    telegram_id bigint not null,
    name        text,
    username    text,
    -- In lower case.
    language    text,
    -- active, stopped or blocked.
    status      text not null,
    uses        bigint not null default 0,
    first_seen  timestamptz not null,
    last_seen   timestamptz not null,
    -- Of the stream.
    version     bigint not null
);
create index on read_models.bot_users (first_seen, person);
create index on read_models.bot_users (last_seen, person);
create index on read_models.bot_users (telegram_id);

-- How often the bot was used for what, by day (UTC).
create table read_models.bot_usage (
    day     date not null,
    command text not null,
    uses    bigint not null,
    primary key (day, command)
);
