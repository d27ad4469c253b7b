package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var errPassed = errors.New("the guard let it through")

// hostile links: none of them may make a connection. %s is the port of a server
// that listens on loopback and must hear nothing.
var hostile = []string{
	// this machine, in every way of writing it
	"http://127.0.0.1:%s/", "http://127.0.0.1/", "https://127.0.0.1/", "http://127.1:%s/", "http://127.0.1:%s/", "http://127.255.255.254:%s/",
	"http://localhost:%s/", "http://LOCALHOST:%s/", "http://localhost.:%s/", "http://localhost.localdomain:%s/", "http://ip6-localhost:%s/",
	"http://0.0.0.0:%s/", "http://0:%s/", "http://0.0.0.1:%s/", "http://0x7f000001:%s/", "http://0x7f.0.0.1:%s/", "http://0x7f.1:%s/",
	"http://2130706433:%s/", "http://017700000001:%s/", "http://0177.0.0.1:%s/", "http://0177.0.0.01:%s/", "http://127.0.0.1.:%s/",
	"http://①②⑦.⓪.⓪.①:%s/", "http://127。0。0。1:%s/", "http://user@127.0.0.1:%s/", "http://example.com@127.0.0.1:%s/",
	"http://example.com:80@127.0.0.1:%s/", "http://127.0.0.1:%s@127.0.0.1/", "http://127.0.0.1:%s#@example.com/", "http://127.0.0.1:%s/?u=http://example.com",
	"http://[::1]:%s/", "http://[::]:%s/", "http://[0:0:0:0:0:0:0:1]:%s/", "http://[0000::0001]:%s/", "http://[::ffff:127.0.0.1]:%s/",
	"http://[::ffff:7f00:1]:%s/", "http://[::127.0.0.1]:%s/", "http://[::ffff:0:127.0.0.1]:%s/", "http://[::1%%25lo]:%s/",
	// IPv4 hidden in IPv6
	"http://[64:ff9b::7f00:1]:%s/", "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b:1::a00:1]/", "http://[2002:7f00:1::]/", "http://[2002:a00:1::1]/",
	"http://[2001:0:7f00:1::]/", "http://[::10.0.0.1]/", "http://[::ffff:10.0.0.1]/", "http://[::ffff:192.168.0.1]/", "http://[::ffff:169.254.169.254]/",
	// neighbours and clouds' metadata
	"http://169.254.169.254/latest/meta-data/", "http://169.254.0.1/", "http://[fe80::1]/", "http://[fe80::1%%25eth0]/", "http://[fe80::a9fe:a9fe]/",
	"http://100.100.100.200/", "http://[fd00:ec2::254]/", "http://168.63.129.16/", "http://192.0.0.192/", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
	"http://metadata.google.internal/", "http://instance-data/",
	// the customer's network, not listed
	"http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/", "http://172.31.255.255/", "http://192.168.0.1/", "http://192.168.255.255/",
	"http://100.64.0.1/", "http://100.127.255.255/", "http://[fc00::1]/", "http://[fd12:3456:789a::1]/", "http://pbx.local/", "http://0xa000001/", "http://10.1/",
	// nowhere
	"http://224.0.0.1/", "http://239.255.255.250:1900/", "http://255.255.255.255/", "http://240.0.0.1/", "http://192.0.2.1/", "http://198.18.0.1/", "http://198.51.100.1/", "http://203.0.113.1/",
	"http://192.88.99.1/", "http://[ff02::1]/", "http://[ff0e::1]/", "http://[fec0::1]/", "http://[100::1]/", "http://[2001:db8::1]/", "http://[3fff::1]/", "http://[5f00::1]/", "http://[4000::1]/",
	// names that lead inside
	"http://inside.example/", "http://loop.example:%s/", "http://loop6.example:%s/", "http://mapped.example:%s/", "http://meta.example/", "http://ula.example/", "http://sixtofour.example/",
	"http://rebind-late.example:%s/", "http://zero.example:%s/",
	// no http at all
	"file:///etc/passwd", "ftp://127.0.0.1:%s/", "gopher://127.0.0.1:%s/_GET", "dict://127.0.0.1:%s/", "javascript:alert(1)", "data:audio/wav;base64,AAAA",
	"unix:///run/docker.sock", "http+unix://%%2Frun%%2Fdocker.sock/", "//127.0.0.1:%s/", "/etc/passwd", "http://", "http:///etc/passwd", "http://:%s/", "", " ", "http:127.0.0.1",
	"HTTP://127.0.0.1:%s/", "\thttp://127.0.0.1:%s/", "http://127.0.0.1:%s\r\nHost: example.com/", "http://[::1", "http://127.0.0.1:99999/", "ws://127.0.0.1:%s/",
}

