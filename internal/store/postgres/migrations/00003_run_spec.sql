-- +goose Up

-- As in SQLite, where the row of a run would be written again with all of this by every step.
CREATE TABLE run_spec (
    campaign_id TEXT COLLATE "C" PRIMARY KEY REFERENCES run (campaign_id),
    spec        BYTEA NOT NULL
);
INSERT INTO run_spec (campaign_id, spec) SELECT campaign_id, spec FROM run;
ALTER TABLE run DROP COLUMN spec;
