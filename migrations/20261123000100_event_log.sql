-- The log: everything that happened, in one order, never changed.
--
-- The columns that postgres-es reads keep its names and types, so that anything
-- speaking cqrs-es can read this table. `payload` is json and not jsonb: the
-- text is kept as it was written and costs nothing to store.

create table events (
    -- Gapless and equal to the order of commits: a reader needs `position > $1`
    -- and nothing else, and an auditor can see that nothing is missing.
    position        bigint primary key,
    id              uuid not null,
    -- Never earlier than the event before it, whatever the server's clock does.
    recorded_at     timestamptz not null,
    -- Compared as bytes: nobody sorts by these, and every append looks them up.
    aggregate_type  text collate "C" not null,
    aggregate_id    text collate "C" not null,
    sequence        bigint not null check (sequence > 0),
    event_type      text not null,
    event_version   text not null,
    payload         json not null,
    metadata        json not null default '{}',
    actor           text not null,
    correlation_id  uuid not null,
    causation       text not null,
    unique (aggregate_type, aggregate_id, sequence)
)
-- No vacuum because of inserts: it would find nothing to remove, but it would
-- list what little room there is at the end of each old page, and from then on
-- small events would go there, one here and one there, at half the speed, and
-- no longer side by side with those that are read with them. Statistics are
-- still gathered, and a vacuum still comes before transaction ids run out.
with (autovacuum_vacuum_insert_threshold = -1);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the event log is append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end $$;

create trigger events_are_never_changed
    before update or delete or truncate on events
    for each statement execute function refuse_change();

-- What was answered to a command that carried a key of its source (an
-- Idempotency-Key, a Telegram update id): written in the transaction of its
-- events, so the same key can neither take effect twice nor get two answers.
create table receipts (
    source          text not null,
    key             text not null,
    -- Of the request's content; another content under the same key is a mistake of the sender.
    fingerprint     bytea not null,
    aggregate_type  text not null,
    aggregate_id    text not null,
    -- Of the first event; null when there was none.
    position        bigint,
    events          integer not null,
    -- Of the stream after the command.
    version         bigint not null,
    -- The aggregate's refusal; null when the command was accepted.
    refusal         json,
    recorded_at     timestamptz not null,
    primary key (source, key)
);

-- For forgetting those of the API after a while.
create index on receipts (recorded_at) where source like 'http:%';

-- Connections that were lost with an append in doubt. A writer listed here can
-- append no more, so what it has not written by then it never will, and a look
-- at the log settles the doubt.
create table retired_writers (
    writer      uuid primary key,
    retired_at  timestamptz not null default now()
);

-- Held from before the last position is read until the commit: this is what
-- makes positions gapless and equal to the order of commits. A lock of the
-- transaction, because a pooler may give the session to somebody else.
create function lock_event_log() returns void language sql as $$
    select pg_advisory_xact_lock('events'::regclass::oid::int, 0)
$$;

create function retire_writer(writer uuid) returns void language plpgsql as $$
begin
    perform lock_event_log();
    insert into retired_writers values (retire_writer.writer) on conflict do nothing;
end $$;

-- Appends a batch of commands, each with the events it decided on.
--
-- c_*: one element a command, in the order of their decisions. `next` is the
-- sequence that its stream must not have yet; `first` and `count` say which of
-- the e_* are its events (from 1; a command may have none); `source`, `key`,
-- `fingerprint` are its receipt's (null: none), `refusal` its negative answer.
-- e_*: one element an event.
--
-- Whatever is asked, no stream gets a gap: a command whose stream has not come
-- as far as `next` - 1 is in conflict like one whose stream has gone on.
--
-- Usually everything goes in as one statement: `outcomes` is null and the
-- positions are `base` + 1, + 2, … If any of it cannot go in as asked, nothing
-- of that stays, and the commands are taken one by one: `outcomes` then says of
-- each 0 written, 1 conflict (decided on another state than the stream has),
-- 2 repeated (its key has a receipt), and `positions` where its first event went.
create function append_events(
    writer uuid,
    c_type text[], c_stream text[], c_next bigint[], c_first int[], c_count int[],
    c_source text[], c_key text[], c_fingerprint bytea[], c_refusal text[],
    e_type text[], e_stream text[], e_sequence bigint[], e_id uuid[], e_name text[], e_version text[],
    e_payload text[], e_actor text[], e_correlation uuid[], e_causation text[],
    out base bigint, out outcomes smallint[], out positions bigint[]
)
language plpgsql
-- The plans that are right for a log of any length, from the first event on:
-- those made for what there is now are made anew with every small batch, and
-- read the whole of a log that was empty a minute ago.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    last_position bigint;
    last_time timestamptz;
    w record;
    stale text[] := '{}';
