-- What needs what, as the server itself keeps it.
SELECT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
FROM pg_depend d
WHERE d.deptype IN ('n', 'a', 'i', 'P', 'S') AND d.objid >= 16384
AND (d.refobjid >= 16384 OR d.refclassid = 'pg_namespace'::regclass)
