-- What hangs on tables and views: triggers, rules, policies; and statistics objects.
SELECT 'trigger', 'pg_trigger'::regclass::oid, g.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, c.relname, g.tgname), format('%I.%I', n.nspname, c.relname), quote_ident(g.tgname),
       jsonb_strip_nulls(jsonb_build_object('definition', pg_get_triggerdef(g.oid),
         'inherited', nullif(g.tgparentid <> 0, false),
         'enabled', CASE g.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END))
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger parent ON parent.oid = g.tgparentid
WHERE NOT g.tgisinternal AND (g.tgparentid = 0 OR g.tgenabled <> parent.tgenabled)
-- Ripcord's own are there while a migration runs, and no longer.
AND NOT EXISTS (SELECT FROM pg_proc own JOIN pg_namespace os ON os.oid = own.pronamespace
                WHERE own.oid = g.tgfoid AND os.nspname = 'ripcord')
AND c.relpersistence <> 't' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'rule', 'pg_rewrite'::regclass::oid, r.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, c.relname, r.rulename), format('%I.%I', n.nspname, c.relname), quote_ident(r.rulename),
       jsonb_strip_nulls(jsonb_build_object('definition', pg_get_ruledef(r.oid),
         'enabled', CASE r.ev_enabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END))
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND c.relpersistence <> 't' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'policy', 'pg_policy'::regclass::oid, p.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, c.relname, p.polname), format('%I.%I', n.nspname, c.relname), quote_ident(p.polname),
       jsonb_strip_nulls(jsonb_build_object(
         'restrictive', nullif(NOT p.polpermissive, false),
         'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
             WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
         'roles', (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', '
             ORDER BY CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END) FROM unnest(p.polroles) AS r),
         'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)))
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'statistics', 'pg_statistic_ext'::regclass::oid, x.oid, 0, n.nspname::text,
       format('%I.%I', n.nspname, x.stxname), NULL, quote_ident(x.stxname),
       jsonb_strip_nulls(jsonb_build_object('definition', pg_get_statisticsobjdef(x.oid),
         'target', nullif(x.stxstattarget, -1)))
FROM pg_statistic_ext x
JOIN pg_namespace n ON n.oid = x.stxnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_statistic_ext'::regclass AND e.objid = x.oid AND e.deptype = 'e')
