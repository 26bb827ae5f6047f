package giro

import "testing"

// TestQueueIsFair: a batch takes one command of each merchant in turn, and what
// one merchant sends stays in its order.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	of := func(merchant int64, extra int) *command {
		return &command{call: &Call{Merchant: &Merchant{Number: merchant}}, extra: extra}
	}
	var q queue
	var flood []*command
	for range 100 {
		c := of(1, 0)
		flood = append(flood, c)
		q.push(c)
	}
	second, third, nobodys := of(2, 0), of(3, 0), &command{}
	q.push(second)
	q.push(third)
	q.push(nobodys)
	got := q.take(6)
	want := []*command{flood[0], second, third, nobodys, flood[1], flood[2]}
	if len(got) != len(want) {
		t.Fatalf("%d commands, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("command %d is not the one whose turn it is", i)
		}
	}
	heavy := of(2, 49)
	q.push(heavy)
	if got := q.take(10); len(got) != 2 || got[0] != flood[3] || got[1] != heavy {
		t.Errorf("after the flood's next comes the heavy one, and then the batch is full: %d commands", len(got))
	}
	for i := 4; i < len(flood); i++ {
		if got := q.take(1); len(got) != 1 || got[0] != flood[i] {
			t.Fatalf("command %d of the flood is out of order", i)
		}
	}
	if got := q.take(1); got != nil || q.waiting != 0 || len(q.lines) != 0 {
		t.Errorf("%d commands are left, %d waiting, %d lines", len(got), q.waiting, len(q.lines))
	}
}

// TestQueueIsBounded: one merchant fills half of the queue at most, all of them
// together no more than the whole.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 10
	var q queue
	fill := func(merchant int64) (n int, refusal *Error) {
		for {
			if refusal := q.full(merchant, limit); refusal != nil {
				return n, refusal
			}
			q.push(&command{call: &Call{Merchant: &Merchant{Number: merchant}}})
			n++
		}
	}
	for _, c := range []struct {
		merchant int64
		takes    int
		code     Code
	}{{1, 5, CodeRateLimited}, {1, 0, CodeRateLimited}, {2, 5, CodeUnavailable}, {3, 0, CodeUnavailable}} {
		n, refusal := fill(c.merchant)
		if n != c.takes || refusal.Code != c.code || refusal.RetryAfter == 0 {
			t.Errorf("merchant %d: %d taken, then %v; want %d, then %s", c.merchant, n, refusal, c.takes, c.code)
		}
	}
	q.take(limit)
	if refusal := q.full(1, limit); refusal != nil {
		t.Errorf("the queue is empty: %v", refusal)
	}
}
