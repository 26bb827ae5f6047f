package giro_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/store"
)

// keyed is a call under a key, which answers with what its work returns.
func (b *bank) keyed(key, fingerprint string) *giro.Call {
	call := *b.call
	call.Idempotent = &giro.Idempotent{Key: key, Fingerprint: []byte(fingerprint), Render: func(v any, err error) giro.Answer {
		if err != nil {
			return giro.Answer{Status: 409, Body: []byte(err.Error())}
		}
		return giro.Answer{Status: 200, Body: []byte(v.(string))}
	}}
	return &call
}

// TestOnce: of the requests with one key one works, also where those before it
// have failed, and all get its answer.
func TestOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bank) {
		var worked atomic.Int64
		failing := errors.New("the receiver's name cannot be looked up")
		work := func(err error) func(context.Context, *giro.Call) (any, error) {
			return func(_ context.Context, call *giro.Call) (any, error) {
				n := worked.Add(1)
				if call.Idempotent != nil {
					t.Error("the work's own commands carry the key")
				}
				return fmt.Sprint("answer ", n), err
			}
		}
		if _, err := b.Once(t.Context(), b.keyed("k", "f"), work(failing)); !errors.Is(err, failing) {
			t.Fatal(err)
		}
		answers := make([]giro.Answer, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				call := b.keyed("k", "f")
				if _, err := b.Once(t.Context(), call, work(nil)); err != nil {
					t.Error(err)
				}
				answers[i] = call.Answer
			})
		}
		wg.Wait()
		fresh := 0
		for _, a := range answers {
			if a.Status != 200 || string(a.Body) != "answer 2" {
				t.Errorf("answered %d %s", a.Status, a.Body)
			}
			if !a.Replayed {
				fresh++
			}
		}
		if fresh != 1 || worked.Load() != 2 {
			t.Errorf("%d answers are not replays, the work was done %d times; want 1 and 2", fresh, worked.Load())
		}
		if _, err := b.Once(t.Context(), b.keyed("k", "g"), work(nil)); !giro.Is(err, giro.CodeKeyReused) {
			t.Errorf("another request with the key: %v", err)
		}
		// A refusal of the present state is an answer, too.
		refused := giro.Refuse(giro.CodeInvalidState, "", "the endpoint is disabled")
		for i := range 2 {
			call := b.keyed("refused", "f")
			_, err := b.Once(t.Context(), call, work(refused))
			if i == 0 && !giro.Is(err, giro.CodeInvalidState) || i == 1 && (err != nil || !call.Answer.Replayed || call.Answer.Status != 409) {
				t.Errorf("refusal %d: %v, %+v", i, err, call.Answer)
			}
		}
		if worked.Load() != 3 {
			t.Errorf("the work was done %d times, want 3", worked.Load())
		}
	})
}

// TestOnceAfterACrash: where a process ends with its work, another one does it
// again; while it lives the other one waits.
func TestOnceAfterACrash(t *testing.T) {
	t.Parallel()
	ids := giro.UUIDs()
	options := store.Options{Now: time.Now, NewID: func(at int64) giro.UUID { return ids(giro.TimeOf(at)) }, Salt: giro.Salt}
	s, err := openPostgres(t, options)
	if err != nil {
		t.Fatal(err)
	}
	two := start(t, s)
	first := newEngine(t, s)
	first.Start()
	working, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		call := two.keyed("k", "f")
		if _, err := first.Once(context.Background(), call, func(context.Context, *giro.Call) (any, error) {
			close(working)
			<-end
			return "first", nil
		}); err == nil {
			t.Error("the answer was kept by an engine that had stopped")
		}
	}()
	<-working
	two.KeyWait = 100 * time.Millisecond
	again := func(context.Context, *giro.Call) (any, error) { return "second", nil }
	if _, err := two.Once(t.Context(), two.keyed("k", "f"), again); !giro.Is(err, giro.CodeKeyInProgress) {
		t.Errorf("while the first process lives: %v", err)
	}
	two.KeyWait = 20 * time.Second
	first.Stop() // its heart beats no more
	call := two.keyed("k", "f")
	if _, err := two.Once(t.Context(), call, again); err != nil || string(call.Answer.Body) != "second" || call.Answer.Replayed {
		t.Errorf("after its end: %v, %s", err, call.Answer.Body)
	}
	close(end)
	<-ended
	call = two.keyed("k", "f")
	if _, err := two.Once(t.Context(), call, again); err != nil || string(call.Answer.Body) != "second" || !call.Answer.Replayed {
		t.Errorf("then: %v, %s", err, call.Answer.Body)
	}
}
