package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flysense/billing"
	"flysense/billing/pack"
	"flysense/billing/pack/demo"
	"flysense/internal/appliance"
	"flysense/internal/db"
)

// The test binary is also the program's workers: they are started from
// /proc/self/exe.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "worker" {
		if err := appliance.Worker(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const assets = "../../models/demo"

// flysense is the command line in a folder of its own.
func flysense(t *testing.T, args ...string) (out, errs string, err error) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	c := root()
	var o, e bytes.Buffer
	c.SetOut(&o)
	c.SetErr(&e)
	c.SetArgs(append(args, "--data-dir", filepath.Join(dir, "data"), "--demo-model", filepath.Join(assets, "ggml-demo-ru.bin"), "--listen", "127.0.0.1:0"))
	err = c.ExecuteContext(context.Background())
	return o.String(), e.String(), err
}

// Coins of the demo are worth nothing here: the keys this program trusts do not
// know the demo's.
func TestDemoPackIsRefused(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	d, err := db.Open(ctx, filepath.Join(dir, "flysense.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	installation, err := pack.OpenInstallation(filepath.Join(dir, "installation.key"))
	if err != nil {
		t.Fatal(err)
	}
	load := func(keys pack.Keyset) error {
		ledger, err := billing.Open(ctx, d, billing.Settings{Keys: keys, Installation: installation, AnchorPath: filepath.Join(dir, "anchor"), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		token, err := demo.Pack(ledger.InstallationID(), 10, pack.TopUp, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = ledger.LoadPack(ctx, token, "test")
		return err
	}
	var refused *pack.Refusal
	if err := load(trusted()); !errors.As(err, &refused) {
		t.Errorf("a pack of the demo: %v", err)
	}
	if err := load(append(trusted(), demo.Keyset()...)); err != nil { // it is the key, not the pack
		t.Errorf("with the demo's key: %v", err)
	}
}

func TestVersionAndUnknownKey(t *testing.T) {
	if out, _, err := flysense(t, "version"); err != nil || !strings.HasPrefix(out, "flysense ") {
		t.Errorf("%q, %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("keep_audoi: 1h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := flysense(t, "models", "list", "--config", file); err == nil || !strings.Contains(err.Error(), "keep_audoi") {
		t.Errorf("a misspelt key: %v", err)
	}
}

func TestModelsList(t *testing.T) {
	out, _, err := flysense(t, "models", "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"large-v3-turbo", "demo-ru", "Работает: demo-ru", "демонстрационн"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestTranscribeRefusals(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "call.mp3")
	if err := os.WriteFile(text, []byte("это не звук"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, err := flysense(t, "transcribe", text, filepath.Join(dir, "none.wav"))
	if err == nil || !strings.Contains(err.Error(), "2 из 2") {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"не звук", "такого файла нет"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %q", want, errs)
		}
	}
	if _, _, err := flysense(t, "transcribe", "--format", "docx", text); err == nil {
		t.Error("an unknown format passed")
	}
}
