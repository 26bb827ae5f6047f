package store_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giro"
	"giro/bank"
	"giro/internal/pgtest"
	"giro/rail"
	"giro/store"
)

var batchMax = flag.Int("batch", 100, "commands in one batch of BenchmarkCreate")

// BenchmarkCreate is the whole path of a creation but HTTP: engine, decision,
// rows and a synced commit, in batches of at most -batch, with jobs paused; life
// is a payout from its creation until it has settled. On PostgreSQL db-cpu-µs/op is
// what the database's own processes use.
func BenchmarkCreate(b *testing.B) {
	for _, database := range []string{"sqlite", "postgresql"} {
		for _, kind := range []string{"payout", "transfer", "life"} {
			for _, accounts := range []int{1, 10_000} {
				b.Run(fmt.Sprintf("%s/%s/%d", database, kind, accounts), func(b *testing.B) {
					var s giro.Store
					var err error
					databaseCPU := func() time.Duration { return 0 }
					if database == "sqlite" {
						s, err = store.OpenSQLite(b.TempDir(), store.Options{Salt: giro.Salt})
					} else {
						url := pgtest.Durable(b)
						databaseCPU = func() time.Duration { return postgresCPU(b, url) }
						s, err = store.OpenPostgres(b.Context(), url, store.Options{Salt: giro.Salt})
					}
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					benchmarkCreate(b, s, databaseCPU, kind, accounts)
				})
			}
		}
	}
}

func benchmarkCreate(b *testing.B, s giro.Store, databaseCPU func() time.Duration, kind string, accounts int) {
	ctx := context.Background()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), BatchMax: *batchMax, Paused: func() bool { return kind != "life" }}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}}
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
	cpu, database := cpuTime(), databaseCPU()
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
		if kind != "transfer" {
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
	if kind == "life" {
		settled := giro.MovementQuery{Book: call.Book(), Kind: giro.KindPayout, Statuses: []giro.Status{giro.StatusPending}, Limit: 1}
		for open := true; open; {
			changed := e.Committed()
			page, _, err := s.Movements(ctx, settled)
			if err != nil {
				b.Fatal(err)
			}
			if open = len(page) > 0; open {
				<-changed
			}
		}
	}
	b.StopTimer()
	if b2, c2 := e.BatchStats(); b2 > batches {
		b.ReportMetric(float64(c2-commands)/float64(b2-batches), "commands/batch")
	}
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/op") // steadier than time on a shared machine
	if used := databaseCPU() - database; used > 0 {
		b.ReportMetric(float64(used.Microseconds())/float64(b.N), "db-cpu-µs/op")
	}
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

// postgresCPU is what the database's processes have used that live now, to the
// hundredth of a second; 0 where there is no /proc.
func postgresCPU(b *testing.B, url string) (used time.Duration) {
	c, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(b.Context())
	rows, err := c.Query(b.Context(), "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
	if err != nil {
		b.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// After the name in parentheses: state is field 3, utime 14, stime 15.
		if fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]); len(fields) > 12 {
			for _, field := range fields[11:13] {
				ticks, _ := strconv.ParseInt(string(field), 10, 64)
				used += time.Duration(ticks) * 10 * time.Millisecond
			}
		}
	}
	return used
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
