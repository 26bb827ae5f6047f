//go:build !noui

package dash

import (
	"embed"
	"io/fs"
)

// dist is what web/ builds; README.md there says how.
//
//go:embed all:dist
var dist embed.FS

func embedded() (fs.FS, error) { return fs.Sub(dist, "dist") }
