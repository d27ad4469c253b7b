package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/store"
)

func ids(p store.Page) string {
	var all []string
	for _, r := range p.Rows {
		all = append(all, r.ID)
	}
	return strings.Join(all, " ")
}

func TestSearch(t *testing.T) {
	f := open(t)
	rent, repair := aCall("RENT"), aCall("REPAIR")
	rent.Title, rent.Agent, rent.Phone, rent.StartedAt = "Офис на Тверской", "Алёна Королёва", "8 (495) 777-00-11", start
	repair.Title = "Ремонт квартиры"
	f.add(rent)
	f.add(repair)
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		a := anAnalysis("REPAIR")
		a.Summary, a.Tags = "Замена труб", []string{"сантехника"}
		return errors.Join(
			f.SaveTranscript(ctx, tx, aTranscript("RENT", "Пришлите договор аренды, стоимость 5000 рублей.")),
			f.SaveAnalysis(ctx, tx, a),
		)
	})
	for query, want := range map[string]string{
		"":                        "RENT REPAIR",
		"договоров аренде":        "RENT",
		"АРЕНДОЙ договору":        "RENT",
		"дого":                    "RENT", // still typing
		"дого аренда":             "",     // only the last word may be unfinished
		"договор ремонта":         "",     // all words must be there
		"алена":                   "RENT", // ё is е
		"королева":                "RENT",
		"+7 495 777-00-11":        "RENT",
		"84957770011":             "RENT",
		"4957770011":              "RENT",
		"77700":                   "RENT", // a part of the number
		"777-00-11 аренда":        "RENT",
		"5000":                    "RENT",
		"сантехникой":             "REPAIR",
		"труба":                   "REPAIR",
		"квартир":                 "REPAIR",
		`"OR" NEAR( * ^ : - AND`:  "", // no word of the query language has a meaning
		"«»—…":                    "",
		strings.Repeat("я", 5000): "",
	} {
		page, err := f.List(t.Context(), store.Filter{Query: query})
		if err != nil {
			t.Errorf("%.40q: %v", query, err)
		} else if got := ids(page); got != want {
			t.Errorf("%.40q found %q, want %q", query, got, want)
		}
	}

	// What is corrected is found by its new words only.
	rent.Title = "Склад в Химках"
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(
			f.SaveCall(ctx, tx, rent),
			f.SaveEdit(ctx, tx, engine.Edit{CallID: "REPAIR", Field: engine.FieldSummary, Value: "Поклейка обоев", Author: "anna"}),
		)
	})
	for query, want := range map[string]string{"тверская": "", "склады": "RENT", "замена": "", "обои": "REPAIR"} {
		if page, err := f.List(t.Context(), store.Filter{Query: query}); err != nil || ids(page) != want {
			t.Errorf("after the correction %q found %q, want %q (%v)", query, ids(page), want, err)
		}
	}
}

func TestFilters(t *testing.T) {
	f := open(t)
	for i, c := range []struct {
		id, agent, connection string
		state                 engine.State
		tone                  engine.Tone
		tag                   string
	}{
		{"A", "Анна", "one", engine.Done, engine.Positive, "цена"},
		{"B", "Борис", "one", engine.Done, engine.Negative, "жалоба"},
		{"C", "Анна", "two", engine.NoFunds, "", ""},
		{"D", "", "two", engine.Done, engine.Negative, "цена"},
	} {
		call := aCall(c.id)
		call.Agent, call.ConnectionID, call.State = c.agent, c.connection, c.state
		call.StartedAt, call.Reported = start.Add(time.Duration(i)*time.Hour), time.Minute
		f.add(call)
		f.do(func(ctx context.Context, tx *sql.Tx) error {
			if c.tone == "" {
				return nil
			}
			a := anAnalysis(c.id)
			a.Tone, a.Tags = c.tone, []string{c.tag}
			return errors.Join(f.SaveAnalysis(ctx, tx, a), f.SaveRecording(ctx, tx, engine.Recording{CallID: c.id, Length: 30 * time.Second}, nil))
		})
	}
	// A person disagrees about D.
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		return f.SaveEdit(ctx, tx, engine.Edit{CallID: "D", Field: engine.FieldTone, Value: "neutral", Author: "anna"})
	})
	for name, tt := range map[string]struct {
		filter store.Filter
		want   string
		length time.Duration
	}{
		"all":           {store.Filter{}, "D C B A", 150 * time.Second},
		"state":         {store.Filter{State: engine.Done}, "D B A", 90 * time.Second},
		"tone, edited":  {store.Filter{Tone: engine.Negative}, "B", 30 * time.Second},
		"agent":         {store.Filter{Agent: "Анна"}, "C A", 90 * time.Second},
		"connection":    {store.Filter{Connection: "two"}, "D C", 90 * time.Second},
		"tag":           {store.Filter{Tag: "цена"}, "D A", 60 * time.Second},
		"from":          {store.Filter{From: start.Add(time.Hour)}, "D C B", 120 * time.Second},
		"to, exclusive": {store.Filter{To: start.Add(time.Hour)}, "A", 30 * time.Second},
		"together":      {store.Filter{Query: "ремонт", Agent: "Анна", State: engine.Done, Tag: "цена"}, "A", 30 * time.Second},
		"nothing":       {store.Filter{Agent: "Никто"}, "", 0},
	} {
		page, err := f.List(t.Context(), tt.filter)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ids(page) != tt.want || page.Length != tt.length || page.Total != len(page.Rows) {
			t.Errorf("%s: %q, %v, total %d; want %q, %v", name, ids(page), page.Length, page.Total, tt.want, tt.length)
		}
		same(t, name+": agents", page.Agents, []string{"Анна", "Борис"})
	}
	page, err := f.List(t.Context(), store.Filter{State: engine.NoFunds, Connection: "two"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "states are counted for any state", page.States, map[engine.State]int{engine.Done: 1, engine.NoFunds: 1})
	counts, err := f.CountByConnection(t.Context())
	same(t, "calls of connections", []any{counts, err}, []any{map[string]int{"one": 2, "two": 2}, nil})
}

