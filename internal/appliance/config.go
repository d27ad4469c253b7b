package appliance

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// Config is what an administrator sets: one YAML file, FLYSENSE_* in the
// environment (FLYSENSE_DATA_DIR for data_dir), and flags, the later ones
// stronger. Unknown keys are refused, because a misspelt one would be silently
// without effect.
type Config struct {
	Listen       string        `koanf:"listen"`        // host:port of the web server
	BaseURL      string        `koanf:"base_url"`      // how browsers reach it; "" means http://listen
	DataDir      string        `koanf:"data_dir"`      // database and audio: what a backup holds
	KeysDir      string        `koanf:"keys_dir"`      // keys and the ledger's anchor, apart from the data; "" means data_dir-keys
	ModelsDir    string        `koanf:"models_dir"`    // speech models; "" means data_dir/models
	Model        string        `koanf:"model"`         // file or name of the speech model; "" picks one
	DemoModel    string        `koanf:"demo_model"`    // what is used, and said, when no model is installed; "" looks beside the program
	SpeechStates int           `koanf:"speech_states"` // recognitions at a time; 0 means one per core, at most 4
	KeepAudio    time.Duration `koanf:"keep_audio"`    // how long recordings are kept
	Poll         time.Duration `koanf:"poll"`          // how often portals are asked for new calls
	TLSCert      string        `koanf:"tls_cert"`      // PEM files; without them the server speaks plain HTTP
	TLSKey       string        `koanf:"tls_key"`
}

const (
	defaultListen = "127.0.0.1:8080"
	minPoll       = time.Second
	maxStates     = 64
)

func defaults() Config {
	return Config{
		Listen:    defaultListen,
		DataDir:   "/var/lib/flysense",
		KeepAudio: 30 * 24 * time.Hour,
		Poll:      30 * time.Second,
	}
}

// LoadConfig reads the file (none if path is ""), the environment and the
// flags that were given, by key.
func LoadConfig(path string, flags map[string]any) (Config, error) {
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
	}
	known := koanfKeys()
	err := k.Load(env.Provider(".", env.Opt{
		Prefix: "FLYSENSE_",
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(name, "FLYSENSE_"))
			if !known[key] { // other tools of ours use the prefix too
				return "", nil
			}
			return key, value
		},
	}), nil)
	if err != nil {
		return Config{}, fmt.Errorf("read environment: %w", err)
	}
	if err := k.Load(confmap.Provider(flags, "."), nil); err != nil {
		return Config{}, fmt.Errorf("read flags: %w", err)
	}
	for _, key := range k.Keys() {
		if !known[key] {
			return Config{}, fmt.Errorf("configuration: unknown key %q", key)
		}
	}
	c := defaults()
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, c.complete()
}

// findDemoModel looks where the demonstration model lies beside the program: in
// a checkout, and where a package puts it. "" if it is nowhere.
func findDemoModel() string {
	const name = "models/demo/ggml-demo-ru.bin"
	places := []string{"/usr/share/flysense"}
	if exe, err := os.Executable(); err == nil {
		places = append(places, filepath.Dir(filepath.Dir(exe)))
	}
	for _, place := range places {
		file := filepath.Join(place, name)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

func koanfKeys() map[string]bool {
	keys := map[string]bool{}
	for _, k := range []string{
		"listen", "base_url", "data_dir", "keys_dir", "models_dir", "model", "demo_model", "speech_states",
		"keep_audio", "poll", "tls_cert", "tls_key",
	} {
		keys[k] = true
	}
	return keys
}

func (c *Config) complete() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("configuration: listen: %w", err)
	}
	if c.DataDir == "" {
		return errors.New("configuration: data_dir is empty")
	}
	if c.DemoModel == "" {
		c.DemoModel = findDemoModel()
	}
	if c.KeysDir == "" {
		c.KeysDir = filepath.Clean(c.DataDir) + "-keys"
	}
	if c.ModelsDir == "" {
		c.ModelsDir = filepath.Join(c.DataDir, "models")
	}
	if c.SpeechStates == 0 {
		c.SpeechStates = min(runtime.NumCPU(), 4)
	}
	if c.SpeechStates < 0 || c.SpeechStates > maxStates {
		return fmt.Errorf("configuration: speech_states must be 1 to %d", maxStates)
	}
	if c.Poll < minPoll {
		return fmt.Errorf("configuration: poll must be at least %s", minPoll)
	}
	if c.KeepAudio < 0 {
		return errors.New("configuration: keep_audio is negative")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("configuration: tls_cert and tls_key go together")
	}
	if c.BaseURL != "" {
		u, err := url.Parse(c.BaseURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("configuration: base_url %q is not an http address", c.BaseURL)
		}
	}
	for _, f := range []string{c.TLSCert, c.TLSKey} {
		if f == "" {
			continue
		}
		if _, err := os.Stat(f); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	return nil
}
