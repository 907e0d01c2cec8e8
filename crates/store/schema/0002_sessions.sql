-- Responses and conversations. Times are milliseconds since 1970.

CREATE TABLE sessions (
    id           TEXT   NOT NULL PRIMARY KEY, -- resp_… or conv_…
    owner        TEXT   NOT NULL, -- a keyed hash
    node         TEXT   NOT NULL, -- which node accepted it
    previous     TEXT,            -- the response that this one continues: it stays as long as this one
    conversation TEXT,            -- the conversation that gets the items as well
    created      BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    ended        BIGINT NOT NULL, -- zero while something of it is still to come
    asked        BIGINT NOT NULL, -- zero when it may make room for newer ones
    deleted      BIGINT NOT NULL, -- one when its owner deleted it, and a later one needs its items
    bytes        BIGINT NOT NULL, -- of everything that is kept of it
    body         BLOB   NOT NULL
);

CREATE INDEX sessions_expiring ON sessions (expires);
CREATE INDEX sessions_continued ON sessions (previous) WHERE previous IS NOT NULL;
CREATE INDEX sessions_unasked ON sessions (created) WHERE asked = 0;
CREATE INDEX sessions_unasked_of_owner ON sessions (owner, created) WHERE asked = 0;
CREATE INDEX sessions_deleted ON sessions (deleted) WHERE deleted = 1;

CREATE TABLE session_items (
    session  TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    id       TEXT   NOT NULL,
    answer   BIGINT NOT NULL, -- one for what was answered, zero for what was asked
    body     BLOB   NOT NULL,
    PRIMARY KEY (session, position)
);

CREATE INDEX session_items_by_id ON session_items (id);

-- The stream of a response, as it was told.
CREATE TABLE session_streams (
    session TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    body    BLOB NOT NULL
);

-- How much there is, since that is asked at every write.
CREATE TABLE session_totals (
    sessions BIGINT NOT NULL,
    bytes    BIGINT NOT NULL
);

INSERT INTO session_totals (sessions, bytes) VALUES (0, 0);

CREATE TRIGGER sessions_more AFTER INSERT ON sessions BEGIN
    UPDATE session_totals SET sessions = sessions + 1, bytes = bytes + NEW.bytes;
END;

CREATE TRIGGER sessions_other AFTER UPDATE OF bytes ON sessions BEGIN
    UPDATE session_totals SET bytes = bytes - OLD.bytes + NEW.bytes;
END;

CREATE TRIGGER sessions_less AFTER DELETE ON sessions BEGIN
    UPDATE session_totals SET sessions = sessions - 1, bytes = bytes - OLD.bytes;
END;
