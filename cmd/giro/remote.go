package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"giro/client"
)

const defaultServer = "http://127.0.0.1:8080"

// remote are the flags of commands that speak to a server.
type remote struct {
	Server  string        `help:"Address of giro; else GIRO_URL, the profile's, ${server}." placeholder:"URL" group:"Server"`
	Key     string        `help:"API key. Other users of this machine can see it: rather --key-file or GIRO_API_KEY." placeholder:"KEY" group:"Server"`
	KeyFile string        `help:"File with the API key; - is standard input." placeholder:"FILE" group:"Server"`
	Profile string        `short:"p" help:"A profile of giro login; else GIRO_PROFILE, or the one in use." placeholder:"NAME" group:"Server"`
	Live    bool          `help:"Live mode: real money. Without it: test." group:"Server"`
	Timeout time.Duration `help:"How long to wait for an answer (30s), and with --wait for the outcome." placeholder:"30s" group:"Server"`
	Retries int           `default:"3" help:"How often a request without an answer is sent again, with the same Idempotency-Key." group:"Server"`
	Verbose bool          `short:"v" help:"Tell each request, its id, key and time on standard error." group:"Server"`
	Debug   bool          `help:"Show requests and answers on standard error, secrets left out." group:"Server"`
}

// asking are the flags of commands that may ask before they act.
type asking struct {
	Yes     bool `short:"y" help:"Do not ask before live money moves." group:"Asking"`
	NoInput bool `help:"Never ask; what would have to be asked is refused." group:"Asking"`
}

// apiFlags are the flags of all commands that speak to a server.
type apiFlags struct {
	remote
	output
}

// session is a command's way to one giro with one credential.
type session struct {
	*printer
	c        *client.Client
	flags    *remote
	url      string
	key      string
	merchant string // its name, where the profile knows it
	of       string // the merchant that the admin token speaks for; "": none
}

// ProvideSession opens what Run of a command takes as its argument.
func (f *apiFlags) ProvideSession(t *terminal) (*session, error) { return f.connect(t, false) }

// adminFlags are those of commands for which the installation's admin token
// goes before an API key.
type adminFlags struct{ apiFlags }

// ProvideSession opens what Run of a command takes as its argument.
func (f *adminFlags) ProvideSession(t *terminal) (*session, error) { return f.connect(t, true) }

