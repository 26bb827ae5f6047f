package giro

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// Dispatch is where the sending to one endpoint stands. Whoever holds its lease
// is the only one who sends to the endpoint.
type Dispatch struct {
	Endpoint UUID
	Book     Book
	On       bool
	Cursor   int64 // each event up to here was sent, has a Delivery, or does not match
	Failing  int64 // µs of the book's clock since when every attempt has failed; 0: the last one did not

	// What a write does: a new row (an existing one stays), a change of On,
	// Cursor and Failing by the endpoint's owner, the end, or else progress: the
	// cursor goes forward and Failing changes, if Owner holds the lease.
	New, Set, Gone bool
	Owner          UUID
}

// DeliveryState is what became of an event for one endpoint.
type DeliveryState string

const (
	DeliveryPending   DeliveryState = "pending" // to be tried again when it is due
	DeliverySucceeded DeliveryState = "succeeded"
	DeliveryFailed    DeliveryState = "failed" // exhausted; it can be sent again by hand
)

// Delivery is one event on its way to one endpoint. Its row is written with the
// outcome of the first attempt, so that what arrives at once costs one row.
type Delivery struct {
	Endpoint UUID
	Book     Book
	Sequence int64 // of the event
	Event    UUID
	Type     string
	State    DeliveryState
	Attempts int64 // made so far
	Failed   int64 // of them since the schedule began, all failures
	Due      int64 // µs of the book's clock; 0: not due any more
	At       int64 // µs of the book's clock: the last attempt, or when it was asked for
	Detail   DeliveryDetail

	// Again makes the write put an existing row back to pending, whatever its
	// attempts. Any other write is that of an attempt, and only counts if the row
	// does not have as many yet: what was recorded first stays.
	Again bool
}

// DeliveryDetail is what is kept of the attempts.
type DeliveryDetail struct {
	URL       string            `json:"url,omitempty"`
	Timestamp int64             `json:"timestamp,omitempty"` // Unix seconds of the last attempt's signature
	Signature string            `json:"signature,omitempty"` // of the last attempt
	Answer    string            `json:"answer,omitempty"`    // the first 4 KiB of the last answer's body
	Attempts  []DeliveryAttempt `json:"attempts,omitempty"`  // newest last, at most deliveryAttemptsKept
}

// DeliveryAttempt is one attempt of a delivery.
type DeliveryAttempt struct {
	At     int64  `json:"at"`               // µs, real time
	Took   int64  `json:"took"`             // µs
	Status int    `json:"status,omitempty"` // 0: there was no whole answer
	Error  string `json:"error,omitempty"`  // why: blocked, timeout, connection, tls, dns, answer
}

const deliveryAttemptsKept = 20

// Note adds an attempt, which is the last one.
func (d *DeliveryDetail) Note(a DeliveryAttempt) {
	d.Attempts = append(d.Attempts, a)
	if n := len(d.Attempts); n > deliveryAttemptsKept {
		d.Attempts = d.Attempts[n-deliveryAttemptsKept:]
	}
}

// DeliveryQuery selects deliveries of an endpoint.
type DeliveryQuery struct {
	Endpoint UUID
	Sequence int64 // > 0: of this event alone
	After    int64 // sequences above
	Before   int64 // > 0: sequences below
	State    DeliveryState
	Due      int64 // > 0: only those due at or before (µs of the book's clock), by due time
	Limit    int

	Ascending bool // the oldest event first, else the newest
}

// NoticeEndpoint stands for the addresses that a book's movements brought
// themselves.
func NoticeEndpoint(book Book) (id UUID) {
	copy(id[:], "notices\x80") // no UUIDv7 of an endpoint looks like this
	binary.BigEndian.PutUint64(id[8:], uint64(book))
	return id
}

// Notices reports whether the dispatch sends notices, not webhooks.
func (d *Dispatch) Notices() bool { return d.Endpoint == NoticeEndpoint(d.Book) }

// announce puts a notice on an event of this batch.
func (b *Batch) announce(e *Event, n *Notice) {
	data, err := json.Marshal(n)
	if err != nil {
		panic(err) // strings and bytes always have a JSON form
	}
	e.Notice = data
	id := NoticeEndpoint(e.Book)
	for _, d := range b.writes.Dispatches {
		if d.Endpoint == id && d.New {
			return
		}
	}
	b.writes.Dispatches = append(b.writes.Dispatches, &Dispatch{Endpoint: id, Book: e.Book, On: true, Cursor: e.Sequence - 1, New: true})
}

