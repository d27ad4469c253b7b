package layout_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule says what the packages below a folder may import of ours. The first
// rule whose folder matches counts.
type rule struct {
	folder string
	may    []string // packages; "x/..." is x with everything below it
	why    string
}

var rules = []rule{
	{"cmd/flysense-demo", []string{"internal/appliance", "billing/...", "crm/...", "engine", "engine/store", "engine/captions", "web/auth"}, "the demo adds an emulated portal and a pack to the appliance"},
	{"cmd", []string{"internal/appliance", "billing/pack", "engine", "engine/captions", "models"}, "a command parses its arguments; internal/appliance joins the parts"},
	{"internal/appliance", []string{"engine/...", "crm/...", "billing/...", "web/...", "models", "internal/db"}, "the one place that builds every part"},
	{"internal/layout", nil, "it reads the others, it uses none"},
	{"internal/db", nil, "the ground floor knows nobody"},
	{"web", []string{"web/...", "crm/...", "billing/...", "engine/...", "models", "internal/db"}, "web shows what the others hold; it does not run them"},
	{"crm/emulator", nil, "sharing code with a connector would share its mistakes"},
	{"crm/crmtest", []string{"crm", "crm/rest", "engine", "internal/db"}, "the suite sees connectors from outside"},
	{"crm/rest", nil, "one paced client for every vendor"},
	{"crm", []string{"crm", "crm/rest", "engine", "internal/db"}, "a connector knows calls and its own vendor, no money and no pages"},
	{"billing", []string{"billing/...", "internal/db"}, "billing knows wallets, never calls"},
	{"models", nil, "the catalogue of weights stands alone"},
	{"engine/store", []string{"engine", "engine/queue", "internal/db"}, "SQL for calls"},
	{"engine/queue", []string{"engine", "internal/db"}, "lanes and jobs"},
	{"engine/", []string{"engine"}, "neighbours inside engine never meet; internal/appliance joins them"},
	{"engine", nil, "what a call is and what happens to it depends on nobody"},
}

// playthings may be imported by the demo alone, whatever the rules above say:
// a released program knows neither the demo's key nor an emulated portal.
var playthings = []string{"billing/pack/demo", "crm/emulator"}

// TestImportsPointDown draws the map of ARCHITECTURE from the code's imports,
// in every build tag. Tests may reach further: they join parts to try them.
func TestImportsPointDown(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "build") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		seen++
		for _, i := range file.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(name, "flysense/")
			if !ours {
				if name == "C" && !mayUseC(from) {
					t.Errorf("%s uses C: only engine/whisper is the door to speech code and engine/audio to decoders", from)
				}
				continue
			}
			if r := ruleFor(from); !r.allows(from, to) {
				t.Errorf("%s imports %s: %s", from, to, r.why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 5 {
		t.Fatalf("looked at %d files: this is not the repository", seen)
	}
}

func mayUseC(folder string) bool { return folder == "engine/whisper" || folder == "engine/audio" }

func ruleFor(folder string) rule {
	for _, r := range rules {
		if below(folder, r.folder) || strings.HasSuffix(r.folder, "/") && strings.HasPrefix(folder, r.folder) {
			return r
		}
	}
	return rule{why: "this folder is not on the map of the architecture: say where it belongs"}
}

func (r rule) allows(from, to string) bool {
	for _, p := range playthings {
		if below(to, p) && from != "cmd/flysense-demo" && !below(from, p) {
			return false
		}
	}
	return slices.ContainsFunc(r.may, func(m string) bool {
		folder, all := strings.CutSuffix(m, "/...")
		return to == m || all && below(to, folder)
	})
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// TestRulesCanFail: a map that allows everything would be no map.
func TestRulesCanFail(t *testing.T) {
	for _, edge := range [][2]string{
		{"engine", "billing"}, {"engine/audio", "engine/turns"}, {"engine/store", "billing"}, {"billing", "engine"},
		{"crm/amocrm", "billing"}, {"crm/amocrm", "engine/store"}, {"crm/emulator/amocrm", "crm/amocrm"},
		{"internal/db", "engine"}, {"crm/rest", "crm"}, {"engine/queue", "engine/store"}, {"somewhere", "engine"},
		{"cmd/flysense", "billing/pack/demo"}, {"internal/appliance", "billing/pack/demo"}, {"web", "billing/pack/demo"}, {"cmd/flysense", "crm/emulator/amocrm"},
	} {
		if ruleFor(edge[0]).allows(edge[0], edge[1]) {
			t.Errorf("%s may import %s", edge[0], edge[1])
		}
	}
	for _, edge := range [][2]string{
		{"engine/store", "engine"}, {"engine/store", "engine/queue"}, {"engine/store", "internal/db"}, {"engine/audio", "engine"},
		{"crm/amocrm", "crm/rest"}, {"crm/amocrm", "crm"}, {"web", "engine/store"}, {"internal/appliance", "engine/whisper"}, {"cmd/flysense", "models"},
	} {
		if !ruleFor(edge[0]).allows(edge[0], edge[1]) {
			t.Errorf("%s may not import %s", edge[0], edge[1])
		}
	}
}
