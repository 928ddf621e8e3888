-- Parts of objects that dependencies name, and the object that each belongs to.
SELECT 'pg_rewrite'::regclass::oid, oid, 'pg_class'::regclass::oid, ev_class, 0 FROM pg_rewrite WHERE rulename = '_RETURN' AND oid >= 16384
UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 'pg_class'::regclass, d.adrelid, d.adnum FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
UNION ALL SELECT 'pg_class'::regclass, conindid, 'pg_constraint'::regclass, oid, 0 FROM pg_constraint WHERE contype IN ('p', 'u', 'x')
UNION ALL SELECT 'pg_type'::regclass, oid, 'pg_class'::regclass, typrelid, 0 FROM pg_type WHERE typrelid <> 0 AND oid >= 16384
UNION ALL SELECT 'pg_type'::regclass, e.typarray, 'pg_type'::regclass, e.oid, 0 FROM pg_type e WHERE e.typarray <> 0 AND e.oid >= 16384
UNION ALL SELECT 'pg_type'::regclass, r.rngmultitypid, 'pg_type'::regclass, r.rngtypid, 0 FROM pg_range r WHERE r.rngtypid >= 16384
UNION ALL SELECT 'pg_publication_rel'::regclass, oid, 'pg_publication'::regclass, prpubid, 0 FROM pg_publication_rel
{publication_aliases}
UNION ALL SELECT 'pg_amop'::regclass, oid, 'pg_opfamily'::regclass, amopfamily, 0 FROM pg_amop WHERE oid >= 16384
UNION ALL SELECT 'pg_amproc'::regclass, oid, 'pg_opfamily'::regclass, amprocfamily, 0 FROM pg_amproc WHERE oid >= 16384
UNION ALL SELECT classid, objid, refclassid, refobjid, 0 FROM pg_depend WHERE deptype = 'e'
