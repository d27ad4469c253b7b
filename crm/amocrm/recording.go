package amocrm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"flysense/crm"
	"flysense/crm/rest"
	"flysense/engine"
)

const sniffed = 512 // bytes looked at to tell a page from audio

// Open is [crm.Source]: contracts/amocrm.md 2.14. The link is text that a phone
// system put into the portal; the portal's token goes only to the portal's own
// drive, and only if it asks for one.
func (c *Connector) Open(ctx context.Context, a crm.Access, call engine.Call) (io.ReadCloser, error) {
	if call.Link == "" {
		return nil, fmt.Errorf("no link: %w", engine.ErrNoRecording)
	}
	pass := rest.Pass{Allowed: a.OnPremHosts}
	got, err := c.download(ctx, call.Link, pass)
	if err != nil {
		return nil, err
	}
	if refusesStranger(got.Status) {
		if pass.BearerHost, err = c.driveOf(ctx, a, call.Link); err != nil {
			_ = got.Body.Close()
			return nil, err
		}
		if pass.BearerHost != "" {
			_ = got.Body.Close()
			if pass.Bearer, err = a.Keys.Token(ctx); err != nil {
				return nil, fmt.Errorf("token: %w", err)
			}
			if got, err = c.download(ctx, call.Link, pass); err != nil {
				return nil, err
			}
		}
	}
	if got.Status != http.StatusOK {
		_ = got.Body.Close()
		return nil, fmt.Errorf("the link answers %d: %w", got.Status, engine.ErrNoRecording)
	}
	return audioOnly(got.Body)
}

func refusesStranger(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// driveOf returns the account's drive host if the link leads there, else "".
func (c *Connector) driveOf(ctx context.Context, a crm.Access, link string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || !accountHost(u.Host) && u.Host != c.options.Demo {
		return "", nil //nolint:nilerr // what is no link leads to no drive; the download refuses it
	}
	p, err := c.portal(ctx, a)
	if err != nil {
		return "", err
	}
	if host := p.driveHost(); host != "" && strings.EqualFold(host, u.Host) {
		return host, nil
	}
	return "", nil
}

func (c *Connector) download(ctx context.Context, link string, pass rest.Pass) (*rest.Download, error) {
	got, err := c.options.Outside.Open(ctx, link, pass)
	var refused *rest.Refused
	switch {
	case errors.As(err, &refused) && refused.Private:
		return nil, engine.NeedsOwnerError(err, "Запись лежит внутри вашей сети, на "+refused.Address+". "+
			"Если это ваша АТС, разрешите её: Подключения → это подключение → «Адреса внутри сети» — и нажмите «Повторить».")
	case errors.As(err, &refused):
		return nil, engine.Never(err, "Ссылка на запись ведёт на запрещённый адрес ("+refused.Address+"), мы её не открываем. Проверьте, какую ссылку пишет в карточку телефония.")
	}
	return got, err
}

// audioOnly looks at the first bytes: a login page, an error in JSON or nothing
// at all, with whatever status and type, mean that the recording is not there.
func audioOnly(body io.ReadCloser) (io.ReadCloser, error) {
	r := bufio.NewReaderSize(body, sniffed)
	head, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = body.Close()
		return nil, fmt.Errorf("download: %w", err)
	}
	start := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(start) == 0 || start[0] == '<' || start[0] == '{' || start[0] == '[' {
		_ = body.Close()
		return nil, fmt.Errorf("the link answers with no audio: %w", engine.ErrNoRecording)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, body}, nil
}
