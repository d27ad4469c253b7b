package speech

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"sync"
)

const (
	tailLines = 40
	tailWidth = 500 // bytes of one line that are kept
)

// tail keeps the last lines a worker wrote to its standard error.
type tail struct {
	mu    sync.Mutex
	lines []string
}

// read takes lines until r ends; a line of any length is read and cut.
func (t *tail) read(r io.Reader) {
	b := bufio.NewReaderSize(r, 4096)
	var line []byte
	for {
		part, more, err := b.ReadLine()
		if room := tailWidth - len(line); room > 0 {
			line = append(line, part[:min(room, len(part))]...)
		}
		if err != nil {
			return
		}
		if !more {
			t.add(strings.ToValidUTF8(string(line), "�"))
			line = line[:0]
		}
	}
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, line)
}

// last returns at most n lines, oldest first.
func (t *tail) last(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines[max(0, len(t.lines)-n):])
}
