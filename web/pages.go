package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// pages serves the built front end. Addresses of its screens exist only inside
// it, so whatever is no file is answered with the start page.
type pages struct {
	files fs.FS
	index []byte
}

// newPages takes the files that were built in; without them one page says how
// to build them.
func newPages(files fs.FS, refuse http.Handler) http.Handler {
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		index = []byte(notBuilt)
	}
	p := &pages{files, index}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.serve(w, r) {
			refuse.ServeHTTP(w, r)
		}
	})
}

const notBuilt = `<!doctype html>
<html lang="ru"><meta charset="utf-8"><title>FlySense</title>
<h1>Страницы не собраны</h1>
<p>Эта программа собрана без интерфейса. Выполните <code>make build</code>: он соберёт страницы из <code>web/ui</code> и вложит их в программу (тег сборки <code>ui</code>).</p>
<p>API работает, его описание: <a href="/api">/api</a>.</p>
</html>
`

// hashed is the folder whose file names change with their content.
const hashedFolder = "assets/"

func (p *pages) serve(w http.ResponseWriter, r *http.Request) bool {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "api" || strings.HasPrefix(name, "api/") || strings.HasPrefix(name, "oauth/") {
		return false
	}
	if content, err := fs.ReadFile(p.files, name); err == nil && name != "index.html" {
		if strings.HasPrefix(name, hashedFolder) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		return true
	}
	if strings.HasPrefix(name, hashedFolder) {
		return false // a file of an older version must not become a page
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.index))
	return true
}
