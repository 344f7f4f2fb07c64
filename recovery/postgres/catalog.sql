-- One row per property: (object, property, value). An absent property has no row.
-- Placeholders in braces are expressions that differ between server versions; catalog.py fills them in.
-- Every block ends in a condition on {scope_*}: the objects asked for, or all that are not the system's.
-- Comments and privileges are in remarks.sql. A statement whose effect no block reads is open (RULES E4).

-- block: schemas
SELECT format('schema %I', n.nspname), 'exists', 'yes'
FROM pg_catalog.pg_namespace n
WHERE {scope_schema}

-- block: extensions
SELECT format('extension %I', e.extname), p.property, p.value
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
CROSS JOIN LATERAL (VALUES ('exists', 'yes'), ('schema', n.nspname::text), ('version', e.extversion)) p(property, value)
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
    ('inherits', (SELECT string_agg(i.inhparent::regclass::text || {detach_pending}, ', ' ORDER BY i.inhseqno)
                  FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)),
    ('of type', CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END),
    -- 2 is heap's oid on every server; a partitioned table without an access method of its own has 0
    ('access method', CASE WHEN c.relkind IN ('r', 'p', 'm') AND c.relam NOT IN (0, 2) THEN
        (SELECT m.amname::text FROM pg_catalog.pg_am m WHERE m.oid = c.relam) END),
    ('row security', CASE WHEN c.relkind IN ('r', 'p') THEN
        CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'disabled' END
        || CASE WHEN c.relforcerowsecurity THEN ', forced' ELSE '' END END),
    ('replica identity', CASE WHEN c.relkind IN ('r', 'p') THEN
        CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE
            'index ' || (SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i
                         WHERE i.indrelid = c.oid AND i.indisreplident) END END),
    ('options', CASE WHEN c.reloptions IS NOT NULL THEN
        (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o) END),
    ('toast options', CASE WHEN c.reltoastrelid <> 0 THEN
        (SELECT array_to_string(o.reloptions, ', ') FROM pg_catalog.pg_class o WHERE o.oid = c.reltoastrelid) END),
    ('definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END),
    ('populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated::text END)
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
-- Two arrays, not VALUES, which is set up anew for each column; most rows of a snapshot belong to columns.
CROSS JOIN LATERAL unnest(
    ARRAY['', ' type', ' nullability', ' default', ' generated', ' identity', ' collation', ' storage',
          ' statistics', ' compression', ' options'],
    ARRAY[
        'exists',
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        CASE WHEN c.relkind IN ('v', 'm') THEN NULL WHEN NOT a.attnotnull THEN 'null'
             WHEN {invalid_not_null} THEN 'not null, not valid' ELSE 'not null' END,
        CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        CASE WHEN a.attgenerated <> '' THEN
            CASE a.attgenerated WHEN 's' THEN 'stored ' ELSE 'virtual ' END
            || pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
        CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
        CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
        CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END,
        {compression},
        CASE WHEN a.attoptions IS NOT NULL THEN
            (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o) END
    ]
) p(property, value)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND p.value IS NOT NULL AND {scope_relation}

-- block: constraints
SELECT format('table %I.%I', n.nspname, c.relname), format('constraint %I', x.conname),
       pg_catalog.pg_get_constraintdef(x.oid)
FROM pg_catalog.pg_constraint x
JOIN pg_catalog.pg_class c ON c.oid = x.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
-- Left out: the copies of a foreign key to a partitioned table, one per partition, whose names depend on the version.
-- Left out: a plain NOT NULL, which is the column's nullability. Version 18 also has invalid and uninherited ones.
WHERE (x.contype IN ('c', 'f', 'p', 'u', 'x') OR (x.contype = 'n' AND (x.connoinherit OR NOT x.convalidated)))
  AND NOT (x.contype = 'f' AND x.conparentid <> 0 AND EXISTS (
      SELECT FROM pg_catalog.pg_constraint y WHERE y.oid = x.conparentid AND y.conrelid = x.conrelid))
  AND {scope_relation}

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
        SELECT a.attnum AS position,
               CASE WHEN b.attname IS NULL THEN pg_catalog.pg_get_indexdef(x.indexrelid, a.attnum, false)
                    ELSE quote_ident(b.attname) END
               || CASE WHEN a.attnum > x.indnkeyatts THEN '' ELSE
                    CASE WHEN x.indcollation[a.attnum - 1] IN (0, y.typcollation) THEN ''
                         WHEN x.indcollation[a.attnum - 1] = b.attcollation THEN ''
                         ELSE ' collate ' || x.indcollation[a.attnum - 1]::regcollation::text END
                    || CASE WHEN a.attoptions IS NULL AND x.indclass[a.attnum - 1] IN
                                 (SELECT o.oid FROM pg_catalog.pg_opclass o WHERE o.opcdefault) THEN ''
                            ELSE (SELECT ' ' || o.opcname FROM pg_catalog.pg_opclass o
                                  WHERE o.oid = x.indclass[a.attnum - 1])
                                 || coalesce(' (' || array_to_string(a.attoptions, ', ') || ')', '') END
                    || CASE WHEN x.indoption[a.attnum - 1] & 1 = 1 THEN ' desc' ELSE '' END
                    || CASE x.indoption[a.attnum - 1] & 3 WHEN 2 THEN ' nulls first' WHEN 1 THEN ' nulls last'
                            ELSE '' END
                  END AS text
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
        -- OFFSET forces a look-up; a join would read all columns of the table for each index.
        LEFT JOIN LATERAL (SELECT t.attname, t.attcollation FROM pg_catalog.pg_attribute t
                           WHERE t.attrelid = x.indrelid AND t.attnum = x.indkey[a.attnum - 1] OFFSET 0) b ON true
        WHERE a.attrelid = x.indexrelid AND a.attnum > 0
    ) k
) columns
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('table', format('%I.%I', n.nspname, c.relname)),
    ('method', m.amname::text),
    ('unique', CASE WHEN x.indisunique THEN 'yes' ELSE 'no' END
               || CASE WHEN i.oid IN (SELECT k.conindid FROM pg_catalog.pg_constraint k
                                  WHERE k.contype IN ('p', 'u', 'x') AND {constraint_near_index})
                       THEN ', of a constraint' ELSE '' END
               || CASE WHEN {nulls_not_distinct} THEN ', nulls not distinct' ELSE '' END),
    ('columns', columns.keys),
    ('include', columns.included),
    ('predicate', pg_catalog.pg_get_expr(x.indpred, x.indrelid)),
    ('valid', CASE WHEN x.indisvalid AND x.indisready THEN 'yes' ELSE 'no' END),
    ('clustered', CASE WHEN x.indisclustered THEN 'yes' END),
    ('part of', CASE WHEN i.relispartition THEN
        (SELECT h.inhparent::regclass::text FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.oid) END),
    ('options', CASE WHEN i.reloptions IS NOT NULL THEN
        (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(i.reloptions) o) END)
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_index}

