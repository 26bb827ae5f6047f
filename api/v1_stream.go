package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"giro"
)

const (
	streamMax       = 1000             // open streams of this process
	streamHeartbeat = 15 * time.Second // proxies close what is silent for longer
	streamPoll      = 500 * time.Millisecond
	streamGap       = 10 * time.Millisecond // between two looks at a book, at least
	streamPage      = 100
	streamWrite     = 10 * time.Second // a reader slower than this is dropped, and resumes by its cursor
	streamCheck     = 2 * time.Second  // how soon a stream ends after its credential
	tailKept        = 128              // events of a book that its streams share
)

var streamRoute = &route{method: "GET", path: "/v1/stream", id: "streamEvents", tag: "events", summary: "Events as they happen, as server-sent events", access: accessSecret, status: 200, media: "text/event-stream",
	about: "Each message's id is the event's sequence; Last-Event-ID goes on where a connection ended. Without after only new events are sent. " +
		"It ends within seconds of its key's or session's end. " +
		"Where that place is older than events are kept, or was never reached, a message of the event resync comes first: its data says at which sequence the stream goes on.",
	params: []param{{name: "after", kind: paramInteger, min: 0, max: 1 << 53, about: "Events of sequences above."},
		{name: "types", kind: paramList, max: 50, about: "Exact types, or patterns with one star, such as payout.*."},
		{name: "listener", kind: paramID, prefix: "we", about: "For listeners alone, such as giro listen: the endpoint without a URL that is shown as connected until the stream ends. Needs what reporting an outcome needs."},
		{name: "name", kind: paramText, max: 64, about: "What the listener calls itself; its machine's name, say."}, placeParams[0], placeParams[1]},
	errors: []giro.Code{giro.CodeUnavailable, giro.CodeNotFound}, handler: stream}

// listener is an open stream that fetches the events of an endpoint without a URL.
type listener struct {
	name  string
	since int64
}

// listeners are those of this process, by their endpoint: no more than streams.
type listeners struct {
	mu sync.Mutex
	m  map[giro.UUID][]*listener
}

// join adds a listener, until leave is called.
func (s *listeners) join(endpoint giro.UUID, one *listener) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[giro.UUID][]*listener{}
	}
	s.m[endpoint] = append(s.m[endpoint], one)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		rest := slices.DeleteFunc(s.m[endpoint], func(l *listener) bool { return l == one })
		if s.m[endpoint] = rest; len(rest) == 0 {
			delete(s.m, endpoint)
		}
	}
}

// of returns who listens for an endpoint; nil: nobody does. Where a connection was
// lost and made anew both may still be there: the newest is the one that lives.
func (s *listeners) of(endpoint giro.UUID) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.m[endpoint]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// listens shows the endpoint of the stream's listener as connected, until leave is
// called. Whoever may not report for an endpoint does not stand for it either.
func (c *call) listens() (leave func(), err error) {
	if !c.query.has("listener") {
		if c.query.has("name") {
			return nil, giro.Refuse(giro.CodeInvalidParameter, "name", "is a listener's: send listener too")
		}
		return func() {}, nil
	}
	if err := c.caller.may(reportRoute); err != nil {
		return nil, err
	}
	id, _ := giro.ParseID("we", c.query.text("listener"))
	p, err := c.engine().Endpoint(c.ctx, c.book(), id)
	if err != nil {
		return nil, at(err, "listener")
	}
	if !p.Listener() {
		return nil, giro.Refuse(giro.CodeInvalidParameter, "listener", "giro itself posts to this endpoint: a listener has no URL")
	}
	return c.s.listeners.join(p.ID, &listener{name: c.query.text("name"), since: giro.Micros(c.at)}), nil
}

// tail follows the log of one book for all of its streams: however many there
// are, a commit is read once.
type tail struct {
	book    giro.Book
	readers int // guarded by tails
	end     context.CancelFunc

	mu      sync.Mutex
	events  []*giro.Event // the newest, without a gap
	last    int64         // sequence of the newest event
	changed chan struct{} // closed when there is more
}

