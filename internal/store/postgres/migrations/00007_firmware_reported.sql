-- +goose Up

-- When a device has told its version itself. Of what is known so far nobody has noted that: it is asked for when it matters.
ALTER TABLE device ADD COLUMN firmware_reported BIGINT NOT NULL DEFAULT 0;