-- block: triggers
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, n.nspname, c.relname),
       format('trigger %I%s', t.tgname, p.property), p.value
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('', pg_catalog.pg_get_triggerdef(t.oid)),
    (' enabled', CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica'
                                  ELSE 'always' END)
) p(property, value)
WHERE {trigger} AND p.value IS NOT NULL AND {scope_relation}

-- block: system_triggers
SELECT format('table %I.%I', n.nspname, c.relname), format('constraint %I triggers', x.conname),
       string_agg(DISTINCT CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END, ', ')
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_constraint x ON x.oid = t.tgconstraint
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgisinternal AND t.tgenabled <> 'O' AND x.contype <> 't' AND {scope_relation}
GROUP BY 1, 2

-- block: rules
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, n.nspname, c.relname),
       format('rule %I', r.rulename), pg_catalog.pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {scope_relation}

-- block: policies
SELECT format('table %I.%I', n.nspname, c.relname), format('policy %I', y.polname),
       concat_ws(' ', 'AS', CASE WHEN y.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                 'FOR', CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                      WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                 'TO', (SELECT string_agg(CASE WHEN o = 0 THEN 'PUBLIC'
                                               ELSE quote_ident(pg_catalog.pg_get_userbyid(o)) END,
                                          ', ' ORDER BY o = 0, pg_catalog.pg_get_userbyid(o))
                        FROM unnest(y.polroles) o),
                 'USING (' || pg_catalog.pg_get_expr(y.polqual, y.polrelid) || ')',
                 'WITH CHECK (' || pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid) || ')')
