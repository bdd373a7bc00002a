-- +goose Up

-- Air time that campaigns have spent, by gateway, sub-band and minute: kept for an hour or two. A row is
-- written by the owner of its campaign only, so that owners do not wait for one another.
CREATE TABLE air_spent (
    campaign_id TEXT COLLATE "C" NOT NULL,
    minute      BIGINT NOT NULL, -- its begin, by the network
    gateway     TEXT COLLATE "C" NOT NULL,
    band        TEXT COLLATE "C" NOT NULL,
    sub_band    BIGINT NOT NULL, -- Hz, its lower end
    spent       BIGINT NOT NULL, -- microseconds
    changed     BIGINT NOT NULL, -- by the clock of this database
    PRIMARY KEY (campaign_id, minute, gateway, band, sub_band)
);
CREATE INDEX air_spent_changed ON air_spent (changed);