begin
    perform lock_event_log();
    if exists (select from retired_writers r where r.writer = append_events.writer) then
        raise exception 'writer % is retired', writer using errcode = 'PSRET';
    end if;
    select e.position, e.recorded_at into last_position, last_time
      from events e order by e.position desc limit 1;
    base := coalesce(last_position, 0);
    last_time := greatest(last_time, clock_timestamp());

    begin
        insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type,
                            event_version, payload, actor, correlation_id, causation)
        select base + n, id, last_time, type, stream, sequence, name, version, payload::json, actor, correlation, causation
          from unnest(e_type, e_stream, e_sequence, e_id, e_name, e_version, e_payload, e_actor, e_correlation, e_causation)
               with ordinality as e (type, stream, sequence, id, name, version, payload, actor, correlation, causation, n);
        -- The unique key saw to it that no event is where another one was. It does
        -- not see a gap, nor whether a decision without events (a refusal) was made
        -- on the newest state: a command's stream must have come to `next` - 1, and
        -- no further, before the position where its first event is or would be.
        -- (`offset 0`: look it up stream by stream, never in a table made of all events.)
        if exists (
            select from unnest(c_type, c_stream, c_next, c_first, c_count) as c (type, stream, next, first, count)
             where next > 1 and not exists (
                       select from events e where e.aggregate_type = c.type and e.aggregate_id = c.stream
                                              and e.sequence = c.next - 1 and e.position < base + c.first offset 0)
                or count = 0 and exists (
                       select from events e where e.aggregate_type = c.type and e.aggregate_id = c.stream
                                              and e.sequence = c.next and e.position < base + c.first offset 0)
        ) then
            raise unique_violation;
        end if;
        if cardinality(array_remove(c_key, null)) > 0 then
            insert into receipts
            select source, key, fingerprint, type, stream, case when count > 0 then base + first end, count,
                   next - 1 + count, refusal::json, last_time
              from unnest(c_type, c_stream, c_next, c_first, c_count, c_source, c_key, c_fingerprint, c_refusal)
                   as c (type, stream, next, first, count, source, key, fingerprint, refusal)
             where key is not null;
        end if;
        return;
    exception when unique_violation then
        -- One by one, below.
    end;

    outcomes := '{}';
    positions := '{}';
    last_position := base;
    for w in
        select *, type || '/' || stream as name
          from unnest(c_type, c_stream, c_next, c_first, c_count, c_source, c_key, c_fingerprint, c_refusal)
               with ordinality as c (type, stream, next, first, count, source, key, fingerprint, refusal, n)
         order by n
    loop
        if exists (select from receipts r where r.source = w.source and r.key = w.key) then
            outcomes := outcomes || 2::smallint;
            positions := positions || null::bigint;
            -- Whatever was decided after it counted on its events.
            if w.count > 0 then stale := stale || w.name; end if;
        elsif w.name = any (stale) then
            outcomes := outcomes || 1::smallint;
            positions := positions || null::bigint;
        elsif exists (
            select from events e where e.aggregate_type = w.type and e.aggregate_id = w.stream and e.sequence = w.next
        ) or w.next > 1 and not exists (
            select from events e where e.aggregate_type = w.type and e.aggregate_id = w.stream and e.sequence = w.next - 1
        ) then
            outcomes := outcomes || 1::smallint;
            positions := positions || null::bigint;
            stale := stale || w.name;
        else
            insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type,
                                event_version, payload, actor, correlation_id, causation)
            select last_position + 1 + n - w.first, e_id[n], last_time, e_type[n], e_stream[n], e_sequence[n], e_name[n],
                   e_version[n], e_payload[n]::json, e_actor[n], e_correlation[n], e_causation[n]
              from generate_series(w.first, w.first + w.count - 1) n;
            if w.key is not null then
                insert into receipts values (w.source, w.key, w.fingerprint, w.type, w.stream,
                    case when w.count > 0 then last_position + 1 end, w.count, w.next - 1 + w.count, w.refusal::json, last_time);
            end if;
            outcomes := outcomes || 0::smallint;
            positions := positions || (last_position + 1);
            last_position := last_position + w.count;
        end if;
    end loop;
end $$;

-- The next `most` events of each of many streams, after the sequence that is
-- already known of it; `n` says of which, from 1.
create function load_streams(types text[], streams text[], known bigint[], most bigint)
returns table (n bigint, sequence bigint, "position" bigint, event_type text, event_version text, payload text)
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
    return query
        select w.n, e.sequence, e.position, e.event_type, e.event_version, e.payload::text
          from unnest(types, streams, known) with ordinality as w (type, stream, known, n)
         cross join lateral (select * from events e
                              where e.aggregate_type = w.type and e.aggregate_id = w.stream
                                and e.sequence > w.known and e.sequence <= w.known + most
                              order by e.sequence offset 0) e;
end $$;

-- The first position recorded at or after a time: positions and times run the
-- same way, so a search by halves finds it without an index on the time.
create function position_at(moment timestamptz) returns bigint language plpgsql stable as $$
declare
    low bigint := 1;
    high bigint;
    middle bigint;
begin
    select coalesce(max(position), 0) + 1 into high from events;
    while low < high loop
        middle := (low + high) / 2;
        if (select recorded_at < moment from events where position = middle) then
            low := middle + 1;
        else
            high := middle;
        end if;
    end loop;
    return low;
end $$;
