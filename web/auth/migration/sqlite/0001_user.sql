-- Times are Unix milliseconds.

-- +goose Up

CREATE TABLE auth_user (
  id         TEXT    PRIMARY KEY CHECK (id <> ''),
  login      TEXT    NOT NULL UNIQUE CHECK (login <> ''), -- lower case
  password   TEXT    NOT NULL CHECK (password LIKE '$argon2id$%'),
  role       TEXT    NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'auditor', 'analyst')),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE auth_session (
  token      BLOB    PRIMARY KEY, -- SHA-256 of what the cookie holds
  data       BLOB    NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_session_started ON auth_session (started_at);

-- Attempts to sign in that did not succeed, or have not yet.
CREATE TABLE auth_attempt (
  id      INTEGER PRIMARY KEY,
  account BLOB,             -- SHA-256 of the login: a password typed into the wrong field must not lie here; NULL while it was locked anyway
  address TEXT    NOT NULL,
  at      INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_attempt_account ON auth_attempt (account, at);
CREATE INDEX auth_attempt_address ON auth_attempt (address, at);
CREATE INDEX auth_attempt_at ON auth_attempt (at);
