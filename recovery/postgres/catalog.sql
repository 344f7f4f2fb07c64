-- One row a property: (object, property, value). A property that is absent has no row.
-- Placeholders in braces are expressions that differ between server versions; catalog.py fills them in.
-- Every block ends in a condition on {scope_*}: the objects asked for, or all that are not the system's.

-- block: schemas
SELECT format('schema %I', n.nspname), p.property, p.value
FROM pg_catalog.pg_namespace n
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('comment', pg_catalog.obj_description(n.oid, 'pg_namespace'))
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_schema}

-- block: extensions
SELECT format('extension %I', e.extname), 'exists', 'yes'
FROM pg_catalog.pg_extension e
WHERE {scope_extension}

-- block: tables
SELECT format('%s %I.%I', k.kind, n.nspname, c.relname), p.property, p.value
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                          WHEN 'f' THEN 'foreign table' ELSE 'table' END) k(kind)
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('persistence', CASE WHEN c.relkind IN ('r', 'p') THEN
        CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END END),
    ('partition key', CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END),
    ('partition bound', pg_catalog.pg_get_expr(c.relpartbound, c.oid)),
    ('inherits', (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                  FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)),
    ('row security', CASE WHEN c.relkind IN ('r', 'p') THEN
        CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'disabled' END
        || CASE WHEN c.relforcerowsecurity THEN ', forced' ELSE '' END END),
    ('replica identity', CASE WHEN c.relkind IN ('r', 'p') THEN
        CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE
            'index ' || (SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i
                         WHERE i.indrelid = c.oid AND i.indisreplident) END END),
    ('options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o)),
    ('definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END),
    ('populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated::text END),
    ('comment', pg_catalog.obj_description(c.oid, 'pg_class'))
) p(property, value)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND p.value IS NOT NULL AND {scope_relation}

-- block: columns
SELECT format('%s %I.%I', k.kind, n.nspname, c.relname), format('column %I%s', a.attname, p.property), p.value
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                          WHEN 'f' THEN 'foreign table' ELSE 'table' END) k(kind)
CROSS JOIN LATERAL (VALUES
    ('', 'exists'),
    (' type', pg_catalog.format_type(a.atttypid, a.atttypmod)),
    (' nullability', CASE WHEN c.relkind IN ('v', 'm') THEN NULL WHEN a.attnotnull THEN 'not null' ELSE 'null' END),
    (' default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END),
    (' generated', CASE WHEN a.attgenerated <> '' THEN
        CASE a.attgenerated WHEN 's' THEN 'stored ' ELSE 'virtual ' END
        || pg_catalog.pg_get_expr(d.adbin, d.adrelid) END),
    (' identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END),
    (' collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END),
    (' storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END),
    (' statistics', CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END),
    (' compression', {compression}),
    (' options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o)),
    (' comment', pg_catalog.col_description(c.oid, a.attnum))
) p(property, value)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND p.value IS NOT NULL AND {scope_relation}

-- block: constraints
SELECT format('table %I.%I', n.nspname, c.relname), format('constraint %I%s', x.conname, p.property), p.value
FROM pg_catalog.pg_constraint x
JOIN pg_catalog.pg_class c ON c.oid = x.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('', pg_catalog.pg_get_constraintdef(x.oid)),
    (' comment', pg_catalog.obj_description(x.oid, 'pg_constraint'))
) p(property, value)
WHERE x.contype IN ('c', 'f', 'p', 'u', 'x') AND p.value IS NOT NULL AND {scope_relation}

-- block: indexes
SELECT format('index %I.%I', n.nspname, i.relname), p.property, p.value
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = i.relam
CROSS JOIN LATERAL (
    SELECT string_agg(k.text, ', ' ORDER BY k.position) FILTER (WHERE k.position <= x.indnkeyatts) AS keys,
           string_agg(k.text, ', ' ORDER BY k.position) FILTER (WHERE k.position > x.indnkeyatts) AS included
    FROM (
        SELECT g.position,
               pg_catalog.pg_get_indexdef(x.indexrelid, g.position, false)
               || CASE WHEN g.position > x.indnkeyatts THEN '' ELSE
                    CASE WHEN o.opcdefault THEN '' ELSE ' ' || o.opcname END
                    || CASE WHEN x.indcollation[g.position - 1] IN (0, y.typcollation) THEN ''
                            WHEN x.indcollation[g.position - 1] = b.attcollation THEN ''
                            ELSE ' collate ' || x.indcollation[g.position - 1]::regcollation::text END
                    || CASE WHEN x.indoption[g.position - 1] & 1 = 1 THEN ' desc' ELSE '' END
                    || CASE x.indoption[g.position - 1] & 3 WHEN 2 THEN ' nulls first' WHEN 1 THEN ' nulls last'
                            ELSE '' END
                  END AS text
        FROM generate_series(1, x.indnatts::int) g(position)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indexrelid AND a.attnum = g.position
        JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = x.indrelid
            AND x.indkey[g.position - 1] <> 0 AND b.attnum = x.indkey[g.position - 1]
        LEFT JOIN pg_catalog.pg_opclass o ON g.position <= x.indnkeyatts AND o.oid = x.indclass[g.position - 1]
    ) k
) columns
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('table', format('%I.%I', n.nspname, c.relname)),
    ('method', m.amname::text),
    ('unique', CASE WHEN x.indisunique THEN 'yes' ELSE 'no' END
               || CASE WHEN {nulls_not_distinct} THEN ', nulls not distinct' ELSE '' END),
    ('columns', columns.keys),
    ('include', columns.included),
    ('predicate', pg_catalog.pg_get_expr(x.indpred, x.indrelid)),
    ('valid', CASE WHEN x.indisvalid AND x.indisready THEN 'yes' ELSE 'no' END),
    ('clustered', CASE WHEN x.indisclustered THEN 'yes' END),
    ('options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(i.reloptions) o)),
    ('comment', pg_catalog.obj_description(i.oid, 'pg_class'))
) p(property, value)
WHERE p.value IS NOT NULL AND ({scope_relation} OR {scope_index})

-- block: triggers
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, n.nspname, c.relname),
       format('trigger %I%s', t.tgname, p.property), p.value
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('', pg_catalog.pg_get_triggerdef(t.oid)),
    (' enabled', CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'
                                  ELSE 'always' END),
    (' comment', pg_catalog.obj_description(t.oid, 'pg_trigger'))
) p(property, value)
WHERE NOT t.tgisinternal AND p.value IS NOT NULL AND {scope_relation}

-- block: rules
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, n.nspname, c.relname),
       format('rule %I', r.rulename), pg_catalog.pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {scope_relation}

-- block: policies
SELECT format('table %I.%I', n.nspname, c.relname), format('policy %I', y.polname),
       concat_ws(' ', CASE WHEN y.polpermissive THEN 'permissive' ELSE 'restrictive' END,
                 'for', CASE y.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                                      WHEN 'd' THEN 'delete' ELSE 'all' END,
                 'to', (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(o)::text END,
                                          ', ' ORDER BY o = 0, pg_catalog.pg_get_userbyid(o))
                        FROM unnest(y.polroles) o),
                 'using', coalesce(pg_catalog.pg_get_expr(y.polqual, y.polrelid), '-'),
                 'check', coalesce(pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid), '-'))
