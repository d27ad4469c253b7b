package amocrm

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxBody     = 10 << 20 // bytes of a request's body
	maxJournal  = 10_000   // requests remembered, the newest
	maxUnknowns = 1_000    // unknown requests remembered, the first
)

// Options are the account's facts and the vendor's habits that sources
// disagree about. The zero value is a usable Russian account.
type Options struct {
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()

	AccountID int64  // 0: 31210377
	Name      string // "": Ромашка
	Subdomain string // "": romashka
	TopDomain string // what follows the subdomain; "": amocrm.ru
	Host      string // host named in tokens (api_domain) and in referer; "": the one a request came to
	DriveURL  string // answer of with=drive_url; "": https://drive-b.amocrm.ru

	Limits Limits

	AccessLife time.Duration // of access tokens; 0: 24 h

	RefreshErrorStatus int  // of a spent refresh token; 0: 401 as seen in the field, the docs say 400
	RefuseLoneCall     bool // POST /calls without a card: false puts it into errors, true answers 400
	FilterAddOn        bool // the paid filters of entity lists; without it they are ignored
	MaxNoteText        int  // characters of a note's text; more is a 400; 0: no limit
}

// Portal is one amoCRM account. Its methods may be called from any goroutine.
type Portal struct {
	opt      Options
	now      func() time.Time
	log      *slog.Logger
	uuid     string
	formerly map[string]bool // hosts the account had before Rename

	mu      sync.Mutex
	changed chan struct{} // closed at the next change

	users       []User
	me          int64 // the person at the keyboard: consent and new tokens are theirs
	cards       []*card
	links       []link
	notes       []*note // by id
	events      []event // by creation
	clients     []Integration
	codes       map[string]*code
	tokens      map[string]*token
	refreshes   map[string]*refresh
	ids         map[string]int64 // last id given out, per noun
	subdomain   string
	host        string // the last request's, see Options.Host
	limiter     limiter
	faults      []*armedFault
	journal     []Request
	unknown     []string
	recordings  []*recording
	recordsAt   string // base address of the recording host
	unsaved     bool   // the telephony holds all recordings back
	fetches     []Fetch
	driveFiles  map[string]driveFile
	switches    switches
	tokenSecret []byte
}

// New opens an account with one administrator and one pipeline.
func New(opt Options) *Portal {
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	fill(&opt.Name, "Ромашка")
	fill(&opt.Subdomain, "romashka")
	fill(&opt.TopDomain, "amocrm.ru")
	fill(&opt.DriveURL, "https://drive-b.amocrm.ru")
	if opt.AccountID == 0 {
		opt.AccountID = 31210377
	}
	if opt.AccessLife == 0 {
		opt.AccessLife = accessLife
	}
	if opt.RefreshErrorStatus == 0 {
		opt.RefreshErrorStatus = http.StatusUnauthorized
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	opt.Limits = opt.Limits.withDefaults()
	p := &Portal{
		opt: opt, now: opt.Now, log: opt.Log,
		uuid: newUUID(), subdomain: opt.Subdomain, formerly: map[string]bool{}, changed: make(chan struct{}),
		codes: map[string]*code{}, tokens: map[string]*token{}, refreshes: map[string]*refresh{},
		ids: map[string]int64{
			string(Leads): 41200500, string(Contacts): 55300900, string(Companies): 55400900, string(Customers): 880100,
			"note": 90817200, "user": 7012344, "event": 0, "uniq": 8840,
		},
		driveFiles: map[string]driveFile{}, switches: switches{}, tokenSecret: randomBytes(32),
	}
	p.me = p.AddUser(User{Name: "Администратор", Email: "admin@example.org", Admin: true})
	return p
}

// Rename moves the account to another subdomain. Requests that still name the
// old host are refused with 401, code 101 (1.5, 1.6).
func (p *Portal) Rename(subdomain string) {
	defer p.lock()()
	p.formerly[p.domain()] = true
	p.subdomain = subdomain
	delete(p.formerly, p.domain())
	p.touch()
}

// Changed returns a channel that is closed at the next change of what the
// portal holds: a note, a call, a token, a fault, a request.
func (p *Portal) Changed() <-chan struct{} {
	defer p.lock()()
	return p.changed
}

// Request is one line of the portal's access log.
type Request struct {
	Method string
	Path   string // with the query
	Status int    // 0: the connection was cut
	At     time.Time
	Fault  FaultKind // the fault that answered; "" for none
}

// Requests lists the API and OAuth requests so far, oldest first; of a long
// life the newest 10 000.
func (p *Portal) Requests() []Request {
	defer p.lock()()
	return append([]Request(nil), p.journal...)
}

// Unknown lists requests the emulator could not answer truthfully. A test
// should fail when it is not empty.
func (p *Portal) Unknown() []string {
	defer p.lock()()
	return append([]string(nil), p.unknown...)
}

// ServeHTTP answers the API, the OAuth pages and the pages for people.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"), strings.HasPrefix(r.URL.Path, "/oauth2/"), strings.HasPrefix(r.URL.Path, "/v3/"):
		p.serveAPI(w, r)
	case r.URL.Path == "/oauth":
		p.serveConsent(w, r)
	default:
		p.servePeople(w, r)
	}
}

