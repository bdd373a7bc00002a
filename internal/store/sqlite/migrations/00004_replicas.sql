-- +goose Up

-- Processes that run campaigns: one at a time with SQLite, but the same tables as elsewhere.
CREATE TABLE replica (
    id    TEXT PRIMARY KEY,
    name  TEXT NOT NULL,
    alone INTEGER NOT NULL,
    until INTEGER NOT NULL -- by the clock of this machine
) STRICT;
ALTER TABLE run ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- a replica, which may be dead

-- What reached a replica that does not own the campaign.
CREATE TABLE inbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id TEXT NOT NULL,
    body        BLOB NOT NULL, -- of the letter, then of the reply
    replied     INTEGER NOT NULL DEFAULT 0 -- when, by the clock of the database; 0: not yet
) STRICT;
CREATE INDEX inbox_campaign_id ON inbox (campaign_id, seq);
