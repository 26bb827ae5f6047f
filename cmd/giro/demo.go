package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"giro"
	"giro/bank"
	"giro/money"
)

type demoCommand struct {
	Data   string `help:"Folder to keep the demo's data in; a temporary one when absent."`
	Listen string `help:"Address to serve on." default:"127.0.0.1:8080" env:"GIRO_LISTEN"`
	Days   int    `help:"Days of history." default:"90"`
	Seed   uint64 `help:"Another seed makes another history." default:"42"`
}

// pastClock is the engine's clock while history is made: it stands where it was
// put, and is the real one once it is let go.
type pastClock struct{ at atomic.Int64 } // µs; 0: the real time

func (c *pastClock) now() time.Time {
	if at := c.at.Load(); at != 0 {
		return giro.TimeOf(at)
	}
	return time.Now()
}

func (c *demoCommand) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.Data == "" {
		folder, err := os.MkdirTemp("", "giro-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		c.Data = folder
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	clock := &pastClock{}
	clock.at.Store(giro.Micros(time.Now().AddDate(0, 0, -c.Days).Truncate(24 * time.Hour)))
	in, err := (&place{Data: c.Data}).open(ctx, clock.now, log)
	if err != nil {
		return err
	}
	defer in.store.Close()
	in.verifyEvery = 24 * time.Hour
	in.engine.Start()
	defer in.engine.Stop()
	first, err := in.found(ctx, "")
	if err != nil {
		return err
	}
	if first != nil {
		if err := c.history(ctx, in, clock, first); err != nil {
			return fmt.Errorf("make the demo's history: %w", err)
		}
	}
	clock.at.Store(0)
	link, err := in.firstLink(ctx)
	if err != nil {
		return err
	}
	return in.serve(ctx, c.Listen, "", "", outgoing{AllowPrivate: true}, false, log, func(url string) error {
		if link != "" {
			link = "\nThe dashboard's first owner opens this link, which works once:\n\n  " + url + link + "\n"
		}
		if first == nil {
			fmt.Printf("giro demo serves %s; its keys were shown when %s was made\n%s", url, c.Data, link)
			return nil
		}
		key := first.Keys["test"].SecretKey
		fmt.Printf(`giro demo serves %[1]s with %[3]d days of sample payments, all in test mode.

  merchant    %[4]s
  secret key  %[2]s
%[5]s
Try:

  curl -G %[1]s/v1/transfers -H "Authorization: Bearer %[2]s"

  curl -X POST %[1]s/charges -H "Authorization: Bearer %[2]s" -H "Content-Type: application/json" \
    -d '{"amount": 1000, "provider": "card", "currency": "usd", "card": {"token": "card_token"}}'

  curl %[1]s/v1/balances -H "Authorization: Bearer %[2]s"

The API's pages: %[1]s/docs
`, url, key, c.Days, first.Merchant, link)
		return nil
	})
}

// history makes the past through the real engine, day by day: what is due in a
// day is done before the next begins.
func (c *demoCommand) history(ctx context.Context, in *installation, clock *pastClock, first *credentials) error {
	e := in.engine
	id, _ := giro.ParseID("mer", first.Merchant)
	m, err := e.MerchantByID(ctx, id)
	if err != nil {
		return err
	}
	call := &giro.Call{Merchant: m}
	currencies := []money.Currency{"BRL", "COP", "MXN", "USD"}
	sellers := map[money.Currency]*giro.Account{}
	for _, currency := range currencies {
		if _, err := e.Fund(ctx, call, currency, 500_000_00); err != nil {
			return err
		}
		if sellers[currency], err = e.CreateAccount(ctx, call, "seller "+currency.Lower(), currency, false, nil); err != nil {
			return err
		}
	}
	begin := clock.now()
	end := time.Now()
	for day := range c.Days {
		r := rand.New(rand.NewPCG(c.Seed, uint64(day)))
		at := begin.AddDate(0, 0, day).Add(time.Duration(8+r.IntN(4)) * time.Hour)
		if at.After(end) {
			break
		}
		clock.at.Store(giro.Micros(at))
		var wg sync.WaitGroup
		var failed atomic.Pointer[error]
		for n := range 6 + r.IntN(8) {
			currency := currencies[r.IntN(len(currencies))]
			amount := 1_500 + r.Int64N(40_000)
			token := []string{"card_token", "tok_ok", "tok_ok", "tok_ok", "tok_ok", "tok_declined", "tok_insufficient_funds"}[r.IntN(7)]
			kind, tenth := r.IntN(10), r.Uint64()
			wg.Add(1)
			go func() {
				defer wg.Done()
				reference := fmt.Sprintf("demo-%d-%d", day, n)
				if err := c.one(ctx, e, call, sellers[currency], currency, amount, kind, tenth, token, reference); err != nil {
					failed.Store(&err)
				}
			}()
		}
		wg.Wait()
		if p := failed.Load(); p != nil {
			return *p
		}
		// Two seconds later every outcome of the day is known.
		clock.at.Store(giro.Micros(at.Add(2 * time.Second)))
		if err := e.Drain(ctx, giro.Micros(at.Add(2*time.Second))); err != nil {
			return err
		}
	}
	return nil
}

// one makes one movement of the sample data.
func (c *demoCommand) one(ctx context.Context, e *giro.Engine, call *giro.Call, seller *giro.Account, currency money.Currency, amount int64, kind int, n uint64, token, reference string) error {
	switch {
	case kind < 6:
		r, err := e.CreateCharge(ctx, call, giro.Request{
			Amount: amount, Currency: currency, Provider: "card", Card: &giro.Card{Token: token}, Capture: true,
			Reference: reference, Description: "Order " + reference, Metadata: map[string]string{"channel": "app"},
		})
		if err != nil || kind > 0 || r.Movement.Captured == 0 {
			return err
		}
		_, err = e.CreateRefund(ctx, call, giro.Request{Charge: r.Movement.ID, Amount: amount / 2, Reason: "requested_by_customer"})
		return err
	case kind < 9:
		destination := &giro.Bank{Method: "transfer", Country: "US", AccountNumber: fmt.Sprintf("%010d", n%1e10)}
		party := &giro.Party{Name: fmt.Sprintf("Beneficiary %d", n%1000)}
		switch currency {
		case "BRL":
			cpf := bank.Sample("cpf", n)
			destination = &giro.Bank{Method: "pix", Key: cpf, KeyType: "cpf"}
			party.Document = &giro.Document{Type: "CPF", Number: cpf, Country: "BR"}
		case "MXN":
			destination = &giro.Bank{Method: "spei", Account: bank.Sample("clabe", n)}
		case "COP":
			destination.Country = "CO"
		}
		_, err := e.CreatePayout(ctx, call, giro.Request{
			Amount: amount, Currency: currency, Provider: "bank", Bank: destination, Recipient: party, Reference: reference,
		})
		return err
	}
	_, err := e.CreateTransfer(ctx, call, giro.Request{Amount: amount, Currency: currency, Destination: seller.ID, Reference: reference, Description: "Seller's share"})
	return err
}
