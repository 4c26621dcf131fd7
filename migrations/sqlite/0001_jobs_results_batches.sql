-- The embedded store: jobs that wait, run or are over, their results, and the batches they belong to.
-- Instants are UTC text, `2026-11-23T12:00:00.000Z`; dates are `YYYY-MM-DD`: both sort as they are.

CREATE TABLE batches (
    name       TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    -- Claimed in this order.
    seq         INTEGER PRIMARY KEY,
    job_id      TEXT NOT NULL CONSTRAINT jobs_job_id_key UNIQUE,
    batch       TEXT NOT NULL REFERENCES batches (name),
    -- The publisher's own name for the picture.
    reference   TEXT,
    -- The picture as the user named it, and where to open it from any working folder.
    source      TEXT NOT NULL,
    path        TEXT NOT NULL,
    side        TEXT NOT NULL CONSTRAINT jobs_side_known CHECK (side IN ('auto', 'front', 'back')),
    state       TEXT NOT NULL DEFAULT 'queued'
                CONSTRAINT jobs_state_known CHECK (state IN ('queued', 'running', 'done', 'dead')),
    -- How often it was claimed and not given back.
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Why it is dead.
    reason      TEXT,
    created_at  TEXT NOT NULL,
    finished_at TEXT
) STRICT;

-- Claims, recovery and counts. The row number at every index entry's end keeps the order of claims.
CREATE INDEX jobs_by_state ON jobs (batch, state);

CREATE TABLE results (
    -- Grows with every result: pages and streams follow it.
    seq           INTEGER PRIMARY KEY,
    job_id        TEXT NOT NULL CONSTRAINT results_job_id_key UNIQUE,
    batch         TEXT NOT NULL,
    reference     TEXT,
    source        TEXT NOT NULL,
    status        TEXT NOT NULL,
    decision      TEXT NOT NULL,
    -- front, back or both; NULL when no card was found. A field that could not be read is NULL.
    side          TEXT,
    name          TEXT,
    gender        TEXT,
    ethnic        TEXT,
    birth_date    TEXT,
    address       TEXT,
    identity_no   TEXT,
    authority     TEXT,
    valid_from    TEXT,
    valid_to      TEXT,
    long_term     INTEGER NOT NULL,
    confidence    REAL,
    result        TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    model_version TEXT NOT NULL,
    image_sha256  TEXT,
    created_at    TEXT NOT NULL,
    finished_at   TEXT NOT NULL
) STRICT;

CREATE INDEX results_by_outcome ON results (batch, decision, status);
