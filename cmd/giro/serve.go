package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"giro"
	"giro/api"
	"giro/dash"
)

type serveCommand struct {
	place
	outgoing
	encryption
	Listen      string        `help:"Address to serve on; port 0 chooses a free one." default:"127.0.0.1:8080" env:"GIRO_LISTEN"`
	AdminListen string        `help:"Address on which /metrics needs no token." env:"GIRO_ADMIN_LISTEN"`
	AdminToken  string        `help:"The installation's admin token. The first start makes and prints one when absent; given later, it replaces the one before, for good." env:"GIRO_ADMIN_TOKEN"`
	JSON        bool          `help:"Print the first start's credentials as one JSON line." name:"json"`
	PauseJobs   bool          `help:"Run no jobs: what is created waits, and goes to its rail when giro is started without this." env:"GIRO_PAUSE_JOBS"`
	PublicURL   string        `help:"Where browsers reach the server, if that is not where it listens: https://pay.example.com behind a proxy." env:"GIRO_PUBLIC_URL"`
	VerifyEvery time.Duration `help:"How often the whole ledger is recomputed beside the work; 0: only when asked." default:"24h" env:"GIRO_VERIFY_EVERY"`
	RequireKey  bool          `help:"Refuse POST and PUT without an Idempotency-Key." name:"require-idempotency-key" env:"GIRO_REQUIRE_IDEMPOTENCY_KEY"`
	RateLimit   int           `help:"Requests per second of one credential, twice as many at once; 0: any number." default:"100000" env:"GIRO_RATE_LIMIT"`
	KeysKept    time.Duration `help:"How long the answers under idempotency keys are kept; at least 24h." name:"idempotency-retention" default:"720h" env:"GIRO_IDEMPOTENCY_RETENTION"`
	EventsKept  time.Duration `help:"How long events are kept: at least a week, and no shorter than idempotency keys; 0: for good." name:"event-retention" default:"4320h" env:"GIRO_EVENT_RETENTION"`
}

// check refuses settings that would break what giro promises.
func (c *serveCommand) check() error {
	switch {
	case strings.HasPrefix(c.AdminToken, "sk_") || strings.HasPrefix(c.AdminToken, "pk_") || strings.ContainsFunc(c.AdminToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return exitError{exitUsage, errors.New("--admin-token is visible ASCII without blanks, and does not look like an API key")}
	case c.RateLimit < 0:
		return exitError{exitUsage, errors.New("--rate-limit is 0 or more")}
	case c.KeysKept < 24*time.Hour:
		return exitError{exitUsage, errors.New("--idempotency-retention is at least 24h")}
	case c.EventsKept != 0 && (c.EventsKept < 7*24*time.Hour || c.EventsKept < c.KeysKept):
		return exitError{exitUsage, errors.New("--event-retention is at least 168h and no shorter than --idempotency-retention, or 0 for good")}
	}
	return nil
}

func (c *serveCommand) Run() error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := c.check(); err != nil {
		return err
	}
	secured, err := c.encryption.config()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	in, err := c.open(ctx, time.Now, log)
	if err != nil {
		return err
	}
	defer in.store.Close()
	in.engine.Paused = func() bool { return c.PauseJobs || in.out.closed() } // no rail is asked before it can be reached
	in.engine.KeysKept, in.engine.EventsKept = c.KeysKept, c.EventsKept
	in.verifyEvery, in.rateLimit = c.VerifyEvery, c.RateLimit
	if c.Database == "" {
		in.lastBackup = c.lastBackup
		spareForSyncs()
	}
	in.engine.Start()
	defer in.engine.Stop()
	first, err := in.found(ctx, c.AdminToken)
	if err != nil {
		return err
	}
	if first == nil {
		in.verifyAfter = settled
	}
	link, err := in.firstLink(ctx)
	if err != nil {
		return err
	}
	door := door{listen: c.Listen, adminListen: c.AdminListen, publicURL: c.PublicURL, tls: secured, out: c.outgoing, requireKey: c.RequireKey}
	return in.serve(ctx, door, log, func(url string) error {
		dashboard := ""
		if link != "" {
			dashboard = url + link
		}
		if first == nil {
			if !c.JSON {
				fmt.Printf("giro serves %s\n", url)
				if dashboard != "" {
					fmt.Printf("nobody has signed in yet; the first owner opens %s\n", dashboard)
				}
				return nil
			}
			return (&credentials{URL: url, DashboardURL: dashboard}).print(true)
		}
		first.URL, first.DashboardURL = url, dashboard
		if err := first.print(c.JSON); err != nil {
			return err
		}
		if !c.JSON {
			fmt.Printf("giro serves %s; try\n\n  curl %s/charges -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n    -d '{\"amount\":1000,\"provider\":\"card\",\"currency\":\"usd\",\"card\":{\"token\":\"card_token\"}}'\n", url, url, first.Keys["test"].SecretKey)
		}
		return nil
	})
}

