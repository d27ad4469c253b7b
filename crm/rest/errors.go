package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrNotJSON says that an API answered with something else, often a page.
var ErrNotJSON = errors.New("the answer is not JSON")

// ErrUnknownOutcome says that a request which must not be repeated was sent and
// its answer is lost: the work may have been done.
var ErrUnknownOutcome = errors.New("unknown outcome: the request may have been carried out")

// StatusError is an answer that is no success.
type StatusError struct {
	Method, Path string
	Status       int
	Body         []byte // at most maxErrorBody bytes; may hold the customer's data, so Error leaves it out
}

const maxErrorBody = 64 << 10

func (e *StatusError) Error() string {
	var problem struct{ Title, Hint string }
	_ = json.Unmarshal(e.Body, &problem)
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	for _, more := range []string{problem.Title, problem.Hint} {
		if more != "" {
			text += ": " + shorten(more)
		}
	}
	return text
}

func shorten(s string) string {
	const longest = 120
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return s
}

// Status tells the status of a [StatusError] in err's chain, 0 if there is none.
func Status(err error) int {
	var e *StatusError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Blocked says that the host locked this address out (403 with a page instead
// of JSON). Nothing is sent to it before Until.
type Blocked struct {
	Host  string
	Until time.Time
}

func (e *Blocked) Error() string {
	return "host " + e.Host + " has blocked us; no requests before " + e.Until.UTC().Format(time.RFC3339)
}
