package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"giro"
	"giro/internal/pgtest"
	"giro/store"
	"giro/webhook"
)

// sink is a receiver that costs next to nothing: what is measured is giro.
type sink struct {
	url  string
	hang bool
	got  func(id []byte)
}

func newSink(b *testing.B, hang bool, got func(id []byte)) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &sink{"http://" + l.Addr().String() + "/", hang, got}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 8<<10)
	for {
		length := 0
		var id []byte
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(v))
			}
			if v, ok := bytes.CutPrefix(line, []byte("Webhook-Id: ")); ok {
				id = bytes.Clone(v)
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if s.got != nil {
			s.got(id)
		}
		if s.hang {
			continue // reads what may come, and never answers
		}
		if _, err := c.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n")); err != nil {
			return
		}
	}
}

// benchStores are the databases of the benchmarks, durable ones. TMPDIR chooses
// the disk.
func benchStores(b *testing.B, run func(b *testing.B, s giro.Store)) {
	b.Run("sqlite", func(b *testing.B) {
		s, err := store.OpenSQLite(b.TempDir(), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		run(b, s)
	})
	b.Run("postgres", func(b *testing.B) {
		s, err := store.OpenPostgres(context.Background(), pgtest.Durable(b), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		run(b, s)
	})
}

// merchants makes so many, each with an endpoint where url says one.
func (s *site) merchants(n int, url func(i int) string) []*giro.Call {
	s.t.Helper()
	calls := make([]*giro.Call, n)
	for i := range calls {
		m, err := s.CreateMerchant(context.Background(), nil, giro.Merchant{Name: fmt.Sprint("m", i), Currency: "BRL"})
		if err != nil {
			s.t.Fatal(err)
		}
		calls[i] = &giro.Call{Merchant: m}
		if _, err := s.Fund(context.Background(), calls[i], "BRL", 1_000_000_000_000); err != nil {
			s.t.Fatal(err)
		}
		if u := url(i); u != "" {
			if _, err := s.CreateEndpoint(context.Background(), calls[i], giro.Endpoint{URL: u, Events: []string{"*"}, Enabled: true}, webhook.NewSecret().Reveal()); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return calls
}

// load makes payments of these merchants from 64 clients for a time and returns
// how many there were per second.
func (s *site) load(calls []*giro.Call, d time.Duration) float64 {
	var made atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for worker := range 64 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := worker; time.Since(began) < d; n++ {
				_, err := s.CreateTransfer(context.Background(), calls[n%len(calls)], giro.Request{Amount: 1, Currency: "BRL", Destination: s.accounts[n%len(calls)]})
				if err != nil {
					s.t.Error(err)
					return
				}
				made.Add(1)
			}
		}()
	}
	wg.Wait()
	return float64(made.Load()) / time.Since(began).Seconds()
}

// open gives each merchant an account to transfer to.
func (s *site) open(calls []*giro.Call) {
	for _, c := range calls {
		a, err := s.CreateAccount(context.Background(), c, "seller", "BRL", false, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.accounts = append(s.accounts, a.ID)
	}
}

// BenchmarkPaymentsAndWebhooks measures transfers per second of 50 merchants
// with and without an endpoint each, in turns of the same run; both write their
// events. ratio is with over without; the goal is 0.75.
func BenchmarkPaymentsAndWebhooks(b *testing.B) {
	benchStores(b, func(b *testing.B, s giro.Store) {
		var delivered atomic.Int64
		sink := newSink(b, false, func([]byte) { delivered.Add(1) })
		p := run(b, s, private)
		without := p.merchants(50, func(int) string { return "" })
		with := p.merchants(50, func(int) string { return sink.url })
		p.open(without)
		accounts := p.accounts
		p.accounts = nil
		p.open(with)
		told := p.accounts
		var a, c []float64
		var sent, commits [2]int64
		var cpu, made [2]float64
		turn := func(with int, calls []*giro.Call) float64 {
			before, batches, used := delivered.Load(), commitsOf(p), usage()
			rate := p.load(calls, time.Second)
			sent[with] += delivered.Load() - before
			commits[with] += commitsOf(p) - batches
			cpu[with] += usage() - used
			made[with] += rate
			return rate
		}
		b.ResetTimer()
		for range b.N {
			for range 3 {
				p.accounts = accounts
				if os.Getenv("GIRO_BENCH_ONLY") == "" {
					a = append(a, turn(0, without))
				}
				p.accounts = told
				c = append(c, turn(1, with))
				p.settled(b, with) // what is left over is not the next turn's
			}
		}
		b.StopTimer()
		slices.Sort(a)
		slices.Sort(c)
		if len(a) == 0 {
			return
		}
		b.ReportMetric(a[len(a)/2], "without/s")
		b.ReportMetric(c[len(c)/2], "with/s")
		b.ReportMetric(c[len(c)/2]/a[len(a)/2], "ratio")
		b.ReportMetric(float64(sent[1])/float64(len(c)), "sent/s")
		for i, name := range []string{"without", "with"} {
			b.ReportMetric(cpu[i]/made[i]*1e6, name+"-cpu-us")
			b.ReportMetric(made[i]/float64(commits[i]), name+"-batch")
		}
		b.ReportMetric(0, "ns/op")
	})
}

func commitsOf(s *site) int64 {
	n, _ := s.BatchStats()
	return n
}

// usage is the processor time that this process has used, in seconds.
func usage() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// settled waits until everything of these merchants was sent.
func (s *site) settled(b *testing.B, calls []*giro.Call) {
	for _, c := range calls {
		list, err := s.Endpoints(context.Background(), c.Book())
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range list {
			s.until("all is sent", func() bool {
				head, err := s.Store.Head(context.Background(), c.Book())
				if err != nil {
					b.Fatal(err)
				}
				d, err := s.Store.Dispatch(context.Background(), p.ID)
				return err == nil && d.Cursor == head.Events
			})
		}
	}
}

// delays measures how long after its commit each event of a steady load arrives.
func delays(b *testing.B, s giro.Store, rate int, hanging bool) (median, p99 time.Duration) {
	const merchants = 100
	var mu sync.Mutex
	var took []time.Duration
	arrived := map[string]time.Time{}
	good := newSink(b, false, func(id []byte) {
		now := time.Now()
		mu.Lock()
		arrived[string(id)] = now
		mu.Unlock()
	})
	bad := newSink(b, true, nil)
	p := run(b, s, private)
	calls := p.merchants(merchants, func(i int) string {
		if hanging && i == 0 {
			return bad.url
		}
		return good.url
	})
	p.open(calls)
	seconds := 5
	if v := os.Getenv("GIRO_BENCH_SECONDS"); v != "" {
		seconds, _ = strconv.Atoi(v)
	}
	// A transfer is two events, of one commit; its time is that of its answer.
	committed := map[giro.UUID]time.Time{}
	var wg sync.WaitGroup
	began := time.Now()
	n := rate / 2 * seconds
	for i := range n {
		if wait := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate/2))); wait > 0 {
			time.Sleep(wait) // the load is open: it does not wait for answers
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := p.CreateTransfer(context.Background(), calls[i%merchants], giro.Request{Amount: 1, Currency: "BRL", Destination: p.accounts[i%merchants]})
			if err != nil {
				b.Error(err)
				return
			}
			at := time.Now()
			mu.Lock()
			committed[r.Movement.ID] = at
			mu.Unlock()
		}()
	}
	wg.Wait()
	p.settled(b, calls[1:])
	for _, c := range calls[1:] {
		events, err := p.Store.Events(context.Background(), giro.EventQuery{Book: c.Book(), Ascending: true})
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range events {
			at, made := committed[e.Object]
			got, there := arrived[e.ID.ID("evt")]
			if made && there {
				took = append(took, max(got.Sub(at), 0))
			} else if made {
				b.Errorf("%s has not arrived", e.ID.ID("evt"))
			}
		}
	}
	slices.Sort(took)
	if len(took) == 0 {
		b.Fatal("nothing has arrived")
	}
	return took[len(took)/2], took[len(took)*99/100]
}

