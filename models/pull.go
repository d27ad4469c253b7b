package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrServer means that the models' server did not hand over the file.
var ErrServer = errors.New("the models' server did not deliver")

const (
	// idleRetries is how often a download goes on without having got a byte;
	// any progress starts the count anew.
	idleRetries = 5
	// stall is how long a connection may stay silent.
	stall = time.Minute
	// tolerance is by how much a file may exceed the catalogue's rounded size.
	tolerance = 1.05
)

// Puller loads models from a server into a folder.
type Puller struct {
	Folder Folder
	Base   string                             // address of the folder with the files; "" is DefaultBase
	Client *http.Client                       // nil is a plain one
	Pause  time.Duration                      // before the first retry, doubled for each next; 0 is one second
	Stall  time.Duration                      // silence after which a connection is given up; 0 is a minute
	Room   func(dir string, size int64) error // nil asks the disk
}

// Pull loads a model of the catalogue, goes on where an earlier try stopped,
// checks it whole and installs it. Progress counts the bytes on disk. A server
// that cannot resume is loaded from the beginning. [ErrServer], [ErrTooLarge],
// [ErrNoSpace] and *[BadFile] say why nothing was installed; what was loaded
// is kept for the next try except when it proved wrong.
func (p Puller) Pull(ctx context.Context, name string, progress Progress) (Entry, error) {
	m, err := Find(name)
	if err != nil {
		return Entry{}, err
	}
	if m.Demo {
		return Entry{}, fmt.Errorf("%w: %q is shipped with the appliance, not loaded", ErrUnknown, name)
	}
	return p.pull(ctx, m, progress)
}

func (p Puller) pull(ctx context.Context, m Model, progress Progress) (Entry, error) {
	if err := os.MkdirAll(p.Folder.Dir, folderMode); err != nil {
		return Entry{}, fmt.Errorf("pull %s: %w", m.Name, err)
	}
	address, err := url.JoinPath(p.base(), m.File)
	if err != nil {
		return Entry{}, fmt.Errorf("pull %s: %w", m.Name, err)
	}
	d := &download{Puller: p, model: m, address: address, part: filepath.Join(p.Folder.Dir, m.File+".part"), progress: progress}
	if err := d.run(ctx); err != nil {
		return Entry{}, fmt.Errorf("pull %s: %w", m.Name, err)
	}
	_ = os.Remove(d.tagFile())
	return p.Folder.install(ctx, m, d.part)
}

func (p Puller) base() string {
	if p.Base == "" {
		return DefaultBase
	}
	return p.Base
}

// download is one file on its way.
type download struct {
	Puller
	model    Model
	address  string
	part     string
	progress Progress
}

// errGoOn marks what a new request may cure.
var errGoOn = errors.New("connection lost")

func (d *download) run(ctx context.Context) error {
	pause := d.Pause
	if pause == 0 {
		pause = time.Second
	}
	for idle := 0; ; {
		before := d.have()
		err := d.request(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errGoOn):
			return err
		}
		if d.have() > before {
			idle = 0
		} else if idle++; idle > idleRetries {
			return fmt.Errorf("%w: %w", ErrServer, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause << idle):
		}
	}
}

// have is the size of what is on disk.
func (d *download) have() int64 {
	info, err := os.Stat(d.part)
	if err != nil {
		return 0
	}
	return info.Size()
}

// tagFile keeps the server's mark of the version the part belongs to.
func (d *download) tagFile() string { return d.part + ".tag" }

// request asks for the rest, or for everything, and writes what comes.
func (d *download) request(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return fmt.Errorf("address of the model: %w", err)
	}
	have := d.have()
	tag, _ := os.ReadFile(d.tagFile())
	if have > 0 && len(tag) == 0 && d.model.SHA1 == "" && d.model.SHA256 == "" {
		have = 0 // nothing could tell that the two halves belong to one file
	}
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		if len(tag) > 0 {
			req.Header.Set("If-Range", string(tag))
		}
	}
	alarm := time.AfterFunc(d.stall(), cancel)
	defer alarm.Stop()
	res, err := d.client().Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errGoOn, err)
	}
	defer res.Body.Close()
	from, total, err := d.answer(res, have)
	if err != nil {
		return err
	}
	return d.receive(res, from, total, alarm)
}

