package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"giro/client"
	"giro/webhook"
)

type listenCommand struct {
	apiFlags
	ForwardTo   string   `name:"forward-to" help:"A receiver: localhost:3000/hooks. Without it events are only printed." placeholder:"URL"`
	Events      []string `help:"Only these: payout.succeeded, payout.*; several with commas."`
	Since       string   `help:"Begin at a time, a day, so long ago (36h), or behind an event." placeholder:"T|evt_…"`
	Latest      bool     `help:"Begin with the next event, whatever was missed since the last time."`
	Headers     []string `short:"H" sep:"none" help:"A header for the receiver." placeholder:"K:V"`
	PrintSecret bool     `help:"Print the signing secret, and end."`
	SkipVerify  bool     `help:"Take any certificate of the receiver."`
}

// listening is what giro listen keeps from one run to the next.
type listening struct {
	Endpoint string   `json:"endpoint"` // the listener's id
	Secret   string   `json:"secret"`
	After    int64    `json:"after"`           // events up to this sequence were handed over
	Again    []string `json:"again,omitempty"` // events that the receiver refused, to be handed over again
	Key      string   `json:"key,omitempty"`   // Idempotency-Key of the endpoint that is being made

	path string
}

func (l *listening) save() error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	part := l.path + ".part"
	if err := os.WriteFile(part, b, 0o600); err != nil {
		return err
	}
	return os.Rename(part, l.path)
}

// The pauses after which a refused event is handed over again.
var listenAgain = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}

const (
	listenPoll   = time.Second // how soon an event that is sent again by hand is seen
	listenWait   = 15 * time.Second
	listenGrace  = 2 * time.Second // for the answer under way when it is stopped
	listenReport = 1000            // outcomes that wait to be told to giro
)

// parcel is an event on its way to the receiver.
type parcel struct {
	event  *client.Event
	tries  int
	due    time.Time // of a refused one
	resent bool      // asked for by hand
}

type outcome struct {
	event  string
	status int
	took   time.Duration
	answer string
}

// forwarder hands events over, one after the other.
type forwarder struct {
	s       *session
	c       *listenCommand
	state   *listening
	secret  webhook.Secret
	http    *http.Client
	headers http.Header
	reports chan outcome
}

func (c *listenCommand) Run(s *session) error {
	if c.ForwardTo != "" && !strings.Contains(c.ForwardTo, "://") {
		c.ForwardTo = "http://" + c.ForwardTo
	}
	if u, err := url.Parse(c.ForwardTo); err != nil || c.ForwardTo != "" && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return exitError{exitUsage, errors.New("--forward-to takes an address like localhost:3000/hooks")}
	}
	l := &forwarder{s: s, c: c, reports: make(chan outcome, listenReport), headers: http.Header{}}
	for _, h := range c.Headers {
		name, v, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return exitError{exitUsage, errors.New("a header is written Name: value")}
		}
		l.headers.Add(strings.TrimSpace(name), strings.TrimSpace(v))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: c.SkipVerify} //nolint: the flag asks for it
	l.http = &http.Client{Timeout: listenWait, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if err := l.resume(); err != nil {
		return err
	}
	if c.PrintSecret {
		if s.form == "table" {
			_, err := fmt.Fprintln(s.out, l.state.Secret)
			return err
		}
		b, err := json.Marshal(map[string]string{"endpoint": l.state.Endpoint, "secret": l.state.Secret})
		if err != nil {
			return err
		}
		v, err := parseTree(b)
		if err != nil {
			return err
		}
		return s.object(v, []column{plain("SECRET", "secret")})
	}
	return l.run()
}

