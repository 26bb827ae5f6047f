// Package client speaks giro's v1 API from Go.
//
//	c, err := client.New("http://127.0.0.1:8080", os.Getenv("GIRO_API_KEY"), client.Options{})
//	payout, err := c.Payouts.Create(ctx, &client.PayoutCreate{
//		Amount: 98000, Currency: "brl", Provider: "bank",
//		Bank: &client.Bank{Method: "pix", Key: "maria@example.com"}, Reference: "nov-1",
//	})
//
// Every POST and PUT carries an Idempotency-Key, made here unless [Key] names
// one, and is sent again with the same key where the answer says so or was lost:
// nothing is done twice. Refusals are [*Error]; a request whose answer never came
// is [*Unanswered], and says with which key it can be sent again. Amounts are
// integers of the currency's minor unit.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	retriesDefault = 3
	backoffFirst   = 250 * time.Millisecond // doubled per attempt
	backoffMax     = 8 * time.Second
	retryAfterMax  = time.Minute // told to wait longer, the refusal is returned instead
	answerMax      = 64 << 20    // bytes of an answer that are read
)

// Options are what a Client may be given beside its address and key. The zero
// value is right for most.
type Options struct {
	HTTP    *http.Client // nil: one of its own, which follows no redirects
	Retries int          // after the first attempt; 0: 3, less than 0: none
	Agent   string       // User-Agent; "": "giro-go"

	// Trace is told of every attempt, for logs; it must not keep its argument.
	Trace func(Attempt)
}

// Attempt is one exchange with the server.
type Attempt struct {
	Request *http.Request // its body was read; Authorization is the key
	Body    []byte        // that was sent
	Number  int           // from 1
	Took    time.Duration
	Answer  *Answer // nil: none came
	Err     error   // why none came
	Again   bool    // it will be sent again
}

// Client sends requests to one giro with one credential. It is safe for
// concurrent use.
type Client struct {
	Charges   Charges
	Refunds   Refunds
	Payouts   Payouts
	Transfers Transfers
	Customers Documents[Customer, CustomerCreate, CustomerUpdate]
	Sources   Documents[Source, SourceCreate, SourceUpdate]
	Accounts  Accounts
	Ledger    Ledger
	Events    Events
	Keys      Keys
	Merchants Merchants
	Test      Test

	base, key string
	o         Options
	pause     func(context.Context, time.Duration) error
}

