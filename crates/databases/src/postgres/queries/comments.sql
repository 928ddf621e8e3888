-- Comments, except those on the row types of tables, which would be taken for the table's.
SELECT d.classoid, d.objoid, d.objsubid, d.description FROM pg_description d
LEFT JOIN pg_type t ON d.classoid = 'pg_type'::regclass AND t.oid = d.objoid AND t.typrelid <> 0
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE (d.objoid >= 16384 OR d.classoid IN ('pg_namespace'::regclass, 'pg_extension'::regclass))
AND (t.oid IS NULL OR c.relkind = 'c')
