// Package need says what a test needs of its machine beside Go, and what
// happens where that is missing: the test is skipped loudly, or fails where
// GIRO_TEST_REQUIRE (a comma list, set by make test) says that the machine has
// it.
package need

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Program returns the path of the first of these programs that is installed.
// Otherwise the test ends as in [Missing], under the first name.
func Program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, names[0], "not in the PATH")
	return ""
}

// Missing ends a test that cannot run because the machine lacks what: it fails
// where that is required, and is skipped elsewhere.
func Missing(t testing.TB, what, why string) {
	t.Helper()
	if Required(what) {
		t.Fatalf("%s is required by GIRO_TEST_REQUIRE, but: %s", what, why)
	}
	t.Skipf("SKIPPED for want of %s: %s", what, why)
}

// Required reports whether no test may be skipped for want of what.
func Required(what string) bool {
	return slices.Contains(strings.Split(os.Getenv("GIRO_TEST_REQUIRE"), ","), what)
}