// New returns a client of the giro at base ("https://pay.example.com"), with an
// API key or the admin token.
func New(base, key string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the address of a giro: it looks like https://host", base)
	}
	if strings.ContainsAny(key, " \t\r\n") {
		return nil, errors.New("the key holds white space")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	switch {
	case o.Retries == 0:
		o.Retries = retriesDefault
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.Agent == "" {
		o.Agent = "giro-go"
	}
	c := &Client{base: strings.TrimSuffix(base, "/"), key: key, o: o, pause: pause}
	c.Charges = Charges{movements[Charge, ChargeCreate](c, "/v1/charges")}
	c.Refunds = Refunds{movements[Refund, RefundCreate](c, "/v1/refunds")}
	c.Payouts = Payouts{movements[Payout, PayoutCreate](c, "/v1/payouts")}
	c.Transfers = Transfers{movements[Transfer, TransferCreate](c, "/v1/transfers")}
	c.Customers.objects = objects[Customer, CustomerCreate]{c, "/v1/customers"}
	c.Sources.objects = objects[Source, SourceCreate]{c, "/v1/sources"}
	c.Accounts.objects = objects[Account, AccountCreate]{c, "/v1/accounts"}
	c.Merchants.objects = objects[Merchant, MerchantCreate]{c, "/v1/merchants"}
	c.Ledger, c.Events, c.Keys, c.Test = Ledger{c}, Events{c}, Keys{c}, Test{c}
	return c, nil
}

// Request is one request of the API.
type Request struct {
	Method string
	Path   string // escaped: "/v1/charges"
	Query  url.Values
	Body   any    // encoded as JSON, once; json.RawMessage is sent as it is; nil: none
	Key    string // Idempotency-Key; "": one is made for POST and PUT
	Header http.Header

	// Once marks a route that takes no Idempotency-Key: it is sent again only
	// where the server has said that it did nothing, or was never reached.
	Once bool
}

// Option changes a request before it is sent.
type Option func(*Request)

// Key names the Idempotency-Key: a repetition of an earlier request gets its
// answer.
func Key(key string) Option { return func(r *Request) { r.Key = key } }

// Simulate asks the sandbox for an outcome: "failed:account_closed".
func Simulate(outcome string) Option { return header("Giro-Simulate", outcome) }

// IfVersion makes an update fail where the object is no longer of this version.
func IfVersion(version int64) Option {
	return header("If-Match", `"`+strconv.FormatInt(version, 10)+`"`)
}

func header(name, value string) Option {
	return func(r *Request) {
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set(name, value)
	}
}

// Answer is what the server said to a request: 2xx, or an [*Error] beside it.
type Answer struct {
	Status    int
	Header    http.Header
	Body      []byte
	Key       string // Idempotency-Key that was sent
	RequestID string
	Replayed  bool // the stored answer of an earlier request with the key
}

// Next returns the query of the next page of a list; nil: this was the last.
func (a *Answer) Next() url.Values {
	for _, link := range a.Header.Values("Link") {
		target, rel, _ := strings.Cut(link, ">")
		if !strings.Contains(rel, `rel="next"`) || !strings.HasPrefix(target, "</") {
			continue
		}
		if u, err := url.Parse(target[1:]); err == nil && u.RawQuery != "" {
			return u.Query()
		}
	}
	return nil
}

// Send sends a request until it is answered, refused for good or out of
// attempts. Its error is *Error beside the answer, or *Unanswered, or says what
// is wrong with the request itself.
func (c *Client) Send(ctx context.Context, r Request) (*Answer, error) {
	var body []byte
	switch b := r.Body.(type) {
	case nil:
	case json.RawMessage:
		body = b
	default:
		var err error
		if body, err = json.Marshal(b); err != nil {
			return nil, err
		}
	}
	if r.Key == "" && !r.Once && (r.Method == http.MethodPost || r.Method == http.MethodPut) {
		r.Key = newKey()
	}
	lost := false // an earlier attempt may have arrived
	for n := 1; ; n++ {
		h, err := c.request(ctx, &r, body)
		if err != nil {
			return nil, err
		}
		started := time.Now()
		a, err := c.exchange(h)
		if a != nil {
			a.Key = r.Key
		}
		again, wait := false, backoff(n)
		var refusal *Error
		switch {
		case err != nil:
			arrived := !neverSent(err)
			lost = lost || arrived
			again = n <= c.o.Retries && ctx.Err() == nil && (!r.Once || !arrived)
		case a.Status >= 300:
			refusal = refused(a)
			if refusal.RetryAfter > 0 {
				wait = refusal.RetryAfter
			}
			again = n <= c.o.Retries && wait <= retryAfterMax && refusal.again(r.Once)
			lost = lost || a.Status >= 500 // it may have been done, and its answer lost on the way
		}
		if c.o.Trace != nil {
			c.o.Trace(Attempt{Request: h, Body: body, Number: n, Took: time.Since(started), Answer: a, Err: err, Again: again})
		}
		switch {
		case again:
			if e := c.pause(ctx, wait); e != nil {
				if err == nil {
					return a, refusal // what it said last is more than that time ran out
				}
				return nil, &Unanswered{Method: r.Method, Path: r.Path, Key: r.Key, Sent: lost, Err: e}
			}
			continue
		case err != nil:
			return nil, &Unanswered{Method: r.Method, Path: r.Path, Key: r.Key, Sent: lost, Err: err}
		case refusal != nil && refusal.Status == http.StatusNotFound && r.Method == http.MethodDelete && lost:
			return a, nil // an attempt whose answer was lost has deleted it
		case refusal != nil:
			return a, refusal
		}
		return a, nil
	}
}

func (c *Client) request(ctx context.Context, r *Request, body []byte) (*http.Request, error) {
	target := c.base + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	h, err := http.NewRequestWithContext(ctx, r.Method, target, reader)
	if err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		h.Header[name] = values
	}
	if c.key != "" {
		h.Header.Set("Authorization", "Bearer "+c.key)
	}
	h.Header.Set("User-Agent", c.o.Agent)
	if body != nil {
		h.Header.Set("Content-Type", "application/json")
	}
	if r.Key != "" {
		h.Header.Set("Idempotency-Key", r.Key)
	}
	return h, nil
}

