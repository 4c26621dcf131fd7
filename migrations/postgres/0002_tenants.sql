-- Tenants: jobs, results and batches belong to one, and their names are kept apart by it. What there was belongs to the default one.

ALTER TABLE batches ADD COLUMN tenant text NOT NULL DEFAULT 'default';
ALTER TABLE jobs ADD COLUMN tenant text NOT NULL DEFAULT 'default';
ALTER TABLE results ADD COLUMN tenant text NOT NULL DEFAULT 'default';

ALTER TABLE batches DROP CONSTRAINT batches_pkey, ADD PRIMARY KEY (tenant, name);
ALTER TABLE jobs DROP CONSTRAINT jobs_pkey, ADD PRIMARY KEY (tenant, job_id);
ALTER TABLE results DROP CONSTRAINT results_pkey, ADD PRIMARY KEY (tenant, job_id);

-- The batch comes first, so that a query which names no tenant uses them too.
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (batch, tenant, state, seq);
DROP INDEX results_in_order;
CREATE INDEX results_in_order ON results (batch, tenant, seq);
DROP INDEX results_by_outcome;
CREATE INDEX results_by_outcome ON results (batch, tenant, decision, status, seq);

-- Which roles, beside the owner of the tables, see the rows of which tenant; '*' for all of them.
CREATE TABLE tenant_access (
    role   name NOT NULL,
    tenant text NOT NULL,
    PRIMARY KEY (role, tenant)
);

-- Whoever could use the tables until now goes on to see all of them.
INSERT INTO tenant_access (role, tenant)
SELECT DISTINCT grantee.rolname, '*'
FROM pg_class AS relation
     CROSS JOIN LATERAL aclexplode(relation.relacl) AS granted
     JOIN pg_roles AS grantee ON grantee.oid = granted.grantee
WHERE relation.oid IN ('batches'::regclass, 'jobs'::regclass, 'results'::regclass)
      AND granted.grantee <> relation.relowner;

-- A role learns of its own rows only, and of those of roles that it inherits from: through them it sees tenants.
ALTER TABLE tenant_access ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_role ON tenant_access FOR SELECT 
    USING (role IN (SELECT rolname FROM pg_roles WHERE pg_has_role(pg_roles.oid, 'USAGE')));
GRANT SELECT ON tenant_access TO PUBLIC;

-- The subqueries do not depend on the row, so each runs once a statement and the indexes are used as without a policy.
ALTER TABLE batches ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenants ON batches
    USING (tenant = ANY (ARRAY(SELECT tenant_access.tenant FROM tenant_access))
           OR (SELECT bool_or(tenant_access.tenant = '*') FROM tenant_access));
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenants ON jobs
    USING (tenant = ANY (ARRAY(SELECT tenant_access.tenant FROM tenant_access))
           OR (SELECT bool_or(tenant_access.tenant = '*') FROM tenant_access));
ALTER TABLE results ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenants ON results
    USING (tenant = ANY (ARRAY(SELECT tenant_access.tenant FROM tenant_access))
           OR (SELECT bool_or(tenant_access.tenant = '*') FROM tenant_access));
