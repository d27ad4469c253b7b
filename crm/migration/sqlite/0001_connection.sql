-- +goose Up
CREATE TABLE connection (
    id               TEXT    NOT NULL PRIMARY KEY,
    vendor           TEXT    NOT NULL CHECK (vendor <> ''),
    name             TEXT    NOT NULL CHECK (name <> ''),
    host             TEXT    NOT NULL CHECK (host <> ''),
    account_id       TEXT    NOT NULL DEFAULT '',
    client_id        TEXT    NOT NULL DEFAULT '',
    redirect_uri     TEXT    NOT NULL DEFAULT '',
    state            TEXT    NOT NULL CHECK (state IN ('active', 'needs_owner', 'off')),
    problem          TEXT    NOT NULL DEFAULT '',
    paused_until     INTEGER NOT NULL DEFAULT 0,
    automatic        INTEGER NOT NULL CHECK (automatic IN (0, 1)),
    language         TEXT    NOT NULL CHECK (language <> ''),
    channel_incoming INTEGER NOT NULL CHECK (channel_incoming IN (0, 1)),
    channel_outgoing INTEGER NOT NULL CHECK (channel_outgoing IN (0, 1)),
    on_prem_hosts    TEXT    NOT NULL DEFAULT '[]',

    -- Sealed with the key of this id; the row's id is bound into both.
    key_id           TEXT    NOT NULL,
    secret           BLOB    NOT NULL,
    tokens           BLOB    NOT NULL,
    grants           INTEGER NOT NULL DEFAULT 0, -- how often a person gave access; old answers do not spoil a new one
    access_until     INTEGER NOT NULL DEFAULT 0, -- end of a long-lived token, for the screen
    renewed_at       INTEGER NOT NULL DEFAULT 0,
    lease            TEXT    NOT NULL DEFAULT '', -- who renews the tokens now
    lease_until      INTEGER NOT NULL DEFAULT 0,

    state_hash       BLOB,                        -- of the OAuth state that is out, NULL if none
    state_until      INTEGER NOT NULL DEFAULT 0,
    state_actor      TEXT    NOT NULL DEFAULT '',

    started_at       INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    polled_at        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One portal, one connection: a second one would recognise and charge every call twice.
CREATE UNIQUE INDEX connection_account ON connection (vendor, account_id) WHERE account_id <> '';
CREATE UNIQUE INDEX connection_state ON connection (state_hash) WHERE state_hash IS NOT NULL;

CREATE TABLE connection_event (
    id            INTEGER PRIMARY KEY,
    connection_id TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    actor         TEXT    NOT NULL CHECK (actor <> ''),
    what          TEXT    NOT NULL CHECK (what <> ''),
    detail        TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX connection_event_of ON connection_event (connection_id, id);

-- +goose Down
DROP TABLE connection_event;
DROP TABLE connection;
