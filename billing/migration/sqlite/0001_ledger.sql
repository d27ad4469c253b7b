-- +goose Up

-- Balances are a cache of the entries. Only "issued" is below zero: it is what
-- the vendor gave out.
CREATE TABLE account (
	id      INTEGER PRIMARY KEY,
	code    TEXT    NOT NULL UNIQUE,
	balance INTEGER NOT NULL DEFAULT 0,
	CHECK (id = 1 OR balance >= 0),
	CHECK (id <> 1 OR balance <= 0)
) STRICT;

INSERT INTO account (id, code)
VALUES
	(1, 'issued'),
	(2, 'available'),
	(3, 'held'),
	(4, 'spent');

-- Money moves from debit to credit. prev and hash chain the entries; seconds,
-- summary and tariff_hash tell what a hold or a capture was priced by.
CREATE TABLE entry (
	seq         INTEGER PRIMARY KEY,
	ts          INTEGER NOT NULL,
	epoch       INTEGER NOT NULL,
	kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),
	debit       INTEGER NOT NULL REFERENCES account (id),
	credit      INTEGER NOT NULL REFERENCES account (id),
	amount      INTEGER NOT NULL CHECK (amount > 0),
	pending     INTEGER REFERENCES entry (seq),
	idem        TEXT    NOT NULL UNIQUE,
	input_hash  BLOB    NOT NULL,
	ref         TEXT    NOT NULL,
	reason      TEXT    NOT NULL,
	seconds     INTEGER NOT NULL CHECK (seconds >= 0),
	summary     INTEGER NOT NULL CHECK (summary IN (0, 1)),
	tariff_hash BLOB,
	prev        BLOB    NOT NULL,
	hash        BLOB    NOT NULL UNIQUE,
	CHECK (debit <> credit),
	CHECK ((kind IN (3, 4)) = (pending IS NOT NULL)),
	CHECK ((kind IN (2, 3)) = (tariff_hash IS NOT NULL)),
	UNIQUE (pending, kind)
) STRICT;

CREATE INDEX entry_capture_ts ON entry (ts) WHERE kind = 3;

-- +goose StatementBegin
CREATE TRIGGER entry_never_changes BEFORE UPDATE ON entry
BEGIN
	SELECT RAISE(ABORT, 'a ledger entry never changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_never_goes BEFORE DELETE ON entry
BEGIN
	SELECT RAISE(ABORT, 'a ledger entry never goes');
END;
-- +goose StatementEnd

CREATE TABLE head (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	seq      INTEGER NOT NULL,
	hash     BLOB    NOT NULL,
	epoch    INTEGER NOT NULL,
	clock_hw INTEGER NOT NULL
) STRICT;

INSERT INTO head (id, seq, hash, epoch, clock_hw)
VALUES (1, 0, zeroblob(32), 1, 0);

CREATE TABLE pack (
	serial    TEXT    PRIMARY KEY,
	sha256    BLOB    NOT NULL UNIQUE,
	entry_seq INTEGER NOT NULL UNIQUE REFERENCES entry (seq),
	req_seq   INTEGER UNIQUE,
	kind      TEXT    NOT NULL,
	token     TEXT    NOT NULL,
	loaded_at INTEGER NOT NULL,
	loaded_by TEXT    NOT NULL
) STRICT;

CREATE TABLE tariff (
	hash       BLOB    PRIMARY KEY,
	token      TEXT    NOT NULL,
	rate_u     INTEGER NOT NULL CHECK (rate_u > 0),
	min_s      INTEGER NOT NULL CHECK (min_s > 0),
	summary_u  INTEGER NOT NULL CHECK (summary_u >= 0),
	valid_from INTEGER NOT NULL UNIQUE,
	loaded_at  INTEGER NOT NULL,
	loaded_by  TEXT    NOT NULL
) STRICT;
