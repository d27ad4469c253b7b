//go:build ui

package web

import (
	"embed"
	"io/fs"
)

//go:embed all:ui/dist
var dist embed.FS

// builtPages are the files that `make ui` made.
func builtPages() (fs.FS, error) { return fs.Sub(dist, "ui/dist") }
