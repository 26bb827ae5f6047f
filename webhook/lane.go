package webhook

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"giro"
)

const (
	lanePage   = 32  // events, and due deliveries, that a lane reads at once
	lanePages  = 64  // of events that are not wanted, between two records of the cursor
	laneWindow = 512 // sequences that a lane may be ahead of its cursor
	// How soon a change of an endpoint by another process is seen.
	endpointStale = time.Second
	// A lane that found nothing for its endpoint in new events stays so long, so
	// that an endpoint with a narrow filter costs little in a busy book.
	laneLinger = 250 * time.Millisecond
)

// parcel is one attempt to make: an event, and what is known of its delivery.
type parcel struct {
	event    *giro.Event
	delivery giro.Delivery
}

// lane sends to one endpoint while it has something to send. One goroutine runs
// it; each attempt has a goroutine of its own, and so has the recording of what
// they brought.
type lane struct {
	d     *Dispatcher
	p     giro.Dispatch
	lease atomic.Int64 // µs; nothing is begun after it
	began time.Time

	stopped context.Context
	stop    context.CancelFunc

	to      *target // replaced, never changed: attempts under way read it
	changes int64   // the engine's count of changes when its endpoint was read
	read    time.Time

	fresh, due []parcel
	moreFresh  bool           // there may be new events that were not loaded yet
	moreDue    bool           // likewise of those that are due again
	known      map[int64]bool // sequences in fresh, in due, under way or being recorded
	open       []int64        // of fresh events that are not recorded, ascending
	loaded     int64          // events up to here were looked at
	sent       int            // attempts begun
	turn       float64        // where they are kept apart: the number of the next ones
	turns      int            // and how many they are; 0: none were taken
	finished   []*giro.Delivery
}

// target is whom attempts are made to.
type target struct {
	d        *Dispatcher
	endpoint *giro.Endpoint // nil: the addresses of notices
	secrets  []Secret
	clock    giro.Clock // the book's
}

func newLane(d *Dispatcher, p *giro.Dispatch) *lane {
	l := &lane{d: d, p: *p, began: time.Now(), loaded: p.Cursor, known: map[int64]bool{}, moreFresh: true, moreDue: true, to: &target{d: d}}
	l.lease.Store(giro.Micros(d.Engine.Now().Add(leaseFor)))
	l.stopped, l.stop = context.WithCancel(context.Background())
	return l
}

func (l *lane) run() {
	defer l.stop()
	results := make(chan *giro.Delivery, inFlightMax)
	recorded := make(chan bool, 1)
	var recording []*giro.Delivery
	sending, busy, lingered := 0, false, false
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Duration(0) // until another attempt may begin, or that is to be looked at again
		for sending < inFlightMax && l.may() {
			l.load()
			if len(l.fresh)+len(l.due) == 0 {
				break
			}
			if l.d.busy.Load() {
				now := time.Now()
				if l.turns == 0 { // for all that it has: together they cost less
					l.turns = min(inFlightMax-sending, len(l.fresh)+len(l.due))
					l.turn = l.d.pace.take(now, l.turns)
				}
				if wait = min(l.d.pace.wait(now, l.turn), paceLook); wait > 0 {
					break
				}
				l.turns--
			} else {
				l.turns = 0
			}
			next := l.next()
			sending++
			to := l.to
			go func() { results <- to.attempt(l.d.posts, next) }()
		}
		stopping := l.stopped.Err() != nil
		quiet := sending == 0 && len(l.finished) == 0 && (stopping || len(l.fresh)+len(l.due) == 0)
		linger := quiet && !stopping && l.sent == 0 && !lingered
		if !busy && !linger && (len(l.finished) > 0 || quiet && l.cursor() > l.p.Cursor) {
			recording, l.finished = l.finished, nil
			for _, r := range recording {
				if i, found := slices.BinarySearch(l.open, r.Sequence); found {
					l.open = slices.Delete(l.open, i, i+1)
				}
			}
			busy = true
			l.p.Cursor = l.cursor()
			progress, batch := l.p, recording
			go func() { recorded <- l.record(&progress, batch) }()
		}
		if quiet && !busy && !linger {
			return
		}
		var look <-chan time.Time
		switch {
		case stopping:
		case wait > 0:
			timer.Reset(wait)
			look = timer.C
		case linger:
			timer.Reset(laneLinger)
			look = timer.C
		case sending < inFlightMax:
			timer.Reset(l.d.breath())
			look = timer.C
		}
		var stop <-chan struct{}
		if !stopping {
			stop = l.stopped.Done()
		}
		select {
		case r := <-results:
			sending--
			if r != nil {
				l.settle(r)
			}
		case ok := <-recorded:
			if !ok {
				return // the store does not take it: whoever leases the endpoint next sends again
			}
			for _, r := range recording {
				delete(l.known, r.Sequence)
			}
			busy = false
			// Whether there is more is looked up, so that a busy endpoint keeps its lane.
			if head, err := l.d.Engine.Store.Head(l.stopped, l.p.Book); err == nil && head != nil && head.Events > l.loaded {
				l.moreFresh = true
			}
		case <-look:
			if wait == 0 {
				l.moreFresh, l.moreDue = true, true
			}
			lingered = linger
		case <-stop:
		}
	}
}