// exchange sends once. An answer that breaks off is none.
func (c *Client) exchange(h *http.Request) (*Answer, error) {
	resp, err := c.o.HTTP.Do(h)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, answerMax+1))
	if err != nil {
		return nil, err
	}
	if len(b) > answerMax {
		return nil, errors.New("the answer is too large")
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: b, RequestID: resp.Header.Get("Request-Id"), Replayed: resp.Header.Get("Idempotent-Replayed") == "true"}, nil
}

// Open sends a GET whose answer may be long, and returns its body to be read as
// it comes; close it. It is sent once. An answer that breaks off is an error of
// the reader, never a short body. The time limit of Options.HTTP does not hold:
// that of the context does.
func (c *Client) Open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	r := Request{Method: http.MethodGet, Path: path, Query: query}
	h, err := c.request(ctx, &r, nil)
	if err != nil {
		return nil, err
	}
	unlimited := *c.o.HTTP
	unlimited.Timeout = 0
	resp, err := unlimited.Do(h)
	if err != nil {
		return nil, &Unanswered{Method: r.Method, Path: path, Err: err}
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return nil, &Unanswered{Method: r.Method, Path: path, Err: err}
		}
		return nil, refused(&Answer{Status: resp.StatusCode, Header: resp.Header, Body: b, RequestID: resp.Header.Get("Request-Id")})
	}
	return resp.Body, nil
}

// neverSent reports whether a failure came before anything was sent: no
// connection was made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// backoff is how long to wait after the nth attempt: from half to all of a
// doubling span.
func backoff(n int) time.Duration {
	span := min(backoffFirst<<min(n-1, 10), backoffMax)
	half, err := rand.Int(rand.Reader, big.NewInt(int64(span/2)+1))
	if err != nil {
		return span
	}
	return span/2 + time.Duration(half.Int64())
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newKey() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// send sends a request and decodes its answer into T.
func send[T any](ctx context.Context, c *Client, r Request, options []Option) (*T, error) {
	for _, o := range options {
		o(&r)
	}
	a, err := c.Send(ctx, r)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if len(a.Body) == 0 || a.Status == http.StatusNotFound { // a repeated DELETE
		return v, nil
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return nil, fmt.Errorf("read the answer of %s %s: %w", r.Method, r.Path, err)
	}
	return v, nil
}

func fetch[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	return send[T](ctx, c, Request{Method: http.MethodGet, Path: path, Query: query}, nil)
}

// whole reads a list that has one page.
func whole[T any](ctx context.Context, c *Client, path string, query url.Values) ([]*T, error) {
	v, err := fetch[[]*T](ctx, c, path, query)
	if err != nil {
		return nil, err
	}
	return *v, nil
}

// Pages reads a list page by page, by the Link header of each answer. It ends
// after the last page or the first error.
func (c *Client) Pages(ctx context.Context, path string, query url.Values) iter.Seq2[*Answer, error] {
	return func(yield func(*Answer, error) bool) {
		for {
			a, err := c.Send(ctx, Request{Method: http.MethodGet, Path: path, Query: query})
			if !yield(a, err) || err != nil {
				return
			}
			if query = a.Next(); query == nil {
				return
			}
		}
	}
}

// list reads all items of a list, a page at a time as they are wanted. It ends
// after the first error.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for a, err := range c.Pages(ctx, path, query) {
			if err != nil {
				yield(nil, err)
				return
			}
			var items []*T
			if err := json.Unmarshal(a.Body, &items); err != nil {
				yield(nil, fmt.Errorf("read the answer of GET %s: %w", path, err))
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// one is the path of an object below a list.
func one(path, id string, more ...string) string {
	path += "/" + url.PathEscape(id)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}