// door is how an installation is reached, and may reach others.
type door struct {
	listen      string
	adminListen string      // "": /metrics needs the admin token
	publicURL   string      // "": where it listens
	tls         *tls.Config // nil: plain HTTP
	out         outgoing
	requireKey  bool
}

// serve answers requests until ctx ends, then lets those under way finish, for
// at most 10 seconds.
func (in *installation) serve(ctx context.Context, d door, log *slog.Logger, ready func(url string) error) error {
	secure := d.tls != nil || strings.HasPrefix(d.publicURL, "https://")
	l, err := net.Listen("tcp", d.listen)
	if err != nil {
		return err
	}
	hooks, dispatch := in.dispatcher(d.out.policy(l.Addr(), d.publicURL), log)
	server, err := api.New(api.Config{
		Engine: in.engine, Admin: in.admin, Ready: in.engine.Healthy, Secure: secure, LastBackup: in.lastBackup, Webhooks: hooks,
		Now: in.engine.Now, NewID: in.engine.NewID, Log: log, Secret: in.engine.Secret[:], Version: version, RequireKey: d.requireKey, URL: d.publicURL,
		RequestsPerSecond: in.rateLimit, Burst: 2 * in.rateLimit,
	})
	if err != nil {
		return err
	}
	pages, err := dash.New(dash.Config{Engine: in.engine, Secure: secure})
	if err != nil {
		return err
	}
	h := server.HTTP()
	h.Handler = pages.Mount(server)
	ended := make(chan error, 2)
	go func() {
		if d.tls != nil {
			h.TLSConfig = d.tls
			ended <- h.ServeTLS(l, "", "")
			return
		}
		ended <- h.Serve(l)
	}()
	sending, stopSending := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		dispatch(sending)
	}()
	indexed := make(chan struct{})
	go func() {
		defer close(indexed)
		in.engine.Index(sending)
	}()
	defer func() {
		stopSending()
		<-sent
		<-indexed
		server.Flush(context.Background())
	}()
	if d.adminListen != "" {
		al, err := net.Listen("tcp", d.adminListen)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", api.Metrics(in.engine))
		admin := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		defer admin.Close()
		go func() { ended <- admin.Serve(al) }()
	}
	go keepMemory(sending)
	if in.verifyEvery > 0 {
		go in.keepVerified(ctx, log)
	}
	url := "http://" + l.Addr().String()
	if d.tls != nil {
		url = "https://" + l.Addr().String()
	}
	if d.publicURL != "" {
		url = strings.TrimSuffix(d.publicURL, "/")
	}
	if err := ready(url); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// firstLink makes the one-time link of the first owner while nobody can sign
// in; "" where somebody can, or where this binary has no dashboard.
func (in *installation) firstLink(ctx context.Context) (string, error) {
	pages, err := dash.New(dash.Config{Engine: in.engine})
	if pages == nil || err != nil {
		return "", err
	}
	if somebody, err := in.engine.People(ctx); somebody || err != nil {
		return "", err
	}
	m, err := in.engine.Merchant(ctx, 1)
	if err != nil {
		return "", err
	}
	made, err := in.engine.Invite(ctx, nil, giro.Invitation{Purpose: giro.InviteFirst, Merchant: m.ID, Number: m.Number, Duty: giro.DutyOwner})
	if err != nil {
		return "", err
	}
	return "/app/login?token=" + made.Token, nil
}

type initCommand struct {
	place
	AdminToken string `help:"The installation's admin token; made and printed when absent." env:"GIRO_ADMIN_TOKEN"`
	JSON       bool   `help:"Print one JSON line." name:"json"`
}

func (c *initCommand) Run() error {
	ctx := context.Background()
	in, err := c.open(ctx, time.Now, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer in.store.Close()
	in.engine.Start()
	defer in.engine.Stop()
	first, err := in.found(ctx, c.AdminToken)
	if err != nil {
		return err
	}
	if first == nil {
		return exitError{5, errors.New("the store is not empty; its keys were shown when it was made")}
	}
	return first.print(c.JSON)
}

// settled is how long a store that is served again is left to its callers, who
// have waited for it, before its ledger is recomputed.
const settled = 10 * time.Minute

// keepVerified recomputes the ledger when that was last done verifyEvery ago.
func (in *installation) keepVerified(ctx context.Context, log *slog.Logger) {
	select {
	case <-time.After(in.verifyAfter):
	case <-ctx.Done():
		return
	}
	again := time.NewTicker(min(in.verifyEvery, 10*time.Minute))
	defer again.Stop()
	for {
		switch v, running, err := in.engine.LastVerification(ctx); {
		case err != nil && ctx.Err() == nil:
			log.Error("read the last verification", "error", err)
		case err == nil && !running && (v == nil || in.engine.Now().Sub(giro.TimeOf(v.Finished)) >= in.verifyEvery):
			in.engine.VerifyLedger("giro serve")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}