// RecordDeliveries makes attempts durable, and with them the progress of their
// endpoint: together or not at all. The caller holds d's lease.
func (e *Engine) RecordDeliveries(ctx context.Context, d *Dispatch, attempts []*Delivery) error {
	progress := *d
	progress.Owner = e.process
	_, err := e.do(ctx, &command{patient: true, decide: func(b *Batch) (any, error) {
		b.writes.Dispatches = append(b.writes.Dispatches, &progress)
		b.writes.Deliveries = append(b.writes.Deliveries, attempts...)
		return nil, nil
	}})
	return err
}

// Process names this process as the owner of leases.
func (e *Engine) Process() UUID { return e.process }

// EndpointChanges counts the changes of endpoints that this process has
// committed: whoever sends looks whether its endpoint is still as it was.
func (e *Engine) EndpointChanges() int64 { return e.endpoints.Load() }

// EventByID returns an event of a book, or CodeNotFound.
func (e *Engine) EventByID(ctx context.Context, book Book, id UUID) (*Event, error) {
	found, err := e.Store.Events(ctx, EventQuery{Book: book, Sequence: max(SequenceOf(id), 1), Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].ID != id {
		return nil, Refuse(CodeNotFound, "", "there is no such event")
	}
	return found[0], nil
}

// ResendEvent sends an event once more to these endpoints of its book, as soon
// as it can, with a schedule of its own. An endpoint that is not enabled is
// refused with CodeInvalidState.
func (e *Engine) ResendEvent(ctx context.Context, call *Call, event *Event, endpoints []*Endpoint) ([]*Delivery, error) {
	return e.again(ctx, call, []*Event{event}, endpoints)
}

// again makes deliveries of events due now, in one commit.
func (e *Engine) again(ctx context.Context, call *Call, events []*Event, endpoints []*Endpoint) ([]*Delivery, error) {
	book := call.Book()
	keys := Keys{Books: []Book{book}}
	for _, p := range endpoints {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: DocEndpoint, ID: p.ID})
	}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		var made []*Delivery
		for _, p := range endpoints {
			now, err := b.endpoint(book, p.ID)
			if err != nil {
				return nil, err
			}
			if !now.Enabled {
				return nil, Refuse(CodeInvalidState, "", "the endpoint is disabled; enable it first")
			}
			for _, event := range events {
				at := b.now(book)
				made = append(made, &Delivery{
					Endpoint: p.ID, Book: book, Sequence: event.Sequence, Event: event.ID, Type: event.Type,
					State: DeliveryPending, Due: at, At: at, Again: true,
				})
			}
		}
		b.writes.Deliveries = append(b.writes.Deliveries, made...)
		return made, nil
	}})
	made, _ := v.([]*Delivery)
	return made, err
}

// recoverStep is how many events one commit of a recovery makes due.
const recoverStep = 500

// RecoverEndpoint sends again what an endpoint has not taken of the events of a
// time range (µs of the book's clock, both ends included): what failed, what
// happened while it was disabled, what is still pending. It returns how many.
func (e *Engine) RecoverEndpoint(ctx context.Context, call *Call, p *Endpoint, since, until int64) (total int, err error) {
	err = e.missed(ctx, p, since, until, func(page []*Event, _ int, _ bool) (bool, error) {
		if len(page) > 0 {
			if _, err := e.again(ctx, call, page, []*Endpoint{p}); err != nil {
				return false, err
			}
			total += len(page)
		}
		return true, nil
	})
	return total, err
}

// CountMissed returns how many events RecoverEndpoint would send again. capped:
// there may be more, in what is older than the latest events that were looked at,
// of which there are most and up to recoverStep.
func (e *Engine) CountMissed(ctx context.Context, p *Endpoint, since, until int64, most int) (total int, capped bool, err error) {
	seen := 0
	err = e.missed(ctx, p, since, until, func(page []*Event, looked int, last bool) (bool, error) {
		total, seen = total+len(page), seen+looked
		capped = seen >= most && !last
		return !capped, nil
	})
	return total, capped, err
}