FROM pg_catalog.pg_policy y
JOIN pg_catalog.pg_class c ON c.oid = y.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {scope_relation}

-- block: privileges
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                               WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END,
              n.nspname, c.relname),
       format('privileges of %s', CASE WHEN x.grantee = 0 THEN 'public'
                                       ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END),
       string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND x.grantee <> c.relowner AND {scope_relation}
GROUP BY 1, 2

-- block: schema_privileges
SELECT format('schema %I', n.nspname),
       format('privileges of %s', CASE WHEN x.grantee = 0 THEN 'public'
                                       ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END),
       string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
FROM pg_catalog.pg_namespace n
CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) x
WHERE x.grantee <> n.nspowner AND {scope_schema}
GROUP BY 1, 2

-- block: sequences
SELECT format('sequence %I.%I', n.nspname, c.relname), p.property, p.value
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('type', pg_catalog.format_type(s.seqtypid, NULL)),
    ('start', s.seqstart::text),
    ('increment', s.seqincrement::text),
    ('minimum', s.seqmin::text),
    ('maximum', s.seqmax::text),
    ('cache', s.seqcache::text),
    ('cycle', s.seqcycle::text),
    ('owned by', (SELECT format('%I.%I.%I', tn.nspname, tc.relname, ta.attname)
                  FROM pg_catalog.pg_depend d
                  JOIN pg_catalog.pg_class tc ON tc.oid = d.refobjid
                  JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
                  JOIN pg_catalog.pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1)),
    ('comment', pg_catalog.obj_description(c.oid, 'pg_class'))
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_relation}

