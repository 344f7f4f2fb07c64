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
          ' statistics', ' compression', ' options', ' inheritance'],
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
            (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o) END,
        -- What the parents' lists tell of a child is not told again; a partition has no columns of its own.
        CASE WHEN a.attinhcount > 0 AND a.attislocal AND NOT c.relispartition THEN 'its own, too' END
    ]
) p(property, value)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND p.value IS NOT NULL AND {scope_relation}

-- block: constraints
SELECT format('%s %I.%I', CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, n.nspname, c.relname),
       format('constraint %I%s', x.conname, p.property), p.value
FROM pg_catalog.pg_constraint x
JOIN pg_catalog.pg_class c ON c.oid = x.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
-- A CHECK that is a child's own, too, outlives its parent's.
CROSS JOIN LATERAL unnest(
    ARRAY['', ' inheritance'],
    ARRAY[
        pg_catalog.pg_get_constraintdef(x.oid),
        CASE WHEN x.contype = 'c' AND x.coninhcount > 0 AND x.conislocal AND NOT c.relispartition THEN 'its own, too' END
    ]
) p(property, value)
-- Left out: the copies of a foreign key to a partitioned table, one per partition, whose names depend on the version.
-- Left out: a plain NOT NULL, which is the column's nullability. Version 18 also has invalid and uninherited ones.
WHERE (x.contype IN ('c', 'f', 'p', 'u', 'x') OR (x.contype = 'n' AND (x.connoinherit OR NOT x.convalidated)))
  AND NOT (x.contype = 'f' AND x.conparentid <> 0 AND EXISTS (
      SELECT FROM pg_catalog.pg_constraint y WHERE y.oid = x.conparentid AND y.conrelid = x.conrelid))
  AND p.value IS NOT NULL AND {scope_relation}

-- block: indexes
SELECT format('index %I.%I', n.nspname, i.relname), p.property, p.value
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = i.relam
CROSS JOIN LATERAL (
    SELECT string_agg(k.text, ', ' ORDER BY k.position) FILTER (WHERE k.position <= x.indnkeyatts) AS keys,
           string_agg(k.text, ', ' ORDER BY k.position) FILTER (WHERE k.position > x.indnkeyatts) AS included,
           string_agg(format('column %s to %s', k.position, k.target), ', ' ORDER BY k.position)
               FILTER (WHERE k.target >= 0) AS targets
    FROM (
        SELECT a.attnum AS position, a.attstattarget AS target,
               CASE WHEN b.attname IS NULL THEN pg_catalog.pg_get_indexdef(x.indexrelid, a.attnum, false)
                    ELSE quote_ident(b.attname) END
               || CASE WHEN a.attnum > x.indnkeyatts THEN '' ELSE
                    -- The collation that the index has without COLLATE: the column's, and of an expression its type's.
                    CASE WHEN x.indcollation[a.attnum - 1] IN (0, coalesce(b.attcollation, y.typcollation)) THEN ''
                         ELSE ' collate ' || x.indcollation[a.attnum - 1]::regcollation::text END
                    -- A class that is another type's default is named, too; one of a preferred or polymorphic type is
                    -- what PostgreSQL chooses for a type that has no default of its own.
                    || CASE WHEN a.attoptions IS NULL AND (x.indclass[a.attnum - 1], coalesce(b.atttypid, a.atttypid)) IN
                                 (SELECT o.oid, o.opcintype FROM pg_catalog.pg_opclass o WHERE o.opcdefault) THEN ''
                            WHEN a.attoptions IS NULL AND x.indclass[a.attnum - 1] IN
                                     (SELECT o.oid FROM pg_catalog.pg_opclass o
                                      JOIN pg_catalog.pg_type u ON u.oid = o.opcintype
                                      WHERE o.opcdefault AND (u.typispreferred OR u.typtype = 'p'))
                                 AND (i.relam, coalesce(b.atttypid, a.atttypid)) NOT IN
                                     (SELECT o.opcmethod, o.opcintype FROM pg_catalog.pg_opclass o WHERE o.opcdefault)
                            THEN ''
                            -- An extension's class is named without its schema, which is not the same on every server.
                            ELSE (SELECT ' ' || CASE WHEN o.oid < 16384 OR EXISTS (
                                         SELECT FROM pg_catalog.pg_depend z
                                         WHERE z.classid = 'pg_catalog.pg_opclass'::regclass AND z.objid = o.oid
                                           AND z.deptype = 'e') THEN o.opcname::text
                                     ELSE format('%I.%I', w.nspname, o.opcname) END
                                  FROM pg_catalog.pg_opclass o
                                  JOIN pg_catalog.pg_namespace w ON w.oid = o.opcnamespace
                                  WHERE o.oid = x.indclass[a.attnum - 1])
                                 || coalesce(' (' || array_to_string(a.attoptions, ', ') || ')', '') END
                    || CASE WHEN x.indoption[a.attnum - 1] & 1 = 1 THEN ' desc' ELSE '' END
                    || CASE x.indoption[a.attnum - 1] & 3 WHEN 2 THEN ' nulls first' WHEN 1 THEN ' nulls last'
                            ELSE '' END
                  END AS text
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
        -- OFFSET forces a look-up; a join would read all columns of the table for each index.
        LEFT JOIN LATERAL (SELECT t.attname, t.attcollation, t.atttypid FROM pg_catalog.pg_attribute t
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
    ('valid', CASE WHEN x.indisvalid AND x.indisready AND x.indislive THEN 'yes' ELSE 'no' END),
    ('clustered', CASE WHEN x.indisclustered THEN 'yes' END),
    ('statistics', columns.targets),
    ('part of', CASE WHEN i.relispartition THEN
        (SELECT h.inhparent::regclass::text FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.oid) END),
    ('options', CASE WHEN i.reloptions IS NOT NULL THEN
        (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(i.reloptions) o) END)
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_index}

-- block: triggers
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
              n.nspname, c.relname),
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
    -- The first number that it will give; absent once it has given one, since that depends on rows. When it
    -- counts is told by `_unlike` in states/comparison.py.
    ('next value', CASE WHEN has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
                        THEN {next_value} ELSE 'not readable by this role' END),
    ('persistence', CASE WHEN {sequence_unlogged} THEN 'unlogged' END),
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
                            WHEN 'r' THEN 'range' ELSE 'shell' END),
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
                || {multirange}
         FROM pg_catalog.pg_range r
         JOIN pg_catalog.pg_type b ON b.oid = r.rngsubtype
         JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
         WHERE r.rngtypid = t.oid) END)
) p(property, value)
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c') OR NOT t.typisdefined)
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
    ('language', concat_ws(' ', l.lanname, f.probin)),
    ('body', CASE WHEN f.prokind <> 'a' THEN coalesce({sql_body}, f.prosrc) END),
    ('volatility', f.provolatile::text || CASE WHEN f.proisstrict THEN ' strict' ELSE '' END
                   || CASE WHEN f.proleakproof THEN ' leakproof' ELSE '' END || ' parallel ' || f.proparallel::text),
    ('security', CASE WHEN f.prosecdef THEN 'definer' ELSE 'invoker' END),
    ('cost', format('%s rows %s', f.procost, f.prorows)),
    ('support', CASE WHEN f.prosupport <> 0 THEN f.prosupport::regprocedure::text END),
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
SELECT format('statistics %I.%I', n.nspname, s.stxname), p.property, p.value
FROM pg_catalog.pg_statistic_ext s
JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
CROSS JOIN LATERAL (VALUES
    ('exists', pg_catalog.pg_get_statisticsobjdef(s.oid)),
    ('target', CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget::text END)
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_statistics}

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