func outsideNames() *names {
	return &names{asked: map[string]int{}, answers: map[string][]string{
		"inside.example":      {"10.0.0.5"},
		"loop.example":        {"127.0.0.1"},
		"loop6.example":       {"::1"},
		"mapped.example":      {"::ffff:127.0.0.1"},
		"meta.example":        {"169.254.169.254"},
		"ula.example":         {"fd00::5"},
		"sixtofour.example":   {"2002:7f00:1::"},
		"zero.example":        {"0.0.0.0"},
		"public.example":      {"93.184.216.34"},
		"rebind.example":      {"93.184.216.34", "127.0.0.1"},
		"rebind-late.example": {"127.0.0.1", "93.184.216.34"},
		"localhost":           {"127.0.0.1"},
		"pbx.local":           {"192.168.7.7"},
	}}
}

// quiet is a server on loopback that must hear nothing.
func quiet(t *testing.T) (port string, heard *atomic.Int64) {
	t.Helper()
	heard = new(atomic.Int64)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	listeners := []net.Listener{l}
	if six, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		t.Cleanup(func() { _ = six.Close() })
		listeners = append(listeners, six)
	}
	for _, l := range listeners {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				heard.Add(1)
				_ = c.Close()
			}
		}()
	}
	return port, heard
}

// at fills the port into a hostile link.
func at(link, port string) string {
	if strings.Contains(link, "%") {
		return strings.ReplaceAll(fmt.Sprintf(strings.ReplaceAll(link, "%s", "\x00"), []any{}...), "\x00", port)
	}
	return link
}

