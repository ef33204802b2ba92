-- Streams in pages: one row a stream and not one an event, so that neither the
-- server nor the program has to pack and unpack a million of them. The program
-- before this one keeps `load_streams`.

-- The next events of streams, at the most `most` of each; streams without any
-- are left out.
--
-- `n` says which of the streams, from 1. `sequence` is that of the last event.
-- The texts of the events stand one after the other with U+001E between them,
-- the record separator of RFC 7464: JSON has no such character (RFC 8259,
-- section 7), and neither has the name or the version of an event.
create function load_pages(types text[], streams text[], known bigint[], most bigint)
returns table (n bigint, sequence bigint, positions bigint[], names text, versions text, payloads text)
language plpgsql stable
-- As in load_streams: the plan that is right for a log of any length.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
    return query
        select w.n, page.sequence, page.positions, page.names, page.versions, page.payloads
          from unnest(types, streams, known) with ordinality as w (type, stream, known, n)
         cross join lateral (select max(e.sequence) as sequence,
                                    array_agg(e.position) as positions,
                                    string_agg(e.event_type, E'\x1e') as names,
                                    string_agg(e.event_version, E'\x1e') as versions,
                                    string_agg(e.payload::text, E'\x1e') as payloads
                               from (select e.sequence, e.position, e.event_type, e.event_version, e.payload
                                       from events e
                                      where e.aggregate_type = w.type and e.aggregate_id = w.stream
                                        and e.sequence > w.known and e.sequence <= w.known + most
                                      order by e.sequence offset 0) e
                             having count(*) > 0) page;
end $$;
