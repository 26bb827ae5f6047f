package giro

import (
	"sync"
	"time"
)

// aliveWithin is how recent the sign of life of another process has to be for
// its unanswered Idempotency-Keys to be waited for.
const aliveWithin = time.Second

// executions are the requests of this process whose key may be waiting for a
// rail: one of each key executes, the others wait for its answer.
type executions struct {
	mu sync.Mutex
	m  map[IdempotencyKey]*execution
}

type execution struct {
	calls   int           // requests with this key that are under way
	waiting int           // those of them that know that they do not execute
	changed chan struct{} // closed when one that may have executed has ended
}

// enter announces a request before it is queued; the returned function ends it.
func (x *executions) enter(call *Call) (leave func()) {
	if call.Idempotent == nil {
		return func() {}
	}
	key := IdempotencyKey{call.Book(), call.Idempotent.Key}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.m == nil {
		x.m = map[IdempotencyKey]*execution{}
	}
	ex := x.m[key]
	if ex == nil {
		ex = &execution{changed: make(chan struct{})}
		x.m[key] = ex
	}
	ex.calls++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		ex.calls--
		if call.waits {
			ex.waiting--
			call.waits = false
		} else {
			close(ex.changed)
			ex.changed = make(chan struct{})
		}
		if ex.calls == 0 {
			delete(x.m, key)
		}
	}
}

// wait says that a request does not execute, and returns what it waits for;
// nil: no other request of this process can be executing.
func (x *executions) wait(call *Call) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	ex := x.m[IdempotencyKey{call.Book(), call.Idempotent.Key}]
	if ex == nil {
		return nil
	}
	if !call.waits {
		call.waits = true
		ex.waiting++
	}
	if ex.calls <= ex.waiting {
		return nil
	}
	return ex.changed
}

// any reports whether a key of this process may be waiting for a rail.
func (x *executions) any() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.m) > 0
}
