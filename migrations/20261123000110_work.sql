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
    -- Whether another job of its lane goes first.
    blocked         boolean not null default false,
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

-- What can be claimed, however many wait behind it.
create index on jobs (kind, run_at, id) where dead_at is null and not blocked;
-- The order of a lane.
create index on jobs (lane, turn, id) where dead_at is null and lane is not null;
-- One at a time in a lane: at most one is not blocked.
create unique index on jobs (lane) where dead_at is null and lane is not null and not blocked;
create index on jobs (dead_at, id) where dead_at is not null;
create index on jobs (locked_by) where locked_by is not null;

-- Who changes which job of a lane goes first holds this until the commit, and
-- takes it before the lock on any job.
create function lock_lanes(lanes text[]) returns void language sql as $$
    select pg_advisory_xact_lock('jobs'::regclass::oid::int, k)
      from (select distinct hashtext(lane) k from unnest(lanes) lane where lane is not null order by 1) keys
$$;

-- Lets the next job of a lane go, if none does.
create function open_lane(opened text) returns void language sql as $$
    update jobs set blocked = false
     where id = (select id from jobs where lane = opened and dead_at is null order by turn, id limit 1)
       and not exists (select from jobs where lane = opened and dead_at is null and not blocked)
$$;

create function enqueue_jobs(
    kinds text[], payloads text[], lanes text[], turns bigint[], tries int[], correlations uuid[], causations text[]
) returns void language plpgsql as $$
declare
    j record;
begin
    perform lock_lanes(lanes);
    for j in
        select * from unnest(kinds, payloads, lanes, turns, tries, correlations, causations)
                      with ordinality as j (kind, payload, lane, turn, tries, correlation, causation, n) order by n
    loop
        -- A message that overtook an earlier one on its way here waits for it, if it still can.
        update jobs set blocked = true
         where lane = j.lane and dead_at is null and not blocked and locked_by is null and turn > j.turn;
        insert into jobs (kind, payload, lane, turn, blocked, max_attempts, correlation_id, causation)
        values (j.kind, j.payload::json, j.lane, j.turn,
                exists (select from jobs where lane = j.lane and dead_at is null and not blocked),
                j.tries, j.correlation, j.causation);
    end loop;
end $$;

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
