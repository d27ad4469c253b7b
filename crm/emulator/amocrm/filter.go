package amocrm

import (
	"slices"
	"strconv"
	"time"
)

// span is a filter by time: both ends included, a zero end is open.
type span struct {
	after    time.Time // the bare form: strictly after
	from, to time.Time
}

// span reads key, key[from] and key[to] in Unix seconds.
func (q query) span(key string) (span, error) {
	var s span
	for _, end := range []struct {
		key  string
		into *time.Time
	}{{key, &s.after}, {key + "[from]", &s.from}, {key + "[to]", &s.to}} {
		text := q.one(end.key)
		if text == "" {
			continue
		}
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return span{}, err
		}
		*end.into = time.Unix(seconds, 0)
	}
	return s, nil
}

func (s span) holds(t time.Time) bool {
	t = t.Truncate(time.Second) // the API knows whole seconds
	return (s.after.IsZero() || t.After(s.after)) && (s.from.IsZero() || !t.Before(s.from)) && (s.to.IsZero() || !t.After(s.to))
}

// keep copies the items that pass.
func keep[T any](items []T, passes func(T) bool) []T {
	var kept []T
	for _, item := range items {
		if passes(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// anyOf is a filter by value: an empty list lets everything pass.
func anyOf(wanted []string, value string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, value)
}

// direction is 1 for asc and -1 for desc.
func direction(way string) int {
	if way == "desc" {
		return -1
	}
	return 1
}
