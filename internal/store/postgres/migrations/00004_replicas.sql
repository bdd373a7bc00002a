-- +goose Up

-- Processes that run campaigns. "until" is by the clock of this database; a row that has run out never lives
-- again, it is deleted by the next one who looks.
CREATE TABLE replica (
    id    TEXT COLLATE "C" PRIMARY KEY,
    name  TEXT COLLATE "C" NOT NULL,
    alone BOOLEAN NOT NULL,
    until BIGINT NOT NULL
);
ALTER TABLE run ADD COLUMN owner TEXT COLLATE "C" NOT NULL DEFAULT ''; -- a replica, which may be dead

-- What reached a replica that does not own the campaign. Read oldest first, and deleted by the step that takes
-- account of it; never read by "seq > last seen": numbers become visible out of order.
CREATE TABLE inbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id TEXT COLLATE "C" NOT NULL,
    body        BYTEA NOT NULL, -- of the letter, then of the reply
    replied     BIGINT NOT NULL DEFAULT 0 -- when, by the clock of the database; 0: not yet
);
CREATE INDEX inbox_campaign_id ON inbox (campaign_id, seq);
