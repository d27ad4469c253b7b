//go:build whisper

package whisper

import "testing"

func TestNewEnough(t *testing.T) {
	for version, want := range map[string]bool{
		"1.9.5": true, "1.9": true, "1.9-dev": true, "1.10.0": true, "2.0.0": true, "v1.9.1": true,
		"1.8.9": false, "0.10.1": false, "": false, "1": false, "one.two": false, "1.": false,
	} {
		if got := newEnough(version, 1, 9); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestLibraryMatches(t *testing.T) {
	if err := checkLibrary(); err != nil {
		t.Error(err)
	}
}
