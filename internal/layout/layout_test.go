package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
)

// rule says what the packages below a folder may import of ours. The first
// rule whose folder matches counts.
type rule struct {
	folder string
	may    []string // folders, with everything below them; "." is the folder itself
	why    string
}

var rules = []rule{
	{"cmd", []string{"."}, "a command parses its arguments; internal/appliance joins the parts"},
	{"internal/appliance", []string{"engine", "crm", "billing", "web", "models", "internal/db"}, "the one place that builds every part"},
	{"internal/layout", nil, "it reads the others, it uses none"},
	{"internal/db", nil, "the ground floor knows nobody"},
	{"web", []string{".", "crm", "billing", "engine", "models", "internal/db"}, "web shows what the others hold; it does not run them"},
	{"crm/emulator", nil, "sharing code with a connector would share its mistakes"},
	{"crm/crmtest", []string{"crm", "engine", "internal/db"}, "the suite sees connectors from outside"},
	{"crm/rest", nil, "one paced client for every vendor"},
	{"crm", []string{".", "engine", "internal/db"}, "a connector knows calls and its own vendor, no money and no pages"},
	{"billing", []string{".", "internal/db"}, "billing knows wallets, never calls"},
	{"models", []string{"."}, "the catalogue of weights stands alone"},
	{"engine/store", []string{"engine", "engine/queue", "internal/db"}, "SQL for calls"},
	{"engine/queue", []string{"engine", "internal/db"}, "lanes and jobs"},
	{"engine/enginetest", []string{"engine"}, "doubles of the engine's ports"},
	{"engine", nil, "what a call is and what happens to it depends on nobody"},
}

// inEngine: a folder inside engine talks to one outside thing and to the nouns.
var inEngine = rule{"", []string{"engine"}, "neighbours inside engine never meet; cmd and internal/appliance join them"}

// exceptions are single edges with a reason of their own.
var exceptions = map[string]string{
	"cmd/flysense -> internal/appliance":      "the command starts it",
	"cmd/flysense-demo -> internal/appliance": "the demo starts it",
	"cmd/flysense-demo -> crm/emulator":       "the demo plays the vendors",
	"web -> web/auth":                         "sign-in is web's own",
}

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
			if r := ruleFor(from); !r.allows(from, to) && exceptions[from+" -> "+to] == "" {
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
		if below(folder, r.folder) {
			if r.folder == "engine" && folder != "engine" {
				return inEngine
			}
			return r
		}
	}
	return rule{why: "this folder is not on the map of the architecture: say where it belongs"}
}

func (r rule) allows(from, to string) bool {
	for _, m := range r.may {
		switch {
		case m == ".":
			if r.folder == "cmd" || below(to, r.folder) {
				return true
			}
		case m == "engine" && strings.HasPrefix(r.folder, "engine"), m == "engine" && r.folder == "", m == "engine/queue", m == "engine" && strings.HasPrefix(r.folder, "crm"):
			if to == m { // the nouns only, not the folders inside
				return true
			}
		default:
			if below(to, m) {
				return true
			}
		}
	}
	return false
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// TestRulesCanFail: a map that allows everything would be no map.
func TestRulesCanFail(t *testing.T) {
	for _, edge := range [][2]string{
		{"engine", "billing"}, {"engine/audio", "engine/turns"}, {"engine/store", "billing"}, {"billing", "engine"},
		{"crm/amocrm", "billing"}, {"crm/amocrm", "engine/store"}, {"crm/emulator/amocrm", "crm/amocrm"},
		{"internal/db", "engine"}, {"crm/rest", "crm"}, {"engine/queue", "engine/store"}, {"somewhere", "engine"},
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
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Error(err)
	}
}
