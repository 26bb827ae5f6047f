package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"giro"
	"giro/bank"
	"giro/internal/pgtest"
	"giro/store"
)

// BenchmarkCreate is the whole path of a creation but HTTP: engine, decision,
// rows and a synced commit, in batches of at most 100, with jobs paused.
func BenchmarkCreate(b *testing.B) {
	for _, database := range []string{"sqlite", "postgresql"} {
		for _, kind := range []string{"payout", "transfer"} {
			for _, accounts := range []int{1, 10_000} {
				b.Run(fmt.Sprintf("%s/%s/%d", database, kind, accounts), func(b *testing.B) {
					var s giro.Store
					var err error
					if database == "sqlite" {
						s, err = store.OpenSQLite(b.TempDir(), store.Options{Salt: giro.Salt})
					} else {
						s, err = store.OpenPostgres(b.Context(), pgtest.Durable(b), store.Options{Salt: giro.Salt})
					}
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					benchmarkCreate(b, s, kind, accounts)
				})
			}
		}
	}
}

func benchmarkCreate(b *testing.B, s giro.Store, kind string, accounts int) {
	ctx := context.Background()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), BatchMax: 100, Paused: func() bool { return true }}
	e.Start()
	defer e.Stop()
	m, err := e.CreateMerchant(ctx, nil, giro.Merchant{Name: "Benchmark", Currency: "BRL"})
	if err != nil {
		b.Fatal(err)
	}
	call := &giro.Call{Merchant: m}
	fund := func() error { _, err := e.Fund(ctx, call, "BRL", 90_000_000_000_000); return err }
	if err := fund(); err != nil {
		b.Fatal(err)
	}
	subs := make([]giro.UUID, max(2, accounts))
	each(b, len(subs), func(i int) error {
		a, err := e.CreateAccount(ctx, call, "sub", "BRL", false, nil)
		if err != nil {
			return err
		}
		subs[i] = a.ID
		_, err = e.CreateTransfer(ctx, call, giro.Request{Amount: 1_000_000_000, Currency: "BRL", Destination: a.ID})
		return err
	})
	cpf := bank.Sample("cpf", 1)
	b.ReportAllocs()
	b.ResetTimer()
	batches, commands := e.BatchStats()
	cpu := cpuTime()
	each(b, b.N, func(i int) error {
		call := &giro.Call{Merchant: m, Idempotent: &giro.Idempotent{
			Key: fmt.Sprintf("key-%d-%d", i%64, i), Fingerprint: make([]byte, 32),
			Render: func(result any, err error) giro.Answer {
				if err != nil {
					return giro.Answer{Status: 400}
				}
				return giro.Answer{Status: 201, Body: result.(*giro.Result).JSON()}
			},
		}}
		account := giro.UUID{}
		if accounts > 1 {
			account = subs[uint32(i)*2654435761%uint32(accounts)]
		}
		if kind == "payout" {
			_, err := e.CreatePayout(ctx, call, giro.Request{
				Amount: int64(100 + i%900), Currency: "BRL", Provider: "bank", Account: account, Bank: &giro.Bank{Method: "pix", Key: cpf, KeyType: "cpf"},
				Recipient: &giro.Party{Name: "Beneficiary", Document: &giro.Document{Type: "CPF", Number: cpf, Country: "BR"}}, Description: "Payout of a benchmark",
			})
			return err
		}
		to := subs[(uint32(i)*2654435761+7)%uint32(max(2, accounts))]
		_, err := e.CreateTransfer(ctx, call, giro.Request{Amount: int64(1 + i%9), Currency: "BRL", Account: account, Destination: to, Description: "Transfer of a benchmark"})
		return err
	})
	b.StopTimer()
	if b2, c2 := e.BatchStats(); b2 > batches {
		b.ReportMetric(float64(c2-commands)/float64(b2-batches), "commands/batch")
	}
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/op") // steadier than time on a shared machine
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each runs f for 0 to n-1 on 200 goroutines.
func each(b *testing.B, n int, f func(i int) error) {
	b.Helper()
	var at atomic.Int64
	var wg sync.WaitGroup
	for range min(n, 200) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(at.Add(1)) - 1; i < n; i = int(at.Add(1)) - 1 {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
}
