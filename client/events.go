package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Event is a change as it is told. Sequence has no gaps per merchant and mode.
type Event struct {
	ID       string `json:"id"`
	Type     string `json:"type"` // "payout.succeeded"
	Sequence int64  `json:"sequence"`
	Created  int64  `json:"created"`
	Livemode bool   `json:"livemode"`
	Data     struct {
		Object json.RawMessage `json:"object"` // as it was then
	} `json:"data"`

	// Raw is the event as it came: the bytes that a webhook endpoint gets.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON reads an event and keeps its bytes.
func (e *Event) UnmarshalJSON(b []byte) error {
	type plain Event
	if err := json.Unmarshal(b, (*plain)(e)); err != nil {
		return err
	}
	e.Raw = append(json.RawMessage(nil), b...)
	return nil
}

// Events are the routes of events.
type Events struct{ c *Client }

// EventFilter narrows events. Zero members do not narrow.
type EventFilter struct {
	Types  []string // exact types, or payout.*
	Object string   // the id of a movement
}

func (f *EventFilter) query() url.Values {
	q := url.Values{"limit": {"100"}}
	if f == nil {
		return q
	}
	if len(f.Types) > 0 {
		q.Set("types", strings.Join(f.Types, ","))
	}
	if f.Object != "" {
		q.Set("object", f.Object)
	}
	return q
}

// List reads events, newest first.
func (r Events) List(ctx context.Context, f *EventFilter) iter.Seq2[*Event, error] {
	return list[Event](ctx, r.c, "/v1/events", f.query())
}

// After reads the events behind a sequence, oldest first.
func (r Events) After(ctx context.Context, sequence int64, f *EventFilter) iter.Seq2[*Event, error] {
	q := f.query()
	q.Set("after", strconv.FormatInt(sequence, 10))
	return list[Event](ctx, r.c, "/v1/events", q)
}

// Retrieve reads an event.
func (r Events) Retrieve(ctx context.Context, id string) (*Event, error) {
	return fetch[Event](ctx, r.c, one("/v1/events", id), nil)
}

// FromNow is the sequence behind which Stream has only new events.
const FromNow int64 = -1

// streamSilence is longer than the server is ever silent: it says that it is
// alive every 15 s.
const streamSilence = 45 * time.Second

var errNoEvent = errors.New("the stream holds what is no event")

// Resync is the type of what Stream yields where the place behind which it was
// asked to read no longer exists: an Event without an id, whose Sequence is the
// one behind which it goes on.
const Resync = "resync"

// Stream reads events behind a sequence as they happen, without a gap: a
// connection that ends is made anew, where it ended. It ends with the context,
// without an error, or with the first refusal.
func (r Events) Stream(ctx context.Context, after int64, types ...string) iter.Seq2[*Event, error] {
	return r.stream(ctx, after, types, url.Values{})
}

// Listen is Stream for a listener, a webhook endpoint without a URL: giro shows it
// as connected, under a name if there is one, for as long as the stream is read.
func (r Events) Listen(ctx context.Context, endpoint, name string, after int64, types ...string) iter.Seq2[*Event, error] {
	q := url.Values{"listener": {endpoint}}
	if name != "" {
		q.Set("name", name)
	}
	return r.stream(ctx, after, types, q)
}

// stream sends the parameters in q with every connection.
func (r Events) stream(ctx context.Context, after int64, types []string, q url.Values) iter.Seq2[*Event, error] {
	if len(types) > 0 {
		q.Set("types", strings.Join(types, ","))
	}
	return func(yield func(*Event, error) bool) {
		if after == FromNow {
			// What happens between two connections must not be lost, so the place is
			// known before the first.
			for e, err := range r.List(ctx, nil) {
				if err != nil {
					if ctx.Err() == nil {
						yield(nil, err)
					}
					return
				}
				after = e.Sequence
				break
			}
			after = max(after, 0)
		}
		for n := 0; ctx.Err() == nil; {
			more, err := r.connection(ctx, &after, q, func(e *Event) bool {
				n = 0
				return yield(e, nil)
			})
			if !more {
				return
			}
			var refusal *Error
			if errors.As(err, &refusal) && !refusal.again(false) || errors.Is(err, errNoEvent) {
				yield(nil, err)
				return
			}
			n++
			wait := backoff(n)
			if refusal != nil {
				wait = max(wait, refusal.RetryAfter)
			}
			if r.c.pause(ctx, wait) != nil {
				return
			}
		}
	}
}

// connection reads one connection of the stream; more is false where the reader
// has had enough. after follows what was read.
func (r Events) connection(ctx context.Context, after *int64, q url.Values, yield func(*Event) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(streamSilence, cancel)
	defer silence.Stop()
	q.Set("after", strconv.FormatInt(*after, 10))
	h, err := r.c.request(ctx, &Request{Method: http.MethodGet, Path: "/v1/stream", Query: q}, nil)
	if err != nil {
		return true, err
	}
	unlimited := *r.c.o.HTTP
	unlimited.Timeout = 0 // of a whole exchange; silence has a limit of its own
	resp, err := unlimited.Do(h)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return true, refused(&Answer{Status: resp.StatusCode, Header: resp.Header, Body: b, RequestID: resp.Header.Get("Request-Id")})
	}
	lines := bufio.NewReader(resp.Body)
	var place int64
	typ := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return true, err
		}
		silence.Reset(streamSilence)
		line = strings.TrimRight(line, "\r\n")
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			place, _ = strconv.ParseInt(v, 10, 64)
			continue
		}
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			typ = v
			continue
		}
		if line == "" { // the end of a message; one without data only tells the place
			*after, typ = max(*after, place), ""
			continue
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if typ == Resync {
			*after = place
			if !yield(&Event{Type: Resync, Sequence: place}) {
				return false, nil
			}
			continue
		}
		e := &Event{}
		if err := json.Unmarshal([]byte(data), e); err != nil {
			return true, fmt.Errorf("%w: %w", errNoEvent, err)
		}
		*after = e.Sequence
		if !yield(e) {
			return false, nil
		}
	}
}
