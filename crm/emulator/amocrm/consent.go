package amocrm

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed consent.html people.html people.css people.js
var pages embed.FS

// serveConsent is way C of 1.3: a person allows or refuses, the browser goes
// back to the integration. The person is whoever [Portal.SignIn] named.
func (p *Portal) serveConsent(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	unlock := p.lock()
	defer unlock()
	client, known := p.client(r.Form.Get("client_id"))
	show := struct {
		Known              bool
		Integration        Integration
		Account, Host      string
		State, Mode, Leave string
	}{known, client, p.opt.Name, p.domain(), r.Form.Get("state"), r.Form.Get("mode"), ""}
	w.Header().Set("Content-Type", htmlPage)
	switch {
	case !known:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPost:
		q := url.Values{}
		if r.PostForm.Get("answer") == "allow" {
			p.touch()
			referer := r.Host
			if p.opt.Host != "" {
				referer = p.opt.Host
			}
			q = url.Values{"code": {p.newCode(client.ID)}, "referer": {referer}, "platform": {"1"}, "client_id": {client.ID}}
		} else {
			q.Set("error", "access_denied")
		}
		if show.State != "" {
			q.Set("state", show.State)
		}
		back := withQuery(client.Redirect, q)
		if show.Mode != "popup" {
			http.Redirect(w, r, back, http.StatusFound)
			return
		}
		show.Leave = back // the popup sends its opener there and closes
	}
	if err := consentPage.Execute(w, show); err != nil {
		p.log.Debug("amocrm emulator: consent page", "error", err)
	}
}

var consentPage = template.Must(template.ParseFS(pages, "consent.html"))