func TestHostileLinksMakeNoConnection(t *testing.T) {
	if len(hostile) < 80 {
		t.Fatalf("only %d hostile links", len(hostile))
	}
	port, heard := quiet(t)
	door := httptest.NewServer(http.NotFoundHandler()) // the demo's exception is open meanwhile
	defer door.Close()
	for _, link := range hostile {
		link = at(link, port)
		var passed []string
		o := &Outside{Guard: &Guard{
			Loopback: door.Listener.Addr().String(),
			Resolver: outsideNames().resolver(),
			passed:   func(address string) error { passed = append(passed, address); return errPassed },
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		got, err := o.Open(ctx, link, Pass{})
		cancel()
		if err == nil {
			_ = got.Body.Close()
			t.Errorf("%q was opened", link)
		}
		if len(passed) > 0 {
			t.Errorf("%q reached %v", link, passed)
		}
	}
	if n := heard.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	t.Logf("%d links, 0 connections", len(hostile))
}

// TestGuardCanPass: a guard that refuses everything would prove nothing above.
func TestGuardCanPass(t *testing.T) {
	for link, want := range map[string]string{
		"http://93.184.216.34/a.mp3":             "93.184.216.34:80",
		"https://93.184.216.34/a.mp3":            "93.184.216.34:443",
		"http://93.184.216.34:8443/a.mp3":        "93.184.216.34:8443",
		"http://[2606:2800:220:1::1]/a.mp3":      "[2606:2800:220:1::1]:80",
		"http://public.example/a.mp3":            "93.184.216.34:80",
		"http://rebind.example/a.mp3":            "93.184.216.34:80", // asked once, and what is dialled was checked
		"http://172.32.0.1/":                     "172.32.0.1:80",
		"http://192.169.0.1/":                    "192.169.0.1:80",
		"http://100.128.0.1/":                    "100.128.0.1:80",
		"http://[::ffff:93.184.216.34]:81/a.mp3": "93.184.216.34:81",
	} {
		var passed []string
		o := &Outside{Guard: &Guard{
			Resolver: outsideNames().resolver(),
			passed:   func(address string) error { passed = append(passed, address); return errPassed },
		}}
		_, err := o.Open(t.Context(), link, Pass{})
		if !errors.Is(err, errPassed) || len(passed) != 1 || strings.Replace(passed[0], "[::ffff:93.184.216.34]", "93.184.216.34", 1) != want {
			t.Errorf("%s: %v, %v", link, passed, err)
		}
	}
}

func TestListedPrivateAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		link    string
		allowed []Allowed
		passes  bool
	}{
		"block":               {"http://192.168.7.7/a", []Allowed{{Host: "192.168.7.0/24"}}, true},
		"address":             {"http://192.168.7.7:8080/a", []Allowed{{Host: "192.168.7.7"}}, true},
		"name":                {"http://pbx.local/a", []Allowed{{Host: "PBX.local"}}, true},
		"address behind name": {"http://pbx.local/a", []Allowed{{Host: "192.168.7.7"}}, true},
		"port":                {"http://192.168.7.7:8080/a", []Allowed{{Host: "192.168.7.7", Port: 8080}}, true},
		"unique local":        {"http://ula.example/", []Allowed{{Host: "fd00::/64"}}, true},
		"mapped":              {"http://[::ffff:192.168.7.7]/", []Allowed{{Host: "192.168.7.7"}}, true},
		"carrier":             {"http://100.64.0.9/", []Allowed{{Host: "100.64.0.0/16"}}, true},

		"other port":          {"http://192.168.7.7:22/a", []Allowed{{Host: "192.168.7.7", Port: 8080}}, false},
		"other block":         {"http://192.168.8.7/a", []Allowed{{Host: "192.168.7.0/24"}}, false},
		"other name":          {"http://inside.example/", []Allowed{{Host: "pbx.local"}}, false},
		"name that lies":      {"http://loop.example/", []Allowed{{Host: "loop.example"}}, false},
		"name to metadata":    {"http://meta.example/", []Allowed{{Host: "meta.example"}}, false},
		"loopback":            {"http://127.0.0.1/", []Allowed{{Host: "127.0.0.1"}}, false},
		"loopback in block":   {"http://127.0.0.1/", []Allowed{{Host: "0.0.0.0/0"}}, false},
		"link-local in block": {"http://169.254.1.1/", []Allowed{{Host: "0.0.0.0/0"}}, false},
		"metadata in block":   {"http://100.100.100.200/", []Allowed{{Host: "100.64.0.0/10"}}, false},
		"cloud in block":      {"http://[fd00:ec2::254]/", []Allowed{{Host: "fc00::/7"}}, false},
		"own address":         {"http://10.9.9.9/", []Allowed{{Host: "10.0.0.0/8"}}, false},
	} {
		var passed int
		o := &Outside{Guard: &Guard{
			Resolver: outsideNames().resolver(),
			Own:      func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.9.9.9")}, nil },
			passed:   func(string) error { passed++; return errPassed },
		}}
		_, err := o.Open(t.Context(), tt.link, Pass{Allowed: tt.allowed})
		if tt.passes != (passed == 1) || tt.passes != errors.Is(err, errPassed) {
			t.Errorf("%s: passed %d times, %v", name, passed, err)
		}
	}
}

