package pgtest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func query(t *testing.T, url, sql string) (out string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	a, b := Open(t), Open(t)
	if a == b {
		t.Fatalf("both are %s", a)
	}
	c, err := pgx.Connect(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "CREATE TABLE only_here (n int)"); err != nil {
		t.Fatal(err)
	}
	if n := query(t, b, "SELECT count(*)::text FROM pg_class WHERE relname = 'only_here'"); n != "0" {
		t.Errorf("the table of one database is in the other")
	}
}

func TestDatabaseIsDroppedWithItsConnections(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		url = Open(t)
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		_ = c // left open: the drop must not wait for it
	})
	if c, err := pgx.Connect(t.Context(), url); err == nil {
		c.Close(t.Context())
		t.Error("the database outlived its test")
	}
}

func TestOnlyDurableSyncs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ url, fsync string }{{Open(t), "off"}, {Durable(t), "on"}} {
		if got := query(t, row.url, "SHOW fsync"); got != row.fsync {
			t.Errorf("fsync is %s, want %s", got, row.fsync)
		}
		if got := query(t, row.url, "SHOW synchronous_commit"); got != "on" {
			t.Errorf("synchronous_commit is %s", got)
		}
	}
}

// The process that asked is killed without a chance to clean up: the server and
// its folder must go all the same.
func TestWatchdogOutlivesKill(t *testing.T) {
	t.Parallel()
	if os.Getenv("PGTEST_CHILD") != "" {
		url := Open(t)
		os.Stdout.WriteString("server " + query(t, url, "SHOW data_directory") + " " +
			query(t, url, "SELECT (pg_read_file('postmaster.pid', 0, 20))") + "\n")
		select {} // until killed
	}
	Open(t) // skips where there is no PostgreSQL
	child := exec.Command(os.Args[0], "-test.run=^TestWatchdogOutlivesKill$")
	child.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	var folder string
	var pid int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "server "); ok {
			fields := strings.Fields(rest)
			folder = fields[0]
			if pid, err = strconv.Atoi(fields[1]); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if pid == 0 {
		t.Fatal("the child did not start a server")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, stat := os.Stat(folder)
		alive := syscall.Kill(pid, 0) == nil
		if os.IsNotExist(stat) && !alive {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s: folder %v, server alive %v", stat, alive)
		}
	}
}

// What a test pays for its database once the server runs.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		Open(b)
	}
}
