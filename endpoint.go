package giro

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// EndpointMax is how many webhook endpoints a merchant has in one mode.
const EndpointMax = 50

// SecretGrace is how long an endpoint's old secret goes on signing beside the
// new one, unless the caller says otherwise.
const SecretGrace = 24 * time.Hour

// Endpoint is a receiver of a book's events: a URL that giro posts to, or a
// listener, which fetches them itself.
type Endpoint struct {
	ID             UUID              `json:"id"`
	URL            string            `json:"url,omitempty"` // empty: a listener
	Events         []string          `json:"events"`        // patterns of types
	Description    string            `json:"description,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Enabled        bool              `json:"enabled"`
	DisabledReason string            `json:"disabled_reason,omitempty"` // gone, failing; empty: by its owner
	DisabledAt     int64             `json:"disabled_at,omitempty"`     // µs of the book's clock; 0: enabled
	Secrets        []EndpointSecret  `json:"secrets"`                   // newest first

	Book    Book  `json:"-"`
	Version int64 `json:"-"`
	Created int64 `json:"-"` // µs
	Updated int64 `json:"-"` // µs
}

// EndpointSecret is a signing secret as it is kept.
type EndpointSecret struct {
	Sealed string `json:"sealed"`
	Hint   string `json:"hint,omitempty"`  // by which people tell it from another; empty: it was made before hints were kept
	Until  int64  `json:"until,omitempty"` // µs of the book's clock; 0: the present one
}

// Reasons for which giro disables an endpoint.
const (
	DisabledGone    = "gone"    // its receiver answered 410
	DisabledFailing = "failing" // every attempt of EndpointPatience has failed
)

// EndpointPatience is how long an endpoint may do nothing but fail.
const EndpointPatience = 5 * 24 * time.Hour

// Wants reports whether the endpoint is told of events of this type.
func (p *Endpoint) Wants(typ string) bool {
	for _, pattern := range p.Events {
		if MatchEvent(pattern, typ) {
			return true
		}
	}
	return false
}

// Listener reports whether the endpoint fetches its events.
func (p *Endpoint) Listener() bool { return p.URL == "" }

// AppendJSON appends the endpoint as v1 shows it and as its events keep it,
// without its secrets.
func (p *Endpoint) AppendJSON(b []byte) []byte {
	w := writer{b}
	w.raw('{')
	w.own("id", "we", p.ID)
	w.str("object", "webhook_endpoint")
	w.opt("url", p.URL)
	w.any("events", p.Events)
	w.opt("description", p.Description)
	w.bool("enabled", p.Enabled)
	w.opt("disabled_reason", p.DisabledReason)
	if p.DisabledAt != 0 {
		w.time("disabled_at", p.DisabledAt)
	} else {
		w.opt("disabled_at", "")
	}
	w.bool("livemode", p.Book.Live())
	w.any("metadata", orEmpty(p.Metadata))
	w.num("created", p.Created/1_000_000)
	w.time("created_at", p.Created)
	w.time("updated_at", p.Updated)
	w.num("version", p.Version)
	w.raw('}')
	return w.b
}

func decodeEndpoint(d *StoredDocument) (*Endpoint, error) {
	p := &Endpoint{}
	if err := json.Unmarshal(d.Data, p); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", d.ID, err)
	}
	p.ID, p.Book, p.Version, p.Created, p.Updated = d.ID, d.Book, d.Version, d.Created, d.Updated
	return p, nil
}

func noEndpoint() error { return Refuse(CodeNotFound, "", "there is no such webhook endpoint") }

// endpoint returns a loaded endpoint of a book, or CodeNotFound.
func (b *Batch) endpoint(book Book, id UUID) (*Endpoint, error) {
	d := b.document(DocumentKey{Kind: DocEndpoint, ID: id})
	if d == nil || d.Book != book {
		return nil, noEndpoint()
	}
	return decodeEndpoint(d)
}

// putEndpoint writes an endpoint; its lookup, the slot, stays as it is.
func (b *Batch) putEndpoint(p *Endpoint) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	d := *b.document(DocumentKey{Kind: DocEndpoint, ID: p.ID})
	d.Data, d.Updated = data, b.now(p.Book)
	b.head(p.Book, UUID{})
	b.write(&d)
	p.Version, p.Updated = d.Version, d.Updated
	return nil
}

// Endpoint returns an endpoint of a book, or CodeNotFound.
func (e *Engine) Endpoint(ctx context.Context, book Book, id UUID) (*Endpoint, error) {
	d, err := e.Store.Document(ctx, DocEndpoint, id)
	if err != nil {
		return nil, err
	}
	if d == nil || d.Book != book {
		return nil, noEndpoint()
	}
	return decodeEndpoint(d)
}

// Endpoints lists a book's endpoints, newest first.
func (e *Engine) Endpoints(ctx context.Context, book Book) ([]*Endpoint, error) {
	docs, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocEndpoint, Book: book, Limit: EndpointMax})
	if err != nil {
		return nil, err
	}
	list := make([]*Endpoint, len(docs))
	for i, d := range docs {
		if list[i], err = decodeEndpoint(d); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Signing returns the secrets that sign at an instant of the book's clock (µs),
// as they are kept, the present one first.
func (p *Endpoint) Signing(now int64) []EndpointSecret {
	return slices.DeleteFunc(slices.Clone(p.Secrets), func(s EndpointSecret) bool { return s.Until != 0 && s.Until <= now })
}

// Reveal returns the secrets that sign for an endpoint at an instant of its
// book's clock (µs), the present one first.
func (e *Engine) Reveal(p *Endpoint, now int64) ([]string, error) {
	var secrets []string
	for _, s := range p.Signing(now) {
		plain, err := e.Secret.Open("webhook endpoint", p.ID.String(), s.Sealed)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, plain)
	}
	return secrets, nil
}

func (e *Engine) sealEndpoint(id UUID, secret string) EndpointSecret {
	return EndpointSecret{Sealed: e.Secret.Seal("webhook endpoint", id.String(), secret), Hint: hint(secret, strings.IndexByte(secret, '_')+1)}
}

// CreateEndpoint makes an endpoint that is told of every event after this
// commit. secret signs for it. One above EndpointMax is CodeEndpointLimit.
func (e *Engine) CreateEndpoint(ctx context.Context, call *Call, p Endpoint, secret string) (*Endpoint, error) {
	book := call.Book()
	p.ID, p.Book = e.NewID(e.Now()), book
	p.Secrets = []EndpointSecret{e.sealEndpoint(p.ID, secret)}
	data, err := json.Marshal(&p)
	if err != nil {
		return nil, err
	}
	// Each endpoint holds one of the book's slots, so that their number is kept
	// by a unique key and not by counting.
	slots := make([]DocumentKey, EndpointMax)
	for i := range slots {
		slots[i] = DocumentKey{Kind: DocEndpoint, Lookup: fmt.Sprintf("%d/%d", book, i)}
	}
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}, Documents: slots}, decide: func(b *Batch) (any, error) {
		for _, slot := range slots {
			if b.document(slot) != nil {
				continue
			}
			h := b.head(book, call.Merchant.ID)
			d := &StoredDocument{Kind: DocEndpoint, ID: p.ID, Book: book, Lookup: slot.Lookup, Created: b.now(book), Updated: b.now(book), Data: data}
			b.write(d)
			b.writes.Dispatches = append(b.writes.Dispatches, &Dispatch{
				Endpoint: p.ID, Book: book, On: p.Enabled && !p.Listener(), Cursor: h.Events, New: true,
			})
			made := p
			made.Version, made.Created, made.Updated = d.Version, d.Created, d.Updated
			return &made, nil
		}
		return nil, Refuse(CodeEndpointLimit, "", fmt.Sprintf("there are %d webhook endpoints already; delete one first", EndpointMax))
	}})
	made, _ := v.(*Endpoint)
	return made, err
}

// UpdateEndpoint changes an endpoint of the caller's book by set, which may run
// more than once. version > 0 has to be the present one. An endpoint that is
// enabled again is told of the events after this commit; what it has missed is
// for RecoverEndpoint.
func (e *Engine) UpdateEndpoint(ctx context.Context, call *Call, id UUID, version int64, set func(p *Endpoint, now int64) error) (*Endpoint, error) {
	book := call.Book()
	keys := Keys{Books: []Book{book}, Documents: []DocumentKey{{Kind: DocEndpoint, ID: id}}}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		p, err := b.endpoint(book, id)
		if err != nil {
			return nil, err
		}
		if version > 0 && version != p.Version {
			return nil, Refuse(CodePreconditionFailed, "If-Match", "the object has changed since it was read")
		}
		was := p.Enabled
		if err := set(p, b.now(book)); err != nil {
			return nil, err
		}
		switch {
		case p.Enabled:
			p.DisabledReason, p.DisabledAt = "", 0
		case was:
			p.DisabledAt = b.now(book)
		}
		if err := b.putEndpoint(p); err != nil {
			return nil, err
		}
		if was != p.Enabled && !p.Listener() {
			b.writes.Dispatches = append(b.writes.Dispatches, &Dispatch{Endpoint: id, Book: book, On: p.Enabled, Cursor: b.head(book, UUID{}).Events, Set: true})
		}
		return p, nil
	}})
	e.endpoints.Add(1)
	p, _ := v.(*Endpoint)
	return p, err
}

// RollEndpointSecret gives an endpoint a new secret; the ones that it has go on
// signing beside it for grace, and no longer than they would have.
func (e *Engine) RollEndpointSecret(ctx context.Context, call *Call, id UUID, secret string, grace time.Duration) (*Endpoint, error) {
	return e.UpdateEndpoint(ctx, call, id, 0, func(p *Endpoint, now int64) error {
		until := now + grace.Microseconds()
		kept := []EndpointSecret{e.sealEndpoint(id, secret)}
		for _, s := range p.Secrets {
			if s.Until == 0 || s.Until > until {
				s.Until = until
			}
			if s.Until > now && len(kept) < 3 {
				kept = append(kept, s)
			}
		}
		p.Secrets = kept
		return nil
	})
}

// DeleteEndpoint deletes an endpoint of the caller's book. Nothing is sent to it
// any more.
func (e *Engine) DeleteEndpoint(ctx context.Context, call *Call, id UUID) error {
	book := call.Book()
	keys := Keys{Books: []Book{book}, Documents: []DocumentKey{{Kind: DocEndpoint, ID: id}}}
	_, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		if _, err := b.endpoint(book, id); err != nil {
			return nil, err
		}
		w := *b.document(DocumentKey{Kind: DocEndpoint, ID: id})
		w.Gone = true
		b.head(book, call.Merchant.ID)
		b.write(&w)
		b.writes.Dispatches = append(b.writes.Dispatches, &Dispatch{Endpoint: id, Book: book, Gone: true})
		return nil, nil
	}})
	e.endpoints.Add(1)
	return err
}
