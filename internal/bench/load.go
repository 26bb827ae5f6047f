package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// request appends a client's n-th request to b. Requests are written and
// answers read by hand: the generator shares the cores with what it measures.
type request func(b []byte, client, n int) []byte

// load says how requests are sent.
type load struct {
	clients  int
	rate     float64 // requests per second that fall due; 0: closed loop
	count    int     // > 0: so many in all, and time decides nothing
	warm     time.Duration
	duration time.Duration
	cut      bool // what could not be sent by the end is left out
	obey     bool // a connection that was refused waits as long as Retry-After says
}

// sample is what one run of the generator saw.
type sample struct {
	seconds    float64
	all        []time.Duration // of the answers that were wanted
	refused    []time.Duration // 429 and 503, from when they were sent
	errors     int
	warm       int      // answers that were not counted
	made       []string // ids of what was created, warm-up included
	unexpected string
}

func (s *sample) add(o sample) {
	s.seconds += o.seconds
	s.all = append(s.all, o.all...)
	s.refused = append(s.refused, o.refused...)
	s.errors += o.errors
	s.warm += o.warm
	if s.unexpected == "" {
		s.unexpected = o.unexpected
	}
}

func (s *sample) perSecond() float64 { return float64(len(s.all)) / s.seconds }

func (s *sample) fill(r *Result) {
	slices.Sort(s.all)
	slices.Sort(s.refused)
	r.Seconds = round(s.seconds, 2)
	r.Requests, r.Refused, r.Errors = len(s.all)+len(s.refused)+s.errors, len(s.refused), s.errors
	r.PerSecond = round(s.perSecond(), 1)
	r.P50, r.P99 = milliseconds(quantile(s.all, 0.5)), milliseconds(quantile(s.all, 0.99))
	if n := len(s.all); n > 0 {
		r.Max = milliseconds(s.all[n-1])
	}
	r.RefuseP99 = milliseconds(quantile(s.refused, 0.99))
}

// quantile of sorted durations; 0 where there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func milliseconds(d time.Duration) float64 { return round(d.Seconds()*1000, 3) }

// round is 0 where there was nothing to divide by: JSON has no such numbers, and
// a cell in which nothing was done is a result too.
func round(v float64, digits int) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

