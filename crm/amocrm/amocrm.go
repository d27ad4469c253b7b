// Package amocrm connects amoCRM (also sold as Kommo): it finds calls in the
// notes of leads, contacts and companies, fetches their recordings and writes
// results back as notes. What the vendor says on the wire is in api.go.
package amocrm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"flysense/crm"
	"flysense/crm/rest"
	"flysense/engine"
)

// Vendor is the name connections of this package carry.
const Vendor = "amocrm"

// PerSecond is the pace to one account host. amoCRM allows 7 requests a second
// and locks out an address that ignores it (contracts/amocrm.md 2.1).
const PerSecond = 5

const (
	factsFor = time.Hour // how long what the account says about itself is believed
	hourly   = time.Hour // between tries when the account is not paid or keeps us out
)

// Options of a [Connector].
type Options struct {
	Client  *rest.Client
	Outside *rest.Outside
	// Demo is the address of the emulator as host:port, reached by http. It is
	// the only account host besides the vendor's own; empty means none.
	Demo string
	Now  func() time.Time // nil is the system's clock
	Log  *slog.Logger
}

// Connector talks to amoCRM accounts.
type Connector struct {
	options Options

	mu      sync.Mutex
	portals map[string]*portal // by connection; what was read of each and may be forgotten
}

var (
	_ crm.Connector  = (*Connector)(nil)
	_ crm.Authorizer = (*Connector)(nil)
	_ crm.Finder     = (*Connector)(nil)
	_ crm.Source     = (*Connector)(nil)
	_ crm.Sink       = (*Connector)(nil)
	_ crm.Unblocker  = (*Connector)(nil)
)

// New makes a connector.
func New(o Options) *Connector {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Connector{options: o, portals: map[string]*portal{}}
}

// Vendor is [crm.Connector].
func (c *Connector) Vendor() string { return Vendor }

// Unblock is [crm.Unblocker].
func (c *Connector) Unblock(host string) { c.options.Client.Unblock(host) }

// Account is [crm.Connector]. It needs no special right, so it is the test of
// a connection.
func (c *Connector) Account(ctx context.Context, a crm.Access) (crm.Account, error) {
	got, err := c.readAccount(ctx, a)
	if err != nil {
		return crm.Account{}, err
	}
	return crm.Account{ID: got.ID.String(), Name: string(got.Name)}, nil
}

func (c *Connector) readAccount(ctx context.Context, a crm.Access) (account, error) {
	var got account
	err := c.get(ctx, a, "/api/v4/account", url.Values{"with": {"drive_url,is_api_filter_enabled"}}, &got)
	if err != nil {
		return got, fmt.Errorf("read account: %w", err)
	}
	if got.ID == 0 {
		return got, errors.New("read account: it has no id")
	}
	return got, nil
}

// base is where the API of an account host is.
func (c *Connector) base(host string) *url.URL {
	if host == c.options.Demo {
		return &url.URL{Scheme: "http", Host: host, Path: "/"}
	}
	return &url.URL{Scheme: "https", Host: host, Path: "/"}
}

// get reads into v, and leaves it as it is on 204: nothing matched, or no such
// entity.
func (c *Connector) get(ctx context.Context, a crm.Access, path string, query url.Values, v any) error {
	answer, err := c.do(ctx, a, rest.Request{Method: http.MethodGet}, path, query)
	if err != nil {
		return err
	}
	return answer.Decode(v)
}

