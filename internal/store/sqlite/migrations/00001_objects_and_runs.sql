-- +goose Up

-- Objects: what SQL is asked about has a column, the rest is the JSON form of package
-- fleet in doc. Columns win over doc where both know a value. Times are microseconds
-- since 1970, 0 for none. "search" is lower-case text for people's searches.

CREATE TABLE smart_delta_key (
    id          TEXT PRIMARY KEY,
    doc         TEXT NOT NULL,
    search      TEXT NOT NULL,
    name        TEXT NOT NULL,
    archived    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    private_key BLOB NOT NULL
) STRICT;

CREATE TABLE device_profile (
    id          TEXT PRIMARY KEY,
    doc         TEXT NOT NULL,
    search      TEXT NOT NULL,
    name        TEXT NOT NULL,
    archived    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    producer_id TEXT NOT NULL,
    module_id   TEXT NOT NULL,
    hw_revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX device_profile_triplet ON device_profile (producer_id, module_id, hw_revision) WHERE archived = 0;

CREATE TABLE device (
    id               BLOB PRIMARY KEY CHECK (length(id) = 8),
    doc              TEXT NOT NULL,
    search           TEXT NOT NULL,
    name             TEXT NOT NULL,
    archived         INTEGER NOT NULL,
    revision         INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    tag              TEXT NOT NULL,
    profile_id       TEXT NOT NULL,
    root_key         BLOB NOT NULL,
    firmware         TEXT NOT NULL,
    firmware_changed INTEGER NOT NULL
) STRICT;
CREATE INDEX device_profile_id ON device (profile_id);

CREATE TABLE device_set (
    id         TEXT PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT NOT NULL,
    name       TEXT NOT NULL,
    archived   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE device_set_member (
    set_id   TEXT NOT NULL REFERENCES device_set (id),
    position INTEGER NOT NULL, -- the operator's order
    dev_eui  BLOB NOT NULL,
    PRIMARY KEY (set_id, position),
    UNIQUE (dev_eui, set_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE multicast_group (
    id         BLOB PRIMARY KEY CHECK (length(id) = 8),
    doc        TEXT NOT NULL,
    search     TEXT NOT NULL,
    name       TEXT NOT NULL,
    archived   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    tag        TEXT NOT NULL,
    band       TEXT NOT NULL,
    mc_addr    TEXT NOT NULL,
    mc_key     BLOB NOT NULL,
    f_cnt_down INTEGER NOT NULL -- next counter; only ever raised
) STRICT;
CREATE UNIQUE INDEX multicast_group_mc_addr ON multicast_group (mc_addr) WHERE archived = 0;

CREATE TABLE region (
    id         TEXT PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT NOT NULL,
    name       TEXT NOT NULL,
    archived   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE file (
    id         TEXT PRIMARY KEY,
    doc        TEXT NOT NULL,
    search     TEXT NOT NULL,
    name       TEXT NOT NULL,
    archived   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    type       TEXT NOT NULL,
    profile_id TEXT NOT NULL
) STRICT;

CREATE TABLE campaign (
    id            TEXT PRIMARY KEY,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL, -- last_changed
    type          TEXT NOT NULL,
    status        TEXT NOT NULL,
    status_reason TEXT NOT NULL,
    paused        INTEGER NOT NULL,
    started       INTEGER NOT NULL,
    ended         INTEGER NOT NULL
) STRICT;
CREATE INDEX campaign_status ON campaign (status);

-- Contents of files: chunks are written under an upload, and the content row that makes
-- them visible comes last. Uploads without a content row are left over from a crash.

CREATE TABLE content (
    sha256 TEXT PRIMARY KEY,
    size   INTEGER NOT NULL,
    upload TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE content_chunk (
    upload   TEXT NOT NULL, -- UUIDv7: begins with the time
    position INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    PRIMARY KEY (upload, position)
) STRICT;

-- Running campaigns.

CREATE TABLE run (
    campaign_id TEXT PRIMARY KEY REFERENCES campaign (id),
    spec        BLOB NOT NULL,
    header      BLOB NOT NULL,
    epoch       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    wake_at     INTEGER NOT NULL
) STRICT;

-- No index beyond the key: rows are updated at random in every step, and each index
-- costs as much as the row.
CREATE TABLE run_device (
    campaign_id TEXT NOT NULL REFERENCES run (campaign_id),
    dev_eui     BLOB NOT NULL,
    state       BLOB NOT NULL,
    stage       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, dev_eui)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_group (
    campaign_id TEXT NOT NULL REFERENCES run (campaign_id),
    dev_eui     BLOB NOT NULL,
    state       BLOB NOT NULL,
    stage       TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, dev_eui)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_stage (
    campaign_id TEXT NOT NULL REFERENCES run (campaign_id),
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    completed   INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of commit
    campaign_id TEXT NOT NULL REFERENCES run (campaign_id),
    id          TEXT NOT NULL,
    dev_eui     BLOB NOT NULL, -- 8 zero bytes: none
    mc_group    BLOB NOT NULL, -- 8 zero bytes: none
    f_port      INTEGER NOT NULL,
    payload     BLOB NOT NULL,
    flush       INTEGER NOT NULL,
    UNIQUE (campaign_id, id)
) STRICT;

CREATE TABLE timeline (
    campaign_id TEXT NOT NULL REFERENCES run (campaign_id),
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    dev_eui     BLOB NOT NULL,
    mc_group    BLOB NOT NULL,
    code        TEXT NOT NULL,
    text        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    PRIMARY KEY (campaign_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX timeline_device ON timeline (campaign_id, dev_eui, seq);

CREATE TABLE session_cnt (
    dev_eui    BLOB NOT NULL,
    frag_index INTEGER NOT NULL,
    cnt        INTEGER NOT NULL, -- last used; only ever raised
    PRIMARY KEY (dev_eui, frag_index)
) STRICT, WITHOUT ROWID;
