-- +goose Up

-- Air time that campaigns have spent, by gateway, sub-band and minute: kept for an hour or two.
CREATE TABLE air_spent (
    campaign_id TEXT NOT NULL,
    minute      INTEGER NOT NULL, -- its begin, by the network
    gateway     TEXT NOT NULL,
    band        TEXT NOT NULL,
    sub_band    INTEGER NOT NULL, -- Hz, its lower end
    spent       INTEGER NOT NULL, -- microseconds
    changed     INTEGER NOT NULL, -- by the clock of this machine
    PRIMARY KEY (campaign_id, minute, gateway, band, sub_band)
) STRICT, WITHOUT ROWID;