// Pages follow each other without gap or repetition, also when calls begin in
// the same millisecond and new ones arrive between two pages.
func TestPages(t *testing.T) {
	f := open(t)
	var want []string
	for i := range 25 {
		c := aCall(fmt.Sprintf("C%02d", i))
		c.StartedAt = start.Add(time.Duration(i/10) * time.Minute)
		f.add(c)
		want = append(want, c.ID)
	}
	slices.Reverse(want)
	var got []string
	filter := store.Filter{Limit: 7}
	for pages := 0; ; pages++ {
		page, err := f.List(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			got = append(got, r.ID)
		}
		if pages == 0 {
			late := aCall("NEW")
			late.StartedAt = start.Add(time.Hour)
			f.add(late)
		}
		if filter.Cursor = page.Next; filter.Cursor == "" {
			break
		}
	}
	same(t, "pages", got, want)
	for _, cursor := range []string{"x", "1", "_", "1_", "' OR 1_2", "99999999999999999999_a"} {
		if _, err := f.List(t.Context(), store.Filter{Cursor: cursor}); !errors.Is(err, store.ErrCursor) {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
	if page, err := f.List(t.Context(), store.Filter{Limit: 1 << 30}); err != nil || len(page.Rows) != 26 {
		t.Errorf("%d rows, %v", len(page.Rows), err)
	}
}

func TestRowShowsWhatCounts(t *testing.T) {
	f := open(t)
	f.add(aCall("C1"))
	row, err := f.Row(t.Context(), "C1")
	if err != nil || row.Length != 83*time.Second || row.Analysis.By != "" || row.Progress.Total != 0 {
		t.Errorf("before anything: %+v, %v", row, err)
	}
	f.do(func(ctx context.Context, tx *sql.Tx) error {
		windows := []engine.Window{{Index: 0, End: 1}, {Index: 1, End: 1}}
		return errors.Join(
			f.SaveRecording(ctx, tx, engine.Recording{CallID: "C1", Length: 80 * time.Second}, windows),
			f.SaveHeard(ctx, tx, "C1", engine.Heard{Window: windows[1]}),
			f.SaveAnalysis(ctx, tx, anAnalysis("C1")),
		)
	})
	row, err = f.Row(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	want := store.Row{Call: aCall("C1"), Length: 80 * time.Second, Analysis: anAnalysis("C1"), Progress: store.Progress{Done: 1, Total: 2}}
	want.UpdatedAt = start
	same(t, "row", row, want)

	ids := make([]string, 2500) // more than one batch
	for i := range ids {
		ids[i] = fmt.Sprint("unknown", i)
	}
	briefs, err := f.Briefs(t.Context(), append(ids, "C1"))
	same(t, "briefs", []any{briefs, err}, []any{map[string]store.Brief{"C1": {Title: "Ремонт квартиры", Length: 80 * time.Second}}, nil})
}
