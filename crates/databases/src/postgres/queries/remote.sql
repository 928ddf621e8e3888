-- What reaches beyond the database: foreign data, publications, subscriptions. Values of the
-- options of user mappings and connection strings are left out, since they hold passwords.
SELECT 'foreign_data_wrapper', 'pg_foreign_data_wrapper'::regclass::oid, w.oid, 0, NULL, quote_ident(w.fdwname), NULL, quote_ident(w.fdwname),
       jsonb_strip_nulls(jsonb_build_object('handler', nullif(w.fdwhandler, 0)::regproc::text,
         'validator', nullif(w.fdwvalidator, 0)::regproc::text,
         'foreign_options', (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(w.fdwoptions))))
FROM pg_foreign_data_wrapper w
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_foreign_data_wrapper'::regclass AND e.objid = w.oid AND e.deptype = 'e')
UNION ALL
SELECT 'server', 'pg_foreign_server'::regclass::oid, s.oid, 0, NULL, quote_ident(s.srvname), NULL, quote_ident(s.srvname),
       jsonb_strip_nulls(jsonb_build_object('wrapper', quote_ident(w.fdwname), 'type', s.srvtype, 'version', s.srvversion,
         'foreign_options', (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(s.srvoptions))))
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_foreign_server'::regclass AND e.objid = s.oid AND e.deptype = 'e')
UNION ALL
SELECT 'user_mapping', 'pg_user_mapping'::regclass::oid, m.umid, 0, NULL,
       format('FOR %s SERVER %I', CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE m.umuser::regrole::text END, m.srvname), quote_ident(m.srvname),
       CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE m.umuser::regrole::text END,
       jsonb_strip_nulls(jsonb_build_object('option_names',
         (SELECT jsonb_agg(option_name ORDER BY option_name) FROM pg_options_to_table(m.umoptions))))
FROM pg_user_mappings m
UNION ALL
SELECT 'publication', 'pg_publication'::regclass::oid, p.oid, 0, NULL, quote_ident(p.pubname), NULL, quote_ident(p.pubname),
       jsonb_strip_nulls(jsonb_build_object('all_tables', nullif(p.puballtables, false),
         'publish', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
           CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
         'via_root', nullif(p.pubviaroot, false), 'generated_columns', nullif(to_jsonb(p) ->> 'pubgencols', 'n'),
         'tables', (SELECT jsonb_agg({publication_table} ORDER BY tn.nspname, t.relname)
           FROM pg_publication_rel r JOIN pg_class t ON t.oid = r.prrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
           WHERE r.prpubid = p.oid),
         'schemas', {publication_schemas}))
FROM pg_publication p
UNION ALL
SELECT 'subscription', 'pg_subscription'::regclass::oid, s.oid, 0, NULL, quote_ident(s.subname), NULL, quote_ident(s.subname),
       jsonb_strip_nulls(jsonb_build_object('enabled', s.subenabled, 'slot', s.subslotname, 'binary', nullif(s.subbinary, false),
         'publications', (SELECT jsonb_agg(name ORDER BY name) FROM unnest(s.subpublications) AS name)))
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
