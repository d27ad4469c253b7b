//go:build !ui

package web

import (
	"embed"
	"io/fs"
)

// builtPages are none without the build tag ui.
func builtPages() (fs.FS, error) { return embed.FS{}, nil }
