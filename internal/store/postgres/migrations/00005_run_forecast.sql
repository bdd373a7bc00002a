-- +goose Up

-- As in SQLite.
CREATE TABLE run_forecast (
    campaign_id TEXT COLLATE "C" PRIMARY KEY REFERENCES run (campaign_id),
    forecast    BYTEA NOT NULL
);