// serveAPI lets a request through the door, has it answered under the mutex
// and delivers the reply, or what a fault makes of it.
func (p *Portal) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		problem(http.StatusRequestEntityTooLarge, "Request Entity Too Large", err.Error()).write(w)
		return
	}
	req := newRequest(r, body)
	answer, fault := p.answer(req)
	if fault.slow() {
		select {
		case <-time.After(fault.Wait):
		case <-r.Context().Done():
			return
		}
	}
	if fault.cuts() {
		if fault.HalfBody {
			answer.writeHalf(w)
		}
		panic(http.ErrAbortHandler) // net/http drops the connection
	}
	answer.write(w)
}

func (p *Portal) answer(req *request) (reply, *Fault) {
	defer p.lock()()
	p.host = req.Host
	answer, refused := p.door(req)
	var fault *Fault
	if !refused {
		fault = p.takeFault(req.Method, req.URL.Path)
		if fault.works() {
			answer = p.route(req)
		}
		if instead, ok := fault.reply(); ok {
			answer = instead
		}
	}
	line := Request{Method: req.Method, Path: req.URL.RequestURI(), Status: answer.status, At: p.now()}
	if fault != nil {
		line.Fault = fault.Kind
		if fault.cuts() {
			line.Status = 0
		}
	}
	p.journal = keepNewest(append(p.journal, line), maxJournal)
	p.touch()
	return answer, fault
}

// door is what stands before the account: a moved host, a block, the limiter.
func (p *Portal) door(req *request) (reply, bool) {
	switch p.limiter.admit(p.opt.Limits, req.bearer(), p.now()) {
	case overLimit:
		return tooMany(), true
	case blocked:
		return nginx(http.StatusForbidden), true
	}
	if p.formerly[req.Host] && req.URL.Path != "/oauth2/account/current/subdomain" {
		body := problemBody("Unauthorized", http.StatusUnauthorized, "Аккаунт не найден")
		body["code"] = 101
		return jsonReply(http.StatusUnauthorized, problemJSON, body), true
	}
	return reply{}, false
}

// notBuilt is the loud failure: what the emulator does not know it does not
// invent. It is called under the mutex.
func (p *Portal) notBuilt(req *request, why string) reply {
	line := fmt.Sprintf("%s %s: %s", req.Method, req.URL.RequestURI(), why)
	if len(p.unknown) < maxUnknowns {
		p.unknown = append(p.unknown, line)
	}
	p.log.Error("amocrm emulator: unknown request", "method", req.Method, "path", req.URL.Path, "why", why)
	return problem(http.StatusNotImplemented, "Not Implemented", "emulator: "+why)
}

// lock takes the mutex, lets what is due happen and returns the unlock.
func (p *Portal) lock() func() {
	p.mu.Lock()
	p.bringLateLinks()
	return p.mu.Unlock
}

// touch tells who waits on Changed.
func (p *Portal) touch() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Portal) nextID(noun string) int64 {
	p.ids[noun]++
	return p.ids[noun]
}

// domain is the account's host name.
func (p *Portal) domain() string { return p.subdomain + "." + p.opt.TopDomain }

// apiHost is the host that tokens name.
func (p *Portal) apiHost() string {
	switch {
	case p.opt.Host != "":
		return p.opt.Host
	case p.host != "":
		return p.host
	}
	return p.domain()
}

// keepNewest drops the oldest half once a log is over its limit.
func keepNewest[T any](log []T, limit int) []T {
	if len(log) <= limit {
		return log
	}
	return append(log[:0:0], log[len(log)-limit/2:]...)
}
