package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// terminal is what a command reads from and writes to. Data goes to out; what
// is for a person beside it goes to err.
type terminal struct {
	ctx      context.Context // ends on Ctrl-C
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time
	zone     *time.Location

	inTTY, outTTY, errTTY bool
	width                 int // of out, in characters; 0: unlimited

	secret func() (string, error) // reads a line from a person without showing it
}

// newTerminal is the process' own. stop gives Ctrl-C its usual meaning again.
func newTerminal() (t *terminal, stop func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	is := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	t = &terminal{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now, zone: time.Local,
		inTTY: is(os.Stdin), outTTY: is(os.Stdout), errTTY: is(os.Stderr)}
	if t.outTTY {
		if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			t.width = width
		}
	}
	t.secret = func() (string, error) {
		b, err := term.ReadPassword(int(os.Stdin.Fd()))
		return string(b), err
	}
	return t, stop
}

// line reads one line, without its end. It reads byte by byte: what follows
// belongs to somebody else.
func (t *terminal) line() (string, error) {
	var b strings.Builder
	var c [1]byte
	for {
		n, err := t.in.Read(c[:])
		if n == 1 {
			if c[0] == '\n' {
				return strings.TrimSuffix(b.String(), "\r"), nil
			}
			b.WriteByte(c[0])
			if b.Len() > 1<<16 {
				return "", io.ErrShortBuffer
			}
			continue
		}
		if err != nil {
			if b.Len() > 0 && err == io.EOF {
				return b.String(), nil
			}
			return "", err
		}
	}
}
