package giro

import "time"

// queue holds the commands that wait, merchant by merchant. A batch takes one of
// each in turn, so that one merchant's flood does not delay another's payment;
// what one merchant sends stays in its order.
type queue struct {
	lines   map[int64]*line
	turn    []*line // the lines that have commands; the first is next
	waiting int
}

// line is what waits of one merchant (by number; 0: of nobody).
type line struct {
	merchant int64
	commands []*command
}

// full says why a command of this merchant is not taken now; nil: it is. Half of
// the queue is open to one merchant.
func (q *queue) full(merchant int64, limit int) *Error {
	if q.waiting >= limit {
		return &Error{Code: CodeUnavailable, Message: "giro is busy; send the request again", RetryAfter: time.Second}
	}
	if l := q.lines[merchant]; l != nil && merchant != 0 && len(l.commands) >= max(1, limit/2) {
		return &Error{Code: CodeRateLimited, Message: "too many requests of this merchant are waiting; send the request again", RetryAfter: time.Second}
	}
	return nil
}

func (q *queue) push(c *command) {
	merchant := c.merchant()
	l := q.lines[merchant]
	if l == nil {
		if q.lines == nil {
			q.lines = map[int64]*line{}
		}
		l = &line{merchant: merchant}
		q.lines[merchant] = l
		q.turn = append(q.turn, l)
	}
	l.commands = append(l.commands, c)
	q.waiting++
}

// take returns commands of this weight together, or the next one alone where it
// is heavier.
func (q *queue) take(limit int) []*command {
	var taken []*command
	for weight := 0; len(q.turn) > 0 && (len(taken) == 0 || weight < limit); {
		l := q.turn[0]
		c := l.commands[0]
		taken = append(taken, c)
		weight += 1 + c.extra
		l.commands[0] = nil
		l.commands = l.commands[1:]
		if len(l.commands) == 0 {
			delete(q.lines, l.merchant)
			q.turn = q.turn[1:]
		} else if len(q.turn) > 1 {
			q.turn = append(q.turn[1:], l)
		}
	}
	q.waiting -= len(taken)
	return taken
}

// merchant returns the number of the merchant whose command it is; 0: nobody's.
func (c *command) merchant() int64 {
	if c.call == nil || c.call.Merchant == nil {
		return 0
	}
	return c.call.Merchant.Number
}

// Busy says why a command of this merchant would be refused now; nil: it would
// be taken. Whoever asks before he reads a request refuses in no time.
func (e *Engine) Busy(m *Merchant) error {
	number := int64(0)
	if m != nil {
		number = m.Number
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if refusal := e.queue.full(number, e.QueueMax); refusal != nil {
		return refusal
	}
	return nil
}
