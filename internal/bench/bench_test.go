package bench_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"giro/internal/bench"
	"giro/internal/pgtest"
)

// build makes the binary that is measured, once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "giro-bench-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "giro")
	out, err := exec.Command("go", "build", "-o", path, "giro/cmd/giro").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveryWork runs each work for a moment on both databases: every answer is
// the wanted one, and the checks at the end pass.
func TestEveryWork(t *testing.T) {
	t.Parallel()
	giro := binary(t)
	for _, store := range []string{"sqlite", "postgresql"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := bench.Config{
				Giro: giro, Folder: t.TempDir(), Works: bench.Works, Clients: []int{8}, Accounts: 20, Spread: true, Hot: true,
				Requests: 40, Pool: 10, Ceiling: true, Rows: true,
			}
			if store == "postgresql" {
				c.Database = pgtest.Open(t)
			}
			seen := map[string]bool{}
			err := bench.Run(t.Context(), c, func(r bench.Result) error {
				work, _, _ := strings.Cut(r.Work, " ")
				seen[work] = true
				if work == "disk" {
					if r.Bytes == 0 || r.Requests != 80 || r.Store != store {
						t.Errorf("%+v", r)
					}
					return nil
				}
				if r.Errors > 0 || r.Requests == 0 || r.PerSecond == 0 || r.Store != store {
					t.Errorf("%+v", r)
				}
				if o := r.Overload; (o != nil) != (r.Work == "overload") || o != nil && (o.Peak == 0 || o.Offered == 0 || o.Goodput == 0 || o.NormalP99 == 0) {
					t.Errorf("%s: overload %+v", r.Work, o)
				}
				if r.Refused > 0 || r.Requests%40 != 0 {
					t.Errorf("%+v", r)
				}
				if bulk := r.Work == "bulk" || r.Work == "atomic"; bulk != (r.Each == 100) || bulk != (r.SingleRatio > 0) {
					t.Errorf("%s: %d with a request, %v one by one", r.Work, r.Each, r.Single)
				}
				if (r.Ceiling == 0) != (r.Work != "payouts" && r.Work != "transfers") {
					t.Errorf("%s has the ceiling %v", r.Work, r.Ceiling)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, work := range append([]string{"rows", "disk"}, bench.Works...) {
				if !seen[work] {
					t.Errorf("no result of %s", work)
				}
			}
		})
	}
}

// TestAResultOfNothing: a cell in which nothing was done is a line too.
func TestAResultOfNothing(t *testing.T) {
	t.Parallel()
	results := 0
	c := bench.Config{
		Giro: binary(t), Folder: t.TempDir(), Works: []string{"bulk"}, Clients: []int{1}, Accounts: 2, Hot: true, Pool: 1, Duration: time.Nanosecond,
	}
	err := bench.Run(t.Context(), c, func(r bench.Result) error {
		results++
		return bench.Print(io.Discard, r)
	})
	if err != nil || results != 1 {
		t.Errorf("%d results, %v", results, err)
	}
}

// TestAReaderThatLeaves: where nobody reads the results any more, as behind head,
// the server that is measured ends and its folder goes.
func TestAReaderThatLeaves(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), binary(t), "bench", "--folder", folder, "--work", "balance,payouts,transfers,object", "--clients", "1,2,3",
		"--on", "hot", "--accounts", "2", "--duration", "20ms", "--warm-up", "0s", "--no-ceiling", "--no-rows")
	results, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(results).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	results.Close()
	if cmd.Wait() == nil {
		t.Error("a result that could not be written is no error")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestOpenLoop: requests fall due at their rate, one after the other, and none
// is left out.
func TestOpenLoop(t *testing.T) {
	t.Parallel()
	c := bench.Config{
		Giro: binary(t), Folder: t.TempDir(), Works: []string{"balance", "payouts"}, Clients: []int{4}, Accounts: 2, Hot: true, Pool: 1,
		Rates: []float64{400}, Requests: 100, Ceiling: true,
	}
	var results []bench.Result
	if err := bench.Run(t.Context(), c, func(r bench.Result) error { results = append(results, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 {
		t.Fatalf("%+v", results)
	}
	// The hundredth is due after 247.5 ms, so it took no less.
	if r := results[0]; r.Requests != 100 || r.Errors > 0 || r.Seconds < 0.24 || r.CeilingP99 != 0 {
		t.Errorf("%+v", r)
	}
	// After the ceiling, at the same rate.
	if r := results[1]; r.Requests != 100 || r.Errors > 0 || r.Seconds < 0.24 || r.CeilingP99 <= 0 || r.Ceiling != 0 || r.Ratio != 0 {
		t.Errorf("%+v", r)
	}
}

var (
	duration = flag.Duration("cell", 3*time.Second, "how long BenchmarkHTTP measures each cell")
	clients  = flag.String("clients", "1,16,64,128,512", "BenchmarkHTTP's numbers of clients")
	works    = flag.String("works", "", "what BenchmarkHTTP measures; all if empty")
)

// BenchmarkHTTP is make bench: the whole table on both databases, PostgreSQL
// with every commit synced. Results go to standard output as JSON lines.
func BenchmarkHTTP(b *testing.B) {
	giro := binary(b)
	for _, store := range []string{"sqlite", "postgresql"} {
		b.Run(store, func(b *testing.B) {
			c := bench.Config{
				Giro: giro, Works: bench.Works, Accounts: 10_000, Spread: true, Hot: true, Duration: *duration, WarmUp: time.Second,
				Ceiling: true, Rows: true, Command: "make bench", Log: os.Stderr,
			}
			if *works != "" {
				c.Works = strings.Split(*works, ",")
			}
			for n := range strings.SplitSeq(*clients, ",") {
				d, err := strconv.Atoi(n)
				if err != nil {
					b.Fatal(err)
				}
				c.Clients = append(c.Clients, d)
			}
			if store == "postgresql" {
				c.Database = pgtest.Durable(b)
			}
			for b.Loop() {
				if err := bench.Run(b.Context(), c, func(r bench.Result) error { return bench.Print(os.Stdout, r) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
