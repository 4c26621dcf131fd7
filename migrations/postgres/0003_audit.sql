-- The audit log: who saw personal data in clear, and who changed what operators may change. Each entry carries the hash of the one before.

CREATE TABLE audit (
    -- Without gaps, from 1.
    seq           bigint PRIMARY KEY,
    -- To the millisecond.
    at            timestamptz NOT NULL,
    tenant        text NOT NULL,
    -- A key of the HTTP service, or a user of the operating system.
    actor         text NOT NULL,
    action        text NOT NULL,
    -- What it was done to: a job, or the selection of a command.
    subject       text NOT NULL,
    -- How many jobs, results or dead letters; NULL where that is not known before.
    amount        bigint,
    reason        text NOT NULL,
    previous_hash text NOT NULL,
    -- SHA-256 of all other columns (crates/store/src/audit.rs).
    hash          text NOT NULL
);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- A field of an entry as it is hashed: its length keeps it apart from the next one.
CREATE FUNCTION audit_field(field text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN octet_length(convert_to(field, 'UTF8')) || ':' || field;

-- Runs as its owner, so that a role which may call it can add entries and do nothing else to them. One at a time: an entry needs the hash of
-- the one before, and statements in here see what was committed before them.
CREATE FUNCTION record_audit(tenant text, actor text, action text, subject text, amount bigint, reason text)
    RETURNS TABLE (seq bigint, hash text)
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    last audit%ROWTYPE;
    now_at timestamptz;
    hashed text;
BEGIN
    -- "SHFN" and 3.
    PERFORM pg_advisory_xact_lock(x'5348464E00000003'::bigint);
    SELECT audit.* INTO last FROM audit ORDER BY audit.seq DESC LIMIT 1;
    now_at := date_trunc('milliseconds', clock_timestamp());
    seq := coalesce(last.seq, 0) + 1;
    hashed := audit_field(coalesce(last.hash, '')) || audit_field(seq::text)
        || audit_field(to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
        || audit_field(tenant) || audit_field(actor) || audit_field(action) || audit_field(subject)
        || audit_field(coalesce(amount::text, '')) || audit_field(reason);
    hash := encode(sha256(convert_to(hashed, 'UTF8')), 'hex');
    INSERT INTO audit VALUES (seq, now_at, tenant, actor, action, subject, amount, reason, coalesce(last.hash, ''), hash);
    RETURN NEXT;
END $$;

-- Tables and functions of this schema, whatever the caller's search path leads to.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION record_audit SET search_path = pg_catalog, %I', current_schema());
END $$;

REVOKE ALL ON FUNCTION record_audit FROM PUBLIC;
DO $$
DECLARE
    grantee name;
BEGIN
    -- Whoever worked with the tables until now.
    FOR grantee IN SELECT rolname FROM tenant_access JOIN pg_roles ON rolname = role LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION record_audit TO %I', grantee);
    END LOOP;
END $$;
