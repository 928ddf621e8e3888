-- Owners, and privileges where they are not the ones that everything has from the start.
WITH owned AS (
  SELECT 'pg_class'::regclass::oid AS class, c.oid, 0 AS sub, c.relowner AS owner, c.relacl AS acl,
         CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END AS kind
  FROM pg_class c WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.oid >= 16384
  UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum, c.relowner, a.attacl, NULL
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attacl IS NOT NULL AND a.attrelid >= 16384 AND NOT a.attisdropped
  UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, nspowner, nspacl, 'n' FROM pg_namespace
  UNION ALL SELECT 'pg_proc'::regclass, oid, 0, proowner, proacl, 'f' FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, t.typowner, t.typacl, 'T' FROM pg_type t
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE t.oid >= 16384 AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0 OR c.relkind = 'c')
  UNION ALL SELECT 'pg_language'::regclass, oid, 0, lanowner, lanacl, 'l' FROM pg_language WHERE oid >= 16384
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwowner, fdwacl, 'F' FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, 0, srvowner, srvacl, 'S' FROM pg_foreign_server
  UNION ALL SELECT 'pg_default_acl'::regclass, oid, 0, defaclrole, defaclacl, NULL FROM pg_default_acl
  UNION ALL SELECT 'pg_operator'::regclass, oid, 0, oprowner, NULL, NULL FROM pg_operator WHERE oid >= 16384
  UNION ALL SELECT 'pg_opclass'::regclass, oid, 0, opcowner, NULL, NULL FROM pg_opclass WHERE oid >= 16384
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, 0, opfowner, NULL, NULL FROM pg_opfamily WHERE oid >= 16384
  UNION ALL SELECT 'pg_collation'::regclass, oid, 0, collowner, NULL, NULL FROM pg_collation WHERE oid >= 16384
  UNION ALL SELECT 'pg_conversion'::regclass, oid, 0, conowner, NULL, NULL FROM pg_conversion WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, 0, dictowner, NULL, NULL FROM pg_ts_dict WHERE oid >= 16384
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, 0, cfgowner, NULL, NULL FROM pg_ts_config WHERE oid >= 16384
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 0, stxowner, NULL, NULL FROM pg_statistic_ext
  UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 0, evtowner, NULL, NULL FROM pg_event_trigger
  UNION ALL SELECT 'pg_publication'::regclass, oid, 0, pubowner, NULL, NULL FROM pg_publication
  UNION ALL SELECT 'pg_subscription'::regclass, oid, 0, subowner, NULL, NULL FROM pg_subscription)
SELECT class, oid, sub::int4, CASE WHEN sub = 0 AND class <> 'pg_default_acl'::regclass THEN owner::regrole::text END,
  CASE WHEN acl IS NOT NULL AND (kind IS NULL OR NOT (acl @> acldefault(kind::"char", owner) AND acldefault(kind::"char", owner) @> acl))
  THEN (SELECT coalesce(jsonb_agg(jsonb_build_object('to', grantee, 'privileges', privileges, 'by', grantor) ORDER BY grantee, grantor), '[]')
    FROM (SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS grantee, x.grantor::regrole::text AS grantor,
      jsonb_agg(x.privilege_type || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END ORDER BY x.privilege_type) AS privileges
      FROM aclexplode(acl) AS x GROUP BY 1, 2) AS entry) END
FROM owned