// connect finds out where to go, with which key.
func (f *apiFlags) connect(t *terminal, admin bool) (*session, error) {
	p, err := f.printer(t)
	if err != nil {
		return nil, err
	}
	config, err := readProfiles(t)
	if err != nil {
		return nil, err
	}
	profile, err := config.choose(t, f.Profile)
	if err != nil {
		return nil, err
	}
	s := &session{printer: p, flags: &f.remote, merchant: profile.Merchant}
	if s.key, err = f.credential(t, profile, admin); err != nil {
		return nil, err
	}
	s.url = firstOf(f.Server, t.getenv("GIRO_URL"), profile.URL, defaultServer)
	if f.Timeout < 0 {
		return nil, exitError{exitUsage, errors.New("--timeout must be greater than 0")}
	}
	timeout := f.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	retries := f.Retries
	if retries == 0 {
		retries = -1
	}
	o := client.Options{
		Retries: retries, Agent: "giro-cli/" + version,
		HTTP: &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if f.Verbose || f.Debug {
		o.Trace = s.trace
	}
	if s.c, err = client.New(s.url, s.key, o); err != nil {
		return nil, exitError{exitUsage, err}
	}
	return s, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// credential reads the key, and refuses one of the other mode: which money
// moves must not hang on which variable happens to be set.
func (f *remote) credential(t *terminal, profile profile, admin bool) (string, error) {
	key := f.Key
	if key != "" {
		fmt.Fprintln(t.err, "giro: --key can be seen by other users of this machine; use --key-file or GIRO_API_KEY")
	}
	if key == "" && f.KeyFile == "-" {
		line, err := t.line()
		if err != nil {
			return "", exitError{exitUsage, fmt.Errorf("read the key from standard input: %w", err)}
		}
		key = strings.TrimSpace(line)
	} else if key == "" && f.KeyFile != "" {
		b, err := os.ReadFile(f.KeyFile)
		if err != nil {
			return "", exitError{exitUsage, err}
		}
		key = strings.TrimSpace(string(b))
	}
	if key == "" {
		key = t.getenv("GIRO_API_KEY")
	}
	if key == "" {
		switch {
		case admin && profile.AdminToken != "":
			key = profile.AdminToken
		case f.Live:
			key = profile.LiveKey
		default:
			key = profile.TestKey
		}
	}
	switch live := strings.HasPrefix(key, "sk_live_") || strings.HasPrefix(key, "pk_live_"); {
	case live && !f.Live:
		return "", exitError{exitUsage, errors.New("this is a live key: say --live, or use a test key")}
	case f.Live && (strings.HasPrefix(key, "sk_test_") || strings.HasPrefix(key, "pk_test_")):
		return "", exitError{exitUsage, errors.New("this is a test key: leave out --live, or use a live key")}
	}
	return key, nil
}

// send sends a request and reads its answer.
func (s *session) send(r client.Request) (*tree, *client.Answer, error) {
	if s.key == "" {
		return nil, nil, exitError{exitUnauthenticated, errors.New("there is no key: run giro login, or set GIRO_API_KEY")}
	}
	if s.of != "" {
		r.Header = r.Header.Clone()
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("Giro-Merchant", s.of)
	}
	a, err := s.c.Send(s.ctx, r)
	if err != nil {
		return nil, a, err
	}
	v, err := parseTree(a.Body)
	return v, a, err
}

func (s *session) read(path string, query url.Values) (*tree, *client.Answer, error) {
	return s.send(client.Request{Method: http.MethodGet, Path: path, Query: query})
}

var secretMembers = regexp.MustCompile(`("(?:secret|secret_key|client_secret|admin_token|token|password|access_token)"\s*:\s*")[^"]*"`)

// trace tells of an exchange on standard error.
func (s *session) trace(a client.Attempt) {
	var line strings.Builder
	fmt.Fprintf(&line, "%s %s", a.Request.Method, a.Request.URL.RequestURI())
	if a.Answer != nil {
		fmt.Fprintf(&line, " → %d", a.Answer.Status)
	} else {
		fmt.Fprintf(&line, " → %v", a.Err)
	}
	fmt.Fprintf(&line, " in %d ms", a.Took.Milliseconds())
	if a.Answer != nil && a.Answer.RequestID != "" {
		line.WriteString(", request " + a.Answer.RequestID)
	}
	if key := a.Request.Header.Get("Idempotency-Key"); key != "" {
		line.WriteString(", idempotency key " + key)
	}
	if a.Answer != nil && a.Answer.Replayed {
		line.WriteString(", replayed")
	}
	if a.Again {
		line.WriteString("; once more")
	}
	fmt.Fprintln(s.err, line.String())
	if !s.flags.Debug {
		return
	}
	dump := func(mark string, h http.Header, body []byte) {
		var b bytes.Buffer
		h = h.Clone()
		if v := h.Get("Authorization"); v != "" {
			h.Set("Authorization", "Bearer "+v[min(7, len(v)):min(15, len(v))]+"…")
		}
		h.Write(&b)
		b.WriteString("\n")
		b.Write(secretMembers.ReplaceAll(body, []byte(`${1}…"`)))
		for text := range strings.Lines(strings.TrimRight(b.String(), "\r\n")) {
			fmt.Fprintln(s.err, mark+" "+strings.TrimRight(text, "\r\n"))
		}
	}
	dump(">", a.Request.Header, a.Body)
	if a.Answer != nil {
		dump("<", a.Answer.Header, a.Answer.Body)
	}
}

// confirm asks before live money moves. what says what will happen; the answer
// has to be the word "yes".
func (s *session) confirm(ask asking, what string) error { return s.confirmBy(ask, what, "yes") }

// confirmBy asks like confirm; the answer has to be the word, such as how many
// are paid.
func (s *session) confirmBy(ask asking, what, word string) error {
	if !s.flags.Live || ask.Yes {
		return nil
	}
	if !s.inTTY || !s.errTTY || ask.NoInput {
		return exitError{exitUsage, fmt.Errorf("this moves live money (%s): say --yes where nobody can be asked", what)}
	}
	return s.typed(what, word)
}

// typed says what will happen, and goes on only where a person types a word.
func (s *session) typed(what, word string) error {
	who := ""
	if s.flags.Live {
		who = strings.TrimSpace("LIVE "+s.merchant) + ": "
	}
	fmt.Fprintf(s.err, "%s%s. Type %s to continue: ", who, what, word)
	answer, err := s.line()
	if err != nil || strings.TrimSpace(answer) != word {
		return exitError{exitUsage, errors.New("not confirmed; nothing was done")}
	}
	return nil
}

// sure asks before what cannot be taken back, in test mode too.
func (s *session) sure(ask asking, what string) error {
	if ask.Yes {
		return nil
	}
	if !s.inTTY || !s.errTTY || ask.NoInput {
		return exitError{exitUsage, fmt.Errorf("this cannot be taken back (%s): say --yes where nobody can be asked", what)}
	}
	return s.typed(what, "yes")
}

// The exit codes are stable; giro explain exit lists them.
const (
	exitInternal        = 1
	exitUsage           = 2
	exitUnauthenticated = 3
	exitNotFound        = 4
	exitConflict        = 5
	exitInvalid         = 6
	exitDeclined        = 7
	exitUnavailable     = 8
	exitUnreachable     = 9
	exitPartial         = 10
	exitIntegrity       = 11
	exitInterrupted     = 130
)

// exitOf is the exit code of an error.
func exitOf(ctx context.Context, err error) int {
	var exit exitError
	var refusal *client.Error
	var lost *client.Unanswered
	switch {
	case errors.As(err, &exit):
		return exit.code
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.As(err, &lost)):
		return exitInterrupted
	case errors.As(err, &lost), errors.Is(err, context.DeadlineExceeded):
		return exitUnreachable
	case errors.As(err, &refusal):
		switch s := refusal.Status; {
		case s == http.StatusUnauthorized || s == http.StatusForbidden:
			return exitUnauthenticated
		case s == http.StatusNotFound || s == http.StatusGone:
			return exitNotFound
		case refusal.Code == "idempotency_in_progress" || s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable || s == http.StatusBadGateway || s == http.StatusGatewayTimeout:
			return exitUnavailable
		case s == http.StatusConflict || s == http.StatusPreconditionFailed || refusal.Code == "idempotency_key_reused":
			return exitConflict
		case s >= 400 && s < 500:
			return exitInvalid
		}
	}
	return exitInternal
}

// report writes an error to standard error: for a person, or as one line of
// JSON whose "error" is what the API said.
func report(t *terminal, err error, code int, asJSON bool) {
	var refusal *client.Error
	known := errors.As(err, &refusal)
	if asJSON {
		said := record("detail", err.Error())
		if known && refusal.Code != "" {
			if v, err := parseTree(refusal.Body); err == nil {
				said = v
			}
		}
		line := &tree{kind: '{'}
		line.set("error", said)
		line.set("exit", &tree{kind: '0', text: strconv.Itoa(code)})
		fmt.Fprintf(t.err, "%s\n", line.appendJSON(nil, "", ""))
		return
	}
	said := err.Error()
	var lost *client.Unanswered
	if errors.As(err, &lost) && !lost.Sent {
		said += "; is giro running there? --server or GIRO_URL names another address"
	}
	fmt.Fprintln(t.err, "giro: "+oneLine(strings.Replace(said, `must be one of "",`, "must be one of ", 1)))
	if known && refusal.RequestID != "" {
		hint := "request " + oneLine(refusal.RequestID)
		if refusal.Code != "" {
			hint += "; giro explain " + oneLine(refusal.Code)
		}
		fmt.Fprintln(t.err, hint)
	}
}
