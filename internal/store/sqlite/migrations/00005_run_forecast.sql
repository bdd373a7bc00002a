-- +goose Up

-- What was expected of a run when it started. Runs that were started before this table was there have none.
CREATE TABLE run_forecast (
    campaign_id TEXT PRIMARY KEY REFERENCES run (campaign_id),
    forecast    BLOB NOT NULL
) STRICT;
