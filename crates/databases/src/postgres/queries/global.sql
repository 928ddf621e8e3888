-- Schemas, extensions, and what belongs to the database as a whole.
SELECT 'schema', 'pg_namespace'::regclass::oid, n.oid, 0, n.nspname::text, quote_ident(n.nspname), NULL, quote_ident(n.nspname),
       '{}'::jsonb
FROM pg_namespace n
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
UNION ALL
SELECT 'extension', 'pg_extension'::regclass::oid, x.oid, 0, NULL, quote_ident(x.extname), NULL, quote_ident(x.extname),
       jsonb_build_object('version', x.extversion, 'schema', quote_ident(n.nspname))
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
UNION ALL
SELECT 'language', 'pg_language'::regclass::oid, l.oid, 0, NULL, quote_ident(l.lanname), NULL, quote_ident(l.lanname),
       jsonb_build_object('definition', concat_ws(' ', 'CREATE', CASE WHEN l.lanpltrusted THEN 'TRUSTED' END, 'LANGUAGE',
         quote_ident(l.lanname), 'HANDLER ' || nullif(l.lanplcallfoid, 0)::regproc, 'INLINE ' || nullif(l.laninline, 0)::regproc,
         'VALIDATOR ' || nullif(l.lanvalidator, 0)::regproc))
FROM pg_language l
WHERE l.oid >= 16384
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_language'::regclass AND e.objid = l.oid AND e.deptype = 'e')
UNION ALL
SELECT 'access_method', 'pg_am'::regclass::oid, am.oid, 0, NULL, quote_ident(am.amname), NULL, quote_ident(am.amname),
       jsonb_build_object('definition', format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s', am.amname,
         CASE am.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, am.amhandler::regproc))
FROM pg_am am
WHERE am.oid >= 16384
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_am'::regclass AND e.objid = am.oid AND e.deptype = 'e')
UNION ALL
SELECT 'cast', 'pg_cast'::regclass::oid, k.oid, 0, NULL, format('(%s AS %s)', k.castsource::regtype, k.casttarget::regtype), NULL,
       format('(%s AS %s)', k.castsource::regtype, k.casttarget::regtype),
       jsonb_build_object('definition', concat_ws(' ', format('CREATE CAST (%s AS %s)', k.castsource::regtype, k.casttarget::regtype),
         CASE k.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || k.castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT'
           ELSE 'WITHOUT FUNCTION' END, CASE k.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END))
FROM pg_cast k
WHERE k.oid >= 16384
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass AND e.objid = k.oid AND e.deptype IN ('e', 'i'))
UNION ALL
SELECT 'transform', 'pg_transform'::regclass::oid, f.oid, 0, NULL, format('FOR %s LANGUAGE %I', f.trftype::regtype, l.lanname), NULL,
       format('FOR %s LANGUAGE %I', f.trftype::regtype, l.lanname),
       jsonb_build_object('definition', format('CREATE TRANSFORM FOR %s LANGUAGE %I (%s)', f.trftype::regtype, l.lanname,
         concat_ws(', ', 'FROM SQL WITH FUNCTION ' || nullif(f.trffromsql::oid, 0)::regprocedure,
         'TO SQL WITH FUNCTION ' || nullif(f.trftosql::oid, 0)::regprocedure)))
FROM pg_transform f JOIN pg_language l ON l.oid = f.trflang
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_transform'::regclass AND e.objid = f.oid AND e.deptype = 'e')
UNION ALL
SELECT 'event_trigger', 'pg_event_trigger'::regclass::oid, g.oid, 0, NULL, quote_ident(g.evtname), NULL, quote_ident(g.evtname),
       jsonb_strip_nulls(jsonb_build_object('definition', concat_ws(' ', format('CREATE EVENT TRIGGER %I ON %s', g.evtname, g.evtevent),
         'WHEN TAG IN (' || (SELECT string_agg(quote_literal(tag), ', ') FROM unnest(g.evttags) AS tag) || ')',
         format('EXECUTE FUNCTION %s()', g.evtfoid::regproc)),
         'enabled', CASE g.evtenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END))
FROM pg_event_trigger g
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = g.oid AND e.deptype = 'e')
UNION ALL
SELECT 'conversion', 'pg_conversion'::regclass::oid, k.oid, 0, n.nspname::text, format('%I.%I', n.nspname, k.conname), NULL,
       quote_ident(k.conname),
       jsonb_build_object('definition', format('CREATE %sCONVERSION %I.%I FOR %L TO %L FROM %s', CASE WHEN k.condefault THEN 'DEFAULT ' END,
         n.nspname, k.conname, pg_encoding_to_char(k.conforencoding), pg_encoding_to_char(k.contoencoding), k.conproc::regproc))
FROM pg_conversion k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_conversion'::regclass AND e.objid = k.oid AND e.deptype = 'e')
UNION ALL
SELECT 'default_privileges', 'pg_default_acl'::regclass::oid, d.oid, 0, n.nspname::text,
       concat_ws(' ', 'FOR ROLE ' || d.defaclrole::regrole, 'IN SCHEMA ' || quote_ident(n.nspname), 'ON ' || CASE d.defaclobjtype
         WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'
         ELSE 'LARGE OBJECTS' END), NULL, d.defaclrole::regrole::text,
       jsonb_strip_nulls(jsonb_build_object('schema', quote_ident(n.nspname), 'role', d.defaclrole::regrole::text,
         'on', CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
           WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END))
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
