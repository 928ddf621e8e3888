-- Indexes that stand for themselves, and constraints with the properties of their indexes.
-- Inherited constraints are left out: they come and go with the parent's. Not null is a column's.
WITH properties AS MATERIALIZED (
  SELECT i.indexrelid, i.indrelid, jsonb_strip_nulls(jsonb_build_object(
    'invalid', nullif(NOT i.indisvalid, false), 'clustered', nullif(i.indisclustered, false),
    'replica_identity', nullif(i.indisreplident, false), 'tablespace', quote_ident(space.spcname),
    'partition_of', (SELECT format('%I.%I', pn.nspname, p.relname) FROM pg_inherits h
        JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE h.inhrelid = i.indexrelid),
    'statistics', (SELECT jsonb_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a
        WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0))) AS facts
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_tablespace space ON space.oid = c.reltablespace
  WHERE {user_namespace})
SELECT 'index', 'pg_class'::regclass::oid, c.oid, 0, n.nspname::text, format('%I.%I', n.nspname, c.relname),
       format('%I.%I', tn.nspname, t.relname), quote_ident(c.relname),
       properties.facts || jsonb_build_object('definition', pg_get_indexdef(c.oid))
FROM properties
JOIN pg_class c ON c.oid = properties.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = properties.indrelid AND t.relpersistence <> 't'
JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT 'constraint', 'pg_constraint'::regclass::oid, k.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, t.relname, k.conname), format('%I.%I', n.nspname, t.relname), quote_ident(k.conname),
       jsonb_strip_nulls(jsonb_build_object(
         'type', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key'
             WHEN 'u' THEN 'unique' ELSE 'exclusion' END,
         'definition', pg_get_constraintdef(k.oid),
         'index_options', CASE WHEN k.contype IN ('p', 'u', 'x') THEN
             (SELECT jsonb_agg(o ORDER BY o) FROM unnest(i.reloptions) AS o) END,
         'index_comment', CASE WHEN k.contype IN ('p', 'u', 'x') THEN obj_description(i.oid, 'pg_class') END))
       || CASE WHEN k.contype IN ('p', 'u', 'x') THEN coalesce(properties.facts, '{}') ELSE '{}' END
FROM pg_constraint k
JOIN pg_class t ON t.oid = k.conrelid AND t.relpersistence <> 't'
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class i ON i.oid = k.conindid
LEFT JOIN properties ON properties.indexrelid = k.conindid
WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {user_namespace}
AND CASE k.contype WHEN 'f' THEN k.conparentid = 0 WHEN 'c' THEN k.conislocal ELSE true END
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = t.oid AND e.deptype = 'e')
