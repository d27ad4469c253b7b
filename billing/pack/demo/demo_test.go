package demo_test

import (
	"errors"
	"testing"
	"time"

	"flysense/billing/pack"
	"flysense/billing/pack/demo"
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
