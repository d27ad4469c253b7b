package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"flysense/engine"
	"flysense/engine/store"
)

// BenchmarkList is a page of a year's calls: unfiltered, searched, filtered.
func BenchmarkList(b *testing.B) {
	const calls = 20_000
	f := openFor(b)
	for begin := 0; begin < calls; begin += 1000 {
		if err := f.Tx(b.Context(), func(tx *sql.Tx) error { return fill(b.Context(), f, tx, begin, begin+1000) }); err != nil {
			b.Fatal(err)
		}
	}
	for name, filter := range map[string]store.Filter{
		"all":    {},
		"search": {Query: "договоров аренде"},
		"state":  {State: engine.Failed},
		"tag":    {Tag: "аренда"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				page, err := f.List(b.Context(), filter)
				if err != nil || len(page.Rows) == 0 {
					b.Fatal(len(page.Rows), err)
				}
			}
		})
	}
}

func fill(ctx context.Context, f *fixture, tx *sql.Tx, begin, end int) error {
	var errs []error
	for i := begin; i < end; i++ {
		c := aCall(fmt.Sprintf("C%06d", i))
		c.StartedAt, c.State = start.Add(time.Duration(i)*time.Minute), engine.Done
		said, tag := "Подскажите, пожалуйста, когда приедет мастер и сколько это будет стоить.", "ремонт"
		if i%100 == 0 {
			c.State, said, tag = engine.Failed, "Пришлите договор аренды.", "аренда"
		}
		a := anAnalysis(c.ID)
		a.Tags = []string{tag}
		errs = append(errs,
			f.AddCall(ctx, tx, c),
			f.SaveRecording(ctx, tx, engine.Recording{CallID: c.ID, Length: time.Minute, Peaks: [][]uint8{make([]uint8, engine.PeakBuckets), make([]uint8, engine.PeakBuckets)}}, nil),
			f.SaveTranscript(ctx, tx, aTranscript(c.ID, said)),
			f.SaveAnalysis(ctx, tx, a))
	}
	return errors.Join(errs...)
}
