-- Types of one's own: enums, domains with their constraints, ranges, and base types.
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'base_type' END,
       'pg_type'::regclass::oid, t.oid, 0, n.nspname::text, format('%I.%I', n.nspname, t.typname), NULL,
       quote_ident(t.typname),
       CASE t.typtype
         WHEN 'e' THEN jsonb_build_object('labels',
           (SELECT jsonb_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid))
         WHEN 'd' THEN jsonb_strip_nulls(jsonb_build_object('type', format_type(t.typbasetype, t.typtypmod),
           'not_null', nullif(t.typnotnull, false), 'default', pg_get_expr(t.typdefaultbin, 0),
           'collation', (SELECT format('%I.%I', ln.nspname, l.collname) FROM pg_collation l
              JOIN pg_namespace ln ON ln.oid = l.collnamespace JOIN pg_type b ON b.oid = t.typbasetype
              WHERE l.oid = t.typcollation AND t.typcollation <> b.typcollation)))
         WHEN 'r' THEN (SELECT jsonb_build_object('definition', format('CREATE TYPE %I.%I AS RANGE (%s)', n.nspname, t.typname,
             concat_ws(', ', 'SUBTYPE = ' || format_type(r.rngsubtype, NULL),
               'SUBTYPE_OPCLASS = ' || quote_ident(opn.nspname) || '.' || quote_ident(op.opcname),
               'COLLATION = ' || quote_ident(ln.nspname) || '.' || quote_ident(l.collname),
               'CANONICAL = ' || nullif(r.rngcanonical::oid, 0)::regproc, 'SUBTYPE_DIFF = ' || nullif(r.rngsubdiff::oid, 0)::regproc,
               'MULTIRANGE_TYPE_NAME = ' || r.rngmultitypid::regtype)))
           FROM pg_range r LEFT JOIN pg_opclass op ON op.oid = r.rngsubopc
           LEFT JOIN pg_namespace opn ON opn.oid = op.opcnamespace
           LEFT JOIN pg_collation l ON l.oid = r.rngcollation AND l.collname <> 'default'
           LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
           WHERE r.rngtypid = t.oid)
         ELSE jsonb_build_object('input', t.typinput::regproc::text, 'output', t.typoutput::regproc::text,
           'length', t.typlen, 'alignment', t.typalign, 'by_value', t.typbyval, 'storage', t.typstorage) END
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0) AND t.typisdefined AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT 'domain_constraint', 'pg_constraint'::regclass::oid, k.oid, 0, n.nspname::text,
       format('%I.%I.%I', n.nspname, t.typname, k.conname), format('%I.%I', n.nspname, t.typname), quote_ident(k.conname),
       jsonb_build_object('definition', pg_get_constraintdef(k.oid))
FROM pg_constraint k
JOIN pg_type t ON t.oid = k.contypid
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE k.contype = 'c' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT 'collation', 'pg_collation'::regclass::oid, l.oid, 0, n.nspname::text, format('%I.%I', n.nspname, l.collname), NULL,
       quote_ident(l.collname),
       jsonb_build_object('definition', format('CREATE COLLATION %I.%I (%s)', n.nspname, l.collname, concat_ws(', ',
         'provider = ' || CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
         'lc_collate = ' || quote_literal(l.collcollate), 'lc_ctype = ' || quote_literal(l.collctype),
         'locale = ' || quote_literal(coalesce(to_jsonb(l) ->> 'colliculocale', to_jsonb(l) ->> 'colllocale')),
         'rules = ' || quote_literal(to_jsonb(l) ->> 'collicurules'),
         CASE WHEN NOT l.collisdeterministic THEN 'deterministic = false' END)))
FROM pg_collation l
JOIN pg_namespace n ON n.oid = l.collnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_collation'::regclass AND e.objid = l.oid AND e.deptype = 'e')
