package amocrm

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// The vendor's JSON. Numbers come as strings and strings as numbers, absent
// things as null, [] or not at all (contracts/amocrm.md 2.9), so every field is
// read leniently: what cannot be understood is empty.

// number is an integer in any dress.
type number int64

func (n *number) UnmarshalJSON(data []byte) error {
	*n = 0
	s := strings.TrimSpace(strings.Trim(string(data), `"`))
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<53 {
		*n = number(f)
	}
	return nil
}

func (n number) String() string { return strconv.FormatInt(int64(n), 10) }

// text is a string, or a number as its digits.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	*t = ""
	var s string
	switch {
	case json.Unmarshal(data, &s) == nil:
		*t = text(strings.TrimSpace(s))
	case len(data) > 0 && (data[0] == '-' || data[0] >= '0' && data[0] <= '9'):
		*t = text(data)
	}
	return nil
}

// flag is true as a boolean, a number or a string.
type flag bool

func (f *flag) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true", "1", `"1"`, `"true"`:
		*f = true
	default:
		*f = false
	}
	return nil
}

// page is one page of a list.
type page struct {
	Links    links    `json:"_links"`
	Embedded embedded `json:"_embedded"`
}

func (p page) more() bool { return p.Links.next }

// links say whether there is another page. PHP writes none as [].
type links struct{ next bool }

func (l *links) UnmarshalJSON(data []byte) error {
	var got struct {
		Next struct {
			Href text `json:"href"`
		} `json:"next"`
	}
	l.next = json.Unmarshal(data, &got) == nil && got.Next.Href != ""
	return nil
}

// embedded holds the lists we ask for. PHP writes an empty one as [].
type embedded struct {
	Notes     []note   `json:"notes"`
	Users     []entity `json:"users"`
	Leads     []entity `json:"leads"`
	Contacts  []entity `json:"contacts"`
	Companies []entity `json:"companies"`
}

func (e *embedded) UnmarshalJSON(data []byte) error {
	type plain embedded
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return nil
	}
	return json.Unmarshal(data, (*plain)(e))
}

// entity is a lead, contact, company or user.
type entity struct {
	ID   number `json:"id"`
	Name text   `json:"name"`
}

type account struct {
	ID        number `json:"id"`
	Name      text   `json:"name"`
	DriveURL  text   `json:"drive_url"`
	HasFilter flag   `json:"is_api_filter_enabled"`
}

type note struct {
	ID          number `json:"id"`
	EntityID    number `json:"entity_id"`
	NoteType    text   `json:"note_type"`
	CreatedAt   number `json:"created_at"` // Unix seconds
	UpdatedAt   number `json:"updated_at"`
	Responsible number `json:"responsible_user_id"`
	Params      params `json:"params"`
}

// params of a call note or of a service message.
type params struct {
	Uniq        text
	Duration    number // seconds
	Link        text
	Phone       text
	Responsible text // a user's id, or a name, or a phone
	Service     text
	Text        text
}

// UnmarshalJSON takes keys in any case: old notes keep UNIQ, LINK, PHONE,
// DURATION. Null and [] are no params.
func (p *params) UnmarshalJSON(data []byte) error {
	*p = params{}
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return nil //nolint:nilerr // params of any other shape are none
	}
	for key, value := range fields {
		var into json.Unmarshaler
		switch strings.ToLower(key) {
		case "uniq":
			into = &p.Uniq
		case "duration":
			into = &p.Duration
		case "link":
			into = &p.Link
		case "phone":
			into = &p.Phone
		case "call_responsible":
			into = &p.Responsible
		case "service":
			into = &p.Service
		case "text":
			into = &p.Text
		default:
			continue
		}
		if err := into.UnmarshalJSON(value); err != nil {
			return err
		}
	}
	return nil
}

const (
	callIn  = "call_in"
	callOut = "call_out"
)

// newNote is a note we write.
type newNote struct {
	NoteType  string        `json:"note_type"`
	Params    newNoteParams `json:"params"`
	RequestID string        `json:"request_id,omitempty"`
	Robots    *bool         `json:"is_need_to_trigger_digital_pipeline,omitempty"`
}

type newNoteParams struct {
	Service string `json:"service"`
	Text    string `json:"text"`
}

// tokenRequest is the body of the token endpoint.
type tokenRequest struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	GrantType    string `json:"grant_type"`
	Code         string `json:"code,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	RedirectURI  string `json:"redirect_uri"`
}

type tokenAnswer struct {
	ExpiresIn    number `json:"expires_in"` // seconds
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// claims of an access token that we read; its signature is not published.
type claims struct {
	Expires number `json:"exp"`
}

// addressNotListed looks for error 113; where it stands is not documented.
func addressNotListed(body []byte) bool {
	var problem map[string]json.RawMessage
	if json.Unmarshal(body, &problem) != nil {
		return false
	}
	for _, key := range []string{"code", "error_code"} {
		var code number
		if code.UnmarshalJSON(problem[key]) == nil && code == 113 {
			return true
		}
	}
	return false
}
