-- Columns of tables and views, and attributes of composite types. The position counts those that
-- exist, so that it does not remember columns that were dropped.
SELECT CASE WHEN c.relkind = 'c' THEN 'attribute' ELSE 'column' END, 'pg_class'::regclass::oid, c.oid, a.attnum::int4,
       n.nspname::text, format('%I.%I.%I', n.nspname, c.relname, a.attname), format('%I.%I', n.nspname, c.relname),
       quote_ident(a.attname),
       jsonb_strip_nulls(jsonb_build_object(
         'position', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
         'type', format_type(a.atttypid, a.atttypmod),
         'collation', CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
             THEN (SELECT format('%I.%I', ln.nspname, l.collname) FROM pg_collation l
                   JOIN pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
         'not_null', nullif(a.attnotnull, false),
         'storage', CASE WHEN c.relkind IN ('r', 'p', 'f', 'm') AND a.attstorage <> t.typstorage THEN
             CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END END,
         'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
         'statistics', nullif(a.attstattarget, -1),
         'options', (SELECT jsonb_agg(o ORDER BY o) FROM unnest(a.attoptions) AS o),
         'foreign_options', (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(a.attfdwoptions)),
         'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
         'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
         'virtual', nullif(a.attgenerated = 'v', false),
         'inherited', nullif(NOT a.attislocal, false)))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON a.attgenerated <> '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND a.attnum > 0 AND NOT a.attisdropped
AND c.relpersistence <> 't' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'default', 'pg_attrdef'::regclass::oid, d.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, c.relname, a.attname), format('%I.%I', n.nspname, c.relname), quote_ident(a.attname),
       jsonb_build_object('definition', pg_get_expr(d.adbin, d.adrelid))
FROM pg_attrdef d
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = '' AND NOT a.attisdropped
JOIN pg_class c ON c.oid = d.adrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
