-- Changes with every committed change of a definition, and not with temporary tables.
WITH temporary AS MATERIALIZED (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast_)?temp_'),
passing AS MATERIALIZED (SELECT oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM temporary))
SELECT string_agg(part, ' ' ORDER BY part) FROM (
  SELECT 'pg_class:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM temporary)
  UNION ALL
  SELECT 'pg_constraint:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_constraint WHERE connamespace NOT IN (SELECT oid FROM temporary)
  UNION ALL
  SELECT 'pg_type:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_type WHERE typnamespace NOT IN (SELECT oid FROM temporary)
  UNION ALL
  SELECT 'pg_attribute:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_attribute WHERE attrelid NOT IN (SELECT oid FROM passing)
  UNION ALL
  SELECT 'pg_attrdef:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_attrdef WHERE adrelid NOT IN (SELECT oid FROM passing)
  UNION ALL
  SELECT 'pg_index:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_index WHERE indrelid NOT IN (SELECT oid FROM passing)
  UNION ALL
  SELECT 'pg_trigger:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_trigger WHERE tgrelid NOT IN (SELECT oid FROM passing)
  UNION ALL
  SELECT 'pg_sequence:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_sequence WHERE seqrelid NOT IN (SELECT oid FROM passing)
  UNION ALL
  SELECT 'pg_proc:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_proc
  UNION ALL
  SELECT 'pg_aggregate:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_aggregate
  UNION ALL
  SELECT 'pg_enum:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_enum
  UNION ALL
  SELECT 'pg_range:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_range
  UNION ALL
  SELECT 'pg_rewrite:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_rewrite
  UNION ALL
  SELECT 'pg_policy:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_policy
  UNION ALL
  SELECT 'pg_namespace:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_namespace
  UNION ALL
  SELECT 'pg_default_acl:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_default_acl
  UNION ALL
  SELECT 'pg_statistic_ext:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_statistic_ext
  UNION ALL
  SELECT 'pg_publication:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_publication
  UNION ALL
  SELECT 'pg_publication_rel:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_publication_rel
  UNION ALL
  SELECT 'pg_foreign_table:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_foreign_table
  UNION ALL
  SELECT 'pg_foreign_server:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_foreign_server
  UNION ALL
  SELECT 'pg_foreign_data_wrapper:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_foreign_data_wrapper
  UNION ALL
  SELECT 'pg_collation:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_collation
  UNION ALL
  SELECT 'pg_cast:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_cast
  UNION ALL
  SELECT 'pg_operator:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_operator
  UNION ALL
  SELECT 'pg_opclass:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_opclass
  UNION ALL
  SELECT 'pg_opfamily:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_opfamily
  UNION ALL
  SELECT 'pg_amop:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_amop
  UNION ALL
  SELECT 'pg_amproc:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_amproc
  UNION ALL
  SELECT 'pg_event_trigger:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_event_trigger
  UNION ALL
  SELECT 'pg_extension:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_extension
  UNION ALL
  SELECT 'pg_ts_config:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_ts_config
  UNION ALL
  SELECT 'pg_ts_config_map:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_ts_config_map
  UNION ALL
  SELECT 'pg_ts_dict:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_ts_dict
  UNION ALL
  SELECT 'pg_conversion:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_conversion
  UNION ALL
  SELECT 'pg_language:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_language
  UNION ALL
  SELECT 'pg_inherits:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_inherits
  UNION ALL
  SELECT 'pg_description:' || count(*) || ':' || coalesce(sum(hashtext(xmin::text || ctid::text)::int8), 0) FROM pg_description
) AS parts (part)