// tails are the books that somebody streams.
type tails struct {
	mu sync.Mutex
	m  map[giro.Book]*tail
}

// join returns the tail of a book, which ends with its last reader.
func (s *tails) join(e *giro.Engine, book giro.Book) (*tail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.m[book]; t != nil {
		t.readers++
		return t, nil
	}
	ctx, end := context.WithCancel(context.Background())
	head, err := e.Store.Head(ctx, book)
	if err != nil {
		end()
		return nil, err
	}
	t := &tail{book: book, readers: 1, end: end, changed: make(chan struct{})}
	if head != nil {
		t.last = head.Events
	}
	if s.m == nil {
		s.m = map[giro.Book]*tail{}
	}
	s.m[book] = t
	go t.follow(ctx, e)
	return t, nil
}

func (s *tails) leave(t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.readers--; t.readers == 0 {
		delete(s.m, t.book)
		t.end()
	}
}

// follow reads what is committed, here or by another process, whose commits wake
// nobody: for those it looks twice a second.
func (t *tail) follow(ctx context.Context, e *giro.Engine) {
	poll := time.NewTimer(streamPoll)
	defer poll.Stop()
	for {
		committed := e.Committed() // before reading, so that no commit falls between
		for {
			found, err := e.Store.Events(ctx, giro.EventQuery{Book: t.book, After: t.last, Ascending: true, Limit: streamPage})
			if err != nil || len(found) == 0 {
				break // a database that fails for a moment is asked again
			}
			t.add(found)
			if len(found) < streamPage {
				break
			}
		}
		poll.Reset(streamGap)
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		poll.Reset(streamPoll)
		select {
		case <-ctx.Done():
			return
		case <-committed:
		case <-poll.C:
		}
	}
}

func (t *tail) add(found []*giro.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, found...)
	if n := len(t.events); n > 2*tailKept {
		t.events = append([]*giro.Event(nil), t.events[n-tailKept:]...)
	}
	t.last = found[len(found)-1].Sequence
	close(t.changed)
	t.changed = make(chan struct{})
}

// after returns the events behind a sequence, and what is closed when there are
// more. behind: the sequence is older than what the tail keeps.
func (t *tail) after(sequence int64) (events []*giro.Event, behind bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sequence >= t.last {
		return nil, false, t.changed
	}
	n := t.last - sequence
	if n > int64(len(t.events)) {
		return nil, true, t.changed
	}
	return t.events[int64(len(t.events))-n:], false, t.changed
}

// startAt finds the sequence behind which a stream starts. resync: that is not
// where the reader was.
func (c *call) startAt(t *tail) (after int64, resync bool, err error) {
	switch last := c.r.Header.Get("Last-Event-ID"); {
	case last != "":
		if after, err = strconv.ParseInt(last, 10, 64); err != nil || after < 0 {
			return 0, false, giro.Refuse(giro.CodeInvalidHeader, "Last-Event-ID", "must be the sequence of an event")
		}
	case c.query.has("after"):
		after = int64(c.query.integer("after", 0))
	default:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.last, false, nil
	}
	head, err := c.engine().Store.Head(c.ctx, t.book)
	if err != nil {
		return 0, false, err
	}
	if head == nil || after > head.Events {
		// Of another installation, or of a book that was restored from a backup.
		newest := int64(0)
		if head != nil {
			newest = head.Events
		}
		return newest, after > newest, nil
	}
	oldest, err := c.engine().Store.Events(c.ctx, giro.EventQuery{Book: t.book, Ascending: true, Limit: 1})
	if err != nil {
		return 0, false, err
	}
	if len(oldest) == 0 {
		return head.Events, after < head.Events, nil
	}
	if first := oldest[0].Sequence; after+1 < first {
		return first - 1, true, nil
	}
	return after, false, nil
}

