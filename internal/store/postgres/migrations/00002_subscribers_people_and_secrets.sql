-- +goose Up

-- Every object belongs to a subscriber. What was there before belongs to the first one.
ALTER TABLE smart_delta_key ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE device_profile ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE device ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE device_set ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE multicast_group ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE region ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE file ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';
ALTER TABLE campaign ADD COLUMN subscriber_id TEXT COLLATE "C" NOT NULL DEFAULT 'default';

-- What lists are ordered and filtered by has a column of its own, here made from doc. The order of versions is
-- that of FirmwareOrder.
ALTER TABLE smart_delta_key ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE device_profile ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN mcu_type TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE device ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN band TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN classes TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN lorawan_version TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN firmware_order BIGINT NOT NULL DEFAULT -1;
ALTER TABLE device_set ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE multicast_group ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN session_class TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN data_rate BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN frequency BIGINT NOT NULL DEFAULT 0;
ALTER TABLE region ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE file ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN version TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN version_order BIGINT NOT NULL DEFAULT -1,
    ADD COLUMN size BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN uploaded_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN file_id TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE smart_delta_key SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0);
UPDATE device_profile SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0),
    mcu_type = COALESCE(doc::json->>'mcu_type', '');
UPDATE device SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0),
    band = COALESCE(doc::json->>'band', ''),
    classes = COALESCE(doc::json->>'classes', ''),
    lorawan_version = COALESCE(doc::json->>'lorawan_version', ''),
    firmware_order = CASE WHEN firmware = '' THEN -1
        WHEN firmware LIKE '%.%' THEN (split_part(firmware, '.', 1)::bigint << 24) + (split_part(firmware, '.', 2)::bigint << 16)
            + (split_part(firmware, '.', 3)::bigint << 8) + split_part(firmware, '.', 4)::bigint
        ELSE 4294967296 + ('x' || firmware)::bit(32)::bigint END;
UPDATE device_set SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0);
UPDATE multicast_group SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0),
    session_class = COALESCE(doc::json->>'session_class', ''),
    data_rate = COALESCE((doc::json->>'data_rate')::bigint, 0),
    frequency = COALESCE((doc::json->>'frequency')::bigint, 0);
UPDATE region SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0);
UPDATE file SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created_at')::timestamptz) * 1000000)::bigint, 0),
    version = COALESCE(doc::json->>'version', ''),
    size = COALESCE((doc::json->>'size')::bigint, 0),
    uploaded_at = COALESCE((extract(epoch FROM (doc::json->>'uploaded_at')::timestamptz) * 1000000)::bigint, 0);
UPDATE file SET version_order = CASE WHEN version = '' THEN -1
        WHEN version LIKE '%.%' THEN (split_part(version, '.', 1)::bigint << 24) + (split_part(version, '.', 2)::bigint << 16)
            + (split_part(version, '.', 3)::bigint << 8) + split_part(version, '.', 4)::bigint
        ELSE 4294967296 + ('x' || version)::bit(32)::bigint END;
UPDATE campaign SET created_at = COALESCE((extract(epoch FROM (doc::json->>'created')::timestamptz) * 1000000)::bigint, 0),
    file_id = COALESCE(doc::json->>'file_id', '');

-- The hardware of a device profile is unique among those of its subscriber.
DROP INDEX device_profile_producer_id;
CREATE UNIQUE INDEX device_profile_subscriber_id ON device_profile (subscriber_id, producer_id, module_id, hw_revision) WHERE NOT archived;

CREATE TABLE subscriber (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    as_key        BYTEA NOT NULL
);
INSERT INTO subscriber (id, subscriber_id, doc, search, name, archived, revision, created_at, updated_at, as_key)
    VALUES ('default', 'default', '{"id":"default","name":"Default"}', 'default', 'Default', FALSE, 1, 0, 0, ''::bytea);

