package demo_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/billing/pack/demo"
	"flysense/internal/db"
)

// The demonstration's coins are coins in the demonstration only.
func TestReleaseRefusesDemoPack(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	inst, err := pack.NewInstallation(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	token, err := demo.Pack(inst.ID(), 1000, pack.Welcome, now)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := demo.Keyset().OpenPack(token, inst.ID(), now)
	if err != nil || p.FC != 1000 || p.Purpose() != pack.Welcome {
		t.Fatalf("the demonstration reads %+v, %v", p, err)
	}
	if _, _, err := pack.Release().OpenPack(token, inst.ID(), now); !errors.Is(err, pack.ErrUnknownKey) {
		t.Errorf("a released program: %v", err)
	}
	for _, trusted := range pack.Release() {
		for _, known := range demo.Keyset() {
			if trusted.Public.Equal(known.Public) {
				t.Error("a released program trusts the demonstration's key")
			}
		}
	}
	again, err := demo.Pack(inst.ID(), 1000, pack.Welcome, now)
	if err != nil || again == token {
		t.Errorf("two packs are one, %v", err)
	}
}

// The same through the one door of coins: the wallet of a released program
// stays empty.
func TestReleasedLedgerRefusesDemoPack(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	inst, err := pack.OpenInstallation(filepath.Join(t.TempDir(), "installation.pem"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := demo.Pack(inst.ID(), 500, pack.Welcome, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		keys  pack.Keyset
		want  error
		coins billing.Amount
	}{
		"demonstration": {demo.Keyset(), nil, 500 * billing.FC},
		"release":       {pack.Release(), pack.ErrUnknownKey, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(ctx, filepath.Join(t.TempDir(), "flysense.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			ledger, err := billing.Open(ctx, d, billing.Settings{Keys: tt.keys, Installation: inst, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.LoadPack(ctx, token, "demo"); !errors.Is(err, tt.want) {
				t.Errorf("load: %v, want %v", err, tt.want)
			}
			if b, err := ledger.Balance(ctx); err != nil || b.Available != tt.coins {
				t.Errorf("balance %+v, %v", b, err)
			}
		})
	}
}