FROM pg_catalog.pg_policy y
JOIN pg_catalog.pg_class c ON c.oid = y.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {scope_relation}

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
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1))
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
    ('labels', CASE WHEN t.typtype = 'e' THEN
        (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
         FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) END),
    ('base type', CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END),
    ('nullability', CASE WHEN t.typtype = 'd' THEN CASE WHEN t.typnotnull THEN 'not null' ELSE 'null' END END),
    ('default', CASE WHEN t.typtype = 'd' THEN coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typdefault) END),
    ('collation', CASE WHEN t.typtype = 'd' AND t.typcollation <> (
        SELECT b.typcollation FROM pg_catalog.pg_type b WHERE b.oid = t.typbasetype)
        THEN t.typcollation::regcollation::text END),
    ('attributes', CASE WHEN t.typtype = 'c' THEN
        (SELECT string_agg(format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
                           || CASE WHEN a.attcollation <> b.typcollation
                                   THEN ' collate ' || a.attcollation::regcollation::text ELSE '' END,
                           ', ' ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute a
         JOIN pg_catalog.pg_type b ON b.oid = a.atttypid
         WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END),
    ('subtype', CASE WHEN t.typtype = 'r' THEN
        (SELECT pg_catalog.format_type(r.rngsubtype, NULL)
                || CASE WHEN o.opcdefault THEN '' ELSE ' ' || o.opcname END
                || CASE WHEN r.rngcollation IN (0, b.typcollation) THEN ''
                        ELSE ' collate ' || r.rngcollation::regcollation::text END
                || CASE WHEN r.rngcanonical = 0 THEN '' ELSE ' canonical ' || r.rngcanonical::text END
                || CASE WHEN r.rngsubdiff = 0 THEN '' ELSE ' difference ' || r.rngsubdiff::text END
         FROM pg_catalog.pg_range r
         JOIN pg_catalog.pg_type b ON b.oid = r.rngsubtype
         JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
         WHERE r.rngtypid = t.oid) END)
) p(property, value)
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
  AND p.value IS NOT NULL AND {scope_type}

-- block: type_constraints
SELECT format('type %I.%I', n.nspname, t.typname), format('constraint %I', x.conname),
       pg_catalog.pg_get_constraintdef(x.oid)
FROM pg_catalog.pg_constraint x
JOIN pg_catalog.pg_type t ON t.oid = x.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE x.contype = 'c' AND x.conrelid = 0 AND {scope_type}

-- block: collations
SELECT format('collation %I.%I', n.nspname, l.collname), p.property, p.value
FROM pg_catalog.pg_collation l
JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('collation', concat_ws(', ', 'provider ' || l.collprovider::text, {collation_locale},
        CASE WHEN l.collctype <> l.collcollate THEN 'characters ' || l.collctype::text END,
        CASE WHEN NOT l.collisdeterministic THEN 'not deterministic' END, 'rules ' || {collation_rules}))
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_collation}

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
    ('window', CASE WHEN f.prokind = 'w' THEN 'yes' END),
    ('settings', CASE WHEN f.proconfig IS NOT NULL THEN
        (SELECT string_agg(s, ', ' ORDER BY s) FROM unnest(f.proconfig) s) END),
    ('transforms', f.protrftypes::regtype[]::text),
    ('aggregate', CASE WHEN f.prokind = 'a' THEN
        (SELECT concat_ws(' ', g.aggkind, g.aggnumdirectargs, g.aggtransfn,
                          pg_catalog.format_type(g.aggtranstype, NULL), g.aggtransspace, quote_nullable(g.agginitval),
                          g.aggfinalfn, g.aggfinalextra, g.aggfinalmodify, g.aggcombinefn, g.aggserialfn,
                          g.aggdeserialfn, g.aggsortop::regoperator, 'moving', g.aggmtransfn, g.aggminvtransfn,
                          nullif(g.aggmtranstype, 0)::regtype, g.aggmtransspace, quote_nullable(g.aggminitval),
                          g.aggmfinalfn, g.aggmfinalextra, g.aggmfinalmodify)
         FROM pg_catalog.pg_aggregate g WHERE g.aggfnoid = f.oid) END)
) p(property, value)
-- Left out: the constructors of a range type, which come with it; version 14 added more.
WHERE NOT (l.lanname = 'internal' AND f.prosrc ~ '^(multi)?range_constructor[0-3]$')
  AND p.value IS NOT NULL AND {scope_function}

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
    ('tables', CASE WHEN b.puballtables THEN 'all' END),
    ('partitions', CASE WHEN b.pubviaroot THEN 'as their root' END),
    ('generated columns', {publication_generated})
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_publication}

-- block: publication_tables
SELECT format('publication %I', b.pubname), format('table %s', r.prrelid::regclass),
       concat_ws(' ', 'published', {publication_columns}, {publication_filter})
FROM pg_catalog.pg_publication_rel r
JOIN pg_catalog.pg_publication b ON b.oid = r.prpubid
WHERE {scope_publication}
{publication_schemas}
-- block: event_triggers
SELECT format('event trigger %I', v.evtname), 'exists',
       concat_ws(' ', v.evtevent, v.evtfoid::regprocedure::text, v.evtenabled::text,
                 array_to_string(v.evttags, ','))
FROM pg_catalog.pg_event_trigger v
WHERE {scope_event_trigger}
