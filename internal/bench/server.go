package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a process that serves: giro, or the ceiling.
type server struct {
	cmd              *exec.Cmd
	address          string
	key              string // secret test key
	admin            string
	folder, database string // of its store; no database: SQLite
	stopped          bool
	after            func() // removes what the store leaves
}

// start serves an empty store, or the one that Data names.
func (b *bench) start(ctx context.Context, pause bool) (*server, error) {
	s := &server{admin: "adm_bench_0123456789", key: b.Key}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--json", "--admin-token", s.admin}
	if pause {
		args = append(args, "--pause-jobs")
	}
	s.folder, s.database = b.Data, b.Database
	var err error
	if b.Data == "" {
		if s.folder, err = b.folderFor("store"); err == nil && b.Database != "" {
			s.database, s.after, err = scratchDatabase(ctx, b.Database)
		}
	}
	if err != nil {
		return nil, err
	}
	return s, s.run(exec.CommandContext(ctx, b.Giro, append(args, s.place()...)...))
}

// place are the flags that say where the server's store is.
func (s *server) place() []string {
	flags := []string{"--data", s.folder}
	if s.database != "" {
		flags = append(flags, "--database", s.database)
	}
	return flags
}

func startCeiling(ctx context.Context, giro, folder string) (*server, error) {
	s := &server{key: "sk_test_ceiling"}
	return s, s.run(exec.CommandContext(ctx, giro, "bench", "--serve-ceiling", folder))
}

// run starts the process and reads the line in which it says where it serves.
func (s *server) run(cmd *exec.Cmd) error {
	s.cmd = cmd
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var said struct {
		URL  string `json:"url"`
		Keys map[string]struct {
			SecretKey string `json:"secret_key"`
		} `json:"keys"`
	}
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	if err != nil {
		s.stop()
		return fmt.Errorf("the server did not start: %w\n%s", err, complaints.Bytes())
	}
	go io.Copy(io.Discard, out)
	s.address = strings.TrimPrefix(said.URL, "http://")
	if k := said.Keys["test"].SecretKey; k != "" {
		s.key = k
	}
	return nil
}

// stop ends the process as an operator would, once.
func (s *server) stop() error {
	if s.stopped {
		return nil
	}
	s.stopped = true
	s.cmd.Process.Signal(syscall.SIGTERM)
	return s.cmd.Wait()
}

// size is how many bytes the stopped server's store takes.
func (s *server) size(ctx context.Context) (n int64, err error) {
	if s.database != "" {
		c, err := pgx.Connect(ctx, s.database)
		if err != nil {
			return 0, err
		}
		defer c.Close(ctx)
		err = c.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
		return n, err
	}
	files, err := os.ReadDir(s.folder)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

// drop removes what the stopped server's store leaves outside of its folder.
func (s *server) drop() {
	s.stop()
	if s.after != nil {
		s.after()
	}
}

// figures are a server's own.
type figures struct {
	cpu      time.Duration
	rss      int64 // bytes
	batches  float64
	commands float64
}

func (s *server) figures() (f figures) {
	pid := strconv.Itoa(s.cmd.Process.Pid)
	if text, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil {
		// After the name in parentheses: state is field 3, utime 14, stime 15.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 12 {
			u, _ := strconv.ParseInt(fields[11], 10, 64)
			k, _ := strconv.ParseInt(fields[12], 10, 64)
			f.cpu = time.Duration(u+k) * 10 * time.Millisecond // clock ticks of 1/100 s
		}
	}
	if text, err := os.ReadFile("/proc/" + pid + "/status"); err == nil {
		for line := range strings.SplitSeq(string(text), "\n") {
			if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
				f.rss = n << 10
			}
		}
	}
	if s.admin == "" {
		return f
	}
	text, err := s.get("/metrics", s.admin)
	if err != nil {
		return f
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, _ := strings.Cut(line, " ")
		switch name {
		case "giro_batches_total":
			f.batches, _ = strconv.ParseFloat(value, 64)
		case "giro_commands_total":
			f.commands, _ = strconv.ParseFloat(value, 64)
		}
	}
	return f
}

// scratchDatabase makes a database beside the one that address names.
func scratchDatabase(ctx context.Context, address string) (scratch string, drop func(), err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	name := "giro_bench_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	run := func(ctx context.Context, statement string) error {
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, statement)
		return err
	}
	if err := run(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		run(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}, nil
}