-- People. The table is not called "user": PostgreSQL has a word of that name. No subscriber
-- means that somebody serves all of them.
CREATE TABLE account (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    login         TEXT COLLATE "C" NOT NULL,
    role          TEXT COLLATE "C" NOT NULL,
    password_hash TEXT COLLATE "C" NOT NULL,
    oidc_subject  TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX account_login ON account (login);
CREATE UNIQUE INDEX account_oidc_subject ON account (oidc_subject) WHERE oidc_subject <> '';

-- What people and programs show to be let in; only a digest of it is kept.
CREATE TABLE token (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    digest        TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX token_digest ON token (digest);
CREATE INDEX token_user_id ON token (user_id);

-- Work that outlives the request that asked for it.
CREATE TABLE job (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL,
    due_at        BIGINT NOT NULL,
    lease_until   BIGINT NOT NULL
);
CREATE INDEX job_state ON job (state, due_at);

CREATE TABLE report (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    doc           TEXT NOT NULL,
    search        TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    archived      BOOLEAN NOT NULL,
    revision      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    month         TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX report_month ON report (month, kind, subscriber_id) WHERE NOT archived;

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

-- Who did what. Entries are appended and stay as they are.
CREATE TABLE audit (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            BIGINT NOT NULL,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    login         TEXT COLLATE "C" NOT NULL,
    token_id      TEXT COLLATE "C" NOT NULL,
    address       TEXT COLLATE "C" NOT NULL,
    request_id    TEXT COLLATE "C" NOT NULL,
    action        TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    object_id     TEXT COLLATE "C" NOT NULL,
    changes       TEXT NOT NULL,
    note          TEXT NOT NULL
);
CREATE INDEX audit_subscriber ON audit (subscriber_id, seq);
CREATE INDEX audit_object ON audit (kind, object_id, seq);
-- +goose StatementBegin
CREATE FUNCTION audit_stays() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'the audit log is only appended to'; END $$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();

-- What devices ran. The triggers see every way in which a version changes.
CREATE TABLE firmware_history (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dev_eui     BYTEA NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    campaign_id TEXT COLLATE "C" NOT NULL -- in which it was reported; '': outside of one
);
CREATE INDEX firmware_history_device ON firmware_history (dev_eui, seq);
INSERT INTO firmware_history (dev_eui, version, at, campaign_id) SELECT id, firmware, firmware_changed, '' FROM device WHERE firmware <> '';
-- +goose StatementBegin
CREATE FUNCTION note_firmware() RETURNS trigger AS $$
BEGIN
    INSERT INTO firmware_history (dev_eui, version, at, campaign_id)
        VALUES (NEW.id, NEW.firmware, NEW.firmware_changed, COALESCE((SELECT c.id FROM campaign c JOIN run_device d ON d.campaign_id = c.id
            WHERE c.status = 'RUNNING' AND d.dev_eui = NEW.id ORDER BY c.id LIMIT 1), ''));
    RETURN NULL;
END $$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER device_created AFTER INSERT ON device FOR EACH ROW
    WHEN (NEW.firmware <> '') EXECUTE FUNCTION note_firmware();
CREATE TRIGGER device_firmware AFTER UPDATE ON device FOR EACH ROW
    WHEN (NEW.firmware <> '' AND NEW.firmware <> OLD.firmware) EXECUTE FUNCTION note_firmware();

-- Keys that seal other keys: one or more per subscriber, each wrapped under a key that is not in this database.
CREATE TABLE data_key (
    id            TEXT COLLATE "C" PRIMARY KEY,
    subscriber_id TEXT COLLATE "C" NOT NULL,
    kek_id        TEXT COLLATE "C" NOT NULL,
    wrapped       BYTEA NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX data_key_subscriber ON data_key (subscriber_id, created_at);

-- Requests that came with an Idempotency-Key, and how they were answered.
CREATE TABLE claim (
    subscriber_id TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    key           TEXT COLLATE "C" NOT NULL,
    operation     TEXT COLLATE "C" NOT NULL,
    request_hash  BYTEA NOT NULL, -- none: still being answered
    status        INTEGER NOT NULL,
    answer        BYTEA NOT NULL, -- sealed
    at            BIGINT NOT NULL,
    PRIMARY KEY (subscriber_id, user_id, key)
);
CREATE INDEX claim_at ON claim (at);

-- What is left to do in Go before the database is used, and how far it is: secrets were in clear.
CREATE TABLE upkeep (
    task     TEXT COLLATE "C" PRIMARY KEY,
    position TEXT COLLATE "C" NOT NULL
);
INSERT INTO upkeep (task, position) SELECT 'seal device', '' WHERE EXISTS (SELECT 1 FROM device WHERE octet_length(root_key) > 0);
INSERT INTO upkeep (task, position) SELECT 'seal multicast_group', '' WHERE EXISTS (SELECT 1 FROM multicast_group WHERE octet_length(mc_key) > 0);
INSERT INTO upkeep (task, position) SELECT 'seal smart_delta_key', '' WHERE EXISTS (SELECT 1 FROM smart_delta_key WHERE octet_length(private_key) > 0);