// may reports whether the lane may begin another attempt.
func (l *lane) may() bool {
	now := time.Now()
	if l.stopped.Err() != nil {
		return false
	}
	if giro.Micros(l.d.Engine.Now()) >= l.lease.Load() || l.d.crowded.Load() && now.Sub(l.began) > turnFor {
		l.stop()
		return false
	}
	if l.p.Notices() {
		if l.d.SignNotice == nil { // they stay for a process that can
			l.stop()
			return false
		}
		return true
	}
	changes := l.d.Engine.EndpointChanges()
	if l.to.endpoint != nil && changes == l.changes && now.Sub(l.read) < endpointStale {
		return true
	}
	p, err := l.d.Engine.Endpoint(l.stopped, l.p.Book, l.p.Endpoint)
	if err == nil && p.Enabled && !p.Listener() {
		if err = l.aim(p, l.to.clock); err == nil {
			l.changes, l.read = changes, now
			return true
		}
	}
	if err != nil && !giro.Is(err, giro.CodeNotFound) && l.stopped.Err() == nil {
		l.d.Logf("webhook endpoint %s: %v", l.p.Endpoint, err)
	}
	l.stop()
	return false
}

// cursor is up to where every event of the lane is recorded.
func (l *lane) cursor() int64 {
	if len(l.open) > 0 {
		return l.open[0] - 1
	}
	return l.loaded
}

// next takes the next attempt to make. New events go first, so that an endpoint
// that has failed for long still gets them in time; every fourth is one that is
// due again, so that they come through in a flood of new ones.
func (l *lane) next() *parcel {
	queue := &l.fresh
	if len(l.fresh) == 0 || len(l.due) > 0 && l.sent%4 == 3 {
		queue = &l.due
	}
	if len(*queue) == 0 {
		return nil
	}
	first := (*queue)[0]
	*queue = (*queue)[1:]
	l.sent++
	return &first
}

// load reads what there is to send, of new events and of those that are due
// again, where too little of it waits.
func (l *lane) load() {
	fresh, due := l.moreFresh && len(l.fresh) < inFlightMax, l.moreDue && len(l.due) == 0
	if !fresh && !due {
		return
	}
	head, err := l.d.Engine.Store.Head(l.stopped, l.p.Book)
	if err == nil && head == nil {
		l.moreFresh, l.moreDue = false, false
		return
	}
	if err == nil && l.to.clock != head.Clock {
		err = l.aim(l.to.endpoint, head.Clock)
	}
	if err == nil && due {
		err = l.loadDue()
	}
	// What the endpoint does not want is passed over, so many pages in one go.
	for pages := 0; err == nil && fresh && pages < lanePages; pages++ {
		err = l.loadFresh(head.Events)
		fresh = l.moreFresh && len(l.fresh) < inFlightMax
	}
	if err != nil {
		if l.stopped.Err() == nil {
			l.d.Logf("webhook endpoint %s: %v", l.p.Endpoint, err)
		}
		l.stop()
	}
}

