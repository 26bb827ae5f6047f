package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"giro"
	"giro/bank"
)

type seedCommand struct {
	place
	Movements int64 `help:"How many to make." default:"1000000"`
	Accounts  int   `help:"Sub-accounts that they are spread over." default:"10000"`
	Days      int   `help:"Days of history that they are spread over; keys older than their retention are swept when the store is served." default:"25"`
	AtOnce    int   `help:"Commands in one commit." default:"10000"`
	JSON      bool  `help:"Print the keys of a new store as one JSON line." name:"json"`
}

// movementsOfCustomer is how many movements there are to a customer.
const movementsOfCustomer = 2000

// Run fills a store through engine, decisions and rows as requests would, seven
// transfers to three payouts that are settled, under idempotency keys, with the
// terms of search: only HTTP, the rail's own time and, on SQLite, the syncs are
// left out.
func (c *seedCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.Movements < 1 || c.Accounts < 2 || c.Days < 1 || c.AtOnce < 1 {
		return exitError{exitUsage, fmt.Errorf("--movements, --days and --at-once are at least 1, --accounts at least 2")}
	}
	debug.SetGCPercent(400) // one batch is most of what there is
	clock := &pastClock{}
	end := time.Now()
	begin := end.AddDate(0, 0, -c.Days)
	clock.at.Store(giro.Micros(begin))
	c.loading = true
	in, err := c.open(ctx, clock.now, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer in.store.Close()
	e := in.engine
	e.Paused = func() bool { return true }                                    // the outcomes are decided here, without a rail
	e.BatchMax, e.QueueMax, e.QueueWait = c.AtOnce, 4*c.AtOnce, math.MaxInt64 // its clock leaps
	e.Start()
	defer e.Stop()
	first, err := in.found(ctx, "")
	if err != nil {
		return err
	}
	if first == nil {
		return exitError{5, fmt.Errorf("seed fills an empty store; this one is not")}
	}
	if err := first.print(c.JSON); err != nil {
		return err
	}
	id, _ := giro.ParseID("mer", first.Merchant)
	m, err := e.MerchantByID(ctx, id)
	if err != nil {
		return err
	}
	call := &giro.Call{Merchant: m}
	if _, err := e.Fund(ctx, call, "BRL", 99_999_999_999_999); err != nil {
		return err
	}
	subs := make([]giro.UUID, c.Accounts)
	err = c.all(ctx, int64(c.Accounts), func(i int64) error {
		a, err := e.CreateAccount(ctx, call, fmt.Sprintf("account %d", i), "BRL", false, nil)
		if err != nil {
			return err
		}
		subs[i] = a.ID
		_, err = e.CreateTransfer(ctx, call, giro.Request{Amount: 1_000_000_000, Currency: "BRL", Destination: a.ID})
		return err
	})
	if err != nil {
		return err
	}
	began, said := time.Now(), time.Now()
	span := end.Sub(begin)
	// The terms are written while the movements are: they meet at the store alone.
	loaded, terms := make(chan struct{}), make(chan error, 1)
	go func() { terms <- indexUntil(ctx, e, loaded) }()
	var done atomic.Int64
	err = c.all(ctx, c.Movements, func(i int64) error {
		clock.at.Store(giro.Micros(begin.Add(time.Duration(float64(span) * float64(i) / float64(c.Movements)))))
		if err := c.one(ctx, e, m, subs, i); err != nil {
			return err
		}
		if n := done.Add(1); n%100_000 == 0 {
			fmt.Fprintf(os.Stderr, "%d movements, %.0f per second\n", n, 100_000/time.Since(said).Seconds())
			said = time.Now()
		}
		return nil
	})
	close(loaded)
	if err := errors.Join(err, <-terms); err != nil {
		return err
	}
	took := time.Since(began)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"movements": c.Movements, "seconds": took.Seconds(), "per_second": float64(c.Movements) / took.Seconds()})
}

// one makes the i-th movement.
func (c *seedCommand) one(ctx context.Context, e *giro.Engine, m *giro.Merchant, subs []giro.UUID, i int64) error {
	account := subs[uint64(i)*0x9e3779b97f4a7c15>>33%uint64(len(subs))]
	call := &giro.Call{Merchant: m, Idempotent: &giro.Idempotent{
		Key: fmt.Sprintf("seed-%016x", uint64(i)*0x9e3779b97f4a7c15), Fingerprint: make([]byte, 32), Members: "amount:00000000",
		Render: func(result any, err error) giro.Answer {
			if err != nil {
				return giro.Answer{Status: 500}
			}
			mv := result.(*giro.Result).Movement
			return giro.Answer{Status: 201, Body: mv.AppendJSON(make([]byte, 0, 1024)), Location: "/v1/" + mv.Kind.Plural() + "/" + mv.ID.ID(mv.Kind.Prefix())}
		},
	}}
	if i%10 < 7 {
		to := subs[(uint64(i)*0x9e3779b97f4a7c15>>33+1)%uint64(len(subs))]
		_, err := e.CreateTransfer(ctx, call, giro.Request{Amount: 1 + i%90, Currency: "BRL", Account: account, Destination: to, Description: "Seller's share", Reference: fmt.Sprintf("seed-%d", i)})
		return err
	}
	n := uint64(i) * 0x9e3779b97f4a7c15 >> 40 % uint64(1+c.Movements/movementsOfCustomer)
	cpf := bank.Sample("cpf", n)
	who := giro.Party{Name: fmt.Sprintf("Beneficiary %d", n), Document: &giro.Document{Type: "CPF", Number: cpf, Country: "BR"}}
	outcome, code := "succeeded", ""
	if i%100 == 99 {
		outcome, code = "failed", "account_closed"
	}
	_, err := e.CreatePayoutWith(ctx, call, giro.Request{
		Amount: 100 + i%900, Currency: "BRL", Provider: "bank", Account: account, Bank: &giro.Bank{Method: "pix", Key: cpf, KeyType: "cpf"},
		Recipient: &who, NewCustomer: &who, CustomerReference: fmt.Sprintf("customer-%d", n), Reference: fmt.Sprintf("seed-%d", i),
		Metadata: map[string]string{"order": fmt.Sprintf("A-%d", i)},
	}, outcome, code)
	return err
}

// all runs f for 0 to n-1, as many at once as one commit holds.
func (c *seedCommand) all(ctx context.Context, n int64, f func(i int64) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(int64(c.AtOnce), n) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := next.Add(1) - 1; i < n && failed.Load() == nil && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := f(i); err != nil {
					failed.Store(&err)
				}
			}
		}()
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		return *p
	}
	return ctx.Err()
}

// indexUntil writes the terms of new movements until there are none when loaded
// is closed.
func indexUntil(ctx context.Context, e *giro.Engine, loaded <-chan struct{}) error {
	for last := false; ; {
		n, err := e.IndexSome(ctx, 20_000)
		if err != nil || last && n == 0 {
			return err
		}
		if n > 0 {
			continue
		}
		select {
		case <-loaded:
			last = true
		case <-e.Committed():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