-- block: operators
SELECT format('operator %s.%I(%s, %s)', o.oprnamespace::regnamespace, o.oprname,
              CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE pg_catalog.format_type(o.oprleft, NULL) END,
              pg_catalog.format_type(o.oprright, NULL)), p.property, p.value
FROM pg_catalog.pg_operator o
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('operator', concat_ws(', ', 'function ' || nullif(o.oprcode, 0)::regprocedure::text,
        'result ' || pg_catalog.format_type(nullif(o.oprresult, 0), NULL),
        'commutator ' || nullif(o.oprcom, 0)::regoperator::text, 'negator ' || nullif(o.oprnegate, 0)::regoperator::text,
        'restrict ' || nullif(o.oprrest, 0)::regprocedure::text, 'join ' || nullif(o.oprjoin, 0)::regprocedure::text,
        CASE WHEN o.oprcanhash THEN 'hashes' END, CASE WHEN o.oprcanmerge THEN 'merges' END))
) p(property, value)
WHERE {scope_operator}

-- block: casts
SELECT format('cast %I', x.name), 'exists',
       concat_ws(' ', CASE k.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END,
                 CASE k.castmethod WHEN 'f' THEN k.castfunc::regprocedure::text WHEN 'i' THEN 'with inout'
                                   ELSE 'without function' END)
FROM pg_catalog.pg_cast k
CROSS JOIN LATERAL (SELECT concat(pg_catalog.format_type(k.castsource, NULL), ' AS ',
                                  pg_catalog.format_type(k.casttarget, NULL))) x(name)
-- Left out: a range's cast to its multirange, which comes with the type; version 14 added it.
WHERE {scope_cast} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend z
    WHERE z.classid = 'pg_catalog.pg_cast'::regclass AND z.objid = k.oid AND z.deptype IN ('e', 'i'))

-- block: conversions
SELECT format('conversion %s.%I', k.connamespace::regnamespace, k.conname), 'exists',
       concat_ws(' ', pg_catalog.pg_encoding_to_char(k.conforencoding), 'to',
                 pg_catalog.pg_encoding_to_char(k.contoencoding), 'by', k.conproc::regproc::text,
                 CASE WHEN k.condefault THEN 'default' END)
FROM pg_catalog.pg_conversion k
WHERE {scope_conversion}

-- block: text_search_dictionaries
SELECT format('text search dictionary %s.%I', k.dictnamespace::regnamespace, k.dictname), 'exists',
       concat_ws(' ', (SELECT r.tmplname FROM pg_catalog.pg_ts_template r WHERE r.oid = k.dicttemplate), k.dictinitoption)
FROM pg_catalog.pg_ts_dict k
WHERE {scope_dictionary}

-- block: text_search_configurations
SELECT format('text search configuration %s.%I', k.cfgnamespace::regnamespace, k.cfgname), p.property, p.value
FROM pg_catalog.pg_ts_config k
CROSS JOIN LATERAL (VALUES
    ('exists', 'yes'),
    ('parser', (SELECT r.prsname::text FROM pg_catalog.pg_ts_parser r WHERE r.oid = k.cfgparser)),
    ('mappings', (SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapdict::regdictionary), ', '
                                    ORDER BY m.maptokentype, m.mapseqno)
                  FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = k.oid))
) p(property, value)
WHERE p.value IS NOT NULL AND {scope_configuration}
