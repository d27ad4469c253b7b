package amocrm

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzPage: whatever JSON stands in a note, the note is read; one careless
// phone system must not hide everybody's calls.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		`{"uniq":"1","duration":73,"link":"https://pbx.example.org/1.mp3","phone":"+7","call_responsible":7}`,
		`{"UNIQ":1,"LINK":null,"DURATION":"73","PHONE":79}`, `[]`, `null`, `"text"`, `12`, `{"duration":1e400}`, `{"duration":{"a":[]}}`,
		`{"uniq":-0,"Uniq":"b","link":true}`, `{"text":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(value)) {
			t.Skip()
		}
		text := strings.ReplaceAll(`{"_links":?,"_embedded":{"notes":[{"id":?,"entity_id":?,"note_type":?,"created_at":?,"updated_at":?,"responsible_user_id":?,"params":?},{"id":2}]}}`, "?", value)
		var p page
		if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Embedded.Notes) != 2 || p.Embedded.Notes[1].ID != 2 {
			t.Errorf("%s: %v", text, err)
		}
		var a account
		if err := json.Unmarshal([]byte(strings.ReplaceAll(`{"id":1,"name":?,"drive_url":?,"is_api_filter_enabled":?}`, "?", value)), &a); err != nil || a.ID != 1 {
			t.Errorf("account with %s: %v", value, err)
		}
	})
}

func TestFit(t *testing.T) {
	for name, tt := range map[string]struct{ text, end string }{
		"short":         {"Итог\n#fs:1", "Итог\n#fs:1"},
		"long":          {strings.Repeat("ё", 3*maxNote) + "\n#fs:1", cutRemark + "#fs:1"},
		"exactly":       {strings.Repeat("ё", maxNote-6) + "\n#fs:1", "ё\n#fs:1"},
		"one long line": {strings.Repeat("ё", 3*maxNote), cutRemark},
	} {
		got := fit(tt.text)
		if !strings.HasSuffix(got, tt.end) || len([]rune(got)) > maxNote {
			t.Errorf("%s: %d characters, ends with %q", name, len([]rune(got)), got[max(0, len(got)-80):])
		}
	}
}
