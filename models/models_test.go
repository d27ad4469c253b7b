package models

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the publisher's checksum
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const demoFile = "demo/ggml-demo-ru.bin"

// tiny writes a whole model file with one tensor of the given size.
func tiny(t testing.TB, rows int32) []byte {
	t.Helper()
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	put(uint32(Magic))
	put(Header{51865, 1500, 64, 4, 2, 448, 64, 4, 2, 80, 8})
	put([]int32{80, 201})
	put(make([]float32, 80*201))
	put(int32(2))
	for _, w := range []string{"да", "нет"} {
		put(uint32(len(w)))
		b.WriteString(w)
	}
	put([]int32{2, 1, 0, 32, rows})
	b.WriteString("w")
	put(make([]float32, 32*rows))
	return b.Bytes()
}

func sha1Of(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) } //nolint:gosec // as above
func sha256Of(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	hex40, hex64 := regexp.MustCompile(`^[0-9a-f]{40}$`), regexp.MustCompile(`^[0-9a-f]{64}$`)
	for _, m := range Catalogue() {
		if seen[m.Name] || seen[m.File] {
			t.Errorf("%s stands twice", m.Name)
		}
		seen[m.Name], seen[m.File] = true, true
		if m.SHA1 != "" && (!hex40.MatchString(m.SHA1) || seen[m.SHA1]) || m.SHA256 != "" && !hex64.MatchString(m.SHA256) {
			t.Errorf("%s: checksum %q %q", m.Name, m.SHA1, m.SHA256)
		}
		seen[m.SHA1] = m.SHA1 != ""
		if (m.SHA1 != "" || m.SHA256 != "") != (m.Cited != "") {
			t.Errorf("%s: a checksum and its source go together", m.Name)
		}
		if m.MemoryBytes <= m.SizeBytes || m.SizeBytes > maxModel || m.SizeBytes < mib || m.Licence == "" || m.Source == "" {
			t.Errorf("%s: %+v", m.Name, m)
		}
		if got, err := Find(m.File); err != nil || got != m {
			t.Errorf("find %s: %v", m.File, err)
		}
	}
	if _, err := Find("../etc/passwd"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestDemoModelIsWhatTheCatalogueSays(t *testing.T) {
	f := Folder{Dir: t.TempDir(), Demo: demoFile}
	var last, total int64
	e, err := f.Verify(context.Background(), Demo, func(d, n int64) { last, total = d, n })
	if err != nil || e.State != Verified || e.DiskBytes != e.SizeBytes {
		t.Fatalf("%+v, %v", e, err)
	}
	if last != total || total != e.SizeBytes {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	if h, err := Inspect(demoFile); err != nil || h.AudioState != 192 || h.Mels != 80 {
		t.Errorf("%+v, %v", h, err)
	}
	c, err := f.Default()
	if err != nil || !c.Demo || !strings.Contains(c.Say, "демонстрационная") {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestInspectRefuses(t *testing.T) {
	good := tiny(t, 40)
	edit := func(at int, v int32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], uint32(v))
		return b
	}
	tensor := len(good) - 32*40*4 - 1 - 5*4
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":              {nil, "не модель"},
		"text":               {[]byte("привет"), "не модель"},
		"only the magic":     {good[:4], "оборван"},
		"half a header":      {good[:20], "оборван"},
		"half the filters":   {good[:5000], "оборван"},
		"half a word":        {good[:4+44+8+80*201*4+4+5], "оборван"},
		"last byte missing":  {good[:len(good)-1], "оборван"},
		"half the weights":   {good[:len(good)-32*20*4], "оборван"},
		"bytes after":        {append(bytes.Clone(good), 1, 2, 3), "оборван"},
		"no weights":         {good[:tensor], "нет весов"},
		"negative state":     {edit(4+2*4, -64), "заголовок"},
		"odd heads":          {edit(4+3*4, 5), "заголовок"},
		"filters disagree":   {edit(4+44, 128), "противоречит"},
		"huge vocabulary":    {edit(4+44+8+80*201*4, 1<<30), "словарь"},
		"huge tensor":        {edit(tensor+3*4, 1<<30), "веса"},
		"tensor beyond file": {edit(tensor+4*4, 1<<19), "оборван"},
		"unknown format":     {edit(tensor+2*4, 99), "веса"},
		"unlikely dims":      {edit(tensor, 9), "веса"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.bin")
			put(t, path, tt.file)
			_, err := Inspect(path)
			var bad *BadFile
			if !errors.As(err, &bad) || !strings.Contains(bad.Reason, tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if !strings.Contains(Hint(err), bad.Reason) {
				t.Errorf("hint %q", Hint(err))
			}
		})
	}
	path := filepath.Join(t.TempDir(), "m.bin")
	put(t, path, good)
	if _, err := Inspect(path); err != nil {
		t.Errorf("the whole file: %v", err)
	}
}

func FuzzInspect(f *testing.F) {
	good := tiny(f, 2)
	f.Add(good)
	f.Add(good[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "m.bin")
		put(t, path, b)
		if _, err := Inspect(path); err == nil && len(b) < 80*4 {
			t.Errorf("%d bytes are no model", len(b))
		}
	})
}

func TestListAndVerify(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := Folder{Dir: t.TempDir(), Now: func() time.Time { return now }}
	own := filepath.Join(f.Dir, "ggml-site-own.bin")
	put(t, own, tiny(t, 40))
	put(t, filepath.Join(f.Dir, "ggml-small.bin"), tiny(t, 3)) // not what its name says
	put(t, filepath.Join(f.Dir, "notes.txt"), []byte("-"))

	all, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(Catalogue()) + 1; len(all) != n {
		t.Fatalf("%d lines, want %d", len(all), n)
	}
	if e := all[len(all)-1]; e.Name != "site-own" || e.State != Unchecked || e.State.String() == "" {
		t.Errorf("%+v", e)
	}
	if e, err := f.Verify(ctx, "site-own", nil); err != nil || e.State != Unverified || e.State.String() != "не проверено" {
		t.Errorf("%+v, %v", e, err)
	}
	var bad *BadFile
	if e, err := f.Verify(ctx, "small", nil); !errors.As(err, &bad) || e.State != Bad {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := f.Verify(ctx, "medium", nil); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Verify(ctx, "nonsense", nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}

	// The verdicts are remembered until the file changes.
	e, err := f.Get("site-own")
	if err != nil || e.State != Unverified || e.SHA256 != sha256Of(tiny(t, 40)) {
		t.Errorf("%+v, %v", e, err)
	}
	put(t, own, tiny(t, 41))
	if e, err := f.Get("site-own"); err != nil || e.State != Unchecked {
		t.Errorf("%+v, %v", e, err)
	}
	put(t, f.receipt("ggml-site-own.bin"), []byte(`{"state":"perfect"}`))
	if e, err := f.Get("site-own"); err != nil || e.State != Unchecked {
		t.Errorf("%+v, %v", e, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Verify(cancelled, "site-own", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDefault(t *testing.T) {
	for name, tt := range map[string]struct {
		files []string
		demo  string
		want  string // "" is ErrNotInstalled
	}{
		"nothing at all":               {},
		"the demo model is not there":  {demo: "demo/absent.bin"},
		"only the demo":                {demo: demoFile, want: Demo},
		"a real one wins":              {files: []string{"ggml-base.bin"}, demo: demoFile, want: "base"},
		"the best of two":              {files: []string{"ggml-base.bin", "ggml-large-v3-turbo-q5_0.bin"}, want: "large-v3-turbo-q5_0"},
		"English cannot hear Russian":  {files: []string{"ggml-medium.en.bin"}, demo: demoFile, want: Demo},
		"one of the site's own":        {files: []string{"ggml-ours.bin"}, demo: demoFile, want: "ours"},
		"catalogue before the unknown": {files: []string{"ggml-ours.bin", "ggml-tiny.bin"}, want: "tiny"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Folder{Dir: filepath.Join(t.TempDir(), "models"), Demo: tt.demo}
			for _, file := range tt.files {
				put(t, filepath.Join(f.Dir, file), tiny(t, 1))
			}
			c, err := f.Default()
			if tt.want == "" {
				if !errors.Is(err, ErrNotInstalled) {
					t.Fatalf("%+v, %v", c, err)
				}
				return
			}
			if err != nil || c.Name != tt.want || c.Say == "" {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestImport(t *testing.T) {
	ctx := context.Background()
	from := t.TempDir()
	good := tiny(t, 40)
	put(t, filepath.Join(from, "ggml-ours.bin"), good)
	put(t, filepath.Join(from, "ggml-listed.bin"), good)
	put(t, filepath.Join(from, "ggml-forged.bin"), good)
	put(t, filepath.Join(from, "ggml-small.bin"), good) // the catalogue knows another checksum
	put(t, filepath.Join(from, "ggml-cut.bin"), good[:len(good)-7])
	put(t, filepath.Join(from, "readme.txt"), []byte("-"))
	put(t, filepath.Join(from, "SHA256SUMS"), []byte(sha256Of(good)+"  ggml-listed.bin\n"+strings.Repeat("0", 64)+" *ggml-forged.bin\n"))

	f := Folder{Dir: filepath.Join(t.TempDir(), "models")}
	got, err := f.Import(ctx, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{"ggml-forged.bin": "SHA256SUMS", "ggml-small.bin": "контрольная сумма", "ggml-cut.bin": "оборван"}
	if len(got) != 5 {
		t.Fatalf("%d files looked at", len(got))
	}
	for _, g := range got {
		want := refused[g.File]
		if (g.Err != nil) != (want != "") || g.Err != nil && !strings.Contains(Hint(g.Err), want) {
			t.Errorf("%s: %v", g.File, g.Err)
		}
		if g.Err == nil && g.Entry.State != Unverified {
			t.Errorf("%s is %s", g.File, g.Entry.State)
		}
	}
	left, err := os.ReadDir(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range left {
		names = append(names, l.Name())
	}
	if want := "ggml-listed.bin ggml-listed.bin.json ggml-ours.bin ggml-ours.bin.json"; strings.Join(names, " ") != want {
		t.Errorf("the folder holds %v", names)
	}

	if got, err := f.Import(ctx, demoFile, nil); err != nil || got[0].Err != nil || got[0].Entry.State != Verified {
		t.Errorf("one file: %+v, %v", got, err)
	}
	if _, err := f.Import(ctx, t.TempDir(), nil); !errors.Is(err, ErrNothing) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Import(ctx, filepath.Join(from, "absent"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Import(cancelled, from, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRoom(t *testing.T) {
	if err := room(spare+100, 100); err != nil {
		t.Error(err)
	}
	if err := room(spare+99, 100); !errors.Is(err, ErrNoSpace) || !strings.Contains(Hint(err), "Освободите место") {
		t.Errorf("got %v", err)
	}
	if err := roomFor(t.TempDir(), 1<<60); !errors.Is(err, ErrNoSpace) {
		t.Errorf("got %v", err)
	}
}