// drive sends requests on so many connections. With rate 0 each connection
// sends its next request when it has its answer (closed loop). Otherwise
// requests fall due at a constant rate whatever the server does, and latency
// counts from when a request was due, not from when it could be sent: a stall is
// not hidden.
func drive(ctx context.Context, address string, l load, next request) (sample, error) {
	rate, count := l.rate, l.count
	warm, duration := l.warm, l.duration
	if count > 0 {
		warm, duration = 0, 24*time.Hour
	}
	conns := make([]*conn, l.clients)
	for i := range conns {
		c, err := dial(address)
		if err != nil {
			return sample{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	begin := time.Now()
	counted := begin.Add(warm)
	end := counted.Add(duration)
	var arrivals atomic.Int64
	samples := make([]sample, l.clients)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := &samples[i]
			for n := 0; ctx.Err() == nil; n++ {
				due := time.Now()
				arrival := arrivals.Add(1) - 1
				if count > 0 && arrival >= int64(count) {
					return
				}
				if rate > 0 {
					due = begin.Add(time.Duration(float64(arrival) / rate * 1e9))
					if wait := time.Until(due); wait > 0 {
						time.Sleep(wait)
					}
				}
				sent := time.Now()
				if due.After(end) || l.cut && sent.After(end) {
					return
				}
				c.out = next(c.out[:0], i, n)
				status, body, err := c.do()
				now := time.Now()
				took := now.Sub(due)
				ok := err == nil && status < 300
				if ok {
					s.made, ok = appendCreated(s.made, status, body)
				}
				switch {
				case rate == 0 && now.After(end):
					return // its answer came after the end: not counted, but acknowledged
				case due.Before(counted) || rate == 0 && now.Before(counted):
					s.warm++
				case ok:
					s.all = append(s.all, took)
				case err == nil && (status == 429 || status == 503):
					s.refused = append(s.refused, now.Sub(sent))
					if l.obey {
						time.Sleep(min(c.after, time.Until(end)))
					}
				default:
					s.errors++
					if s.unexpected == "" {
						s.unexpected = fmt.Sprint(status, " ", string(body), " ", err)
					}
				}
				if err != nil {
					if c2, err := dial(address); err == nil {
						c.Conn.Close()
						*c = *c2
						continue
					}
					return
				}
			}
		}()
	}
	wg.Wait()
	total := sample{seconds: duration.Seconds()}
	switch {
	case count > 0:
		total.seconds = time.Since(counted).Seconds()
	case rate > 0:
		// Late answers belong to the run: so does the time they took.
		total.seconds = max(total.seconds, time.Since(counted).Seconds())
	}
	for i := range samples {
		total.add(samples[i])
		total.made = append(total.made, samples[i].made...)
	}
	return total, ctx.Err()
}

// createdID returns the id in the answer to a creation.
func createdID(status int, body []byte) string {
	if status != 201 || !bytes.HasPrefix(body, []byte(`{"id":"`)) {
		return ""
	}
	body = body[7:]
	if i := bytes.IndexByte(body, '"'); i > 0 {
		return string(body[:i])
	}
	return ""
}

// madeAll is how the answer to a bulk begins that made all it was asked for; the
// objects follow, each after its status.
var madeAll, bulkItem = []byte(`,"refused":0,`), []byte(`{"status":201,"transfer":{"id":"`)

// appendCreated appends the ids in an answer; ok is false where a bulk made less
// than it was asked for.
func appendCreated(ids []string, status int, body []byte) (all []string, ok bool) {
	if status == 200 && bytes.HasPrefix(body, []byte(`{"made":`)) {
		if i := bytes.IndexByte(body, ','); i < 0 || !bytes.HasPrefix(body[i:], madeAll) {
			return ids, false
		}
		for {
			i := bytes.Index(body, bulkItem)
			if i < 0 {
				return ids, true
			}
			body = body[i+len(bulkItem):]
			if i = bytes.IndexByte(body, '"'); i > 0 {
				ids = append(ids, string(body[:i]))
			}
		}
	}
	if id := createdID(status, body); id != "" {
		ids = append(ids, id)
	}
	return ids, true
}

// conn is a kept-alive connection that speaks just enough HTTP/1.1.
type conn struct {
	net.Conn
	out   []byte
	in    []byte
	n     int           // bytes in in
	after time.Duration // Retry-After of the last refusal
}

func dial(address string) (*conn, error) {
	c, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: make([]byte, 16<<10)}, nil
}

// do sends what is in out and returns the answer; body is valid until the next
// call.
func (c *conn) do() (status int, body []byte, err error) {
	if _, err := c.Write(c.out); err != nil {
		return 0, nil, err
	}
	return c.answer()
}

var headerEnd = []byte("\r\n\r\n")

func (c *conn) answer() (status int, body []byte, err error) {
	c.n = 0
	head := -1
	for head < 0 {
		if c.n == len(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		n, err := c.Read(c.in[c.n:])
		if err != nil {
			return 0, nil, errors.Join(errNoAnswer, err)
		}
		c.n += n
		head = bytes.Index(c.in[:c.n], headerEnd)
	}
	header := c.in[:head]
	if len(header) < 12 {
		return 0, nil, errNoAnswer
	}
	status, _ = strconv.Atoi(string(header[9:12]))
	length, err := number(header, "\r\nContent-Length: ")
	if err != nil {
		return status, nil, err
	}
	if status == 429 || status == 503 {
		seconds, err := number(header, "\r\nRetry-After: ")
		if err != nil {
			return status, nil, err
		}
		c.after = time.Duration(seconds) * time.Second
	}
	total := head + len(headerEnd) + length
	if total > len(c.in) {
		c.in = append(c.in, make([]byte, total-len(c.in))...)
	}
	if c.n < total {
		if _, err := io.ReadFull(c.Conn, c.in[c.n:total]); err != nil {
			return status, nil, errors.Join(errNoAnswer, err)
		}
	}
	return status, c.in[head+len(headerEnd) : total], nil
}

// number reads a header that an answer must have.
func number(header []byte, name string) (int, error) {
	_, v, ok := bytes.Cut(header, []byte(name))
	if !ok {
		return 0, fmt.Errorf("an answer without %s", name[2:])
	}
	if end := bytes.IndexByte(v, '\r'); end >= 0 {
		v = v[:end]
	}
	return strconv.Atoi(string(v))
}
