// Package pgtest gives tests a throwaway PostgreSQL: a real server, started by
// the first test that asks, with a fresh database for each.
//
// Each test process has its own server, so packages tested side by side share
// nothing. A watchdog outside the process stops the server and removes its
// folder however the process ends, kill -9 included. PostgreSQL refuses to run
// as root: there it runs as the user postgres, or nobody.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giro/internal/need"
)

// Open returns the URL of a new, empty database. It is dropped when the test
// ends, open connections or not. The server does not sync to disk: it survives
// a crash of PostgreSQL, not one of the machine.
func Open(t testing.TB) string {
	t.Helper()
	return plain.database(t)
}

// Durable is [Open] on a server that syncs each commit to disk, for benchmarks
// and for tests of what survives. Set TMPDIR to choose the disk: /tmp may be
// memory.
func Durable(t testing.TB) string {
	t.Helper()
	return durable.database(t)
}

var (
	plain   = server{settings: []string{"fsync=off", "full_page_writes=off"}}
	durable server
)

// server is one PostgreSQL of this process.
type server struct {
	settings []string

	start   sync.Once
	err     error
	missing string   // why there is no PostgreSQL to start
	address string   // host:port
	leash   *os.File // the watchdog acts when this closes: kept as long as the process lives

	databases atomic.Int64
}

func (s *server) database(t testing.TB) string {
	t.Helper()
	s.start.Do(func() { s.err = s.run() })
	if s.missing != "" {
		need.Missing(t, "postgres", s.missing)
	}
	if s.err != nil {
		t.Fatalf("start PostgreSQL: %v", s.err)
	}
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.exec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.url(name)
}

func (s *server) url(database string) string {
	return "postgres://giro@" + s.address + "/" + database + "?sslmode=disable"
}

// exec runs one statement on a connection of its own. It does not take the
// test's context: that has ended when the database is dropped.
func (s *server) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, statement)
	return err
}

// run starts the server.
func (s *server) run() error {
	bin, err := binaries()
	if err != nil {
		s.missing = err.Error()
		return nil
	}
	as, err := account()
	if err != nil {
		s.missing = err.Error()
		return nil
	}
	folder, err := os.MkdirTemp(tempDir(), "giro-pg-")
	if err != nil {
		return err
	}
	if err := as.own(folder); err != nil {
		return err
	}
	if s.leash, err = as.watch(bin, folder); err != nil {
		return err
	}
	template, err := as.template(bin)
	if err != nil {
		return err
	}
	if err := as.output(folder, "cp", "-Rp", template, folder+"/data"); err != nil {
		return err
	}
	// The free port can be taken by another process before PostgreSQL has it.
	for range 5 {
		var port int
		if port, err = freePort(); err != nil {
			return err
		}
		s.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if err = s.serve(as, bin, folder, port); err == nil {
			return nil
		}
	}
	return err
}

// serve starts PostgreSQL on this port and returns when it answers.
func (s *server) serve(as identity, bin, folder string, port int) error {
	args := []string{"-D", folder + "/data", "-k", folder, "-p", strconv.Itoa(port)}
	for _, setting := range append(s.settings,
		"listen_addresses=127.0.0.1",
		"max_connections=200",
		"wal_level=minimal", "max_wal_senders=0",
		"timezone=UTC", "log_timezone=UTC",
	) {
		args = append(args, "-c", setting)
	}
	logPath := folder + "/log"
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := as.command(folder, filepath.Join(bin, "postgres"), args...)
	// A file of its own: go test waits for whoever holds its output.
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	deadline := time.After(time.Minute)
	for {
		err := s.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case end := <-died:
			text, _ := os.ReadFile(logPath)
			return fmt.Errorf("postgres ended: %v\n%s", end, text)
		case <-deadline:
			return fmt.Errorf("no answer after a minute: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// identity is whom PostgreSQL runs as: nobody in particular, or a user chosen
// because we are root.
type identity struct{ credential *syscall.Credential }

func account() (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return identity{}, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return identity{}, err
		}
		return identity{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return identity{}, fmt.Errorf("PostgreSQL refuses root, and there is no user postgres or nobody")
}

func (as identity) uid() int {
	if as.credential != nil {
		return int(as.credential.Uid)
	}
	return os.Geteuid()
}

func (as identity) own(path string) error {
	if as.credential == nil {
		return nil
	}
	return os.Chown(path, int(as.credential.Uid), int(as.credential.Gid))
}

// command is a program in a session of its own, so that Ctrl-C reaches it only
// through the watchdog.
func (as identity) command(folder, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: as.credential}
	return cmd
}

func (as identity) output(folder, program string, args ...string) error {
	out, err := as.command(folder, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out)
	}
	return nil
}

// watch starts the watchdog: when the returned file closes, and the kernel
// closes it however this process ends, it stops the server and removes folder.
func (as identity) watch(bin, folder string) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := as.command("/", "/bin/sh", "-c",
		`cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate stop; rm -rf "$2"`, "pgtest", bin, folder)
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	go cmd.Wait()
	return w, nil
}

// template returns a folder as initdb leaves it, made once per machine, user and
// version: copying it is several times faster than initdb.
func (as identity) template(bin string) (string, error) {
	version, err := exec.Command(filepath.Join(bin, "initdb"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("initdb --version: %w", err)
	}
	name := strings.NewReplacer(" ", "-", "(", "", ")", "", "/", "-").Replace(strings.TrimSpace(string(version)))
	path := filepath.Join(tempDir(), fmt.Sprintf("giro-pg-template-%d-%s", as.uid(), name))
	if info, err := os.Lstat(path); err == nil {
		// The name can be guessed: trust only what is ours.
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != as.uid() {
			return "", fmt.Errorf("%s belongs to somebody else", path)
		}
		return path, nil
	}
	fresh, err := os.MkdirTemp(tempDir(), "giro-pg-init-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if err := as.own(fresh); err != nil {
		return "", err
	}
	if err := as.output(fresh, filepath.Join(bin, "initdb"), "-D", fresh+"/data", "--no-sync",
		"--username=giro", "--auth=trust", "--encoding=UTF8", "--locale=C"); err != nil {
		return "", err
	}
	if err := os.Rename(fresh+"/data", path); err != nil {
		if _, gone := os.Lstat(path); gone != nil {
			return "", err
		} // else another process was first
	}
	return path, nil
}

// binaries returns the folder with initdb, postgres and pg_ctl: from the PATH,
// else the newest where Debian keeps them.
func binaries() (string, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(debian, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
next:
	for _, folder := range append(folders, debian...) {
		for _, program := range []string{"initdb", "postgres", "pg_ctl"} {
			if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
				continue next
			}
		}
		return folder, nil
	}
	return "", fmt.Errorf("no initdb in the PATH or in /usr/lib/postgresql")
}

// majorVersion reads /usr/lib/postgresql/<version>/bin.
func majorVersion(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// tempDir is short: the path of a Unix socket ends at about 100 bytes.
func tempDir() string {
	if dir := os.TempDir(); len(dir) <= 50 {
		return dir
	}
	return "/tmp"
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