// resume finds the listener of an earlier run, or makes one, and the place
// where to begin.
func (l *forwarder) resume() error {
	s := l.s
	mine, _, err := s.read("/v1/merchants", nil)
	if err != nil {
		return err
	}
	if len(mine.members) == 0 {
		return errors.New("this key belongs to no merchant")
	}
	types := slices.Clone(l.c.Events)
	if len(types) == 0 {
		types = []string{"*"}
	}
	mode := s.key[:min(8, len(s.key))] // sk_test_ or sk_live_
	hash := sha256.Sum256([]byte(strings.Join([]string{s.url, mine.members[0].at("id").string(), mode, l.c.ForwardTo, strings.Join(types, ",")}, "\n")))
	config, err := profilesPath(s.terminal)
	if err != nil {
		return err
	}
	l.state = &listening{After: client.FromNow, path: filepath.Join(filepath.Dir(config), "listen", hex.EncodeToString(hash[:8])+".json")}
	if b, err := os.ReadFile(l.state.path); err == nil {
		if err := json.Unmarshal(b, l.state); err != nil {
			return fmt.Errorf("%s: %w", l.state.path, err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if l.state.Endpoint != "" {
		_, _, err := s.read("/v1/webhook_endpoints/"+url.PathEscape(l.state.Endpoint), nil)
		var refusal *client.Error
		if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound {
			l.state.Endpoint = ""
		} else if err != nil {
			return err
		}
	}
	if l.state.Endpoint == "" {
		description := "giro listen"
		if l.c.ForwardTo != "" {
			description += " → " + l.c.ForwardTo
		}
		// The key is kept first: a listener that dies before it has kept the answer
		// gets the same endpoint and secret again.
		if l.state.Key == "" {
			l.state.Key = rand.Text()
			if err := l.state.save(); err != nil {
				return err
			}
		}
		v, _, err := s.send(client.Request{Method: http.MethodPost, Path: "/v1/webhook_endpoints", Key: l.state.Key, Body: map[string]any{"events": types, "description": description}})
		if err != nil {
			return err
		}
		l.state.Endpoint, l.state.Secret, l.state.Key = v.at("id").string(), v.at("secret").string(), ""
	}
	if l.secret, err = webhook.ParseSecret(l.state.Secret); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(l.c.Since, "evt_"):
		v, _, err := s.read("/v1/events/"+url.PathEscape(l.c.Since), nil)
		if err != nil {
			return err
		}
		l.state.After = v.at("sequence").number()
	case l.c.Since != "":
		at, err := s.instant(l.c.Since)
		if err != nil {
			return err
		}
		l.state.After = 0
		for e, err := range s.c.Events.List(s.ctx, nil) {
			if err != nil {
				return err
			}
			if e.Created < at.Unix() {
				l.state.After = e.Sequence
				break
			}
		}
	case l.c.Latest || l.state.After == client.FromNow:
		l.state.After = 0
		for e, err := range s.c.Events.List(s.ctx, nil) {
			if err != nil {
				return err
			}
			l.state.After = e.Sequence
			break
		}
	}
	if l.c.Latest {
		l.state.Again = nil
	}
	return l.state.save()
}

// machine is what the dashboard calls a listener: this machine's name, without its
// domain.
func machine() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	shown := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	return string(shown[:min(len(shown), 64)]) // what the stream takes
}

func (l *forwarder) run() error {
	s := l.s
	stream, err := s.streaming()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if l.c.ForwardTo == "" {
		s.note("ready  behind sequence %d      ^C to stop, the next start goes on from there", l.state.After)
	} else {
		s.note("ready  secret %s  behind sequence %d      ^C to stop, the next start goes on from there", l.state.Secret, l.state.After)
	}
	events := make(chan *client.Event)
	failed := make(chan error, 1)
	after := l.state.After
	go func() {
		for e, err := range stream.Events.Listen(ctx, l.state.Endpoint, machine(), after, l.c.Events...) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	resent := make(chan *client.Event)
	reported := make(chan string, listenReport)
	go l.tell(ctx, reported)
	go l.fetch(ctx, resent, reported)
	var again []parcel
	for _, id := range l.state.Again {
		if e, err := s.c.Events.Retrieve(ctx, id); err == nil {
			again = append(again, parcel{event: e, tries: 1, due: s.now()})
		}
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		var p parcel
		select {
		case <-ctx.Done():
			return nil // asked to stop: that is no failure
		case err := <-failed:
			return err
		case e := <-events:
			if e.Type == client.Resync {
				s.note("events up to sequence %d are gone", e.Sequence)
				l.state.After = e.Sequence
				if err := l.state.save(); err != nil {
					return err
				}
				continue
			}
			p = parcel{event: e}
		case e := <-resent:
			p = parcel{event: e, resent: true}
		case <-tick.C:
			i := slices.IndexFunc(again, func(a parcel) bool { return !s.now().Before(a.due) })
			if i < 0 {
				continue
			}
			p = again[i]
			again = slices.Delete(again, i, i+1)
		}
		answered, taken, err := l.hand(ctx, &p)
		if err != nil || !answered {
			return err
		}
		if !taken && p.tries <= len(listenAgain) {
			p.due = s.now().Add(listenAgain[p.tries-1])
			again = append(again, p)
		}
		l.state.After = max(l.state.After, p.event.Sequence)
		l.state.Again = l.state.Again[:0]
		for _, a := range again {
			l.state.Again = append(l.state.Again, a.event.ID)
		}
		if err := l.state.save(); err != nil {
			return err
		}
	}
}

// hand gives one event to the receiver and prints what it said. Where nobody
// answers it waits for somebody, so that the order stays. When ctx ends an answer
// has two more seconds to come, so that the next run does not repeat the event.
func (l *forwarder) hand(ctx context.Context, p *parcel) (answered, taken bool, err error) {
	s := l.s
	if l.c.ForwardTo == "" {
		return true, true, s.told(p.event)
	}
	posting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(listenGrace, cancel) })()
	for waiting := false; ; waiting = true {
		began := time.Now()
		status, answer, err := l.post(posting, p.event)
		took := time.Since(began)
		if err != nil {
			if ctx.Err() != nil {
				return false, false, nil
			}
			if !waiting {
				s.note("%s is not handed over: %v; waiting for the receiver", p.event.ID, err)
			}
			pause := time.NewTimer(time.Second)
			select {
			case <-ctx.Done():
				pause.Stop()
				return false, false, nil
			case <-pause.C:
			}
			continue
		}
		p.tries++
		taken = status >= 200 && status <= 299
		select {
		case l.reports <- outcome{p.event.ID, status, took, answer}:
		default: // giro does not take them just now; the events themselves go on
		}
		return true, taken, l.print(p, status, took, taken)
	}
}

