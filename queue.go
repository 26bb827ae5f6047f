package giro

import (
	"container/heap"
	"time"
)

// queue holds the commands that wait, merchant by merchant. What one merchant
// sends stays in its order. Between merchants movements are shared out evenly, so
// that neither one's flood nor one's bulks delay another's payment: each line has
// a tag that grows by what is taken from it, and the lowest is next.
type queue struct {
	lines   map[int64]*line
	turn    turn
	waiting int
	weight  int   // of all that waits
	tag     int64 // of a line that begins to wait now
	begun   int64 // lines that have
}

// line is what waits of one merchant (by number; 0: of nobody).
type line struct {
	commands []*command
	weight   int   // of what waits
	tag      int64 // when it is its turn
	since    int64 // among lines with the same tag the first goes first
}

// turn is a heap of the lines that have commands.
type turn []*line

func (t turn) Len() int { return len(t) }
func (t turn) Less(i, j int) bool {
	return t[i].tag < t[j].tag || t[i].tag == t[j].tag && t[i].since < t[j].since
}
func (t turn) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *turn) Push(l any)   { *t = append(*t, l.(*line)) }
func (t *turn) Pop() any {
	last := len(*t) - 1
	l := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return l
}

// bulkRoom is how many movements of a bulk take the room of one command in the
// queue: what waits is its body, and it is done in less time than so many.
const bulkRoom = 16

// room is what the command takes of the queue.
func (c *command) room() int { return 1 + c.extra/bulkRoom }

// full says why a command of this merchant is not taken now; nil: it is. Half of
// the queue is open to one merchant. Whoever would stand behind a command that
// has waited for longer than wait is refused too: late answers are for callers
// who have left. That is for the merchant's own doing where more of it waits
// than a batch takes.
func (q *queue) full(merchant int64, now time.Time, limit, batch int, wait time.Duration) *Error {
	busy := &Error{Code: CodeUnavailable, Message: "giro is busy; send the request again", RetryAfter: time.Second}
	if q.weight >= limit {
		return busy
	}
	l := q.lines[merchant]
	if l == nil || merchant == 0 || len(l.commands) == 0 {
		return nil
	}
	late := now.Sub(l.commands[0].queued) > wait
	if l.weight >= max(1, limit/2) || late && l.weight > batch {
		return &Error{Code: CodeRateLimited, Message: "too many requests of this merchant are waiting; send the request again", RetryAfter: time.Second}
	}
	if late {
		return busy
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
		l = &line{}
		q.lines[merchant] = l
	}
	l.commands = append(l.commands, c)
	l.weight += c.room()
	q.weight += c.room()
	q.waiting++
	if len(l.commands) == 1 {
		l.tag, l.since = max(l.tag, q.tag), q.begun
		q.begun++
		heap.Push(&q.turn, l)
	}
}

// take returns commands of at most limit movements together, or the next one
// alone where it has more.
func (q *queue) take(limit int) []*command {
	var taken []*command
	for movements := 0; len(q.turn) > 0 && (len(taken) == 0 || movements < limit); {
		l := q.turn[0]
		c := l.commands[0]
		taken = append(taken, c)
		movements += 1 + c.extra
		l.commands[0] = nil
		l.commands = l.commands[1:]
		l.weight -= c.room()
		q.weight -= c.room()
		q.tag = l.tag + 1
		l.tag += int64(1 + c.extra)
		if len(l.commands) > 0 {
			heap.Fix(&q.turn, 0)
		} else {
			l.commands = nil
			heap.Pop(&q.turn)
			if l.tag <= q.tag { // not ahead of those who begin to wait now
				delete(q.lines, c.merchant())
			}
		}
	}
	q.waiting -= len(taken)
	if q.waiting == 0 && len(q.lines) > 0 {
		q.lines = nil // nobody is ahead of anybody
	}
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
	now := e.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if refusal := e.full(number, now); refusal != nil {
		return refusal
	}
	return nil
}

// full is the queue's, with the engine's bounds. The caller holds the lock.
func (e *Engine) full(merchant int64, now time.Time) *Error {
	return e.queue.full(merchant, now, e.QueueMax, e.BatchMax, e.QueueWait)
}