// loadDue reads a page of the deliveries that are due again.
func (l *lane) loadDue() error {
	ctx, s := l.stopped, l.d.Engine.Store
	l.moreDue = false
	rows, err := s.Deliveries(ctx, giro.DeliveryQuery{Endpoint: l.p.Endpoint, Due: l.now(), Limit: lanePage + len(l.known)})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if l.known[r.Sequence] {
			continue
		}
		if l.moreDue = len(l.due) == lanePage; l.moreDue {
			break
		}
		events, err := s.Events(ctx, giro.EventQuery{Book: l.p.Book, Sequence: r.Sequence, Limit: 1})
		if err != nil {
			return err
		}
		l.known[r.Sequence] = true
		if len(events) == 0 {
			// Older than events are kept: there is nothing left to send.
			r.State, r.Due, r.At = giro.DeliveryFailed, 0, l.now()
			r.Attempts++
			r.Detail.Note(giro.DeliveryAttempt{At: giro.Micros(l.d.Engine.Now()), Error: "expired"})
			l.finished = append(l.finished, r)
			continue
		}
		l.due = append(l.due, parcel{events[0], *r})
	}
	return nil
}

// loadFresh reads a page of the events behind those that were looked at, up to
// the book's last one.
func (l *lane) loadFresh(last int64) error {
	ctx, s := l.stopped, l.d.Engine.Store
	if l.moreFresh = l.loaded < last && l.loaded-l.cursor() < laneWindow; !l.moreFresh {
		return nil
	}
	q := giro.EventQuery{Book: l.p.Book, After: l.loaded, Ascending: true, Noticed: l.p.Notices(), Limit: lanePage}
	endpoint := l.to.endpoint
	if endpoint != nil {
		q.Types = prefixes(endpoint.Events)
	}
	events, err := s.Events(ctx, q)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		l.loaded, l.moreFresh = last, false
		return nil
	}
	end := events[len(events)-1].Sequence
	// What the last owner of the lease recorded beyond its cursor, and what was
	// sent again by hand, has a row and is not new.
	rows, err := s.Deliveries(ctx, giro.DeliveryQuery{Endpoint: l.p.Endpoint, After: l.loaded, Before: end + 1, Ascending: true})
	if err != nil {
		return err
	}
	written := map[int64]bool{}
	for _, r := range rows {
		written[r.Sequence] = true
	}
	for _, e := range events {
		if written[e.Sequence] || l.known[e.Sequence] || endpoint != nil && !endpoint.Wants(e.Type) {
			continue
		}
		l.known[e.Sequence] = true
		l.open = append(l.open, e.Sequence)
		l.fresh = append(l.fresh, parcel{e, giro.Delivery{Endpoint: l.p.Endpoint, Book: l.p.Book, Sequence: e.Sequence, Event: e.ID, Type: e.Type}})
	}
	if l.loaded = end; len(events) < lanePage {
		l.loaded, l.moreFresh = max(end, last), false
	}
	return nil
}

// prefixes returns patterns as a query takes them; nil where one of them can
// only be judged event by event.
func prefixes(patterns []string) []string {
	for _, p := range patterns {
		if star := len(p) - 1; p == "*" || slices.Contains([]byte(p[:star]), '*') {
			return nil
		}
	}
	return patterns
}

// now is the time of the book, in µs.
func (l *lane) now() int64 { return l.to.now() }

func (t *target) now() int64 { return t.clock.At(giro.Micros(t.d.Engine.Now())) }

// aim makes an endpoint the one that the lane sends to.
func (l *lane) aim(p *giro.Endpoint, clock giro.Clock) error {
	to, err := l.d.target(p, clock)
	if err == nil {
		l.to = to
	}
	return err
}

