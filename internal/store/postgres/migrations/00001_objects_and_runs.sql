-- +goose Up

-- Objects: what SQL is asked about has a column, the rest is the JSON form of package
-- fleet in doc. Columns win over doc where both know a value. Times are microseconds
-- since 1970, 0 for none. "search" is lower-case text for people's searches.
--
-- doc is text and not jsonb: nobody asks SQL about it, and jsonb would rewrite it.
-- A unique index is named "table_column" after its first column; conflicts are told by that.

CREATE TABLE smart_delta_key (
    id          TEXT COLLATE "C" PRIMARY KEY,
    doc         TEXT NOT NULL,
    search      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    archived    BOOLEAN NOT NULL,
    revision    BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    private_key BYTEA NOT NULL
);

CREATE TABLE device_profile (
    id          TEXT COLLATE "C" PRIMARY KEY,
    doc         TEXT NOT NULL,
    search      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    archived    BOOLEAN NOT NULL,
    revision    BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    producer_id TEXT COLLATE "C" NOT NULL,
    module_id   TEXT COLLATE "C" NOT NULL,
    hw_revision INTEGER NOT NULL
);
CREATE UNIQUE INDEX device_profile_producer_id ON device_profile (producer_id, module_id, hw_revision) WHERE NOT archived;

CREATE TABLE device (
    id               BYTEA PRIMARY KEY CHECK (octet_length(id) = 8),
    doc              TEXT NOT NULL,
    search           TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    archived         BOOLEAN NOT NULL,
    revision         BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    tag              TEXT COLLATE "C" NOT NULL,
    profile_id       TEXT COLLATE "C" NOT NULL,
    root_key         BYTEA NOT NULL,
    firmware         TEXT COLLATE "C" NOT NULL,
    firmware_changed BIGINT NOT NULL
);
CREATE INDEX device_profile_id ON device (profile_id);

CREATE TABLE device_set (
    id         TEXT COLLATE "C" PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    archived   BOOLEAN NOT NULL,
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE device_set_member (
    set_id   TEXT COLLATE "C" NOT NULL REFERENCES device_set (id),
    position INTEGER NOT NULL, -- the operator's order
    dev_eui  BYTEA NOT NULL,
    PRIMARY KEY (set_id, position),
    UNIQUE (dev_eui, set_id)
);

CREATE TABLE multicast_group (
    id         BYTEA PRIMARY KEY CHECK (octet_length(id) = 8),
    doc        TEXT NOT NULL,
    search     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    archived   BOOLEAN NOT NULL,
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    tag        TEXT COLLATE "C" NOT NULL,
    band       TEXT COLLATE "C" NOT NULL,
    mc_addr    TEXT COLLATE "C" NOT NULL,
    mc_key     BYTEA NOT NULL,
    f_cnt_down BIGINT NOT NULL -- next counter; only ever raised
);
CREATE UNIQUE INDEX multicast_group_mc_addr ON multicast_group (mc_addr) WHERE NOT archived;

CREATE TABLE region (
    id         TEXT COLLATE "C" PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    archived   BOOLEAN NOT NULL,
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE file (
    id         TEXT COLLATE "C" PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    archived   BOOLEAN NOT NULL,
    revision   BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    type       TEXT COLLATE "C" NOT NULL,
    profile_id TEXT COLLATE "C" NOT NULL
);

CREATE TABLE campaign (
    id            TEXT COLLATE "C" PRIMARY KEY,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL, -- last_changed
    type          TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    status_reason TEXT COLLATE "C" NOT NULL,
    paused        BOOLEAN NOT NULL,
    started       BIGINT NOT NULL,
    ended         BIGINT NOT NULL
);
CREATE INDEX campaign_status ON campaign (status);

-- Contents of files: chunks are written under an upload, and the content row that makes
-- them visible comes last. Uploads without a content row are left over from a crash.

CREATE TABLE content (
    sha256 TEXT COLLATE "C" PRIMARY KEY,
    size   BIGINT NOT NULL,
    upload TEXT COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE content_chunk (
    upload   TEXT COLLATE "C" NOT NULL, -- UUIDv7: begins with the time
    position INTEGER NOT NULL,
    bytes    BYTEA NOT NULL,
    PRIMARY KEY (upload, position)
);

-- Running campaigns. A step locks the row of its run first, so the tables below need no
-- foreign key to it: each would be checked again for every row of every step.

CREATE TABLE run (
    campaign_id TEXT COLLATE "C" PRIMARY KEY REFERENCES campaign (id),
    spec        BYTEA NOT NULL,
    header      BYTEA NOT NULL,
    epoch       BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    last_seq    BIGINT NOT NULL,
    wake_at     BIGINT NOT NULL
);

-- No index beyond the key: rows are updated at random in every step. With room in the
-- page, an update changes neither the index nor other pages.
CREATE TABLE run_device (
    campaign_id TEXT COLLATE "C" NOT NULL,
    dev_eui     BYTEA NOT NULL,
    state       BYTEA NOT NULL,
    stage       TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, dev_eui)
) WITH (fillfactor = 70);

CREATE TABLE run_group (
    campaign_id TEXT COLLATE "C" NOT NULL,
    dev_eui     BYTEA NOT NULL,
    state       BYTEA NOT NULL,
    stage       TEXT COLLATE "C" NOT NULL,
    outcome     TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, dev_eui)
) WITH (fillfactor = 70);

CREATE TABLE run_stage (
    campaign_id TEXT COLLATE "C" NOT NULL,
    position    INTEGER NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    started     BIGINT NOT NULL,
    ended       BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    completed   BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, position)
);

CREATE TABLE outbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- within a campaign, the order of commit
    campaign_id TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,
    dev_eui     BYTEA NOT NULL, -- 8 zero bytes: none
    mc_group    BYTEA NOT NULL, -- 8 zero bytes: none
    f_port      INTEGER NOT NULL,
    payload     BYTEA NOT NULL,
    flush       BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX outbox_campaign_id ON outbox (campaign_id, id);

CREATE TABLE timeline (
    campaign_id TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    dev_eui     BYTEA NOT NULL,
    mc_group    BYTEA NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    text        TEXT COLLATE "C" NOT NULL,
    cause       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (campaign_id, seq)
);
CREATE INDEX timeline_device ON timeline (campaign_id, dev_eui, seq);

CREATE TABLE session_cnt (
    dev_eui    BYTEA NOT NULL,
    frag_index INTEGER NOT NULL,
    cnt        INTEGER NOT NULL, -- last used; only ever raised
    PRIMARY KEY (dev_eui, frag_index)
);
