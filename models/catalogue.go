package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknown means that no model of that name is in the catalogue or installed.
var ErrUnknown = errors.New("unknown model")

// Model is what the catalogue says about a speech model.
type Model struct {
	Name string // "large-v3-turbo-q5_0"
	File string // "ggml-large-v3-turbo-q5_0.bin"

	// SizeBytes is the file's size; without Exact it is the publisher's
	// rounded figure, good to about one percent for large files.
	SizeBytes int64
	Exact     bool

	// MemoryBytes estimates what a worker needs for the model and one decode:
	// the sum of whisper.cpp's own table for the full model, less what
	// quantising saves in the file.
	MemoryBytes int64

	// SHA256 or SHA1 in hex; empty where no source can be cited, and then
	// screens say "не проверено".
	SHA256 string
	SHA1   string
	// Cited names where size and checksum stand.
	Cited string

	Licence string
	Source  string // who made the weights
	English bool   // knows English only: useless for calls in Russian
	Demo    bool   // the test double: understands four synthetic voices only
}

// Demo is the name of the demonstration model.
const Demo = "demo-ru"

const (
	mib = 1 << 20
	mb  = 1_000_000

	citedReadme = "whisper.cpp, models/README.md (41e789ee)"
	openAI      = "OpenAI Whisper, ggml conversion of whisper.cpp"
)

// DefaultBase is where the publisher of the conversions keeps them. A site
// with a mirror of its own sets Puller.Base instead.
const DefaultBase = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/"

// Catalogue lists the models, best for telephone calls in Russian first.
func Catalogue() []Model {
	all := []Model{
		whisper("large-v3-turbo", 1536*mib, 2100*mb, "4af2b29d7ec73d781377bfd1758ca957a807e941"),
		whisper("large-v3-turbo-q8_0", 834*mib, 1400*mb, ""),
		whisper("large-v3-turbo-q5_0", 547*mib, 1100*mb, "e050f7970618a659205450ad97eb95a18d69c9ee"),
		whisper("large-v3", 2970*mib, 3900*mb, "ad82bf6a9043ceed055076d0fd39f5f186ff8062"),
		whisper("large-v3-q5_0", 1126*mib, 2000*mb, "e6e2ed78495d403bef4b7cff42ef4aaadcfea8de"),
		whisper("large-v2", 2970*mib, 3900*mb, "0f4c8e34f21cf1a914c59d8b3ce882345ad349d6"),
		whisper("large-v2-q8_0", 1536*mib, 2400*mb, ""),
		whisper("large-v2-q5_0", 1126*mib, 2000*mb, "00e39f2196344e901b3a2bd5814807a769bd1630"),
		whisper("large-v1", 2970*mib, 3900*mb, "b1caaf735c4cc1429223d5a74f0f4d0b9b59a299"),
		whisper("medium", 1536*mib, 2100*mb, "fd9727b6e1217c2f614f9b698455c4ffd82463b4"),
		whisper("medium-q8_0", 785*mib, 1400*mb, ""),
		whisper("medium-q5_0", 514*mib, 1100*mb, ""),
		whisper("small", 466*mib, 852*mb, "55356645c2b361a969dfd0ef2c5a50d530afd8d5"),
		whisper("small-q8_0", 252*mib, 630*mb, ""),
		whisper("small-q5_1", 181*mib, 555*mb, ""),
		whisper("base", 142*mib, 388*mb, "465707469ff3a37a2b9b8d8f89f2f99de7299dac"),
		whisper("base-q8_0", 78*mib, 321*mb, ""),
		whisper("base-q5_1", 57*mib, 299*mb, ""),
		whisper("tiny", 75*mib, 273*mb, "bd577a113a864445d4c299885e0cb97d4ba92b5f"),
		whisper("tiny-q8_0", 42*mib, 238*mb, ""),
		whisper("tiny-q5_1", 31*mib, 227*mb, ""),
		whisper("medium.en", 1536*mib, 2100*mb, "8c30f0e44ce9560643ebd10bbe50cd20eafd3723"),
		whisper("small.en", 466*mib, 852*mb, "db8a495a91d927739e50b3fc1cc4c6b8f6c2d022"),
		whisper("base.en", 142*mib, 388*mb, "137c40403d78fd54d454da0f9bd998f78703390c"),
		whisper("tiny.en", 75*mib, 273*mb, "c78c86eb1a8faa21b369bcd33207cc90d64ae9df"),
	}
	return append(all, Model{
		Name: Demo, File: "ggml-demo-ru.bin", SizeBytes: 12_594_999, Exact: true, MemoryBytes: 120 * mb,
		SHA256: "d60cd32600bc814ef2fd3b71acdf2cb6b931dd68ff13bf17ecc54be0f36ca411", Cited: "models/demo/README.md",
		Licence: "как у FlySense", Source: "FlySense, обучена на синтезированной речи", Demo: true,
	})
}

func whisper(name string, size, memory int64, sha1 string) Model {
	m := Model{
		Name: name, File: "ggml-" + name + ".bin", SizeBytes: size, MemoryBytes: memory, SHA1: sha1,
		Licence: "MIT", Source: openAI, English: strings.Contains(name, ".en"),
	}
	if sha1 != "" {
		m.Cited = citedReadme
	}
	return m
}

// Find returns the catalogue's entry of a model by its name or file name;
// [ErrUnknown] if there is none.
func Find(name string) (Model, error) {
	all := Catalogue()
	i := slices.IndexFunc(all, func(m Model) bool { return m.Name == name || m.File == name })
	if i < 0 {
		return Model{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	return all[i], nil
}
