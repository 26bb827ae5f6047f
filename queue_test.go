package giro

import (
	"slices"
	"testing"
	"time"
)

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
			if refusal := q.full(merchant, time.Time{}, limit, 2, time.Second); refusal != nil {
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
	if refusal := q.full(1, time.Time{}, limit, 2, time.Second); refusal != nil {
		t.Errorf("the queue is empty: %v", refusal)
	}
}

// TestQueueSharesOutMovements: a bulk uses up its merchant's turns until the
// others have had as many movements.
func TestQueueSharesOutMovements(t *testing.T) {
	t.Parallel()
	var q queue
	push := func(merchant int64, extra, n int) {
		for range n {
			q.push(&command{call: &Call{Merchant: &Merchant{Number: merchant}}, extra: extra})
		}
	}
	made := map[int64]int{}
	take := func(limit int) {
		for _, c := range q.take(limit) {
			made[c.merchant()] += 1 + c.extra
		}
	}
	push(1, 999, 10) // a flood of bulks
	push(2, 0, 3000)
	for range 5 {
		take(500)
	}
	// A bulk, 999 of the other, a bulk, …: in five batches of 500 or of a bulk.
	if made[1] != 2000 || made[2] < 1000 || made[2] > 2000 {
		t.Errorf("of two merchants who wait one made %d movements, the other %d", made[1], made[2])
	}
	push(3, 0, 1)
	took := q.take(3)
	if !slices.ContainsFunc(took, func(c *command) bool { return c.merchant() == 3 }) {
		t.Error("who begins to wait is behind what others were given before")
	}
	for _, c := range took {
		made[c.merchant()] += 1 + c.extra
	}
	for q.waiting > 0 {
		take(500)
	}
	if made[1] != 10_000 || made[2] != 3000 || made[3] != 1 || q.weight != 0 || len(q.lines) != 0 || len(q.turn) != 0 {
		t.Errorf("made %v; %d left, %d lines, %d turns", made, q.weight, len(q.lines), len(q.turn))
	}
}

// TestQueueIsBoundedInTime: nobody is taken who would wait behind what has waited
// for long; another merchant is.
func TestQueueIsBoundedInTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name            string
		waiting, weight int
		waited          time.Duration
		code            Code
	}{
		{"a moment", 3, 0, time.Second, ""},
		{"too long", 1, 0, time.Second + 1, CodeUnavailable},
		{"too long, behind more than a batch", 3, 0, time.Second + 1, CodeRateLimited},
		{"too long, behind a large bulk", 1, 5 * bulkRoom, time.Second + 1, CodeRateLimited},
	} {
		var q queue
		for range c.waiting {
			q.push(&command{call: &Call{Merchant: &Merchant{Number: 1}}, extra: c.weight, queued: at})
		}
		code := Code("")
		if refusal := q.full(1, at.Add(c.waited), 100, 2, time.Second); refusal != nil {
			code = refusal.Code
		}
		if code != c.code {
			t.Errorf("%s: %q, want %q", c.name, code, c.code)
		}
		if refusal := q.full(2, at.Add(c.waited), 100, 2, time.Second); refusal != nil {
			t.Errorf("%s: another merchant: %v", c.name, refusal)
		}
	}
}
