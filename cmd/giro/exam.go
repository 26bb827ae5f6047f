package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"giro"
	"giro/webhook"
)

type examCommand struct {
	apiFlags
	URL    string `arg:"" help:"The receiver: https://example.com/hooks, localhost:3000/hooks."`
	Secret string `required:"" env:"GIRO_WEBHOOK_SECRET" help:"The secret that the receiver verifies with, whsec_…" placeholder:"whsec_…"`
	Slow   bool   `help:"Take answers of up to 15 seconds without a remark."`
}

// question is one message of the exam.
type question struct {
	name   string
	event  *giro.Event
	at     time.Time
	forge  func(http.Header, *[]byte)
	accept bool // 2xx is right; else 401, 403 or 400
	why    string
}

// Run posts to the receiver as giro would, and grades what it answers. Nothing
// of it touches a server of giro.
func (c *examCommand) Run(t *terminal) error {
	p, err := c.printer(t)
	if err != nil {
		return err
	}
	secret, err := webhook.ParseSecret(c.Secret)
	if err != nil {
		return exitError{exitUsage, err}
	}
	if !strings.Contains(c.URL, "://") {
		c.URL = "http://" + c.URL
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		return exitError{exitUsage, errors.New("this is not an address")}
	}
	receiver := &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	rows := p.table([]column{plain("QUESTION", "question"), plain("ANSWER", "answer"), plain("TOOK_MS", "took_ms"), plain("GRADE", "grade"), text("REMARK", "remark")})
	right, wrong := 0, 0
	for _, q := range questions(t.now()) {
		status, took, err := ask(t.ctx, receiver, c.URL, secret, &q)
		if t.ctx.Err() != nil {
			return t.ctx.Err()
		}
		grade, remark := q.grade(status, took, err, c.Slow)
		if grade == "wrong" {
			wrong++
		} else {
			right++
		}
		line, err := json.Marshal(struct {
			Question string `json:"question"`
			Answer   int    `json:"answer"`
			TookMS   int64  `json:"took_ms"`
			Grade    string `json:"grade"`
			Remark   string `json:"remark"`
		}{q.name, status, took.Milliseconds(), grade, remark})
		if err != nil {
			return err
		}
		v, err := parseTree(line)
		if err != nil {
			return err
		}
		if err := rows.row(v); err != nil {
			return err
		}
	}
	if err := rows.end(); err != nil {
		return err
	}
	p.note("%d right, %d wrong", right, wrong)
	if wrong > 0 {
		return exitError{exitDeclined, fmt.Errorf("the receiver did not pass: %d of %d answers are wrong", wrong, right+wrong)}
	}
	return nil
}

// questions are every type of event, and what a receiver meets sooner or later.
func questions(now time.Time) []question {
	ids := giro.UUIDs()
	sequence := int64(0)
	event := func(typ string) *giro.Event {
		sequence++
		return sample(ids, now, sequence, typ)
	}
	var list []question
	var last *giro.Event
	for _, typ := range giro.EventTypes() {
		last = event(typ)
		list = append(list, question{name: typ, event: last, at: now, accept: true})
	}
	older, newer := event("payout.created"), event("payout.succeeded")
	forged := event("payout.succeeded")
	return append(list,
		question{name: "the last one again", event: last, at: now, accept: true, why: "messages come at least once: say 2xx and do nothing"},
		question{name: "a later event first", event: newer, at: now, accept: true, why: "the order is that of sequence, not of arrival"},
		question{name: "and the earlier one after it", event: older, at: now, accept: true, why: "a late message is none to refuse"},
		question{name: "an unknown type", event: event("comet.observed"), at: now, accept: true, why: "say 2xx to types that you do not know: new ones come"},
		question{name: "a bad signature", event: forged, at: now, why: "anybody can post to a URL: verify the signature", forge: func(h http.Header, _ *[]byte) {
			h.Set(webhook.HeaderSignature, "v1,"+strings.Repeat("A", 43)+"=")
		}},
		question{name: "another body under a good signature", event: forged, at: now, why: "verify the signature over the raw bytes of the body", forge: func(_ http.Header, body *[]byte) {
			*body = bytes.Replace(*body, []byte(`"amount":1500`), []byte(`"amount":9500`), 1)
		}},
		question{name: "no signature", event: forged, at: now, why: "a message without a signature is nobody's", forge: func(h http.Header, _ *[]byte) { h.Del(webhook.HeaderSignature) }},
		question{name: "an old timestamp", event: forged, at: now.Add(-10 * time.Minute), why: "a signature is good for five minutes: else a message that was recorded can be played again"},
		question{name: "a timestamp of the future", event: forged, at: now.Add(10 * time.Minute), why: "a signature is good for five minutes, in both directions"},
	)
}

