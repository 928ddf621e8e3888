-- Functions, procedures, aggregates, operators, their classes and families.
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, 'pg_proc'::regclass::oid, p.oid, 0, n.nspname::text,
       p.oid::regprocedure::text, NULL, quote_ident(p.proname),
       jsonb_strip_nulls(jsonb_build_object('definition', rtrim(pg_get_functiondef(p.oid), E'\n'),
         'shape', concat_ws(' -> ', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)),
         'window', nullif(p.prokind = 'w', false)))
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind <> 'a' AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
UNION ALL
SELECT 'aggregate', 'pg_proc'::regclass::oid, p.oid, 0, n.nspname::text,
       format('%I.%I(%s)', n.nspname, p.proname,
         CASE p.pronargs WHEN 0 THEN '*' ELSE pg_get_function_identity_arguments(p.oid) END), NULL, quote_ident(p.proname),
       jsonb_build_object('definition', format('CREATE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname,
         CASE p.pronargs WHEN 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END, concat_ws(', ',
         'SFUNC = ' || a.aggtransfn::regproc, 'STYPE = ' || format_type(a.aggtranstype, NULL),
         'SSPACE = ' || nullif(a.aggtransspace, 0), 'FINALFUNC = ' || nullif(a.aggfinalfn::oid, 0)::regproc,
         CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
         CASE WHEN a.aggfinalfn::oid <> 0 THEN 'FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify
           WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
         'COMBINEFUNC = ' || nullif(a.aggcombinefn::oid, 0)::regproc,
         'SERIALFUNC = ' || nullif(a.aggserialfn::oid, 0)::regproc, 'DESERIALFUNC = ' || nullif(a.aggdeserialfn::oid, 0)::regproc,
         'INITCOND = ' || quote_literal(a.agginitval),
         'MSFUNC = ' || nullif(a.aggmtransfn::oid, 0)::regproc, 'MINVFUNC = ' || nullif(a.aggminvtransfn::oid, 0)::regproc,
         'MSTYPE = ' || nullif(a.aggmtranstype, 0)::regtype, 'MSSPACE = ' || nullif(a.aggmtransspace, 0),
         'MFINALFUNC = ' || nullif(a.aggmfinalfn::oid, 0)::regproc, CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
         CASE WHEN a.aggmfinalfn::oid <> 0 THEN 'MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify
           WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
         'MINITCOND = ' || quote_literal(a.aggminitval),
         'SORTOP = OPERATOR(' || (SELECT format('%I.', sn.nspname) || s.oprname FROM pg_operator s
             JOIN pg_namespace sn ON sn.oid = s.oprnamespace WHERE s.oid = a.aggsortop) || ')',
         CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
         CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END)))
FROM pg_proc p
JOIN pg_aggregate a ON a.aggfnoid = p.oid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
UNION ALL
SELECT 'operator', 'pg_operator'::regclass::oid, o.oid, 0, n.nspname::text,
       format('%I.%s(%s, %s)', n.nspname, o.oprname, CASE o.oprleft WHEN 0 THEN 'NONE' ELSE o.oprleft::regtype::text END,
         o.oprright::regtype), NULL, o.oprname::text,
       jsonb_build_object('definition', format('CREATE OPERATOR %I.%s (%s)', n.nspname, o.oprname, concat_ws(', ',
         'FUNCTION = ' || o.oprcode::regproc, 'LEFTARG = ' || nullif(o.oprleft, 0)::regtype, 'RIGHTARG = ' || o.oprright::regtype,
         'COMMUTATOR = OPERATOR(' || (SELECT format('%I.', cn.nspname) || c.oprname FROM pg_operator c
             JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprcom) || ')',
         'NEGATOR = OPERATOR(' || (SELECT format('%I.', cn.nspname) || c.oprname FROM pg_operator c
             JOIN pg_namespace cn ON cn.oid = c.oprnamespace WHERE c.oid = o.oprnegate) || ')',
         'RESTRICT = ' || nullif(o.oprrest::oid, 0)::regproc, 'JOIN = ' || nullif(o.oprjoin::oid, 0)::regproc,
         CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END)))
FROM pg_operator o
JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprcode <> 0 AND {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_operator'::regclass AND e.objid = o.oid AND e.deptype = 'e')
UNION ALL
SELECT 'operator_family', 'pg_opfamily'::regclass::oid, f.oid, 0, n.nspname::text,
       format('%I.%I USING %I', n.nspname, f.opfname, am.amname), NULL, quote_ident(f.opfname),
       jsonb_strip_nulls(jsonb_build_object('definition',
         format('CREATE OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, am.amname),
         'members', {loose_members}))
FROM pg_opfamily f
JOIN pg_namespace n ON n.oid = f.opfnamespace
JOIN pg_am am ON am.oid = f.opfmethod
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_opfamily'::regclass AND e.objid = f.oid AND e.deptype = 'e')
UNION ALL
SELECT 'operator_class', 'pg_opclass'::regclass::oid, o.oid, 0, n.nspname::text,
       format('%I.%I USING %I', n.nspname, o.opcname, am.amname), NULL, quote_ident(o.opcname),
       jsonb_build_object('definition', format('CREATE OPERATOR CLASS %I.%I %sFOR TYPE %s USING %I FAMILY %I.%I AS %s',
         n.nspname, o.opcname, CASE WHEN o.opcdefault THEN 'DEFAULT ' ELSE '' END, o.opcintype::regtype, am.amname,
         fn.nspname, f.opfname, concat_ws(', ', {class_members},
         'STORAGE ' || coalesce(nullif(o.opckeytype, 0), o.opcintype)::regtype)))
FROM pg_opclass o
JOIN pg_namespace n ON n.oid = o.opcnamespace
JOIN pg_opfamily f ON f.oid = o.opcfamily
JOIN pg_namespace fn ON fn.oid = f.opfnamespace
JOIN pg_am am ON am.oid = o.opcmethod
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_opclass'::regclass AND e.objid = o.oid AND e.deptype = 'e')