// answer judges the response: where its bytes belong and how long the file is
// (0 if the server does not say).
func (d *download) answer(res *http.Response, have int64) (from, total int64, err error) {
	switch {
	case res.StatusCode == http.StatusOK:
		total = max(res.ContentLength, 0)
	case res.StatusCode == http.StatusPartialContent:
		from, total, err = contentRange(res.Header.Get("Content-Range"))
		if err != nil || from != have {
			d.forget()
			return 0, 0, fmt.Errorf("%w: the server sent another part than asked for", errGoOn)
		}
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		// Everything is here already, or the part belongs to another file.
		if _, size, ok := strings.Cut(res.Header.Get("Content-Range"), "/"); ok && size == strconv.FormatInt(have, 10) {
			return have, have, nil
		}
		d.forget()
		return 0, 0, fmt.Errorf("%w: the file on the server has changed", errGoOn)
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		return 0, 0, fmt.Errorf("%w: %s", errGoOn, res.Status)
	default:
		return 0, 0, fmt.Errorf("%w: %s", ErrServer, res.Status)
	}
	if total > d.limit() {
		return 0, 0, fmt.Errorf("%w: %d bytes announced, at most %d expected", ErrTooLarge, total, d.limit())
	}
	room := d.Room
	if room == nil {
		room = roomFor
	}
	expected := total
	if expected == 0 {
		expected = d.model.SizeBytes
	}
	return from, total, room(d.Folder.Dir, expected-from)
}

// forget drops what is on disk: it cannot be continued.
func (d *download) forget() {
	_ = os.Remove(d.part)
	_ = os.Remove(d.tagFile())
}

func (d *download) receive(res *http.Response, from, total int64, alarm *time.Timer) error {
	if total > 0 && from == total {
		return nil
	}
	if from == 0 {
		if err := d.remember(res.Header); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(d.part, os.O_CREATE|os.O_WRONLY, modelMode)
	if err != nil {
		return fmt.Errorf("write part: %w", err)
	}
	if err := file.Truncate(from); err != nil {
		return errors.Join(fmt.Errorf("write part: %w", err), file.Close())
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return errors.Join(fmt.Errorf("write part: %w", err), file.Close())
	}
	err = d.write(file, res.Body, from, total, alarm)
	return errors.Join(err, file.Close())
}

// remember keeps the validator of a new file. Without one the part can only
// be continued when a checksum will judge the whole.
func (d *download) remember(h http.Header) error {
	tag := h.Get("ETag")
	if strings.HasPrefix(tag, "W/") { // a weak one does not promise equal bytes
		tag = ""
	}
	if tag == "" {
		tag = h.Get("Last-Modified")
	}
	if err := os.WriteFile(d.tagFile(), []byte(tag), modelMode); err != nil {
		return fmt.Errorf("write part: %w", err)
	}
	return nil
}

func (d *download) write(file *os.File, body io.Reader, done, total int64, alarm *time.Timer) error {
	buf := make([]byte, 128<<10)
	told := done
	d.progress.tell(done, total)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			alarm.Reset(d.stall())
			if done += int64(n); done > d.limit() {
				d.forget()
				return fmt.Errorf("%w: more than %d bytes came", ErrTooLarge, d.limit())
			}
			if _, err := file.Write(buf[:n]); err != nil {
				return fmt.Errorf("write part: %w", err)
			}
			if done-told >= step {
				told = done
				d.progress.tell(done, total)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && (total == 0 || done == total):
			d.progress.tell(done, total)
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: %d of %d bytes came", errGoOn, done, total)
		case err != nil:
			return fmt.Errorf("%w: %w", errGoOn, err)
		}
	}
}

func (d *download) limit() int64 {
	if d.model.Exact {
		return d.model.SizeBytes
	}
	return int64(float64(d.model.SizeBytes) * tolerance)
}

func (d *download) client() *http.Client {
	if d.Client == nil {
		return &http.Client{} // no limit on the whole: a large model takes hours on a slow line
	}
	return d.Client
}

func (d *download) stall() time.Duration {
	if d.Stall == 0 {
		return stall
	}
	return d.Stall
}

// contentRange reads "bytes 100-199/1000".
func contentRange(s string) (from, total int64, err error) {
	span, size, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	first, _, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 {
		return 0, 0, fmt.Errorf("content range %q", s)
	}
	if from, err = strconv.ParseInt(first, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("content range %q", s)
	}
	if size == "*" {
		return from, 0, nil
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("content range %q", s)
	}
	return from, total, nil
}
