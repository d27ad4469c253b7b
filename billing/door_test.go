package billing

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Coins have one door. Whoever makes a credit elsewhere, or writes the
// ledger's tables past it, must first explain it to this test.
func TestOneDoorForCoins(t *testing.T) {
	where := map[string][]string{"Kind: Credit": nil, "INTO entry": nil, "UPDATE account": nil, "UPDATE head": nil, "INTO pack (": nil}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		for what := range where {
			for range strings.Count(string(text), what) {
				where[what] = append(where[what], path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"Kind: Credit": "billing/load.go", "INTO entry": "billing/sql.go", "UPDATE account": "billing/sql.go", "UPDATE head": "billing/sql.go", "INTO pack (": "billing/sql.go",
	} {
		if !slices.Equal(where[what], []string{want}) {
			t.Errorf("%q stands in %v, want it once, in %s", what, where[what], want)
		}
	}
}