// sample makes an event that nothing has caused.
func sample(ids func(time.Time) giro.UUID, now time.Time, sequence int64, typ string) *giro.Event {
	at := giro.Micros(now)
	kind, what, _ := strings.Cut(typ, ".")
	e := &giro.Event{Book: giro.BookOf(1, false), Sequence: sequence, ID: ids(now), Type: typ, Object: ids(now), At: at}
	if typ == giro.EventEndpointDisabled {
		e.Data = (&giro.Endpoint{ID: e.Object, URL: "https://example.com/hooks", Events: []string{"*"}, DisabledReason: giro.DisabledGone, DisabledAt: at, Book: e.Book, Created: at, Updated: at, Version: 2}).AppendJSON(nil)
		return e
	}
	if typ == giro.EventTestDataWiped {
		e.Data = giro.TestDataWiped(e.Object, at)
		return e
	}
	m := &giro.Movement{ID: e.Object, Book: e.Book, Kind: giro.Kind(kind), Status: giro.StatusPending, Amount: 1500, Currency: "BRL", Created: at, Updated: at, Version: 1}
	switch what {
	case "succeeded":
		m.Status, m.Captured = giro.StatusSucceeded, 1500
	case "failed":
		m.Status, m.Detail.FailureCode = giro.StatusFailed, "declined"
	case "onhold":
		m.Status = giro.StatusOnHold
	case "canceled":
		m.Status = giro.StatusCanceled
	case "returned":
		m.Status, m.Captured, m.Refunded = giro.StatusReturned, 1500, 1500
	case "refunded":
		m.Status, m.Captured, m.Refunded = giro.StatusRefunded, 1500, 1500
	case "in_doubt":
		m.InDoubt = true
	}
	e.Data = m.AppendJSON(nil)
	return e
}

func ask(ctx context.Context, receiver *http.Client, url string, secret webhook.Secret, q *question) (status int, took time.Duration, err error) {
	body := q.event.AppendJSON(nil)
	header := webhook.Sign(q.event.ID.ID("evt"), q.at, body, secret)
	if q.forge != nil {
		q.forge(header, &body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "giro-exam/"+version)
	began := time.Now()
	resp, err := receiver.Do(req)
	if err != nil {
		return 0, time.Since(began), err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, time.Since(began), err
}

// grade says whether an answer is right.
func (q *question) grade(status int, took time.Duration, err error, slow bool) (grade, remark string) {
	switch {
	case err != nil:
		return "wrong", "no answer: " + err.Error()
	case status >= 300 && status <= 399:
		return "wrong", "a redirect is not followed, and counts as a failure"
	case status >= 500:
		return "wrong", "the receiver has failed"
	case status == http.StatusGone:
		return "wrong", "410 disables the endpoint"
	case q.accept && (status < 200 || status > 299):
		return "wrong", q.why
	case !q.accept && status >= 200 && status <= 299:
		return "wrong", q.why
	case took > 5*time.Second && !slow:
		return "right", "slow: answer first, and do long work afterwards"
	}
	return "right", ""
}
