//go:build noui

package dash

import "io/fs"

func embedded() (fs.FS, error) { return nil, nil }
