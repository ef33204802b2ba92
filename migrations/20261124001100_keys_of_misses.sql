-- Keys under which the misses of the API are written down once end with `:miss`
-- now, so that they are forgotten with the other keys of the API. Those that
-- began with `miss:` would have been kept for ever.
update receipts set source = substr(source, 6) || ':miss' where source like 'miss:http:%';
