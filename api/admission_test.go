package api_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/api"
)

// stalled is a store whose commits wait, once shut, until they may proceed.
type stalled struct {
	giro.Store
	shut    atomic.Bool
	arrived chan struct{}
	proceed chan struct{}
}

func (s *stalled) Update(ctx context.Context, keys *giro.Keys, decide func(*giro.Batch) error) error {
	if s.shut.Load() {
		select {
		case s.arrived <- struct{}{}:
		default:
		}
		<-s.proceed
	}
	return s.Store.Update(ctx, keys, decide)
}

// TestOverload: where the queue is full a request is refused before its body is
// sent, with nothing kept and with the time to wait; one merchant's flood leaves
// room for another's payments; what was taken is done.
func TestOverload(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		const room = 4 // of one merchant
		slow := &stalled{Store: s, arrived: make(chan struct{}, 1), proceed: make(chan struct{})}
		h := prepare(t, s, folder, func(e *giro.Engine, _ *api.Config) {
			e.Store, e.QueueMax, e.QueueWait = slow, 2*room, time.Hour
		})
		answers := make(chan wireAnswer, 3*room)
		ask := func(key string, n int) wireAnswer {
			return h.send(t, "POST /v1/charges", []string{"-Authorization", "Authorization: Bearer " + h.vars[key], "Idempotency-Key: " + key + strconv.Itoa(n)},
				`{"amount":1000,"currency":"usd","provider":"mobile","mobile":{"phone":"+5511987654321"}}`)
		}
		fill := func(key string, from, waiting int) {
			for n := range room {
				go func() { answers <- ask(key, from+n) }()
			}
			for h.engine.Waiting() < waiting {
				time.Sleep(time.Millisecond) // no signal: they wait inside
			}
		}
		slow.shut.Store(true)
		go func() { answers <- ask("secret_key", 0) }()
		<-slow.arrived // the first is being committed: it waits for nothing
		fill("secret_key", 1, room)

		refused := func(key, code string, status int) {
			t.Helper()
			request := fmt.Sprintf("POST /v1/charges HTTP/1.1\r\nHost: giro.test\r\nAuthorization: Bearer %s\r\nIdempotency-Key: refused\r\nContent-Type: application/json\r\nContent-Length: 90\r\nExpect: 100-continue\r\n\r\n", h.vars[key])
			list, _ := h.exchange(t, request, 1, "POST", false)
			if a := list[0]; a.status != status || a.code() != code || a.header.Get("Retry-After") != "1" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s beyond the room: %d %s, Retry-After %q", key, a.status, a.body, a.header.Get("Retry-After"))
			}
		}
		refused("secret_key", "rate_limited", 429)
		fill("second_key", 0, 2*room)
		refused("second_key", "unavailable", 503)
		if a := h.send(t, "GET /v1/charges", nil, ""); a.status != 200 {
			t.Errorf("a list: %d %s", a.status, a.body)
		}

		slow.shut.Store(false)
		close(slow.proceed)
		for range 2*room + 1 {
			if a := <-answers; a.status != 201 {
				t.Errorf("what was taken: %d %s", a.status, a.body)
			}
		}
		for _, key := range []string{"secret_key", "second_key"} {
			if a := ask(key, 0); a.status != 201 || a.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("again: %d %s", a.status, a.body)
			}
			if a := h.send(t, "GET /v1/idempotency/refused", []string{"-Authorization", "Authorization: Bearer " + h.vars[key]}, ""); a.status != 404 {
				t.Errorf("a refused request left its key: %d %s", a.status, a.body)
			}
		}
		h.verified(t)
	})
}
