-- +goose Up

-- Every step writes the row of its run again, as a whole. What a run was started with is as long as its list of devices and
-- never changes: in that row it would make a step cost as much as the campaign is large.
CREATE TABLE run_spec (
    campaign_id TEXT PRIMARY KEY REFERENCES run (campaign_id),
    spec        BLOB NOT NULL
) STRICT;
INSERT INTO run_spec (campaign_id, spec) SELECT campaign_id, spec FROM run;
ALTER TABLE run DROP COLUMN spec;