func TestAllowedCheck(t *testing.T) {
	for host, good := range map[string]bool{
		"192.168.1.20": true, "10.20.0.0/16": true, "pbx.local": true, "fd00::/8": true, "атс.рф": true,
		"": false, "127.0.0.1": false, "::1": false, "169.254.0.0/16": false, "http://pbx": false, "a b": false, "pbx:80": false, "10.0.0.0/99": false, "user@pbx": false,
	} {
		if err := (Allowed{Host: host}).Check(); (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
	if (Allowed{Host: "pbx", Port: 70000}).Check() == nil {
		t.Error("port 70000 is allowed")
	}
}

// Own addresses of this machine are refused without being told.
func TestOwnAddressIsRefused(t *testing.T) {
	own, err := interfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range own {
		o := &Outside{Guard: &Guard{passed: func(string) error { return errPassed }}}
		link := (&url.URL{Scheme: "http", Host: netip.AddrPortFrom(ip.WithZone(""), 80).String()}).String()
		_, err := o.Open(t.Context(), link, Pass{Allowed: []Allowed{{Host: "0.0.0.0/0"}, {Host: "::/0"}}})
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("own address %s: %v", ip, err)
		}
	}
}

func TestTheDemosExceptionIsOneAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "audio") }))
	defer server.Close()
	address := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	o := &Outside{Guard: &Guard{Loopback: address, Resolver: outsideNames().resolver()}}
	got, err := o.Open(t.Context(), "http://"+address+"/a.mp3", Pass{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(got.Body)
	_ = got.Body.Close()
	if string(text) != "audio" {
		t.Errorf("got %q", text)
	}
	other, heard := quiet(t)
	for _, link := range []string{
		"http://localhost:" + port, "http://loop.example:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://127.0.0.2:" + port,
		"http://127.1:" + port, "http://[::1]:" + port, "http://127.0.0.1:" + other, "http://0.0.0.0:" + port, "http://" + address + "@127.0.0.1:" + other,
	} {
		if got, err := o.Open(t.Context(), link, Pass{}); err == nil {
			_ = got.Body.Close()
			t.Errorf("%s was opened", link)
		}
	}
	if heard.Load() != 0 {
		t.Error("another port was connected to")
	}
	without := &Outside{Guard: &Guard{}}
	if got, err := without.Open(t.Context(), "http://"+address, Pass{}); err == nil {
		_ = got.Body.Close()
		t.Error("without the exception loopback is open")
	}
}

func TestRedirectsAreCheckedHopByHop(t *testing.T) {
	port, heard := quiet(t)
	var leaked atomic.Int64
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/start" && (r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "") {
			leaked.Add(1)
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		var n int
		switch {
		case r.URL.Path == "/start":
			w.Header().Set("Location", target)
			w.WriteHeader(http.StatusFound)
		case func() bool { _, err := fmt.Sscanf(r.URL.Path, "/hop/%d", &n); return err == nil }() && n > 0:
			http.Redirect(w, r, fmt.Sprintf("/hop/%d", n-1), http.StatusFound)
		default:
			_, _ = io.WriteString(w, "audio")
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	o := &Outside{Guard: &Guard{Loopback: address, Resolver: outsideNames().resolver()}}
	open := func() error {
		got, err := o.Open(t.Context(), "http://"+address+"/start", Pass{Bearer: "secret", BearerHost: address})
		if err == nil {
			_ = got.Body.Close()
		}
		return err
	}
	for _, link := range hostile {
		if target = at(link, port); strings.ContainsAny(target, "\r\n\t") || strings.TrimSpace(target) == "" || target[0] == '/' && !strings.HasPrefix(target, "//") {
			continue // these stay on the host that redirects
		}
		if err := open(); err == nil {
			t.Errorf("followed a redirect to %q", target)
		}
	}
	if heard.Load() != 0 {
		t.Error("a redirect led inside")
	}
	target = "/hop/2" // with /start three redirects
	if err := open(); err != nil {
		t.Errorf("three redirects: %v", err)
	}
	target = "/hop/3"
	if err := open(); err == nil {
		t.Error("followed four redirects")
	}
	if leaked.Load() != 0 {
		t.Error("a redirect carried credentials, a cookie or the address it came from")
	}
}

func TestBearerGoesToItsHostOnly(t *testing.T) {
	var seen atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(r.Header.Get("Authorization")) }))
	defer server.Close()
	address := server.Listener.Addr().String()
	o := &Outside{Guard: &Guard{Loopback: address}}
	for host, want := range map[string]string{address: "Bearer secret", "drive-b.amocrm.ru": "", "127.0.0.1": "", "": ""} {
		got, err := o.Open(t.Context(), "http://"+address+"/", Pass{Bearer: "secret", BearerHost: host})
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if seen.Load() != want {
			t.Errorf("host %q: got %q", host, seen.Load())
		}
	}
}

func TestDownloadLimits(t *testing.T) {
	stall := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 5000))
		case "/exact":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1000))
		case "/stall":
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
			<-stall
		case "/short":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "cut")
		}
	}))
	defer server.Close()
	defer close(stall)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	o := &Outside{Guard: &Guard{Loopback: server.Listener.Addr().String()}, Limit: 1000, Idle: 100 * time.Millisecond}
	for path, want := range map[string]struct {
		n   int
		err error
	}{"/large": {1000, ErrTooLarge}, "/exact": {1000, nil}, "/stall": {5, ErrStalled}, "/short": {3, io.ErrUnexpectedEOF}} {
		got, err := o.Open(t.Context(), server.URL+path, Pass{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		_ = got.Body.Close()
		if len(text) != want.n || !errors.Is(err, want.err) {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if _, err := o.Open(t.Context(), "http://127.0.0.1:1/?sig=secret", Pass{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error("the error carries the link")
	}
}
