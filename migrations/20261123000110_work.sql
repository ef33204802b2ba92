-- What the processes need to share the work between them: checkpoints of the
-- feeds, jobs, timers, the inbox of webhooks, and slots of rate limits.

-- How far each feed's consumer has come. Locked by the process that works the
-- feed, and moved in the transaction of what the consumer wrote.
create table checkpoints (
    feed        text primary key,
    position    bigint not null,
    moved_at    timestamptz not null default now()
);

-- One effect on the world each. A job is deleted when it is done, so what is
-- here is still to do, or dead and waiting for a person.
create table jobs (
    id              bigint generated always as identity primary key,
    kind            text not null,
    payload         json not null,
    -- Jobs of one lane are worked one at a time, in turn: the messages of a chat.
    lane            text,
    turn            bigint not null default 0,
    correlation_id  uuid not null,
    causation       text not null,
    created_at      timestamptz not null default now(),
    run_at          timestamptz not null default now(),
    attempts        integer not null default 0,
    max_attempts    integer not null check (max_attempts > 0),
    -- The lease: whoever holds it extends it, and when it dies the lease runs out.
    locked_by       uuid,
    locked_until    timestamptz,
    last_error      text,
    dead_at         timestamptz
);

create index on jobs (run_at, id) where dead_at is null;
create index on jobs (lane, turn, id) where dead_at is null and lane is not null;
create index on jobs (dead_at, id) where dead_at is not null;
create index on jobs (locked_by) where locked_by is not null;

-- Which messages of the world came in, for ever: the same one takes effect once.
create table inbox (
    source      text not null,
    message     text not null,
    received_at timestamptz not null default now(),
    primary key (source, message)
);

-- Things to be done at times, by one process each time.
create table timers (
    name         text primary key,
    next_at      timestamptz not null default now(),
    locked_by    uuid,
    locked_until timestamptz,
    last_run_at  timestamptz,
    runs         bigint not null default 0,
    last_error   text
);

-- When the next call under a rate limit may go out. Lost in a crash of the
-- server, which at worst lets one burst through.
create unlogged table rate_slots (
    key     text primary key,
    next_at timestamptz not null
);

-- Takes a slot under each of several limits, `spacing` seconds between two calls.
-- Answers how many seconds to wait before calling; when that would be longer
-- than `patience`, nothing is taken and the caller should come again by then.
create function take_slot(keys text[], spacing double precision[], patience double precision)
returns double precision language plpgsql as $$
declare
    started timestamptz;
    wait double precision;
begin
    insert into rate_slots select k, '-infinity' from unnest(keys) k order by k on conflict do nothing;
    perform from rate_slots where key = any (keys) order by key for update;
    started := clock_timestamp();
    select greatest(0, max(extract(epoch from next_at - started))) into wait
      from rate_slots where key = any (keys) and next_at > started;
    wait := coalesce(wait, 0);
    if wait <= patience then
        update rate_slots s set next_at = started + (wait + l.spacing) * interval '1 second'
          from unnest(keys, spacing) as l (key, spacing) where s.key = l.key;
    end if;
    return wait;
end $$;

-- Secrets of this installation, made by whichever process needs one first.
create table secrets (
    name        text primary key,
    value       bytea not null,
    created_at  timestamptz not null default now()
);
