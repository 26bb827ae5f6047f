// Package bench measures giro from outside: it starts the real binary on an
// empty store, sends it requests over HTTP, and afterwards checks that nothing
// which was acknowledged is missing and that the books add up.
//
// Absolute figures move with the machine. So each cell is measured in turns
// with a ceiling in the same run: the same requests to a server that decodes
// and answers the same JSON over an in-memory ledger and an fsynced log. The
// ratio of the two is the figure to compare.
package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Config says what to measure.
type Config struct {
	Giro     string        // path of the giro binary
	Folder   string        // where throwaway stores are made; empty: the system's temporary folder
	Database string        // postgres:// URL in which throwaway databases are made; empty: SQLite
	Works    []string      // of Works
	Clients  []int         // connections at once
	Rates    []float64     // requests per second of an open loop; empty: closed loop
	Accounts int           // of the spread case
	Spread   bool          // over Accounts
	Hot      bool          // everything on one account
	Duration time.Duration // of one cell
	WarmUp   time.Duration // before it, not counted
	Requests int           // of one cell, instead of Duration and WarmUp; 0: by time
	Pool     int           // objects that reads and refunds choose from; 0: 2,000
	Ceiling  bool          // measure the ceiling in turns with each cell
	Rows     bool          // measure the store alone, without HTTP
	Command  string        // how this was called, for the results
	Log      io.Writer     // what goes on, for a person; nil: nothing
	Key      string        // secret test key of a store that Data names
	Data     string        // folder of a store to measure on, as giro seed leaves it; empty: an empty one
}

// Works are what can be measured. life settles what it creates; the other
// creations run with jobs paused, so that they are measured alone. bulk and
// atomic make 100 transfers with a request; reads are lists with each filter, one
// after the other, and what else is read of many; overload sends payouts at four times
// the rate that the server can take.
var Works = []string{"payouts", "transfers", "charges", "refunds", "object", "list", "deep", "balance", "reads", "mixed", "bulk", "atomic", "overload", "life"}

// Result is one cell.
type Result struct {
	At        string  `json:"at"`
	Commit    string  `json:"commit"`
	Machine   string  `json:"machine"`
	Command   string  `json:"command"`
	Store     string  `json:"store"`
	Work      string  `json:"work"`
	Accounts  int     `json:"accounts"` // 1: hot
	Clients   int     `json:"clients"`
	Rate      float64 `json:"rate,omitempty"` // of an open loop
	Seconds   float64 `json:"seconds"`
	Requests  int     `json:"requests"`
	Refused   int     `json:"refused"`    // 429 and 503
	Errors    int     `json:"errors"`     // every other answer that was not wanted, and none
	PerSecond float64 `json:"per_second"` // objects: of a bulk its transfers, of overload what was done
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	RefuseP99 float64 `json:"refuse_p99_ms,omitempty"`
	Batch     float64 `json:"mean_batch,omitempty"`
	CPU       float64 `json:"server_cpu_us,omitempty"` // of the server's process per object
	RSS       float64 `json:"server_rss_mib,omitempty"`
	Ceiling   float64 `json:"ceiling_per_second,omitempty"`
	Ratio     float64 `json:"ratio,omitempty"`

	CeilingP99 float64 `json:"ceiling_p99_ms,omitempty"` // in an open loop at the same rate

	Bytes float64 `json:"bytes_each,omitempty"` // of work disk: what the store takes for each payout that life settled, all tables and indexes

	Each        int     `json:"each,omitempty"`              // objects of one request, where there are several
	Single      float64 `json:"single_per_second,omitempty"` // of a bulk: transfers one by one, in turns with it
	SingleRatio float64 `json:"single_ratio,omitempty"`

	*Overload
}

// Overload is what the work overload found, beside Result: there PerSecond and
// the latencies are those of what was done in the flood.
type Overload struct {
	Peak      float64 `json:"peak_per_second"`            // in a closed loop, in turns with the flood
	Offered   float64 `json:"offered_per_second"`         // in the flood
	Goodput   float64 `json:"goodput_ratio"`              // done in the flood, over Peak
	NormalP99 float64 `json:"normal_p99_ms"`              // before, at half of what a closed loop did
	Recovered int     `json:"recovered_after_s"`          // seconds after the flood before two in a row whose p99 was at most that of the worst second before it, twice NormalP99 or 10 ms
	AfterP99  float64 `json:"p99_ms_of_the_first_second"` // after the flood, at the rate of NormalP99

	// Of clients who wait after a refusal as long as they are told, in turns with the flood.
	ObeyingGoodput   float64 `json:"obeying_goodput_ratio"`
	ObeyingRefused   int     `json:"obeying_refused"`
	ObeyingRefuseP99 float64 `json:"obeying_refuse_p99_ms"`
}

