package amocrm

import (
	"net/http"
	"strings"
	"time"
)

// FaultKind is a way to go wrong.
type FaultKind string

// The faults.
const (
	Unauthorized   FaultKind = "401"      // problem+json
	Unpaid         FaultKind = "402"      // the account is not paid
	ForbiddenIP    FaultKind = "403-113"  // only listed addresses may use the API
	ForbiddenHTML  FaultKind = "403-html" // an nginx page: blocked for overload
	TooMany        FaultKind = "429"      // not JSON
	Broken         FaultKind = "500"      // problem+json
	GatewayTimeout FaultKind = "504"      // an nginx page
	NoContent      FaultKind = "204"      // "nothing found", whatever was asked
	Slow           FaultKind = "slow"     // Wait, then the true answer
	Cut            FaultKind = "cut"      // the connection is dropped without an answer
)

// Fault makes requests go wrong.
//
// A note on Cut: net/http repeats a GET by itself when a kept-alive connection
// breaks before the first byte, and each try counts; a POST is not repeated.
type Fault struct {
	// Route is "METHOD path" or "path"; "*" stands for one part of a path, "**"
	// at its end for everything below. "" means every API and OAuth request.
	Route string
	Skip  int // so many matching requests pass first
	Count int // so many go wrong; 0: until taken back
	Kind  FaultKind
	Wait  time.Duration // of Slow

	// RetryAfter is sent with TooMany, whole seconds; 0: no such header, which
	// is what is known of the vendor.
	RetryAfter time.Duration

	// WorkDone lets the portal do what was asked before the answer goes wrong:
	// with Cut the answer is lost after the note was made.
	WorkDone bool
	// HalfBody makes Cut send the status and half of the true body first.
	HalfBody bool
}

type armedFault struct {
	Fault
	served int
	seen   int
}

// Fault arms f and returns what takes it back. Of several faults that match a
// request the one armed first answers.
func (p *Portal) Fault(f Fault) (takeBack func()) {
	defer p.lock()()
	armed := &armedFault{Fault: f}
	p.faults = append(p.faults, armed)
	p.touch()
	return func() {
		defer p.lock()()
		for i, other := range p.faults {
			if other == armed {
				p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
				p.touch()
				return
			}
		}
	}
}

// ClearFaults takes every fault back.
func (p *Portal) ClearFaults() {
	defer p.lock()()
	p.faults = nil
	p.touch()
}

// takeFault finds the fault a request meets and counts it.
func (p *Portal) takeFault(method, path string) *Fault {
	for i, f := range p.faults {
		if !f.matches(method, path) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip {
			continue
		}
		f.served++
		if f.Count > 0 && f.served >= f.Count {
			p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
		}
		return &f.Fault
	}
	return nil
}

func (f *Fault) matches(method, path string) bool {
	if f.Route == "" {
		return true
	}
	pattern := f.Route
	if verb, rest, ok := strings.Cut(f.Route, " "); ok {
		if verb != method {
			return false
		}
		pattern = rest
	}
	wants, has := strings.Split(pattern, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	for i, want := range wants {
		if want == "**" && i == len(wants)-1 {
			return true
		}
		if i >= len(has) || want != "*" && want != has[i] {
			return false
		}
	}
	return len(wants) == len(has)
}

// The questions below may be asked of no fault at all.

func (f *Fault) slow() bool { return f != nil && f.Wait > 0 }

func (f *Fault) cuts() bool { return f != nil && f.Kind == Cut }

// works reports whether the portal does what was asked.
func (f *Fault) works() bool {
	return f == nil || f.WorkDone || f.Kind == Slow || f.Kind == Cut && f.HalfBody
}

// reply is what goes out instead of the true answer.
func (f *Fault) reply() (reply, bool) {
	if f == nil {
		return reply{}, false
	}
	switch f.Kind {
	case Unauthorized:
		return unauthorized(), true
	case Unpaid:
		return problem(http.StatusPaymentRequired, "Payment Required", "Аккаунт не оплачен"), true
	case ForbiddenIP:
		body := problemBody("Forbidden", http.StatusForbidden, "Доступ к данному аккаунту запрещён с этого IP-адреса")
		body["code"] = 113
		return jsonReply(http.StatusForbidden, problemJSON, body), true
	case ForbiddenHTML:
		return nginx(http.StatusForbidden), true
	case TooMany:
		answer := tooMany()
		answer.retryAfter = f.RetryAfter
		return answer, true
	case Broken:
		return problem(http.StatusInternalServerError, "Internal Server Error", "Произошла ошибка"), true
	case GatewayTimeout:
		return nginx(http.StatusGatewayTimeout), true
	case NoContent:
		return nothing(), true
	}
	return reply{}, false
}
