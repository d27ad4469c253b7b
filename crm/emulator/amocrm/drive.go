package amocrm

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// driveFile is a file in amoCRM's own storage.
type driveFile struct {
	name string
	data []byte
}

// AddDriveFile stores a file on the drive and returns its download path
// (2.15), to be put behind Options.DriveURL.
func (p *Portal) AddDriveFile(name string, data []byte) string {
	defer p.lock()()
	path := strings.Join([]string{"/download", p.uuid, newUUID(), name}, "/")
	p.driveFiles[path] = driveFile{name, data}
	return path
}

// Drive is the drive's host, as far as downloads go: the one host besides the
// API that may see the token, and here demands it. Anything else is 501.
func (p *Portal) Drive() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, answer := p.driveDownload(newRequest(r, nil))
		if answer.status != 0 {
			answer.write(w)
			return
		}
		http.ServeContent(w, r, file.name, time.Time{}, bytes.NewReader(file.data))
	})
}

func (p *Portal) driveDownload(r *request) (driveFile, reply) {
	defer p.lock()()
	if !strings.HasPrefix(r.URL.Path, "/download/") {
		return driveFile{}, p.notBuilt(r, "the drive only gives downloads")
	}
	if p.bearer(r.bearer()) == nil {
		return driveFile{}, jsonReply(http.StatusUnauthorized, plainJSON, object{"title": "Unauthorized", "status": http.StatusUnauthorized})
	}
	file, ok := p.driveFiles[r.URL.Path]
	if !ok {
		return driveFile{}, jsonReply(http.StatusNotFound, plainJSON, object{"title": "Not Found", "status": http.StatusNotFound})
	}
	return file, reply{}
}