// BenchmarkFirstAttempt measures the time from the answer to a payment to the
// arrival of its events, of 100 merchants with an endpoint each: at 20 events a
// second, at 1,000, and at 1,000 while one of the receivers hangs.
func BenchmarkFirstAttempt(b *testing.B) {
	for _, row := range []struct {
		name    string
		rate    int
		hanging bool
	}{{"idle", 20, false}, {"1000", 1000, false}, {"1000-one-hangs", 1000, true}} {
		b.Run(row.name, func(b *testing.B) {
			benchStores(b, func(b *testing.B, s giro.Store) {
				for range b.N {
					median, p99 := delays(b, s, row.rate, row.hanging)
					b.ReportMetric(float64(median.Microseconds())/1000, "p50-ms")
					b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
					b.ReportMetric(0, "ns/op")
				}
			})
		})
	}
}

// BenchmarkBacklog measures how fast a backlog is sent: 4,000 events of one
// merchant, written while nothing was sent, to 16 endpoints that answer at once.
// cpu-us is the processor time of one delivery, its receiver's part included.
func BenchmarkBacklog(b *testing.B) {
	benchStores(b, func(b *testing.B, s giro.Store) {
		const endpoints, payments = 16, 2000
		var sent atomic.Int64
		sink := newSink(b, false, func([]byte) { sent.Add(1) })
		p := &site{Engine: engine(b, s), t: b}
		p.Start()
		b.Cleanup(p.Stop)
		calls := p.merchants(1, func(int) string { return "" })
		p.open(calls)
		p.call = calls[0]
		for range endpoints {
			p.endpoint(sink.url)
		}
		for range b.N {
			b.StopTimer()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					for range payments / 50 {
						if _, err := p.CreateTransfer(context.Background(), p.call, giro.Request{Amount: 1, Currency: "BRL", Destination: p.accounts[0]}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			sent.Store(0)
			d := &webhook.Dispatcher{Engine: p.Engine, Client: webhook.NewClient(private)}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			began, used := time.Now(), usage()
			b.StartTimer()
			go func() {
				defer close(ended)
				d.Run(ctx)
			}()
			p.settled(b, calls)
			b.ReportMetric(float64(sent.Load())/time.Since(began).Seconds(), "sent/s")
			b.ReportMetric((usage()-used)/float64(sent.Load())*1e6, "cpu-us")
			b.ReportMetric(0, "ns/op")
			cancel()
			<-ended
			d.Client.Close()
			if n := sent.Load(); n < endpoints*payments*2 {
				b.Errorf("%d messages", n)
			}
		}
	})
}
