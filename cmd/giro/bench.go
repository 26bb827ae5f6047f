package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"giro/internal/bench"
)

type benchCommand struct {
	Work     []string      `help:"What to measure: payouts, transfers, charges, refunds, object, list, deep, balance, reads (lists with each filter, one after the other), mixed (70 reads to 30 creations), bulk and atomic (100 transfers with a request, beside as many one by one), overload (four times what it can take), life (payouts until they are settled)." default:"payouts,transfers"`
	Clients  []int         `help:"Connections at once." default:"64"`
	Rate     []float64     `help:"Requests per second that fall due whatever the server does (open loop); absent: each connection sends when it has its answer."`
	Duration time.Duration `help:"Of one measurement." default:"5s"`
	WarmUp   time.Duration `help:"Before it, not counted." default:"2s"`
	Accounts int           `help:"Accounts of the spread case." default:"10000"`
	On       []string      `help:"spread, hot or both." default:"spread,hot" enum:"spread,hot"`
	Database string        `help:"postgres:// URL; giro bench makes databases of its own beside it and drops them. Absent: the embedded store." env:"GIRO_BENCH_DATABASE"`
	Folder   string        `help:"Folder for throwaway stores; the disk is part of what is measured." type:"path"`
	Data     string        `help:"Measure on this store, as giro seed left it, instead of an empty one." type:"path"`
	Key      string        `help:"Secret test key of --data."`
	Ceiling  bool          `help:"Measure the ceiling in turns with each measurement." default:"true" negatable:""`
	Rows     bool          `help:"Measure the store's rows in batches of 100 without HTTP." default:"true" negatable:""`

	ServeCeiling string `hidden:"" type:"path"`
}

func (c *benchCommand) Run() error {
	// Where whoever reads has left, as head does, the servers that it started end too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	if c.ServeCeiling != "" {
		return bench.ServeCeiling(ctx, c.ServeCeiling, os.Stdout)
	}
	giro, err := os.Executable()
	if err != nil {
		return err
	}
	config := bench.Config{
		Giro: giro, Folder: c.Folder, Database: c.Database, Works: c.Work, Clients: c.Clients, Rates: c.Rate, Accounts: c.Accounts,
		Duration: c.Duration, WarmUp: c.WarmUp, Ceiling: c.Ceiling, Rows: c.Rows, Data: c.Data, Key: c.Key,
		Command: "giro " + strings.Join(os.Args[1:], " "), Log: os.Stderr,
	}
	for _, on := range c.On {
		config.Spread = config.Spread || on == "spread"
		config.Hot = config.Hot || on == "hot"
	}
	if c.Data != "" && c.Key == "" {
		return exitError{exitUsage, fmt.Errorf("--data needs --key, a secret test key of that store")}
	}
	return bench.Run(ctx, config, func(r bench.Result) error { return bench.Print(os.Stdout, r) })
}