// missed pages through the events of a time range, the latest first, while each
// wants more. It hands over those that an endpoint wants and has not taken, at how
// many it has looked to find them, and whether they were the last.
func (e *Engine) missed(ctx context.Context, p *Endpoint, since, until int64, each func(page []*Event, looked int, last bool) (more bool, err error)) error {
	q := EventQuery{Book: p.Book, Limit: recoverStep}
	var err error
	if q.Before, err = e.eventAfter(ctx, p.Book, until); err != nil {
		return err
	}
	for {
		events, err := e.Store.Events(ctx, q)
		if err != nil || len(events) == 0 {
			return err
		}
		oldest := events[len(events)-1]
		q.Before = oldest.Sequence
		taken := map[int64]bool{}
		rows, err := e.Store.Deliveries(ctx, DeliveryQuery{Endpoint: p.ID, After: oldest.Sequence - 1, Ascending: true, Limit: recoverStep})
		if err != nil {
			return err
		}
		for _, d := range rows {
			if d.State == DeliverySucceeded {
				taken[d.Sequence] = true
			}
		}
		var page []*Event
		looked := 0
		for _, event := range events {
			if event.At < since || event.At > until {
				continue
			}
			if looked++; !taken[event.Sequence] && p.Wants(event.Type) {
				page = append(page, event)
			}
		}
		// The events of one book are in the order of their times.
		last := oldest.At < since || oldest.Sequence == 1
		if more, err := each(page, looked, last); err != nil || !more || last {
			return err
		}
	}
}

// eventAfter returns the sequence of a book's first event later than an instant
// (µs of its clock); 0: there is none.
func (e *Engine) eventAfter(ctx context.Context, book Book, at int64) (int64, error) {
	head, err := e.Store.Head(ctx, book)
	if err != nil || head == nil || at == math.MaxInt64 {
		return 0, err
	}
	low, high := int64(1), head.Events+1
	for low < high {
		middle := low + (high-low)/2
		found, err := e.Store.Events(ctx, EventQuery{Book: book, Sequence: middle, Limit: 1})
		if err != nil {
			return 0, err
		}
		if len(found) > 0 && found[0].At > at { // what is swept is older
			high = middle
		} else {
			low = middle + 1
		}
	}
	if low > head.Events {
		return 0, nil
	}
	return low, nil
}

// DisableEndpoint switches an endpoint off because of what its receiver does,
// and says so with an event. One that is off or gone already is left alone.
func (e *Engine) DisableEndpoint(ctx context.Context, book Book, id UUID, reason string) error {
	mer, err := e.Merchant(ctx, book.Merchant())
	if err != nil {
		return err
	}
	keys := Keys{Books: []Book{book}, Documents: []DocumentKey{{Kind: DocEndpoint, ID: id}}}
	_, err = e.do(ctx, &command{call: machine(mer, book), keys: keys, decide: func(b *Batch) (any, error) {
		p, err := b.endpoint(book, id)
		if err != nil || !p.Enabled {
			return nil, nil
		}
		p.Enabled, p.DisabledReason, p.DisabledAt = false, reason, b.now(book)
		if err := b.putEndpoint(p); err != nil {
			return nil, err
		}
		b.writes.Dispatches = append(b.writes.Dispatches, &Dispatch{Endpoint: id, Book: book, Set: true})
		b.tell(book, id, EventEndpointDisabled, p.AppendJSON(nil))
		return nil, nil
	}})
	e.endpoints.Add(1)
	if err != nil {
		return fmt.Errorf("disable endpoint %s: %w", id, err)
	}
	return nil
}

// ReportDelivery writes what the receiver behind a listener answered. Anything
// but 2xx is a failure, which is not tried again unasked.
func (e *Engine) ReportDelivery(ctx context.Context, call *Call, p *Endpoint, event *Event, attempt DeliveryAttempt, answer string) (*Delivery, error) {
	book := call.Book()
	found, err := e.Store.Deliveries(ctx, DeliveryQuery{Endpoint: p.ID, Sequence: event.Sequence, Limit: 1})
	if err != nil {
		return nil, err
	}
	d := Delivery{Endpoint: p.ID, Book: book, Sequence: event.Sequence, Event: event.ID, Type: event.Type}
	if len(found) > 0 {
		d = *found[0]
	}
	d.Attempts++
	d.State, d.Due, d.Failed = DeliveryFailed, 0, d.Failed+1
	if attempt.Status >= 200 && attempt.Status <= 299 {
		d.State, d.Failed = DeliverySucceeded, 0
	}
	d.Detail.Answer = answer
	d.Detail.Note(attempt)
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}}, decide: func(b *Batch) (any, error) {
		d.At = b.now(book)
		b.writes.Deliveries = append(b.writes.Deliveries, &d)
		return &d, nil
	}})
	reported, _ := v.(*Delivery)
	return reported, err
}
