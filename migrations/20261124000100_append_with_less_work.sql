-- The append again, with a tenth less work for the server: the arrays are taken
-- apart where they are used, and not first written to a table of their own as
-- `from unnest(…)` does.

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
create or replace function append_events(
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
          from (select generate_series(1, cardinality(e_id)) n, unnest(e_type) type, unnest(e_stream) stream,
                       unnest(e_sequence) sequence, unnest(e_id) id, unnest(e_name) name, unnest(e_version) version,
                       unnest(e_payload) payload, unnest(e_actor) actor, unnest(e_correlation) correlation,
                       unnest(e_causation) causation) e;
        -- The unique key saw to it that no event is where another one was. It does
        -- not see a gap, nor whether a decision without events (a refusal) was made
        -- on the newest state: a command's stream must have come to `next` - 1, and
        -- no further, before the position where its first event is or would be.
        -- (`offset 0`: look it up stream by stream, never in a table made of all events.)
        if exists (
            select from (select unnest(c_type) type, unnest(c_stream) stream, unnest(c_next) next,
                                unnest(c_first) first, unnest(c_count) count) c
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
