insert into events (position, id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, event_version,
                    payload, actor, correlation_id, causation)
select n, gen_random_uuid(), timestamptz '2026-11-23 12:00:00Z' + n * interval '10 milliseconds', 'campaign', $1, n,
       case n when 1 then 'Drafted' when 2 then 'Activated' else 'Redeemed' end, '1',
       (case n
            when 1 then '{"Drafted":{"terms":{"name":"Gold week","code":"GOLD10"},"at":' || at || '}}'
            when 2 then '{"Activated":{"at":' || at || '}}'
            else '{"Redeemed":{"redemption":"' || md5('redemption' || n)::uuid || '","number":' || n - 2
                 || ',"person":"' || person || '","telegram":{"personal":{"id":' || 5000000000 + n
                 || ',"name":"Anna","language":"en"}},"at":' || at || '}}'
        end)::json,
       'person:' || person, md5('request' || n)::uuid, 'telegram-update:' || 800000000 + n
  from (select n, md5('person' || n)::uuid as person,
               to_json(timestamptz '2026-11-23 12:00:00Z' + n * interval '10 milliseconds')::text as at
          from generate_series(1, $2 + 2) n) e
 order by n
