package giro

import (
	"context"
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
	key := call.idempotencyKey()
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
	ex := x.m[call.idempotencyKey()]
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

// resume says that a request that waited goes on to execute.
func (x *executions) resume(call *Call) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if call.waits {
		call.waits = false
		x.m[call.idempotencyKey()].waiting--
	}
}

// any reports whether a key of this process may be waiting for a rail.
func (x *executions) any() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.m) > 0
}

// same reports whether a row is as it was when it was read.
func (r *Idempotency) same(now *Idempotency) bool {
	return r != nil && r.Owner == now.Owner && r.Created == now.Created
}

// Once runs what takes more than one commit, or somebody else's answer, and is
// not a movement: for one of the requests that come with the same
// Idempotency-Key, of all processes. The others wait and get its answer, as with
// any command. Where the process dies before the answer is kept, and where work
// ends in an error that is not kept, the next request with the key runs work
// again. work gets the call without the key; it outlives the caller.
func (e *Engine) Once(ctx context.Context, call *Call, work func(ctx context.Context, call *Call) (any, error)) (any, error) {
	if call.Idempotent == nil {
		return work(ctx, call)
	}
	claim, inner := *call, *call
	claim.Act, inner.Idempotent = nil, nil // what is audited is the work
	call.asked = true
	defer e.executing.enter(&claim)()
	ctx = context.WithoutCancel(ctx)
	_, err := e.do(ctx, &command{call: &claim, waits: func(any) bool { return true }, decide: func(*Batch) (any, error) { return nil, nil }})
	call.Answer = claim.Answer
	if err != nil || call.Answer.Status != 0 {
		return nil, err
	}
	result, err := work(ctx, &inner)
	if err != nil && !AsError(err).Code.kept() {
		return nil, err
	}
	result, err = e.do(ctx, &command{call: &claim, finish: true, owed: true, decide: func(*Batch) (any, error) { return result, err }})
	call.Answer = claim.Answer
	return result, err
}