// stream sends events until the reader leaves or the server drains.
func stream(c *call) error {
	types := c.query.list("types")
	for _, t := range types {
		if !streamPattern(t) {
			return giro.Refuse(giro.CodeInvalidParameter, "types", "must be a list of types such as payout.succeeded or payout.*")
		}
	}
	if c.s.streams.Add(1) > streamMax {
		c.s.streams.Add(-1)
		return &giro.Error{Code: giro.CodeUnavailable, Message: "too many streams are open", RetryAfter: 10 * time.Second}
	}
	defer c.s.streams.Add(-1)
	t, err := c.s.tails.join(c.engine(), c.book())
	if err != nil {
		return err
	}
	defer c.s.tails.leave(t)
	after, resync, err := c.startAt(t)
	if err != nil {
		return err
	}

	leave, err := c.listens()
	if err != nil {
		return err
	}
	defer leave()
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
		out.SetWriteDeadline(time.Now().Add(c.s.patience))
		n, err := c.w.Write(b)
		c.written += n
		return err == nil && out.Flush() == nil
	}
	b := append(c.buffer[:0], "retry: 2000\n\n"...)
	if resync {
		b = append(b, "id: "+itoa(after)+"\nevent: resync\ndata: {\"after\":"+itoa(after)+"}\n\n"...)
	}
	if !send(b) {
		return nil
	}
	beat := time.NewTimer(streamHeartbeat)
	defer beat.Stop()
	look := time.NewTicker(streamCheck)
	defer look.Stop()
	checked := time.Now()
	for {
		if time.Since(checked) >= streamCheck {
			if !c.still() {
				return nil
			}
			checked = time.Now()
		}
		events, behind, changed := t.after(after)
		through := after
		if behind {
			if events, through, err = c.catchUp(t.book, types, after); err != nil {
				return nil // it resumes by its cursor
			}
		} else if len(events) > 0 {
			through = events[len(events)-1].Sequence
		}
		b = c.buffer[:0]
		for _, e := range events {
			if !wanted(types, e.Type) {
				continue
			}
			b = append(b, "id: "...)
			b = strconv.AppendInt(b, e.Sequence, 10)
			b = append(append(append(b, "\nevent: "...), e.Type...), "\ndata: "...)
			b = append(e.AppendJSON(b), "\n\n"...)
		}
		c.buffer = b
		if len(b) > 0 {
			if !send(b) {
				return nil
			}
			beat.Reset(streamHeartbeat)
		}
		if after = through; behind {
			continue
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-c.s.draining:
			return nil
		case <-changed:
		case <-look.C:
			checked = time.Time{}
		case <-beat.C:
			// The place goes with it, so that a reader of rare types resumes near the end.
			if !send([]byte("id: " + itoa(after) + "\n: alive\n\n")) {
				return nil
			}
			beat.Reset(streamHeartbeat)
		}
	}
}

// catchUp reads a page of what the tail no longer keeps, and up to where it
// reaches.
func (c *call) catchUp(book giro.Book, types []string, after int64) (events []*giro.Event, through int64, err error) {
	head, err := c.engine().Store.Head(c.ctx, book)
	if err != nil {
		return nil, after, err
	}
	q := giro.EventQuery{Book: book, After: after, Ascending: true, Limit: streamPage}
	if !slices.ContainsFunc(types, func(t string) bool { return strings.Contains(strings.TrimSuffix(t, "*"), "*") }) {
		q.Types = types
	}
	if events, err = c.engine().Store.Events(c.ctx, q); err != nil {
		return nil, after, err
	}
	through = head.Events
	if n := len(events); n > 0 {
		if last := events[n-1].Sequence; n == streamPage || last > through {
			through = last
		}
	}
	return events, max(through, after), nil
}

// wanted reports whether a type is one of those asked for.
func wanted(types []string, typ string) bool {
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return giro.MatchEvent(t, typ) })
}

var timelineAnswer = &schema{kind: kindList, item: &schema{kind: kindObject, name: "TimelineEntry", fields: []field{
	{name: "at", schema: plainText}, {name: "type", schema: oneOf("request", "act", "ledger_transaction", "attempt", "event", "delivery")},
	{name: "id", schema: null(plainText), about: "Of the request, act, ledger transaction, instruction or event; of a delivery the endpoint's."}, {name: "what", schema: plainText},
	{name: "detail", schema: null(plainText), about: "Who, a code, or a receiver's status."},
	{name: "event", schema: null(idOf("evt")), about: "Of a delivery: what was sent."},
}}}

