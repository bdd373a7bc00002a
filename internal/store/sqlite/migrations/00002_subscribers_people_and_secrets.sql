-- +goose Up

-- Every object belongs to a subscriber. What was there before belongs to the first one.
ALTER TABLE smart_delta_key ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE device_profile ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE device ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE device_set ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE multicast_group ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE region ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE file ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';
ALTER TABLE campaign ADD COLUMN subscriber_id TEXT NOT NULL DEFAULT 'default';

-- What lists are ordered and filtered by has a column of its own, here made from doc. RFC 3339 is cut at the
-- fraction, because SQLite would round it to milliseconds; the order of versions is that of FirmwareOrder.
ALTER TABLE smart_delta_key ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_profile ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device_profile ADD COLUMN mcu_type TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN band TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN classes TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN lorawan_version TEXT NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN firmware_order INTEGER NOT NULL DEFAULT -1;
ALTER TABLE device_set ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE multicast_group ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE multicast_group ADD COLUMN session_class TEXT NOT NULL DEFAULT '';
ALTER TABLE multicast_group ADD COLUMN data_rate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE multicast_group ADD COLUMN frequency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE region ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE file ADD COLUMN version_order INTEGER NOT NULL DEFAULT -1;
ALTER TABLE file ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN uploaded_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN file_id TEXT NOT NULL DEFAULT '';
UPDATE smart_delta_key SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0)
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM smart_delta_key) WHERE id = of;
UPDATE device_profile SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0),
    mcu_type = COALESCE(doc ->> 'mcu_type', '')
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM device_profile) WHERE id = of;
UPDATE device SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0),
    band = COALESCE(doc ->> 'band', ''),
    classes = COALESCE(doc ->> 'classes', ''),
    lorawan_version = COALESCE(doc ->> 'lorawan_version', '')
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM device) WHERE id = of;
UPDATE device SET firmware_order = (parts ->> 0 << 24) + (parts ->> 1 << 16) + (parts ->> 2 << 8) + (parts ->> 3)
    FROM (SELECT id AS of, '[' || replace(firmware, '.', ',') || ']' AS parts FROM device WHERE firmware LIKE '%.%') WHERE id = of;
UPDATE device SET firmware_order = (SELECT 4294967296 + sum(instr('0123456789abcdef', substr(firmware, value, 1)) - 1 << 32 - 4 * value) FROM json_each('[1,2,3,4,5,6,7,8]'))
    WHERE length(firmware) = 8 AND firmware NOT LIKE '%.%';
UPDATE device_set SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0)
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM device_set) WHERE id = of;
UPDATE multicast_group SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0),
    session_class = COALESCE(doc ->> 'session_class', ''),
    data_rate = COALESCE(doc ->> 'data_rate', 0),
    frequency = COALESCE(doc ->> 'frequency', 0)
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM multicast_group) WHERE id = of;
UPDATE region SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0)
    FROM (SELECT id AS of, doc ->> 'created_at' AS made FROM region) WHERE id = of;
UPDATE file SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0),
    version = COALESCE(doc ->> 'version', ''),
    size = COALESCE(doc ->> 'size', 0),
    uploaded_at = COALESCE(unixepoch(substr(came, 1, 19) || CASE WHEN came LIKE '%Z' THEN 'Z' ELSE substr(came, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(came, 20) AS REAL) * 1000000) AS INTEGER), 0)
    FROM (SELECT id AS of, doc ->> 'created_at' AS made, doc ->> 'uploaded_at' AS came FROM file) WHERE id = of;
UPDATE file SET version_order = (parts ->> 0 << 24) + (parts ->> 1 << 16) + (parts ->> 2 << 8) + (parts ->> 3)
    FROM (SELECT id AS of, '[' || replace(version, '.', ',') || ']' AS parts FROM file WHERE version LIKE '%.%') WHERE id = of;
UPDATE file SET version_order = (SELECT 4294967296 + sum(instr('0123456789abcdef', substr(version, value, 1)) - 1 << 32 - 4 * value) FROM json_each('[1,2,3,4,5,6,7,8]'))
    WHERE length(version) = 8 AND version NOT LIKE '%.%';
UPDATE campaign SET created_at = COALESCE(unixepoch(substr(made, 1, 19) || CASE WHEN made LIKE '%Z' THEN 'Z' ELSE substr(made, -6) END) * 1000000
        + CAST(round(CAST('0' || substr(made, 20) AS REAL) * 1000000) AS INTEGER), 0),
    file_id = COALESCE(doc ->> 'file_id', '')
    FROM (SELECT id AS of, doc ->> 'created' AS made FROM campaign) WHERE id = of;

