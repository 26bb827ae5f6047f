// Command giro runs the payments platform: it serves the API, and looks after
// the data behind it.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"giro/api"
)

// version is what `giro version` prints.
const version = "0.1.0"

// The exit codes are stable.
const (
	exitInternal  = 1
	exitUsage     = 2
	exitIntegrity = 11
)

// exitError ends the program with a code; its message was not printed yet.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }

type commands struct {
	Serve     serveCommand     `cmd:"" help:"Serve the API and run the jobs. An empty store gets its first merchant, whose keys are printed once."`
	Init      initCommand      `cmd:"" help:"Make the store and its first merchant, print the keys, and end."`
	Demo      demoCommand      `cmd:"" help:"Serve 90 days of sample data made through the real engine."`
	Verify    verifyCommand    `cmd:"" help:"Recompute the whole ledger. Exit 11 where anything does not add up."`
	Merchants merchantsCommand `cmd:"" help:"Create merchants."`
	Keys      keysCommand      `cmd:"" help:"Create, list and revoke API keys."`
	Backup    backupCommand    `cmd:"" help:"Write a consistent copy of the embedded store, also while it is served."`
	Restore   restoreCommand   `cmd:"" help:"Put a backup into an empty data folder, and verify it."`
	OpenAPI   openAPICommand   `cmd:"" name:"openapi" help:"Print the OpenAPI document of the v1 API."`
	Bench     benchCommand     `cmd:"" help:"Measure giro on this machine; results are JSON lines."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

type openAPICommand struct{}

func (openAPICommand) Run() error {
	_, err := os.Stdout.Write(append(api.OpenAPI(), '\n'))
	return err
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("giro " + version)
	return nil
}

func main() {
	var c commands
	parser := kong.Must(&c, kong.Name("giro"), kong.Description("A payments platform that you run yourself: charges, refunds, payouts and transfers on a double-entry ledger."), kong.UsageOnError())
	ctx, err := parser.Parse(os.Args[1:])
	if err != nil {
		parser.Errorf("%s", err)
		os.Exit(exitUsage)
	}
	if err := ctx.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "giro: "+err.Error())
		var exit exitError
		if errors.As(err, &exit) {
			os.Exit(exit.code)
		}
		os.Exit(exitInternal)
	}
}