// do sends one request with the connection's token. A refused token is renewed
// once; nothing was done with it, so even a write may be sent again.
func (c *Connector) do(ctx context.Context, a crm.Access, r rest.Request, path string, query url.Values) (*rest.Answer, error) {
	r.URL = c.base(a.Host).JoinPath(path)
	r.URL.RawQuery = query.Encode()
	token, err := a.Keys.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	for renewed := false; ; renewed = true {
		r.Header = http.Header{"Authorization": {"Bearer " + token}}
		answer, err := c.options.Client.Do(ctx, r)
		if rest.Status(err) != http.StatusUnauthorized || renewed {
			return answer, explain(err, a.Name)
		}
		if token, err = a.Keys.Renew(ctx, token); err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
}

// explain turns answers that concern the whole connection into AccessErrors
// (contracts/amocrm.md 1.9); other errors pass.
func explain(err error, name string) error {
	var blocked *rest.Blocked
	if errors.As(err, &blocked) {
		return &crm.AccessError{Err: err, Wait: hourly, Hint: "amoCRM заблокировала адрес этого устройства за частые запросы. " +
			"Напишите в поддержку amoCRM (значок «?» в аккаунте) с просьбой снять блокировку. Раз в час мы проверяем сами; кнопка «Проверить» проверяет сразу."}
	}
	var status *rest.StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Status {
	case http.StatusUnauthorized:
		return lostAccess(err, name)
	case http.StatusPaymentRequired:
		return &crm.AccessError{Err: err, Wait: hourly, Hint: "Аккаунт amoCRM «" + name + "» не оплачен, и amoCRM не отвечает на запросы. " +
			"Администратору amoCRM нужно продлить тариф. Звонки не потеряются: раз в час мы проверяем сами."}
	case http.StatusForbidden:
		if addressNotListed(status.Body) {
			return &crm.AccessError{Err: err, Wait: hourly, Hint: "Аккаунт amoCRM «" + name + "» принимает запросы только с разрешённых IP-адресов. " +
				"Администратору amoCRM нужно добавить внешний адрес этого устройства в список: Настройки → Общие настройки → ограничение по IP."}
		}
	}
	return err
}

func lostAccess(err error, name string) error {
	return &crm.AccessError{Err: err, Hint: "Доступ к amoCRM «" + name + "» отозван или истёк. Восстановить его может администратор аккаунта: " +
		"amoМаркет → Установленные интеграции → ваша интеграция, включите её, на вкладке «Ключи и доступы» создайте долгосрочный токен " +
		"(или скопируйте код авторизации, он действует 20 минут) и вставьте сюда: Подключения → «Восстановить доступ». " +
		"Звонки за это время не потеряются: мы найдём их после восстановления."}
}

// forbidden reports a 403 that explain had no better words for.
func forbidden(err error) bool {
	var known *crm.AccessError
	return rest.Status(err) == http.StatusForbidden && !errors.As(err, &known)
}

// mayNotSearch is what a 403 means for the search: without it the connection is
// worth nothing, so the connection says it.
func mayNotSearch(err error, name string) error {
	if !forbidden(err) {
		return err
	}
	return &crm.AccessError{Err: err, Wait: hourly, Hint: "amoCRM «" + name + "» не разрешает читать примечания карточек. " +
		"Доступ должен выдать администратор amoCRM: проверьте права интеграции («Доступ к данным аккаунта») и восстановите доступ от имени администратора."}
}

// noRight is what a 403 means on an otherwise working connection.
func noRight(err error, what string) error {
	if !forbidden(err) {
		return err
	}
	return engine.NeedsOwnerError(err, "amoCRM не разрешает "+what+". Доступ должен выдать администратор amoCRM: "+
		"проверьте права интеграции («Доступ к данным аккаунта») и восстановите доступ от имени администратора.")
}

// cards are the kinds of cards calls are logged in, with the vendor's word for
// the route.
var cards = []struct{ kind, route string }{{"lead", "leads"}, {"contact", "contacts"}, {"company", "companies"}}

func route(kind string) (string, error) {
	for _, k := range cards {
		if k.kind == kind {
			return k.route, nil
		}
	}
	return "", fmt.Errorf("amoCRM has no card %q", kind)
}

func (c *Connector) cardURL(host, route string, id number) string {
	return c.base(host).JoinPath(route, "detail", id.String()).String()
}

// hosts are the vendor's domains; secrets go nowhere else.
var hosts = []string{"amocrm.ru", "amocrm.com", "kommo.com"}

// accountHost reports whether host is some account's own.
func accountHost(host string) bool {
	for _, domain := range hosts {
		name, ok := strings.CutSuffix(host, "."+domain)
		if ok && name != "www" && isLabel(name) {
			return true
		}
	}
	return false
}

func isLabel(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
}