func (l *forwarder) post(ctx context.Context, e *client.Event) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.c.ForwardTo, bytes.NewReader(e.Raw))
	if err != nil {
		return 0, "", err
	}
	for name, values := range webhook.Sign(e.ID, time.Now(), e.Raw, l.secret) {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "giro-listen/"+version)
	for name, values := range l.headers {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4000))
	return resp.StatusCode, strings.ToValidUTF8(string(body), "\uFFFD"), nil
}

// print says what became of an event.
func (l *forwarder) print(p *parcel, status int, took time.Duration, taken bool) error {
	s := l.s
	object := ""
	if v, err := parseTree(p.event.Raw); err == nil {
		object = v.at("data.object.id").string()
	}
	if s.form == "json" || s.form == "jsonl" {
		line, err := json.Marshal(struct {
			Event    string `json:"event"`
			Type     string `json:"type"`
			Sequence int64  `json:"sequence"`
			Object   string `json:"object"`
			Status   int    `json:"status"`
			TookMS   int64  `json:"took_ms"`
			Attempt  int    `json:"attempt"`
			Resent   bool   `json:"resent"`
		}{p.event.ID, p.event.Type, p.event.Sequence, object, status, took.Milliseconds(), p.tries, p.resent})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s\n", line)
		return err
	}
	colour, more := "32", ""
	if !taken {
		colour = "31"
		more = "  given up; giro events resend " + p.event.ID + " sends it again"
		if p.tries <= len(listenAgain) {
			more = "  will retry in " + listenAgain[p.tries-1].String()
		}
	}
	_, err := fmt.Fprintf(s.out, "%s  %-22s %s  → %s  %dms%s\n", s.now().In(s.zone).Format("15:04:05"), p.event.Type, oneLine(object), s.paint(fmt.Sprint(status), colour), took.Milliseconds(), more)
	return err
}

// tell reports outcomes to giro, where the endpoint's deliveries show them.
func (l *forwarder) tell(ctx context.Context, reported chan<- string) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-l.reports:
			for {
				_, _, err := l.s.send(client.Request{
					Method: http.MethodPost,
					Path:   "/v1/webhook_endpoints/" + url.PathEscape(l.state.Endpoint) + "/deliveries/" + url.PathEscape(o.event) + "/outcome",
					Body:   map[string]any{"status": o.status, "answer": o.answer, "took_ms": o.took.Milliseconds()},
				})
				var refusal *client.Error
				if err == nil || ctx.Err() != nil || errors.As(err, &refusal) && refusal.Status < 500 && refusal.Status != http.StatusTooManyRequests {
					break
				}
				pause := time.NewTimer(listenPoll) // giro is away: it is told when it is back
				select {
				case <-ctx.Done():
				case <-pause.C:
				}
				pause.Stop()
			}
			select {
			case reported <- o.event:
			default:
			}
		}
	}
}

// fetch looks for events that were sent again by hand.
func (l *forwarder) fetch(ctx context.Context, resent chan<- *client.Event, reported <-chan string) {
	if l.c.ForwardTo == "" {
		return
	}
	pending := map[string]bool{} // handed over, and not reported yet
	tick := time.NewTicker(listenPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-reported:
			delete(pending, id)
			continue
		case <-tick.C:
		}
		v, _, err := l.s.read("/v1/webhook_endpoints/"+url.PathEscape(l.state.Endpoint)+"/deliveries", url.Values{"state": {"pending"}, "limit": {"100"}})
		if err != nil {
			continue // the stream tells of a giro that is away
		}
		for i := len(v.members) - 1; i >= 0; i-- { // the oldest first
			id := v.members[i].at("event").string()
			if pending[id] {
				continue
			}
			e, err := l.s.c.Events.Retrieve(ctx, id)
			if err != nil {
				continue
			}
			pending[id] = true
			select {
			case resent <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}
