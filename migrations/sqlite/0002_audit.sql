-- The audit log: who saw personal data in clear, and who changed what operators may change. Each entry carries the hash of the one before.

CREATE TABLE audit (
    -- Without gaps, from 1.
    seq           INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    -- A user of the operating system.
    actor         TEXT NOT NULL,
    action        TEXT NOT NULL,
    -- What it was done to: a job, or the selection of a command.
    subject       TEXT NOT NULL,
    -- How many results; NULL where that is not known before.
    amount        INTEGER,
    reason        TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    -- SHA-256 of all other columns (crates/store/src/audit.rs).
    hash          TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
