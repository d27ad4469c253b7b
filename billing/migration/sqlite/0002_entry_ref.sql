-- +goose Up
-- What a call cost is asked for every row of the list of calls.
CREATE INDEX entry_ref ON entry (ref);

-- +goose Down
DROP INDEX entry_ref;
