-- Comments and privileges, in blocks as in catalog.sql: (object, property, value).

-- block: comments
-- Selected by oid, to skip the thousands of PostgreSQL's own objects.
SELECT o.object, o.property, d.description
FROM pg_catalog.pg_description d
CROSS JOIN LATERAL (
    SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'c' THEN 'type'
                                   WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END,
                  n.nspname, c.relname),
           CASE WHEN d.objsubid = 0 THEN 'comment' ELSE
               (SELECT format('%s %I comment', CASE c.relkind WHEN 'c' THEN 'attribute' ELSE 'column' END, a.attname)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = d.objsubid) END
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objoid AND c.relkind NOT IN ('i', 'I')
      AND {scope_relation}
    UNION ALL
    SELECT format('index %I.%I', n.nspname, i.relname), 'comment'
    FROM pg_catalog.pg_index x
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND x.indexrelid = d.objoid
      AND ({scope_relation} OR {scope_index})
    UNION ALL
    SELECT format('%s %I.%I', CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, n.nspname, c.relname),
           format('constraint %I comment', x.conname)
    FROM pg_catalog.pg_constraint x
    JOIN pg_catalog.pg_class c ON c.oid = x.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classoid = 'pg_catalog.pg_constraint'::regclass AND x.oid = d.objoid AND {scope_relation}
    UNION ALL
    SELECT format('type %I.%I', n.nspname, t.typname), format('constraint %I comment', x.conname)
    FROM pg_catalog.pg_constraint x
    JOIN pg_catalog.pg_type t ON t.oid = x.contypid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE d.classoid = 'pg_catalog.pg_constraint'::regclass AND x.oid = d.objoid AND {scope_type}
    UNION ALL
    SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
                  n.nspname, c.relname), h.property
    FROM (
        SELECT t.tgrelid, format('trigger %I comment', t.tgname)
        FROM pg_catalog.pg_trigger t
        WHERE d.classoid = 'pg_catalog.pg_trigger'::regclass AND t.oid = d.objoid
        UNION ALL
        SELECT r.ev_class, format('rule %I comment', r.rulename)
        FROM pg_catalog.pg_rewrite r
        WHERE d.classoid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objoid
        UNION ALL
        SELECT y.polrelid, format('policy %I comment', y.polname)
        FROM pg_catalog.pg_policy y
        WHERE d.classoid = 'pg_catalog.pg_policy'::regclass AND y.oid = d.objoid
    ) h(relation, property)
    JOIN pg_catalog.pg_class c ON c.oid = h.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE {scope_relation}
    UNION ALL
    SELECT format('type %I.%I', n.nspname, t.typname), 'comment'
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE d.classoid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objoid AND {scope_type}
    UNION ALL
    SELECT format('%s %I.%I(%s)', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
                  n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)), 'comment'
    FROM pg_catalog.pg_proc f
    JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
    WHERE d.classoid = 'pg_catalog.pg_proc'::regclass AND f.oid = d.objoid AND {scope_function}
    UNION ALL
    SELECT format('collation %I.%I', n.nspname, l.collname), 'comment'
    FROM pg_catalog.pg_collation l
    JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
    WHERE d.classoid = 'pg_catalog.pg_collation'::regclass AND l.oid = d.objoid AND {scope_collation}
    UNION ALL
    SELECT format('statistics %I.%I', n.nspname, s.stxname), 'comment'
    FROM pg_catalog.pg_statistic_ext s
    JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
    WHERE d.classoid = 'pg_catalog.pg_statistic_ext'::regclass AND s.oid = d.objoid AND {scope_statistics}
    UNION ALL
    SELECT format('extension %I', e.extname), 'comment'
    FROM pg_catalog.pg_extension e
    WHERE d.classoid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.objoid AND {scope_extension}
    UNION ALL
    SELECT format('publication %I', b.pubname), 'comment'
    FROM pg_catalog.pg_publication b
    WHERE d.classoid = 'pg_catalog.pg_publication'::regclass AND b.oid = d.objoid AND {scope_publication}
    UNION ALL
    SELECT format('event trigger %I', v.evtname), 'comment'
    FROM pg_catalog.pg_event_trigger v
    WHERE d.classoid = 'pg_catalog.pg_event_trigger'::regclass AND v.oid = d.objoid AND {scope_event_trigger}
) o(object, property)
WHERE d.objoid >= 16384

-- block: schema_comments
-- Schema public has a low oid, and a comment.
SELECT format('schema %I', n.nspname), 'comment', d.description
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_namespace'::regclass AND d.objoid = n.oid
WHERE {scope_schema}

-- block: privileges
-- Since version 17, GRANT ALL includes MAINTAIN: a role with all other privileges counts as having all.
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                               WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'table' END,
              n.nspname, c.relname),
       format('privileges of %s', CASE WHEN x.grantee = 0 THEN 'public'
                                       ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END),
       CASE WHEN count(DISTINCT x.privilege_type) FILTER (WHERE x.privilege_type <> 'MAINTAIN')
                 = CASE c.relkind WHEN 'S' THEN 3 ELSE 7 END AND bool_and(x.is_grantable) = bool_or(x.is_grantable)
            THEN 'all' || CASE WHEN bool_and(x.is_grantable) THEN ' grantable' ELSE '' END
            ELSE string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
       END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode({relation_acl}) x
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {not_relation_owner} AND {scope_relation}
GROUP BY 1, 2, c.relkind

-- block: column_privileges
SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                               WHEN 'f' THEN 'foreign table' ELSE 'table' END, n.nspname, c.relname),
       format('column %I privileges of %s', a.attname,
              CASE WHEN x.grantee = 0 THEN 'public' ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END),
       string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x
WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND {scope_relation}
GROUP BY 1, 2

-- block: schema_privileges
SELECT format('schema %I', n.nspname),
       format('privileges of %s', CASE WHEN x.grantee = 0 THEN 'public'
                                       ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END),
       string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
FROM pg_catalog.pg_namespace n
CROSS JOIN LATERAL pg_catalog.aclexplode({schema_acl}) x
WHERE {not_schema_owner} AND {scope_schema}
GROUP BY 1, 2

-- block: function_privileges
-- By default everybody may call a function and use a type; only the loss of that default is a property.
SELECT format('%s %I.%I(%s)', CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
              n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid)), x.property, x.value
FROM pg_catalog.pg_proc f
JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
CROSS JOIN LATERAL (
    SELECT format('privileges of %I', pg_catalog.pg_get_userbyid(x.grantee)),
           string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
    FROM pg_catalog.aclexplode({function_acl}) x
    WHERE x.grantee <> 0 AND {not_function_owner}
    GROUP BY 1
    UNION ALL
    SELECT 'privileges of public', 'none'
    WHERE f.proacl IS NOT NULL AND 0 <> ALL (SELECT x.grantee FROM pg_catalog.aclexplode(f.proacl) x)
) x(property, value)
WHERE {scope_function}

-- block: type_privileges
SELECT format('type %I.%I', n.nspname, t.typname), x.property, x.value
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
CROSS JOIN LATERAL (
    SELECT format('privileges of %I', pg_catalog.pg_get_userbyid(x.grantee)),
           string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN ' grantable' ELSE '' END, ', ')
    FROM pg_catalog.aclexplode({type_acl}) x
    WHERE x.grantee <> 0 AND {not_type_owner}
    GROUP BY 1
    UNION ALL
    SELECT 'privileges of public', 'none'
    WHERE t.typacl IS NOT NULL AND 0 <> ALL (SELECT x.grantee FROM pg_catalog.aclexplode(t.typacl) x)
) x(property, value)
WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND {scope_type}
