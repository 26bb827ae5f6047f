package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"giro"
	"giro/store"
)

type verifyCommand struct {
	place
	JSON bool `help:"Print the report as one JSON line." name:"json"`
}

func (c *verifyCommand) Run() error {
	ctx := context.Background()
	s, err := c.openStore(ctx, time.Now, true)
	if err != nil {
		return err
	}
	defer s.Close()
	return verify(ctx, s, c.JSON)
}

// verify prints what Verify found; the error carries exit code 11 where the
// books do not add up.
func verify(ctx context.Context, s giro.Store, asJSON bool) error {
	r, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		if r.Faults == nil {
			r.Faults = []giro.Fault{}
		}
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d entries, %d ledger transactions, %d movements\n", r.Entries, r.LedgerTransactions, r.Movements)
		for _, f := range r.Faults {
			fmt.Printf("%s %s sequence %d: %s\n", f.Merchant, f.Mode, f.Sequence, f.Message)
		}
	}
	if !r.OK {
		return exitError{exitIntegrity, errors.New("the books do not add up")}
	}
	if !asJSON {
		fmt.Println("the ledger is whole: chain, balances, entries and movements agree")
	}
	return nil
}

type backupCommand struct {
	place
	File  string        `arg:"" help:"File to write, which must not exist; or a folder, where it is named after the time."`
	Every time.Duration `help:"Into a folder, again and again until Ctrl-C." placeholder:"1h"`
	Keep  int           `help:"How many backups of a folder are kept, the newest; 0: all." placeholder:"N"`
}

func (c *backupCommand) Run(t *terminal) error {
	info, err := os.Stat(c.File)
	folder := err == nil && info.IsDir()
	switch {
	case c.Database != "":
		return exitError{exitUsage, errors.New("back up PostgreSQL with its own tools (pg_dump, or base backups)")}
	case (c.Every != 0 || c.Keep != 0) && !folder:
		return exitError{exitUsage, fmt.Errorf("--every and --keep take a folder, which %s is not", c.File)}
	case c.Every < 0 || c.Every > 0 && c.Every < time.Second || c.Keep < 0:
		return exitError{exitUsage, errors.New("--every is at least 1s, --keep at least 1")}
	}
	for {
		file := c.File
		if folder {
			file = filepath.Join(c.File, backupName+t.now().UTC().Format("20060102T150405.000Z")+".db")
		}
		if err := c.write(t, file); err != nil {
			return err
		}
		if c.Keep > 0 {
			if err := c.prune(t); err != nil {
				return err
			}
		}
		if c.Every == 0 {
			return nil
		}
		select {
		case <-t.ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

// backupName begins the names of backups in a folder.
const backupName = "giro-"

func (c *backupCommand) write(t *terminal, file string) error {
	s, err := c.openStore(t.ctx, time.Now, true)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.(*store.SQLite).Backup(t.ctx, file); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Data, backupNote), []byte(t.now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		return fmt.Errorf("%s is written; note when, for the dashboard: %w", file, err)
	}
	_, err = fmt.Fprintf(t.out, "%s holds the store; keep the installation's key (secret.key) with it, apart\n", file)
	return err
}

// prune removes the oldest backups of a folder. Their names sort by time.
func (c *backupCommand) prune(t *terminal) error {
	files, err := filepath.Glob(filepath.Join(c.File, backupName+"????????T??????.???Z.db"))
	if err != nil {
		return err
	}
	for _, file := range files[:max(len(files)-c.Keep, 0)] {
		if err := os.Remove(file); err != nil {
			return err
		}
		fmt.Fprintf(t.err, "%s is removed: --keep %d\n", file, c.Keep)
	}
	return nil
}

// backupNote is the file of the data folder that holds the time of the last
// backup.
const backupNote = "last-backup"

// lastBackup returns when the folder was last backed up; zero: never.
func (p *place) lastBackup() time.Time {
	b, err := os.ReadFile(filepath.Join(p.Data, backupNote))
	if err != nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(b)))
	if err != nil {
		return time.Time{}
	}
	return at
}

type restoreCommand struct {
	Data string `help:"Folder to restore into; it must not hold a store." default:"giro-data" env:"GIRO_DATA"`
	File string `arg:"" help:"A file that giro backup wrote."`
}

func (c *restoreCommand) Run() error {
	target := filepath.Join(c.Data, "giro.db")
	if _, err := os.Stat(target); err == nil {
		return exitError{5, fmt.Errorf("%s exists; restore into an empty folder", target)}
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	if err := copyFile(target, c.File); err != nil {
		os.Remove(target)
		return err
	}
	p := place{Data: c.Data}
	s, err := p.openStore(context.Background(), time.Now, true)
	if err != nil {
		return err
	}
	defer s.Close()
	return verify(context.Background(), s, false)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// with runs f on a started engine over a founded store.
func (p *place) with(f func(ctx context.Context, e *giro.Engine) error) error {
	ctx := context.Background()
	in, err := p.open(ctx, time.Now, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer in.store.Close()
	in.engine.Paused = func() bool { return true } // jobs are the server's
	in.engine.Start()
	defer in.engine.Stop()
	if d, err := in.store.DocumentByLookup(ctx, giro.DocSetting, settingInstallation); err != nil || d == nil {
		return errors.Join(errors.New("the store is empty; run giro init"), err)
	}
	if _, err := in.found(ctx, ""); err != nil {
		return err
	}
	return f(ctx, in.engine)
}