-- The hardware of a device profile is unique among those of its subscriber.
DROP INDEX device_profile_triplet;
CREATE UNIQUE INDEX device_profile_triplet ON device_profile (subscriber_id, producer_id, module_id, hw_revision) WHERE archived = 0;

CREATE TABLE subscriber (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    as_key        BLOB NOT NULL
) STRICT;
INSERT INTO subscriber (id, subscriber_id, doc, search, name, archived, revision, created_at, updated_at, as_key)
    VALUES ('default', 'default', '{"id":"default","name":"Default"}', 'default', 'Default', 0, 1, 0, 0, x'');

-- People. The table is not called "user": PostgreSQL has a word of that name. No subscriber
-- means that somebody serves all of them.
CREATE TABLE account (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    login         TEXT NOT NULL,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    oidc_subject  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX account_login ON account (login);
CREATE UNIQUE INDEX account_oidc_subject ON account (oidc_subject) WHERE oidc_subject <> '';

-- What people and programs show to be let in; only a digest of it is kept.
CREATE TABLE token (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    digest        TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX token_digest ON token (digest);
CREATE INDEX token_user_id ON token (user_id);

-- Work that outlives the request that asked for it.
CREATE TABLE job (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    state         TEXT NOT NULL,
    due_at        INTEGER NOT NULL,
    lease_until   INTEGER NOT NULL
) STRICT;
CREATE INDEX job_state ON job (state, due_at);

CREATE TABLE report (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT NOT NULL,
    name          TEXT NOT NULL,
    archived      INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    month         TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX report_month ON report (month, kind, subscriber_id) WHERE archived = 0;

-- Indexes for lists: whose, what it is ordered or filtered by, the identifier that decides last. "archived" at the
-- end lets archived rows be passed over within the index. The first of devices carries the text that searches look
-- through, so that they read an index and not the devices.
DROP INDEX device_profile_id;
CREATE INDEX device_list ON device (subscriber_id, id, archived, search);
CREATE INDEX device_list_name ON device (subscriber_id, name, id, archived);
CREATE INDEX device_list_archived ON device (subscriber_id, archived, id);
CREATE INDEX device_list_created_at ON device (subscriber_id, created_at, id, archived);
CREATE INDEX device_list_updated_at ON device (subscriber_id, updated_at, id, archived);
CREATE INDEX device_list_tag ON device (subscriber_id, tag, id, archived);
CREATE INDEX device_list_profile_id ON device (subscriber_id, profile_id, id, archived);
CREATE INDEX device_list_firmware_order ON device (subscriber_id, firmware_order, id, archived);
CREATE INDEX device_list_firmware_changed ON device (subscriber_id, firmware_changed, id, archived);
CREATE INDEX device_list_band ON device (subscriber_id, band, id, archived);
CREATE INDEX device_list_classes ON device (subscriber_id, classes, id, archived);
CREATE INDEX device_list_lorawan_version ON device (subscriber_id, lorawan_version, id, archived);
CREATE INDEX smart_delta_key_list ON smart_delta_key (subscriber_id, id, archived);
CREATE INDEX device_set_list ON device_set (subscriber_id, id, archived);
CREATE INDEX multicast_group_list ON multicast_group (subscriber_id, id, archived);
CREATE INDEX region_list ON region (subscriber_id, id, archived);
CREATE INDEX file_list ON file (subscriber_id, id, archived);
CREATE INDEX campaign_list ON campaign (subscriber_id, id, archived);
CREATE INDEX account_list ON account (subscriber_id, id, archived);
CREATE INDEX token_list ON token (subscriber_id, id, archived);
CREATE INDEX job_list ON job (subscriber_id, id, archived);
CREATE INDEX report_list ON report (subscriber_id, id, archived);

-- What SQLite assumes about the indexes of devices, so that it plans for a large fleet however large this one is: rows
-- in the index, rows of a subscriber, rows of a subscriber with one value, ... ANALYZE makes the table to write this to.
CREATE TABLE none (id INTEGER PRIMARY KEY) STRICT;
ANALYZE none;
DROP TABLE none;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('device', 'sqlite_autoindex_device_1', '1000000 1'),
    ('device', 'device_list_archived', '1000000 100000 50000 1'),
    ('device', 'device_list', '1000000 100000 1 1 1'),
    ('device', 'device_list_name', '1000000 100000 2 1 1'),
    ('device', 'device_list_created_at', '1000000 100000 100 1 1'),
    ('device', 'device_list_updated_at', '1000000 100000 100 1 1'),
    ('device', 'device_list_tag', '1000000 100000 2000 1 1'),
    ('device', 'device_list_profile_id', '1000000 100000 5000 1 1'),
    ('device', 'device_list_firmware_order', '1000000 100000 12000 1 1'),
    ('device', 'device_list_firmware_changed', '1000000 100000 10 1 1'),
    ('device', 'device_list_band', '1000000 100000 30000 1 1'),
    ('device', 'device_list_classes', '1000000 100000 40000 1 1'),
    ('device', 'device_list_lorawan_version', '1000000 100000 50000 1 1');
ANALYZE sqlite_schema;

-- Who did what. Entries are appended and stay as they are.
CREATE TABLE audit (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    subscriber_id TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    login         TEXT NOT NULL,
    token_id      TEXT NOT NULL,
    address       TEXT NOT NULL,
    request_id    TEXT NOT NULL,
    action        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    object_id     TEXT NOT NULL,
    changes       TEXT NOT NULL,
    note          TEXT NOT NULL
) STRICT;
CREATE INDEX audit_subscriber ON audit (subscriber_id, seq);
CREATE INDEX audit_object ON audit (kind, object_id, seq);
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;
-- +goose StatementEnd

-- What devices ran. The triggers see every way in which a version changes.
CREATE TABLE firmware_history (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    dev_eui     BLOB NOT NULL,
    version     TEXT NOT NULL,
    at          INTEGER NOT NULL,
    campaign_id TEXT NOT NULL -- in which it was reported; '': outside of one
) STRICT;
CREATE INDEX firmware_history_device ON firmware_history (dev_eui, seq);
INSERT INTO firmware_history (dev_eui, version, at, campaign_id) SELECT id, firmware, firmware_changed, '' FROM device WHERE firmware <> '';
-- +goose StatementBegin
CREATE TRIGGER device_created AFTER INSERT ON device WHEN NEW.firmware <> '' BEGIN
    INSERT INTO firmware_history (dev_eui, version, at, campaign_id) VALUES (NEW.id, NEW.firmware, NEW.firmware_changed, '');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_firmware AFTER UPDATE OF firmware ON device WHEN NEW.firmware <> '' AND NEW.firmware <> OLD.firmware BEGIN
    INSERT INTO firmware_history (dev_eui, version, at, campaign_id)
        VALUES (NEW.id, NEW.firmware, NEW.firmware_changed, COALESCE((SELECT c.id FROM campaign c JOIN run_device d ON d.campaign_id = c.id
            WHERE c.status = 'RUNNING' AND d.dev_eui = NEW.id ORDER BY c.id LIMIT 1), ''));
END;
-- +goose StatementEnd

-- Keys that seal other keys: one or more per subscriber, each wrapped under a key that is not in this database.
CREATE TABLE data_key (
    id            TEXT PRIMARY KEY,
    subscriber_id TEXT NOT NULL,
    kek_id        TEXT NOT NULL,
    wrapped       BLOB NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX data_key_subscriber ON data_key (subscriber_id, created_at);

-- Requests that came with an Idempotency-Key, and how they were answered.
CREATE TABLE claim (
    subscriber_id TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    key           TEXT NOT NULL,
    operation     TEXT NOT NULL,
    request_hash  BLOB NOT NULL, -- none: still being answered
    status        INTEGER NOT NULL,
    answer        BLOB NOT NULL, -- sealed
    at            INTEGER NOT NULL,
    PRIMARY KEY (subscriber_id, user_id, key)
) STRICT;
CREATE INDEX claim_at ON claim (at);

-- What is left to do in Go before the database is used, and how far it is: secrets were in clear.
CREATE TABLE upkeep (
    task     TEXT PRIMARY KEY,
    position TEXT NOT NULL
) STRICT;
INSERT INTO upkeep (task, position) SELECT 'seal device', '' WHERE EXISTS (SELECT 1 FROM device WHERE length(root_key) > 0);
INSERT INTO upkeep (task, position) SELECT 'seal multicast_group', '' WHERE EXISTS (SELECT 1 FROM multicast_group WHERE length(mc_key) > 0);
INSERT INTO upkeep (task, position) SELECT 'seal smart_delta_key', '' WHERE EXISTS (SELECT 1 FROM smart_delta_key WHERE length(private_key) > 0);
INSERT INTO upkeep (task, position) SELECT 'purge', '' WHERE EXISTS (SELECT 1 FROM upkeep);
