-- The store beside a broker: what is known of each job, the results, and the batches they belong to.

CREATE TABLE batches (
    name       text PRIMARY KEY,
    state      text NOT NULL DEFAULT 'active'
               CONSTRAINT batches_state_known CHECK (state IN ('active', 'paused', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- No foreign key to batches: checking it would lock the one row of a batch for every job of it, from all workers at once.
CREATE TABLE jobs (
    job_id      uuid PRIMARY KEY,
    -- Published in this order.
    seq         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    batch       text NOT NULL,
    -- The publisher's own name for the picture.
    reference   text,
    -- The picture as the publisher named it.
    source      text NOT NULL,
    side        text NOT NULL CONSTRAINT jobs_side_known CHECK (side IN ('auto', 'front', 'back')),
    -- queued: only here. sent: with the broker. running: a worker has begun it. The others are ends.
    state       text NOT NULL
                CONSTRAINT jobs_state_known CHECK (state IN ('queued', 'sent', 'running', 'done', 'dead', 'cancelled')),
    -- How often it was begun and not given back.
    attempts    integer NOT NULL DEFAULT 0,
    -- What to publish; NULL for jobs that came from the broker, and once there is an end.
    message     text,
    -- Why it is dead.
    reason      text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,
    begun_at    timestamptz,
    finished_at timestamptz
);

-- Publishing in order, the window, and the counts.
CREATE INDEX jobs_by_state ON jobs (batch, state, seq);

CREATE TABLE results (
    job_id        uuid PRIMARY KEY,
    -- Grows with every result: pages and streams follow it.
    seq           bigint NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT results_seq_key UNIQUE,
    batch         text NOT NULL,
    reference     text,
    source        text NOT NULL,
    status        text NOT NULL,
    decision      text NOT NULL,
    -- front, back or both; NULL when no card was found. A field that could not be read is NULL.
    side          text,
    name          text,
    gender        text,
    ethnic        text,
    birth_date    date,
    address       text,
    identity_no   text,
    authority     text,
    valid_from    date,
    valid_to      date,
    long_term     boolean NOT NULL,
    confidence    double precision,
    result        jsonb NOT NULL,
    attempts      integer NOT NULL,
    model_version text NOT NULL,
    image_sha256  text,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL
);

CREATE INDEX results_in_order ON results (batch, seq);
CREATE INDEX results_by_outcome ON results (batch, decision, status, seq);
CREATE INDEX results_by_reference ON results (reference) WHERE reference IS NOT NULL;
CREATE INDEX results_by_identity_no ON results (identity_no) WHERE identity_no IS NOT NULL;
