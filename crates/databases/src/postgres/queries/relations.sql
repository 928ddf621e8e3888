-- Tables, foreign tables, views, materialised views, sequences and composite types.
SELECT CASE c.relkind WHEN 'f' THEN 'foreign_table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized_view'
         WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'composite_type' ELSE 'table' END,
       'pg_class'::regclass::oid, c.oid, 0, n.nspname::text, format('%I.%I', n.nspname, c.relname),
       CASE WHEN c.relkind = 'S' THEN owning.name END, quote_ident(c.relname),
       jsonb_strip_nulls(jsonb_build_object(
         'unlogged', nullif(c.relpersistence = 'u', false),
         'options', (SELECT jsonb_agg(o ORDER BY o) FROM (
             SELECT unnest(c.reloptions) AS o UNION ALL SELECT 'toast.' || unnest(toast.reloptions)) AS o),
         'tablespace', quote_ident(space.spcname),
         'access_method', CASE WHEN am.amname <> 'heap' THEN quote_ident(am.amname) END,
         'partition_key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
         'partition_of', CASE WHEN c.relispartition THEN parents.names ->> 0 END,
         'bound', pg_get_expr(c.relpartbound, c.oid),
         'inherits', CASE WHEN NOT c.relispartition THEN parents.names END,
         'of_type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END,
         'row_security', nullif(c.relrowsecurity, false),
         'force_row_security', nullif(c.relforcerowsecurity, false),
         'replica_identity', CASE WHEN c.relkind IN ('r', 'p') THEN
             CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' END END,
         'server', quote_ident(server.srvname),
         'foreign_options', (SELECT jsonb_object_agg(option_name, option_value)
             FROM pg_options_to_table(remote.ftoptions)),
         'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
         'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END))
       || CASE WHEN c.relkind <> 'S' THEN '{}' ELSE jsonb_strip_nulls(jsonb_build_object(
         'type', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement,
         'minimum', q.seqmin, 'maximum', q.seqmax, 'cache', q.seqcache,
         'cycle', nullif(q.seqcycle, false), 'owned_by', owning.name, 'identity', nullif(owning.identity, false)
       )) END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
LEFT JOIN pg_tablespace space ON space.oid = c.reltablespace
LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_foreign_table remote ON remote.ftrelid = c.oid
LEFT JOIN pg_foreign_server server ON server.oid = remote.ftserver
LEFT JOIN pg_sequence q ON q.seqrelid = c.oid
LEFT JOIN (SELECT i.inhrelid, jsonb_agg(format('%I.%I', pn.nspname, p.relname) ORDER BY i.inhseqno) AS names
           FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
           GROUP BY 1) AS parents ON parents.inhrelid = c.oid
LEFT JOIN (SELECT d.objid, d.deptype = 'i' AS identity, format('%I.%I.%I', tn.nspname, t.relname, a.attname) AS name
           FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.objsubid = 0 AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')) AS owning
  ON c.relkind = 'S' AND owning.objid = c.oid
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c') AND c.relpersistence <> 't' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
