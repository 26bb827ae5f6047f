package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"giro"
)

const (
	streamMax       = 500              // open streams of this process
	streamHeartbeat = 15 * time.Second // proxies close what is silent for longer
	streamPoll      = 2 * time.Second  // commits of other processes wake nobody here
	streamPage      = 100
	streamWrite     = 10 * time.Second // a reader slower than this is dropped, and resumes by its cursor
)

var streamRoute = &route{method: "GET", path: "/v1/stream", id: "streamEvents", tag: "events", summary: "Events as they happen, as server-sent events", access: accessSecret, status: 200, media: "text/event-stream",
	about: "Each message's id is the event's sequence; Last-Event-ID goes on where a connection ended. Without after only new events are sent.",
	params: []param{{name: "after", kind: paramInteger, min: 0, max: 1 << 53, about: "Events of sequences above."},
		{name: "types", kind: paramList, max: 50, about: "Exact types, or payout.*."}, placeParams[0], placeParams[1]},
	errors: []giro.Code{giro.CodeUnavailable}, handler: stream}

// stream sends events until the reader leaves or the server drains.
func stream(c *call) error {
	q := giro.EventQuery{Book: c.book(), Types: c.query.list("types"), Ascending: true, Limit: streamPage}
	for _, t := range q.Types {
		if !eventPattern(t) {
			return giro.Refuse(giro.CodeInvalidParameter, "types", "must be a list of types such as payout.succeeded or payout.*")
		}
	}
	switch last := c.r.Header.Get("Last-Event-ID"); {
	case last != "":
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return giro.Refuse(giro.CodeInvalidHeader, "Last-Event-ID", "must be the sequence of an event")
		}
		q.After = n
	case c.query.has("after"):
		q.After = int64(c.query.integer("after", 0))
	default:
		head, err := c.engine().Store.Head(c.ctx, q.Book)
		if err != nil {
			return err
		}
		if head != nil {
			q.After = head.Events
		}
	}
	if c.s.streams.Add(1) > streamMax {
		c.s.streams.Add(-1)
		return &giro.Error{Code: giro.CodeUnavailable, Message: "too many streams are open", RetryAfter: 10 * time.Second}
	}
	defer c.s.streams.Add(-1)

	out := http.NewResponseController(c.w)
	out.SetReadDeadline(time.Time{}) // the request was read; the stream outlives the server's limit on that
	h := c.w.Header()
	h["Content-Type"] = []string{"text/event-stream"}
	h["X-Accel-Buffering"] = []string{"no"}
	c.status = http.StatusOK
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	send := func(b []byte) bool {
		out.SetWriteDeadline(c.s.config.Now().Add(streamWrite))
		n, err := c.w.Write(b)
		c.written += n
		return err == nil && out.Flush() == nil
	}
	if !send([]byte("retry: 2000\n\n")) {
		return nil
	}
	poll := time.NewTicker(streamPoll)
	defer poll.Stop()
	silent := 0 * time.Second
	for {
		committed := c.engine().Committed() // before reading, so that no commit falls between
		for {
			list, err := c.engine().Store.Events(c.ctx, q)
			if err != nil || len(list) == 0 {
				break // a database that fails for a moment is asked again
			}
			b := c.buffer[:0]
			for _, e := range list {
				b = append(b, "id: "...)
				b = strconv.AppendInt(b, e.Sequence, 10)
				b = append(append(append(b, "\nevent: "...), e.Type...), "\ndata: "...)
				b = append(appendEvent(b, e), "\n\n"...)
				q.After = e.Sequence
			}
			c.buffer, silent = b, 0
			if !send(b) {
				return nil
			}
			if len(list) < streamPage {
				break
			}
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-c.s.draining:
			return nil
		case <-committed:
		case <-poll.C:
			if silent += streamPoll; silent >= streamHeartbeat {
				silent = 0
				if !send([]byte(": alive\n\n")) {
					return nil
				}
			}
		}
	}
}

var timelineAnswer = &schema{kind: kindList, item: &schema{kind: kindObject, name: "TimelineEntry", fields: []field{
	{name: "at", schema: plainText}, {name: "type", schema: oneOf("request", "ledger_transaction", "attempt", "event")},
	{name: "id", schema: null(plainText)}, {name: "what", schema: plainText}, {name: "detail", schema: null(plainText)},
}}}

// moment is one line of an object's story.
type moment struct {
	at               int64
	order            int // of what happened in the same microsecond: request, ledger, attempt, event
	kind, id         string
	what, annotation string
}

// timeline answers what happened to a movement, oldest first.
func timeline(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		m, err := c.movement(k)
		if err != nil {
			return err
		}
		story := []moment{{m.Created, 0, "request", m.Detail.RequestID, "created", keyName(m.Detail.KeyID)}}
		ledger, err := c.engine().Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Object: m.ID, Limit: 1000})
		if err != nil {
			return err
		}
		for _, t := range ledger {
			story = append(story, moment{t.At, 1, "ledger_transaction", giro.UUID(t.ID).ID("ltx"), t.Cause, ""})
		}
		for _, a := range m.Detail.Attempts {
			story = append(story, moment{a.At, 2, "attempt", a.Instruction, a.Act + " " + a.Result, a.Code})
		}
		events, err := c.engine().Store.Events(c.ctx, giro.EventQuery{Book: c.book(), Object: m.ID, Ascending: true, Limit: 1000})
		if err != nil {
			return err
		}
		for _, e := range events {
			story = append(story, moment{e.At, 3, "event", e.ID.ID("evt"), e.Type, ""})
		}
		slices.SortStableFunc(story, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
		return sendList(c, story, func(b []byte, one moment) []byte {
			a := appender{b: b}
			a.text("at", giro.TimeOf(one.at).Format("2006-01-02T15:04:05.000000Z"))
			a.text("type", one.kind)
			a.maybe("id", one.id)
			a.text("what", strings.TrimSpace(one.what))
			a.maybe("detail", one.annotation)
			return a.close()
		})
	}
}

func keyName(id giro.UUID) string {
	if id.IsZero() {
		return ""
	}
	return id.ID("key")
}