-- block: types
SELECT format('type %I.%I', n.nspname, t.typname), p.property, p.value
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('kind', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite'
                            WHEN 'r' THEN 'range' ELSE t.typtype::text END),
    ('labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)),
    ('base type', CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END),
    ('nullability', CASE WHEN t.typtype = 'd' THEN CASE WHEN t.typnotnull THEN 'not null' ELSE 'null' END END),
    ('default', CASE WHEN t.typtype = 'd' THEN t.typdefault END),
    ('constraints', (SELECT string_agg(format('%I %s', x.conname, pg_catalog.pg_get_constraintdef(x.oid)), ', '
                                       ORDER BY x.conname)
                     FROM pg_catalog.pg_constraint x WHERE x.contypid = t.oid AND x.contype = 'c')),
    ('attributes', CASE WHEN t.typtype = 'c' THEN
        (SELECT string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', '
                           ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END),
    ('subtype', (SELECT pg_catalog.format_type(r.rngsubtype, NULL)
                 FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)),
    ('comment', pg_catalog.obj_description(t.oid, 'pg_type'))
) p(property, value)
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
  AND p.value IS NOT NULL AND {scope_type}

-- block: functions
SELECT format('%s %I.%I(%s)', k.kind, n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)),
       p.property, p.value
FROM pg_catalog.pg_proc f
JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = f.prolang
CROSS JOIN LATERAL (SELECT CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END)
    k(kind)
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('arguments', pg_catalog.pg_get_function_arguments(f.oid)),
    ('result', pg_catalog.pg_get_function_result(f.oid)),
    ('language', l.lanname::text),
    ('body', CASE WHEN f.prokind <> 'a' THEN coalesce({sql_body}, f.prosrc) END),
    ('volatility', f.provolatile::text || CASE WHEN f.proisstrict THEN ' strict' ELSE '' END
                   || CASE WHEN f.proleakproof THEN ' leakproof' ELSE '' END || ' parallel ' || f.proparallel::text),
    ('security', CASE WHEN f.prosecdef THEN 'definer' ELSE 'invoker' END),
    ('cost', format('%s rows %s', f.procost, f.prorows)),
    ('settings', (SELECT string_agg(s, ', ' ORDER BY s) FROM unnest(f.proconfig) s)),
    ('comment', pg_catalog.obj_description(f.oid, 'pg_proc'))
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_function}

-- block: statistics
SELECT format('statistics %I.%I', n.nspname, s.stxname), 'exists', pg_catalog.pg_get_statisticsobjdef(s.oid)
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
WHERE {scope_statistics}

-- block: publications
SELECT format('publication %I', b.pubname), p.property, p.value
FROM pg_catalog.pg_publication b
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('publishes', concat_ws(' ', CASE WHEN b.pubinsert THEN 'insert' END, CASE WHEN b.pubupdate THEN 'update' END,
                            CASE WHEN b.pubdelete THEN 'delete' END, CASE WHEN b.pubtruncate THEN 'truncate' END)),
    ('tables', CASE WHEN b.puballtables THEN 'all' ELSE
        (SELECT string_agg(r.prrelid::regclass::text, ', ' ORDER BY r.prrelid::regclass::text)
         FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = b.oid) END)
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_publication}

-- block: event_triggers
SELECT format('event trigger %I', v.evtname), 'exists',
       concat_ws(' ', v.evtevent, v.evtfoid::regprocedure::text, v.evtenabled::text,
                 array_to_string(v.evttags, ','))
FROM pg_catalog.pg_event_trigger v
WHERE {scope_event_trigger}