// moment is one line of an object's story.
type moment struct {
	at               int64
	order            int // of what happened in the same microsecond: request, act, ledger, attempt, event, delivery
	kind, id         string
	what, annotation string
	event            string // of a delivery
}

// timeline answers what happened to a movement, oldest first.
func timeline(k giro.Kind) func(c *call) error {
	return func(c *call) error {
		m, err := c.movement(k)
		if err != nil {
			return err
		}
		story := []moment{{at: m.Created, order: 0, kind: "request", id: m.Detail.RequestID, what: "created", annotation: keyName(m.Detail.KeyID)}}
		ledger, err := c.engine().Store.LedgerTransactions(c.ctx, giro.LedgerQuery{Book: c.book(), Object: m.ID, Limit: 1000})
		if err != nil {
			return err
		}
		for _, t := range ledger {
			story = append(story, moment{at: t.At, order: 2, kind: "ledger_transaction", id: giro.UUID(t.ID).ID("ltx"), what: t.Cause})
		}
		for _, a := range m.Detail.Attempts {
			story = append(story, moment{at: a.At, order: 3, kind: "attempt", id: a.Instruction, what: a.Act + " " + a.Result, annotation: a.Code})
		}
		events, err := c.engine().Store.Events(c.ctx, giro.EventQuery{Book: c.book(), Object: m.ID, Ascending: true, Limit: 1000})
		if err != nil {
			return err
		}
		for _, e := range events {
			story = append(story, moment{at: e.At, order: 4, kind: "event", id: e.ID.ID("evt"), what: e.Type})
		}
		if story, err = c.addActs(story, m.ID); err != nil {
			return err
		}
		if story, err = c.addDeliveries(story, events); err != nil {
			return err
		}
		slices.SortStableFunc(story, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
		return sendList(c, story, func(b []byte, one moment) []byte {
			a := appender{b: b}
			a.text("at", giro.TimeOf(one.at).Format("2006-01-02T15:04:05.000000Z"))
			a.text("type", one.kind)
			a.maybe("id", one.id)
			a.text("what", strings.TrimSpace(one.what))
			a.maybe("detail", one.annotation)
			a.maybe("event", one.event)
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

// addActs adds what people did to an object.
func (c *call) addActs(story []moment, object giro.UUID) ([]moment, error) {
	docs, err := c.engine().Store.Documents(c.ctx, giro.DocumentQuery{Kind: giro.DocAct, Book: c.book(), Parent: object, Ascending: true, Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		var act giro.Act
		if err := json.Unmarshal(d.Data, &act); err != nil {
			return nil, err
		}
		story = append(story, moment{at: act.At + act.Clock, order: 1, kind: "act", id: act.ID.ID("act"), what: act.Action, annotation: act.Email})
	}
	return story, nil
}

// timelineEvents bounds the events of an object whose deliveries its timeline
// shows.
const timelineEvents = 50

// addDeliveries adds what became of an object's latest events at the endpoints.
func (c *call) addDeliveries(story []moment, events []*giro.Event) ([]moment, error) {
	endpoints, err := c.engine().Endpoints(c.ctx, c.book())
	if err != nil {
		return nil, err
	}
	for _, p := range endpoints {
		for _, e := range events[max(0, len(events)-timelineEvents):] {
			found, err := c.engine().Store.Deliveries(c.ctx, giro.DeliveryQuery{Endpoint: p.ID, Sequence: e.Sequence, Limit: 1})
			if err != nil {
				return nil, err
			}
			for _, d := range found {
				detail := ""
				if n := len(d.Detail.Attempts); n > 0 {
					if detail = d.Detail.Attempts[n-1].Error; detail == "" {
						detail = itoa(int64(d.Detail.Attempts[n-1].Status))
					}
				}
				story = append(story, moment{at: d.At, order: 5, kind: "delivery", id: d.Endpoint.ID("we"), what: string(d.State) + " " + d.Type, annotation: detail, event: d.Event.ID("evt")})
			}
		}
	}
	return story, nil
}