func (d *Dispatcher) target(p *giro.Endpoint, clock giro.Clock) (*target, error) {
	t := &target{d: d, endpoint: p, clock: clock}
	if p == nil {
		return t, nil
	}
	texts, err := d.Engine.Reveal(p, t.now())
	if err != nil {
		return nil, err
	}
	t.secrets = make([]Secret, len(texts))
	for i, text := range texts {
		if t.secrets[i], err = ParseSecret(text); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// attempt makes one attempt and returns what came of it; nil: it was given up
// because the process ends, and nothing is known.
func (t *target) attempt(ctx context.Context, p *parcel) *giro.Delivery {
	r := p.delivery
	r.Attempts++
	began := t.d.Engine.Now()
	url, header, body, err := t.message(p.event, began)
	var answer Answer
	timer := time.Now()
	if err == nil {
		r.Detail.URL, r.Detail.Timestamp, r.Detail.Signature = url, began.Unix(), header.Get(HeaderSignature)
		answer, err = t.d.Client.Post(ctx, url, header, body)
		if ctx.Err() != nil && err != nil {
			return nil
		}
	}
	r.Detail.Answer = answer.Excerpt
	a := giro.DeliveryAttempt{At: giro.Micros(began), Took: time.Since(timer).Microseconds(), Status: answer.Status}
	if err != nil {
		a.Error = why(err)
	}
	r.Detail.Note(a)
	r.At = t.now()
	if err == nil && answer.Accepted() {
		r.State, r.Failed, r.Due = giro.DeliverySucceeded, 0, 0
		return &r
	}
	r.Failed++
	schedule := Standard
	if t.endpoint == nil {
		schedule = SmartFastPay
	}
	delay, again := schedule.Next(int(r.Failed), answer.RetryAfter, rand.Int64N)
	r.State, r.Due = giro.DeliveryPending, r.At+delay.Microseconds()
	if !again || err == nil && answer.Gone() && t.endpoint != nil {
		r.State, r.Due = giro.DeliveryFailed, 0
	}
	return &r
}

// message returns what one attempt sends, and where.
func (t *target) message(e *giro.Event, at time.Time) (url string, header http.Header, body []byte, err error) {
	if t.endpoint == nil {
		var n giro.Notice
		if err := json.Unmarshal(e.Notice, &n); err != nil {
			return "", nil, nil, err
		}
		header, err := t.d.SignNotice(e.Book, n.Profile, at, n.Body)
		return n.URL, header, n.Body, err
	}
	body = e.AppendJSON(nil)
	return t.endpoint.URL, Sign(e.ID.ID("evt"), at, body, t.secrets...), body, nil
}

// settle takes an outcome over, and disables an endpoint that asked for it or
// has done nothing but fail for too long.
func (l *lane) settle(r *giro.Delivery) {
	l.finished = append(l.finished, r)
	if r.State == giro.DeliverySucceeded {
		l.p.Failing = 0
		return
	}
	if l.p.Failing == 0 {
		l.p.Failing = r.At
	}
	if l.p.Notices() || l.stopped.Err() != nil {
		return
	}
	reason := ""
	switch {
	case r.Detail.Attempts[len(r.Detail.Attempts)-1].Status == http.StatusGone:
		reason = giro.DisabledGone
	case r.At-l.p.Failing >= giro.EndpointPatience.Microseconds():
		reason = giro.DisabledFailing
	default:
		return
	}
	if err := l.d.Engine.DisableEndpoint(context.Background(), l.p.Book, l.p.Endpoint, reason); err != nil {
		l.d.Logf("%v", err) // the next failure tries again
		return
	}
	l.stop()
}

// record makes outcomes durable. It tries for as long as this process may act
// for the endpoint.
func (l *lane) record(progress *giro.Dispatch, batch []*giro.Delivery) bool {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := l.d.Engine.RecordDeliveries(context.Background(), progress, batch)
		if err == nil {
			return true
		}
		l.d.Logf("record deliveries of endpoint %s: %v", l.p.Endpoint, err)
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-l.d.posts.Done():
			pause.Stop()
			return false
		}
		if giro.Micros(l.d.Engine.Now()) >= l.lease.Load() || l.d.Engine.Healthy() != nil {
			return false
		}
	}
}

// why names the reason for which there was no whole answer.
func why(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(err, ErrBlocked):
		return "blocked"
	case errors.As(err, &certificate), errors.As(err, &record):
		return "tls"
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, errAnswer):
		return "answer"
	}
	return "connection"
}

// Test sends one event of type webhook_endpoint.test to an endpoint and returns
// what came of it. The event is not kept, and nothing is tried again.
func (d *Dispatcher) Test(ctx context.Context, p *giro.Endpoint) (*giro.Delivery, []byte, error) {
	clock, err := d.Engine.Clock(ctx, p.Book)
	if err != nil {
		return nil, nil, err
	}
	now := d.Engine.Now()
	event := &giro.Event{Book: p.Book, ID: d.Engine.NewID(now), Type: "webhook_endpoint.test", Object: p.ID, At: giro.Micros(clock), Data: p.AppendJSON(nil)}
	to, err := d.target(p, giro.Clock{Ahead: clock.Sub(now).Microseconds()})
	if err != nil {
		return nil, nil, err
	}
	r := to.attempt(ctx, &parcel{event, giro.Delivery{Endpoint: p.ID, Book: p.Book, Event: event.ID, Type: event.Type}})
	if r == nil {
		return nil, nil, ctx.Err()
	}
	if r.State == giro.DeliveryPending {
		r.State, r.Due = giro.DeliveryFailed, 0
	}
	return r, event.AppendJSON(nil), nil
}