// Run measures every cell and hands over each as it is done. An error: a
// server did not start, what it acknowledged is not there, or each failed.
func Run(ctx context.Context, c Config, each func(Result) error) error {
	for _, w := range c.Works {
		if !slices.Contains(Works, w) {
			return fmt.Errorf("there is no work %q; choose from %s", w, strings.Join(Works, ", "))
		}
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	folder, err := os.MkdirTemp(c.Folder, "giro-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b := &bench{Config: c, folder: folder, each: each, commit: commit(), machine: machine()}
	if c.Ceiling {
		if b.ceiling, err = startCeiling(ctx, c.Giro, folder); err != nil {
			return err
		}
		defer b.ceiling.stop()
	}
	if c.Rows {
		r, err := b.rows(ctx)
		if err != nil {
			return fmt.Errorf("rows without HTTP: %w", err)
		}
		if err := each(r); err != nil {
			return err
		}
	}
	var paused, settling []string
	for _, w := range c.Works {
		if w == "life" {
			settling = append(settling, w)
		} else {
			paused = append(paused, w)
		}
	}
	for _, group := range [][]string{paused, settling} {
		if len(group) == 0 {
			continue
		}
		if err := b.onServer(ctx, group, group[0] != "life"); err != nil {
			return err
		}
	}
	return nil
}

type bench struct {
	Config
	folder  string
	each    func(Result) error
	commit  string
	machine string
	ceiling *server
	stores  int
}

func (b *bench) storeName() string {
	if b.Database != "" {
		return "postgresql"
	}
	return "sqlite"
}

func (b *bench) result(work string) Result {
	return Result{At: time.Now().UTC().Format(time.RFC3339), Commit: b.commit, Machine: b.machine, Command: b.Command, Store: b.storeName(), Work: work}
}

// onServer measures works on one server over one store, and checks the store
// afterwards.
func (b *bench) onServer(ctx context.Context, works []string, pause bool) (err error) {
	s, err := b.start(ctx, pause)
	if err != nil {
		return err
	}
	defer s.drop()
	w := &world{server: s, accounts: b.Accounts, spread: b.Spread, pool: cmp.Or(b.Pool, 2000), log: b.Log}
	if err := w.prepare(ctx, works); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	rates := b.Rates
	if len(rates) == 0 {
		rates = []float64{0}
	}
	for _, work := range works {
		for _, hot := range []bool{false, true} {
			if hot && !b.Hot || !hot && !b.Spread {
				continue
			}
			if hot && b.Spread && !creates(work) {
				continue // reads have no hot account
			}
			for _, clients := range b.Clients {
				if work == "overload" && clients < slices.Max(b.Clients) {
					continue // a flood comes over many connections
				}
				for _, rate := range rates {
					if err := b.cell(ctx, w, work, hot, clients, rate); err != nil {
						return fmt.Errorf("%s with %d clients: %w", work, clients, err)
					}
				}
			}
		}
	}
	if err := b.check(ctx, w); err != nil {
		return err
	}
	if n := len(w.made["po"]); !pause && n > 0 {
		size, err := w.server.size(ctx)
		if err != nil {
			return fmt.Errorf("size of the store: %w", err)
		}
		r := b.result("disk")
		r.Accounts, r.Requests, r.Bytes = w.accounts, n, round(float64(size)/float64(n), 1)
		return b.each(r)
	}
	return nil
}

// cell measures one combination, in two turns with the ceiling, with a rate in one.
func (b *bench) cell(ctx context.Context, w *world, work string, hot bool, clients int, rate float64) error {
	r := b.result(work)
	r.Clients, r.Rate, r.Accounts = clients, rate, b.Accounts
	if hot {
		r.Accounts = 1
	}
	if work == "life" {
		if err := w.life(ctx, hot, clients, b.Requests, b.Duration, &r); err != nil {
			return err
		}
		return b.each(r)
	}
	if work == "reads" {
		return b.reads(ctx, w, clients, rate, r)
	}
	if work == "overload" {
		if err := w.overload(ctx, hot, clients, b.Requests, b.Duration, &r); err != nil {
			return err
		}
		return b.each(r)
	}
	each := objects(work)
	turns, warm := 2, b.WarmUp
	beside := b.ceiling != nil && ceilingHas(work)
	if rate > 0 || !beside && each == 1 {
		turns = 1 // one stretch of the length that was asked for
	}
	how := load{clients: clients, rate: rate, count: b.Requests, warm: warm, duration: b.Duration / time.Duration(turns)}
	var own, ceiling, single sample
	for range turns {
		how.warm = warm
		if beside {
			one, err := drive(ctx, b.ceiling.address, how, w.requests(work, hot))
			if err != nil {
				return fmt.Errorf("ceiling: %w", err)
			}
			ceiling.add(one)
		}
		if each > 1 && rate == 0 {
			one, err := drive(ctx, w.server.address, how, w.requests("transfers", hot))
			if err != nil {
				return fmt.Errorf("one by one: %w", err)
			}
			single.add(one)
			w.acknowledge(one)
		}
		before := w.server.figures()
		one, err := drive(ctx, w.server.address, how, w.requests(work, hot))
		if err != nil {
			return err
		}
		own.add(one)
		w.acknowledge(one)
		after := w.server.figures()
		if n := len(one.all) + len(one.refused); n > 0 {
			r.CPU = (after.cpu - before.cpu).Seconds() * 1e6 / float64(n+one.warm)
		}
		if batches := after.batches - before.batches; batches > 0 {
			r.Batch = float64(after.commands-before.commands) / float64(batches)
		}
		r.RSS = float64(after.rss) / (1 << 20)
		warm = b.WarmUp / 2
	}
	own.fill(&r)
	if each > 1 {
		r.Each, r.PerSecond = each, round(r.PerSecond*float64(each), 1)
		r.CPU /= float64(each)
	}
	if single.seconds > 0 {
		r.Single = round(single.perSecond(), 1)
		r.SingleRatio = round(r.PerSecond/r.Single, 3)
		r.Errors += single.errors
	}
	if beside {
		slices.Sort(ceiling.all)
		r.CeilingP99 = milliseconds(quantile(ceiling.all, 0.99))
	}
	if beside && rate == 0 {
		r.Ceiling = round(ceiling.perSecond(), 1)
		r.Ratio = round(r.PerSecond/r.Ceiling, 3)
	}
	r.CPU, r.Batch, r.RSS = round(r.CPU, 1), round(r.Batch, 1), round(r.RSS, 1)
	if own.unexpected != "" {
		fmt.Fprintf(b.Log, "an answer that was not wanted: %s\n", own.unexpected)
	}
	return b.each(r)
}

// commit names the source that was built, with a plus where it was changed.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(out))
	if out, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(out) > 0 {
		name += "+"
	}
	return name
}

// machine describes the computer in one line.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(text), "\n") {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimLeft(name, "\t :")
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}

// Print writes a result as one JSON line.
func Print(w io.Writer, r Result) error { return json.NewEncoder(w).Encode(r) }

// verify runs giro verify on a store that nobody serves any more.
func (b *bench) verify(ctx context.Context, s *server) error {
	args := append([]string{"verify", "--json"}, s.place()...)
	out, err := exec.CommandContext(ctx, b.Giro, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("giro verify: %w\n%s", err, out)
	}
	fmt.Fprintf(b.Log, "verify: %s", out)
	return nil
}

// check looks, after the last cell, whether all that was acknowledged is there
// once, whether the ledger sums, and whether verify passes.
func (b *bench) check(ctx context.Context, w *world) error {
	if err := w.everyAcknowledged(ctx); err != nil {
		return err
	}
	if err := w.trialBalance(ctx); err != nil {
		return err
	}
	if err := w.server.stop(); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return b.verify(ctx, w.server)
}

// folderFor returns a new folder for a store.
func (b *bench) folderFor(name string) (string, error) {
	b.stores++
	folder := filepath.Join(b.folder, fmt.Sprintf("%s-%d", name, b.stores))
	return folder, os.MkdirAll(folder, 0o700)
}

var errNoAnswer = errors.New("no answer")
