-- Times are Unix milliseconds, columns that end with _ns are lengths in nanoseconds.

-- +goose Up

CREATE TABLE call (
  number        INTEGER PRIMARY KEY, -- of the row in call_text; VACUUM keeps it
  id            TEXT    NOT NULL UNIQUE CHECK (id <> ''),
  connection_id TEXT    NOT NULL CHECK (connection_id <> ''),
  key           TEXT    NOT NULL,
  direction     TEXT    NOT NULL CHECK (direction IN ('', 'in', 'out')),
  phone         TEXT    NOT NULL,
  agent         TEXT    NOT NULL,
  title         TEXT    NOT NULL,
  started_at    INTEGER NOT NULL,
  reported_ns   INTEGER NOT NULL CHECK (reported_ns >= 0),
  link          TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('found', 'waiting', 'queued', 'running', 'no_funds', 'needs_owner', 'done', 'failed', 'quarantined', 'cancelled')),
  step          TEXT    NOT NULL CHECK (step IN ('', 'detect', 'fetch', 'transcribe', 'analyse', 'deliver')),
  priority      INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
  problem       TEXT    NOT NULL,
  remark        TEXT    NOT NULL,
  actor         TEXT    NOT NULL,
  run           INTEGER NOT NULL CHECK (run >= 0),
  crashes       INTEGER NOT NULL CHECK (crashes >= 0),
  revision      INTEGER NOT NULL CHECK (revision >= 0),
  created_at    INTEGER NOT NULL CHECK (created_at > 0),
  updated_at    INTEGER NOT NULL CHECK (updated_at > 0)
) STRICT;
CREATE UNIQUE INDEX call_key ON call (connection_id, key) WHERE key <> '';
CREATE INDEX call_newest ON call (started_at DESC, id DESC);
CREATE INDEX call_state ON call (state, started_at);

-- A note outlives its call, without anything personal: a deleted call must not
-- come back with the next poll. So call_id may name a call that is gone.
CREATE TABLE note (
  connection_id TEXT    NOT NULL CHECK (connection_id <> ''),
  outside_id    TEXT    NOT NULL CHECK (outside_id <> ''),
  call_id       TEXT    NOT NULL CHECK (call_id <> ''),
  card_kind     TEXT    NOT NULL,
  card_id       TEXT    NOT NULL,
  card_title    TEXT    NOT NULL,
  card_url      TEXT    NOT NULL,
  result_id     TEXT    NOT NULL,
  revision      INTEGER NOT NULL CHECK (revision >= 0),
  tried         INTEGER NOT NULL CHECK (tried IN (0, 1)),
  PRIMARY KEY (connection_id, outside_id)
) STRICT;
CREATE INDEX note_call ON note (call_id);

CREATE TABLE call_history (
  id      INTEGER PRIMARY KEY,
  call_id TEXT    NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  at      INTEGER NOT NULL,
  actor   TEXT    NOT NULL,
  state   TEXT    NOT NULL,
  step    TEXT    NOT NULL,
  problem TEXT    NOT NULL
) STRICT;
CREATE INDEX call_history_call ON call_history (call_id, id);

CREATE TABLE recording (
  call_id    TEXT    PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
  bytes      INTEGER NOT NULL CHECK (bytes >= 0),
  sha256     TEXT    NOT NULL,
  format     TEXT    NOT NULL,
  rate       INTEGER NOT NULL CHECK (rate >= 0),
  channels   INTEGER NOT NULL CHECK (channels >= 0),
  length_ns  INTEGER NOT NULL CHECK (length_ns >= 0),
  truncated  INTEGER NOT NULL CHECK (truncated IN (0, 1)),
  misnamed   INTEGER NOT NULL CHECK (misnamed IN (0, 1)),
  peaks      BLOB    NOT NULL, -- per channel: count as a varint, then as many bytes
  fetched_at INTEGER NOT NULL,
  kept_until INTEGER NOT NULL,
  gone       INTEGER NOT NULL CHECK (gone IN (0, 1))
) STRICT;
CREATE INDEX recording_kept ON recording (kept_until) WHERE gone = 0;

CREATE TABLE call_window (
  call_id  TEXT    NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  idx      INTEGER NOT NULL CHECK (idx >= 0),
  channel  INTEGER NOT NULL CHECK (channel >= 0),
  start_ns INTEGER NOT NULL CHECK (start_ns >= 0),
  end_ns   INTEGER NOT NULL CHECK (end_ns >= start_ns),
  segments TEXT    CHECK (segments IS NULL OR json_valid(segments)), -- NULL until heard
  PRIMARY KEY (call_id, idx)
) STRICT;

CREATE TABLE transcript (
  call_id  TEXT    PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
  model    TEXT    NOT NULL,
  language TEXT    NOT NULL,
  turns    TEXT    NOT NULL CHECK (json_valid(turns)),
  made_at  INTEGER NOT NULL
) STRICT;

-- The columns are what counts now, with people's edits; said is what the
-- analyst answered.
CREATE TABLE analysis (
  call_id  TEXT    PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
  made_by  TEXT    NOT NULL,
  summary  TEXT    NOT NULL,
  tone     TEXT    NOT NULL CHECK (tone IN ('', 'positive', 'neutral', 'negative')),
  verdicts TEXT    NOT NULL CHECK (json_valid(verdicts)),
  tags     TEXT    NOT NULL CHECK (json_valid(tags)),
  charged  INTEGER NOT NULL CHECK (charged IN (0, 1)),
  made_at  INTEGER NOT NULL,
  said     TEXT    NOT NULL CHECK (json_valid(said))
) STRICT;

CREATE TABLE edit (
  id      INTEGER PRIMARY KEY,
  call_id TEXT    NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  field   TEXT    NOT NULL CHECK (field IN ('summary', 'tone', 'tags', 'verdict')),
  value   TEXT    NOT NULL,
  author  TEXT    NOT NULL CHECK (author <> ''),
  at      INTEGER NOT NULL,
  CHECK (field <> 'tone' OR value IN ('positive', 'neutral', 'negative'))
) STRICT;
CREATE INDEX edit_call ON edit (call_id, id);

CREATE TABLE poll_mark (
  connection_id TEXT PRIMARY KEY,
  mark          TEXT NOT NULL
) STRICT;

-- Stems of what can be searched for; search.go writes and asks. secure-delete
-- takes the words of a deleted call out of the index at once.
CREATE VIRTUAL TABLE call_text USING fts5 (title, phone, agent, transcript, summary, tokenize = 'unicode61 remove_diacritics 0');
INSERT INTO call_text (call_text, rank) VALUES ('secure-delete', 1);
