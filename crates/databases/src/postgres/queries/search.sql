-- Text search: parsers, templates, dictionaries, configurations with their mappings in order.
SELECT 'text_search_parser', 'pg_ts_parser'::regclass::oid, p.oid, 0, n.nspname::text, format('%I.%I', n.nspname, p.prsname), NULL,
       quote_ident(p.prsname),
       jsonb_build_object('definition', format('CREATE TEXT SEARCH PARSER %I.%I (%s)', n.nspname, p.prsname, concat_ws(', ',
         'START = ' || p.prsstart, 'GETTOKEN = ' || p.prstoken, 'END = ' || p.prsend, 'LEXTYPES = ' || p.prslextype,
         'HEADLINE = ' || nullif(p.prsheadline::oid, 0)::regproc)))
FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_parser'::regclass AND e.objid = p.oid AND e.deptype = 'e')
UNION ALL
SELECT 'text_search_template', 'pg_ts_template'::regclass::oid, t.oid, 0, n.nspname::text, format('%I.%I', n.nspname, t.tmplname), NULL,
       quote_ident(t.tmplname),
       jsonb_build_object('definition', format('CREATE TEXT SEARCH TEMPLATE %I.%I (%s)', n.nspname, t.tmplname, concat_ws(', ',
         'INIT = ' || nullif(t.tmplinit::oid, 0)::regproc, 'LEXIZE = ' || t.tmpllexize)))
FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_template'::regclass AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT 'text_search_dictionary', 'pg_ts_dict'::regclass::oid, d.oid, 0, n.nspname::text, format('%I.%I', n.nspname, d.dictname), NULL,
       quote_ident(d.dictname),
       jsonb_build_object('definition', format('CREATE TEXT SEARCH DICTIONARY %I.%I (%s)', n.nspname, d.dictname, concat_ws(', ',
         format('TEMPLATE = %I.%I', tn.nspname, t.tmplname), d.dictinitoption)))
FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace
JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_dict'::regclass AND e.objid = d.oid AND e.deptype = 'e')
UNION ALL
SELECT 'text_search_configuration', 'pg_ts_config'::regclass::oid, c.oid, 0, n.nspname::text, format('%I.%I', n.nspname, c.cfgname), NULL,
       quote_ident(c.cfgname),
       jsonb_strip_nulls(jsonb_build_object('definition', format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname,
         c.cfgname, pn.nspname, p.prsname), 'mappings', (
           SELECT jsonb_agg(jsonb_build_object('token', token, 'dictionaries', dictionaries) ORDER BY token) FROM (
             SELECT (SELECT k.alias FROM ts_token_type(c.cfgparser) k WHERE k.tokid = m.maptokentype) AS token,
               string_agg(format('%I.%I', dn.nspname, d.dictname), ', ' ORDER BY m.mapseqno) AS dictionaries
             FROM pg_ts_config_map m JOIN pg_ts_dict d ON d.oid = m.mapdict JOIN pg_namespace dn ON dn.oid = d.dictnamespace
             WHERE m.mapcfg = c.oid GROUP BY m.maptokentype) AS mapping)))
FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
JOIN pg_ts_parser p ON p.oid = c.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace
WHERE {user_namespace}
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_config'::regclass AND e.objid = c.oid AND e.deptype = 'e')
