package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"giro"
)

type demoCommand struct {
	Data   string  `help:"Folder to keep the demo's data in; a temporary one when absent."`
	Listen string  `help:"Address to serve on." default:"127.0.0.1:8080" env:"GIRO_LISTEN"`
	Days   int     `help:"Days of history." default:"90"`
	Seed   uint64  `help:"Another seed makes another history." default:"42"`
	Rate   float64 `help:"Payments per second that go on being made while the demo serves; 0: none."`
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
	ctx, end := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer end()
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
	shop, stop, err := serveReceivers()
	if err != nil {
		return err
	}
	defer stop()
	history := &past{engine: in.engine, clock: clock, seed: c.Seed, receivers: shop}
	if first != nil {
		if err := history.found(ctx, first.Merchant); err != nil {
			return fmt.Errorf("make the demo's merchant: %w", err)
		}
		if err := history.days(ctx, c.Days); err != nil {
			return fmt.Errorf("make the demo's history: %w", err)
		}
	}
	clock.at.Store(0)
	if first == nil {
		if err := history.resume(ctx); err != nil {
			return fmt.Errorf("go on with the demo's shop: %w", err)
		}
	}
	link, err := in.firstLink(ctx)
	if err != nil {
		return err
	}
	return in.serve(ctx, door{listen: c.Listen, out: outgoing{AllowPrivate: true}}, log, func(url string) error {
		if c.Rate > 0 {
			go history.goOn(ctx, c.Rate)
		}
		if link != "" {
			link = "\nThe dashboard's first owner opens this link, which works once:\n\n  " + url + link + "\n"
		}
		if first == nil {
			fmt.Printf("giro demo serves %s; its keys were shown when %s was made\n%s", url, c.Data, link)
			return nil
		}
		key := first.Keys["test"].SecretKey
		fmt.Printf(`giro demo serves %[1]s with %[3]d days of sample payments, all in test mode.

  merchant       %[4]s
  secret key     %[2]s
  client id      %[6]s
  client secret  %[7]s
%[5]s
Try:

  curl -G %[1]s/v1/transfers -H "Authorization: Bearer %[2]s"

  curl -X POST %[1]s/charges -H "Authorization: Bearer %[2]s" -H "Content-Type: application/json" \
    -d '{"amount": 1000, "provider": "card", "currency": "usd", "card": {"token": "card_token"}}'

  curl %[1]s/v1/balances -H "Authorization: Bearer %[2]s"

  curl -X POST %[1]s/smartfastpay/oauth2/token -u "%[6]s:%[7]s"

The API's pages: %[1]s/docs
`, url, key, c.Days, first.Merchant, link, first.Keys["test"].ClientID, first.Keys["test"].ClientSecret)
		return nil
	})
}
