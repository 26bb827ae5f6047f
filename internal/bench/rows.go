package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"giro"
	"giro/bank"
	"giro/store"
)

// rows measures the same payouts through engine and store in batches of 100,
// without HTTP: what is left of the ceiling once the rows have to be written.
func (b *bench) rows(ctx context.Context) (Result, error) {
	r := b.result("rows")
	folder, err := b.folderFor("rows")
	if err != nil {
		return r, err
	}
	s, drop, err := openStore(ctx, folder, b.Database)
	if err != nil {
		return r, err
	}
	defer drop()
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), BatchMax: 100, Paused: func() bool { return true }}
	e.Start()
	defer e.Stop()
	m, err := e.CreateMerchant(ctx, nil, giro.Merchant{Name: "Rows", Currency: "BRL"})
	if err != nil {
		return r, err
	}
	call := &giro.Call{Merchant: m}
	if _, err := e.Fund(ctx, call, "BRL", 90_000_000_000_000); err != nil {
		return r, err
	}
	cpf := bank.Sample("cpf", 1)
	var made atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	end := time.Now().Add(b.WarmUp + b.Duration)
	for range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for failed.Load() == nil && ctx.Err() == nil && (b.Requests > 0 || time.Now().Before(end)) {
				n := made.Add(1)
				if b.Requests > 0 && n > int64(b.Requests) {
					return
				}
				call := &giro.Call{Merchant: m, Idempotent: &giro.Idempotent{
					Key: fmt.Sprintf("rows-%d", n), Fingerprint: make([]byte, 32),
					Render: func(result any, err error) giro.Answer {
						if err != nil {
							return giro.Answer{Status: 400}
						}
						return giro.Answer{Status: 201, Body: result.(*giro.Result).JSON()}
					},
				}}
				_, err := e.CreatePayout(ctx, call, giro.Request{
					Amount: 100 + n%900, Currency: "BRL", Provider: "bank", Bank: &giro.Bank{Method: "pix", Key: cpf, KeyType: "cpf"},
					Recipient: &giro.Party{Name: "Beneficiary", Document: &giro.Document{Type: "CPF", Number: cpf, Country: "BR"}},
				})
				if err != nil {
					failed.Store(&err)
				}
			}
		}()
	}
	if b.Requests == 0 {
		time.Sleep(b.WarmUp)
	}
	before, began := made.Load(), time.Now()
	if b.Requests > 0 {
		before = 0
	}
	batches, commands := e.BatchStats()
	wg.Wait()
	r.Seconds = time.Since(began).Seconds()
	r.Requests = int(made.Load() - before)
	if b.Requests > 0 {
		r.Requests = b.Requests
	}
	r.PerSecond = round(float64(r.Requests)/r.Seconds, 1)
	r.Seconds = round(r.Seconds, 2)
	r.Accounts, r.Clients = 1, 200
	if b2, c2 := e.BatchStats(); b2 > batches {
		r.Batch = round(float64(c2-commands)/float64(b2-batches), 1)
	}
	runtime.GC()
	if p := failed.Load(); p != nil {
		return r, *p
	}
	return r, nil
}

// openStore opens an empty store, in a folder or in a new database beside the
// one that address names.
func openStore(ctx context.Context, folder, address string) (giro.Store, func(), error) {
	if address == "" {
		s, err := store.OpenSQLite(folder, store.Options{Salt: giro.Salt})
		if err != nil {
			return nil, nil, err
		}
		return s, func() { s.Close() }, nil
	}
	scratch, drop, err := scratchDatabase(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	s, err := store.OpenPostgres(ctx, scratch, store.Options{Salt: giro.Salt})
	if err != nil {
		drop()
		return nil, nil, err
	}
	return s, func() {
		s.Close()
		drop()
	}, nil
}
