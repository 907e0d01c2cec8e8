-- Jobs and kept files. Times are milliseconds since 1970.
--
-- A published step never changes: what comes later is a step of its own. Where SQLite and PostgreSQL have different names for a thing
-- (BLOB and BYTEA), PostgreSQL gets a step of the same number.

CREATE TABLE jobs (
    id               TEXT   NOT NULL PRIMARY KEY,
    owner            TEXT   NOT NULL, -- a keyed hash
    node             TEXT   NOT NULL, -- which node accepted it
    worker           TEXT,            -- who has or had it
    operation        TEXT   NOT NULL,
    model            TEXT   NOT NULL,
    route            TEXT   NOT NULL,
    state            TEXT   NOT NULL,
    created          BIGINT NOT NULL,
    ended            BIGINT,
    expires          BIGINT NOT NULL,
    due              BIGINT NOT NULL, -- from when it may be leased: the next step, or the end of the lease
    fence            BIGINT NOT NULL, -- grows with every lease and at the end
    phase            TEXT   NOT NULL,
    exchange         TEXT   NOT NULL,
    exchange_version BIGINT NOT NULL,
    request_bytes    BIGINT NOT NULL, -- zero when it has ended
    fault_kind       TEXT,
    fault_message    TEXT
);

CREATE INDEX jobs_of_owner ON jobs (owner, created, id);
CREATE INDEX jobs_open ON jobs (due, owner, request_bytes) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_expiring ON jobs (expires);

-- Large values stand apart, so that a look at a job does not read past them.
CREATE TABLE job_requests (
    job  TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    body BLOB NOT NULL
);

CREATE TABLE job_results (
    job        TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    media_type TEXT,
    body       BLOB,
    file       TEXT -- instead of a body: the id of a kept file
);

CREATE TABLE files (
    id         TEXT   NOT NULL PRIMARY KEY,
    node       TEXT   NOT NULL, -- whose folder holds the bytes
    media_type TEXT   NOT NULL,
    size       BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    ready      BIGINT NOT NULL  -- zero while the bytes are being written
);

CREATE INDEX files_expiring ON files (expires, size);
