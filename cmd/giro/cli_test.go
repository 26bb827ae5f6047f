package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the golden files of the command line anew")

// console is a terminal of the test's own, with an environment of its own.
type console struct {
	t        *testing.T
	env      map[string]string
	tty      bool
	width    int // of a terminal; 0: 120
	in       string
	out, err bytes.Buffer
	ctx      context.Context
}

func newConsole(t *testing.T, s *server) *console {
	c := &console{t: t, env: map[string]string{"GIRO_CONFIG": filepath.Join(t.TempDir(), "config.toml")}, ctx: t.Context()}
	if s != nil {
		c.env["GIRO_URL"], c.env["GIRO_API_KEY"] = s.URL, s.Keys["test"].SecretKey
	}
	return c
}

// giro runs one command line and returns its exit code.
func (c *console) giro(args ...string) int {
	c.out.Reset()
	c.err.Reset()
	width := 0
	if c.tty {
		width = cmp.Or(c.width, 120)
	}
	t := &terminal{ctx: c.ctx, in: strings.NewReader(c.in), out: &c.out, err: &c.err, getenv: func(name string) string { return c.env[name] },
		now: time.Now, zone: time.UTC, inTTY: c.tty, outTTY: c.tty, errTTY: c.tty, width: width,
		secret: func() (string, error) { return strings.TrimSpace(c.in), nil }}
	return runLine(t, args)
}

// must runs a line that has to end with an exit code and returns what it
// printed.
func (c *console) must(exit int, args ...string) string {
	c.t.Helper()
	if code := c.giro(args...); code != exit {
		c.t.Fatalf("giro %s ended with %d instead of %d\n%s%s", strings.Join(args, " "), code, exit, c.out.String(), c.err.String())
	}
	return c.out.String()
}

// What differs from run to run.
var variable = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\b(ch|re|po|tr|cus|src|acct|ltx|evt|key|mer)_[0-9a-z]{26}\b`), "${1}_00000000000000000000000000"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "00000000-0000-7000-8000-000000000000"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z?)`), "2026-01-02T03:04:05${2}"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00`), "2026-01-02 03:04:05 +00:00"},
	{regexp.MustCompile(`"(created|updated|expires_at)":\d+`), `"$1":1767323045`},
	{regexp.MustCompile(`(?m)^( *created(?:: |\t))\d+$`), "${1}1767323045"},
	{regexp.MustCompile(`\b\d+s ago\b`), "1s ago"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "http://127.0.0.1:8080"},
	{regexp.MustCompile(`"hash":"[0-9a-f]{64}"`), `"hash":"…"`},
	{regexp.MustCompile(`\bpo_[0-9a-z]{8}…`), "po_00000000…"},
	{regexp.MustCompile(`(took_ms +)\d+`), "${1}1"},
	{regexp.MustCompile(`--cursor \S+`), "--cursor eyJ…"},
	{regexp.MustCompile(`in \d+ ms`), "in 1 ms"},
	{regexp.MustCompile(`idempotency key [0-9a-f]{32}`), "idempotency key …"},
	{regexp.MustCompile(`\bE99999999\d{12}[0-9A-Za-z]{11}\b`), "E9999999920260102030400000000000"},
}

func steady(s string) string {
	for _, v := range variable {
		s = v.pattern.ReplaceAllString(s, v.as)
	}
	return s
}

// TestTranscript compares what commands print with a file that people can read:
// for a terminal, a pipe, JSON, CSV and YAML, and when they are refused.
func TestTranscript(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	var b strings.Builder
	say := func(exit int, args ...string) {
		c.t.Helper()
		c.must(exit, args...)
		mark := "$"
		if c.tty {
			mark = "(terminal) $"
		}
		fmt.Fprintf(&b, "%s giro %s\n%s", mark, steady(strings.Join(args, " ")), steady(c.out.String()))
		for line := range strings.Lines(steady(c.err.String())) {
			b.WriteString("2> " + line)
		}
		if exit != 0 {
			fmt.Fprintf(&b, "(exit %d)\n", exit)
		}
		b.WriteString("\n")
	}
	say(0, "fund", "--amount", "5000", "--currency", "brl")
	say(0, "payouts", "create", "--amount", "980.00", "--currency", "BRL", "--pix-key", "maria@example.com", "--name", "Maria S.", "--transaction-id", "nov-1", "--wait")
	say(0, "payouts", "create", "--amount", "980.00", "--currency", "BRL", "--pix-key", "maria@example.com", "--name", "Maria S.", "--transaction-id", "nov-1", "--json")
	say(7, "payouts", "create", "--amount-minor", "150000", "--currency", "brl", "--pix-key", "j@example.com", "--simulate", "failed:account_closed", "--wait", "-o", "id")
	say(5, "payouts", "create", "--amount", "90000", "--currency", "brl", "--pix-key", "j@example.com")
	say(5, "payouts", "create", "--amount", "90000", "--currency", "brl", "--pix-key", "j@example.com", "--json")
	say(6, "payouts", "create", "--amount", "9", "--currency", "brl", "--pix-key", "nobody")
	say(2, "payouts", "create", "--amount", "9.001", "--currency", "brl", "--pix-key", "j@example.com")
	say(2, "payouts", "create", "--currency", "brl", "--pix-key", "j@example.com")
	say(4, "payouts", "get", "po_01h455vb4pex5vsknk084sn02q")
	say(0, "charges", "create", "--amount", "12.50", "--currency", "usd", "--card-token", "tok_declined", "-o", "csv", "--description", "=1+1", "--wide")
	say(0, "payouts", "list")
	say(0, "payouts", "list", "--status", "failed", "--json", "--fields", "amount,bank.key")
	say(0, "payouts", "list", "-o", "jsonl", "--all", "--fields", "status")
	say(0, "payouts", "list", "-o", "csv", "--no-headers")
	say(0, "payouts", "list", "-o", "yaml", "--limit", "1")
	say(0, "charges", "list", "--status", "succeeded", "--json")
	say(0, "balances")
	c.tty = true
	c.env["LANG"] = "pt_BR.UTF-8"
	say(0, "payouts", "list", "--limit", "1")
	say(0, "payouts", "list", "--no-color")
	delete(c.env, "LANG")
	c.tty = false
	one := strings.TrimSpace(c.must(0, "payouts", "list", "--limit", "1", "-o", "id"))
	c.tty = true
	say(0, one)
	say(4, "charges", "get", one)
	say(0, "payouts", "list", "--status", "canceled")
	c.env["NO_COLOR"] = "1"
	say(0, "balances")
	say(0, "status")
	say(0, "charges", "list")
	c.width = 80
	say(0, "payouts", "list")
	c.width = 50
	say(0, "payouts", "list", "--limit", "1")
	say(0, "payouts", "list", "--limit", "1", "--wide")
	c.width = 0
	c.tty = false
	say(0, "--server", s.URL, "balances", "get", "BRL", "-o", "yaml")
	say(2, "payouts", "lst")
	say(2, "sources")
	say(2, "charges", "--json")
	say(2, "verify", "--data", "nowhere")
	say(2, "-o", "xml", "balances")
	say(0, "--version")
	say(0, "help", "clock")
	say(2, "payuots", "list", "--json")
	say(0, "explain", "insufficient_funds")
	say(0, "explain", "exit")
	say(0, "payouts", "create", "--help")
	say(0, "payouts", "--help")
	compare(t, filepath.Join("testdata", "cli.txt"), b.String())
}

// compare holds a text against its golden file.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Fatalf("%s, line %d:\nwant %q\ngot  %q\n(go test -run %s -update writes it anew)", path, i+1, x, y, t.Name())
		}
	}
}

// leaves lists the commands that do something.
func leaves(n *kong.Node) (list []*kong.Node) {
	for _, child := range n.Children {
		if child.Leaf() {
			list = append(list, child)
		}
		list = append(list, leaves(child)...)
	}
	return list
}

// TestOnlyJSON: with --json nothing but JSON is on standard output, whatever the
// command, whether it succeeds or is refused; a refusal is JSON on standard
// error.
func TestOnlyJSON(t *testing.T) {
	t.Parallel()
	s := serveWith(t, "--data", t.TempDir(), "--webhook-allow-private")
	c := newConsole(t, s)
	c.must(0, "fund", "--amount", "90000", "--currency", "usd")
	id := func(args ...string) string { return strings.TrimSpace(c.must(0, append(args, "-o", "id")...)) }
	card := []string{"--amount", "10", "--currency", "usd", "--card-token"}
	charge := func(token string) string {
		return id(append([]string{"charges", "create", token}[:2], append(card, token)...)...)
	}
	bank := []string{"--amount", "10", "--currency", "usd", "--routing-number", "011000015", "--account-number", "123456789", "--account-type", "checking"}
	payout := func(outcome string) string {
		return id(append([]string{"payouts", "create", "--simulate", outcome}, bank...)...)
	}
	account := id("accounts", "create", "--name", "seller", "--currency", "usd")
	transfer := func() string {
		return id("transfers", "create", "--amount", "1", "--currency", "usd", "--to", account, "--pending")
	}
	customer := id("customers", "create", "--name", "Ana")
	merchant := strings.TrimSpace(c.must(0, "merchants", "list", "-o", "id"))
	returned := payout("returned")
	c.giro("payouts", "wait", returned)
	failed := payout("failed")
	c.giro("payouts", "wait", failed)
	ch, authorised, canceled := charge("tok_ok"), charge("tok_auth"), charge("tok_auth")
	refund := id("refunds", "create", ch, "--amount", "1")
	moved := id("transfers", "create", "--amount", "1", "--currency", "usd", "--to", account)
	key := func() string { return strings.TrimSpace(c.must(0, "keys", "create", "-o", "id")) }
	ltx := strings.TrimSpace(c.must(0, "transactions", "list", "-o", "id", "--limit", "1"))

	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	hook := id("webhooks", "create", receiver.URL, "--events", "payout.*")
	event := strings.TrimSpace(c.must(0, "events", "list", "-o", "id", "--limit", "1"))
	c.must(0, "events", "resend", event, "--endpoint", hook)
	secret := "whsec_" + strings.Repeat("A", 43) + "="

	sheet := func(line string) string { return c.file("bulk.jsonl", line) }

	// A command that only manual live money has is refused here: 5.
	rows := []struct {
		line string
		exit int
	}{
		{"charges create --amount 1 --currency usd --card-token tok_ok", 0},
		{"charges list", 0}, {"charges get " + ch, 0}, {"charges update " + ch + " --description x", 0}, {"charges capture " + authorised + " --amount 3", 0},
		{"charges refund " + ch + " --amount 2 --wait", 0}, {"charges cancel " + canceled, 0}, {"charges release " + ch, 5}, {"charges confirm " + ch, 5}, {"charges fail " + ch, 5},
		{"charges wait " + ch, 0}, {"charges timeline " + ch, 0}, {"charges ledger " + ch, 0}, {"charges delete " + canceled, 0},
		{"refunds create " + ch + " --amount 1", 0}, {"refunds list", 0}, {"refunds get " + refund, 0}, {"refunds update " + refund + " --description x", 0}, {"refunds wait " + refund, 0},
		{"refunds cancel " + refund, 5}, {"refunds release " + refund, 5}, {"refunds confirm " + refund, 5}, {"refunds fail " + refund, 5}, {"refunds return " + refund, 5},
		{"refunds timeline " + refund, 0}, {"refunds ledger " + refund, 0}, {"refunds delete " + refund, 0},
		{"payouts create " + strings.Join(bank, " "), 0}, {"payouts list", 0}, {"payouts get " + failed, 0}, {"payouts update " + failed + " --description x", 0},
		{"payouts bulk " + sheet(`{"amount":1,"currency":"usd","provider":"card","card":{"token":"tok_ok"}}`), 0}, {"payouts bulk " + sheet("{nope"), 6}, {"payouts bulk nowhere", 2},
		{"transfers bulk " + sheet(`{"amount":1,"currency":"usd","destination":"`+account+`"}`), 0},
		{"fixtures run " + sheet(`{"fixtures":[{"path":"/v1/customers","body":{"name":"Ana"}}]}`), 0}, {"fixtures run " + sheet(`{"fixtures":[{"path":"/v1/customers"}]}`), 6},
		{"payouts cancel " + failed, 5}, {"payouts release " + failed, 5}, {"payouts retry " + failed + " --wait", 0}, {"payouts credit-back " + returned, 0},
		{"payouts confirm " + failed, 5}, {"payouts fail " + failed, 5}, {"payouts return " + failed, 5}, {"payouts wait " + failed, 7},
		{"payouts timeline " + failed, 0}, {"payouts ledger " + failed, 0}, {"payouts delete " + failed, 0},
		{"transfers create --amount 1 --currency usd --to " + account, 0}, {"transfers list", 0}, {"transfers get " + moved, 0}, {"transfers update " + moved + " --description x", 0},
		{"transfers reverse " + moved, 0}, {"transfers post " + transfer(), 0}, {"transfers void " + transfer(), 0}, {"transfers timeline " + moved, 0}, {"transfers ledger " + moved, 0}, {"transfers delete " + moved, 0},
		{"customers create --name Rui", 0}, {"customers list", 0}, {"customers get " + customer, 0}, {"customers update " + customer + " --email a@example.com", 0},
		{"sources create " + customer + " --card-token tok_ok", 0}, {"sources list", 0}, {"sources get src_01h455vb4pex5vsknk084sn02q", 4}, {"sources update src_01h455vb4pex5vsknk084sn02q --metadata a=b", 4}, {"sources delete src_01h455vb4pex5vsknk084sn02q", 4},
		{"customers delete " + customer, 0},
		{"balances list", 0}, {"balances get usd", 0}, {"balances history usd --days 2", 0}, {"get " + ch, 0},
		{"accounts create --name x --currency eur", 0}, {"accounts list", 0}, {"accounts list --ids " + account, 0}, {"accounts get " + account, 0}, {"accounts statement " + account, 0}, {"accounts close " + account, 5},
		{"transactions list", 0}, {"transactions get " + ltx, 0}, {"trial-balance", 0},
		{"simulate " + charge("tok_pending") + " succeeded", 0}, {"fund --amount 1 --currency usd", 0}, {"clock show", 0}, {"clock advance 1h", 0}, {"clock freeze", 0}, {"clock freeze 2001-01-01", 6}, {"clock reset", 0}, {"faults set --payouts timeout", 0}, {"faults show", 0}, {"faults set --charges maybe", 6}, {"faults set", 0}, {"clock to 2001-01-01", 6}, {"rail-log", 0},
		{"api get /v1/balances", 0}, {"keys create", 0}, {"keys list", 0}, {"keys get " + key(), 0}, {"keys roll " + key(), 0}, {"keys revoke " + key(), 0}, {"keys scopes", 0},
		{"events list", 0}, {"events get " + event, 0}, {"events resend " + event, 0}, {"events tail --after 0 --limit 1", 0},
		{"webhooks create " + receiver.URL + " --events *", 0}, {"webhooks list", 0}, {"webhooks get " + hook, 0}, {"webhooks update " + hook + " --description x", 0},
		{"deliveries list --endpoint " + hook, 0}, {"deliveries get " + event + " --endpoint " + hook, 0}, {"deliveries resend " + event + " --endpoint " + hook, 0}, {"deliveries recover --endpoint " + hook + " --since 1h --count", 0}, {"deliveries recover --endpoint " + hook + " --since 1h", 0},
		{"webhooks test " + hook, 0}, {"webhooks pause " + hook, 0}, {"webhooks test " + hook, 5}, {"webhooks resume " + hook, 0}, {"webhooks roll-secret " + hook, 0}, {"webhooks delete " + hook, 0},
		{"webhooks exam " + receiver.URL + " --secret " + secret, 7}, {"listen --print-secret", 0}, {"trigger charge.failed", 0}, {"trigger transfer.failed", 2},
		{"merchants create --name x", 3}, {"merchants delete " + merchant, 2}, {"merchants delete --yes " + merchant, 3}, {"merchants list", 0}, {"merchants get " + merchant, 0}, {"merchants update " + merchant + " --name y", 0},
		{"rails set " + merchant + " smartfastpay --client-id x", 3}, {"rails get " + merchant + " smartfastpay", 3}, {"rails remove " + merchant + " smartfastpay", 3},
		{"settings get", 0}, {"settings set --settlement-delay 0s", 0}, {"providers list", 0}, {"providers set bank/pix=manual", 0}, {"providers set bank/pix=nothing", 6},
		{"views list", 0}, {"views create --name x --page payouts", 0}, {"views update view_01h455vb4pex5vsknk084sn02q --name y", 4}, {"views delete view_01h455vb4pex5vsknk084sn02q", 4},
		{"clients create", 0}, {"clients create jumppag", 0}, {"clients create other", 2}, {"clients list", 0}, {"clients revoke oac_01h455vb4pex5vsknk084sn02q", 4},
		{"idempotency nobody", 4}, {"search ana", 0}, {"users invitations", 0}, {"users withdraw inv_01h455vb4pex5vsknk084sn02q", 4},
		{"rates set usd brl 5.25", 0}, {"rates list", 0}, {"audit list", 0}, {"proof show", 0}, {"proof run", 0}, {"doctor", 0},
		{"users list", 0}, {"users roles", 0}, {"users invite ana@example.com --role admin", 0}, {"users role per_01h455vb4pex5vsknk084sn02q admin", 4},
		{"users disable per_01h455vb4pex5vsknk084sn02q", 4}, {"users reset per_01h455vb4pex5vsknk084sn02q", 4},
		{"logs list --method post", 0}, {"logs list --status 4xx --all", 0}, {"logs get 01910000-0000-7000-8000-000000000000", 4},
		{"whoami", 0}, {"status", 0}, {"profiles list", 0}, {"commands", 0},
		{"wipe", 2}, {"wipe --test --yes", 0},
	}
	tested := map[string]bool{}
	for _, row := range rows {
		args := strings.Fields(row.line)
		tested[args[0]] = true
		if len(args) > 1 {
			tested[args[0]+" "+args[1]] = true
		}
		out := c.must(row.exit, append(args, "--json")...)
		if row.exit == 0 || row.exit == exitDeclined {
			var v any
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Errorf("giro %s --json printed %q: %v", row.line, out, err)
			}
			if c.err.Len() > 0 && row.exit == 0 {
				t.Errorf("giro %s --json told %q on standard error", row.line, c.err.String())
			}
			continue
		}
		var v struct {
			Error struct{ Detail string }
			Exit  int
		}
		if err := json.Unmarshal(c.err.Bytes(), &v); err != nil || v.Exit != row.exit || v.Error.Detail == "" || out != "" {
			t.Errorf("giro %s --json: %q on standard error, %q on standard output (%v)", row.line, c.err.String(), out, err)
		}
	}
	var commands commands
	model := kong.Must(&commands, kong.Vars{"server": "", "outcomes": ""}).Model
	local := []string{"serve", "init", "verify", "seed", "logs tail", "audit tail"} // their JSON has tests of its own
	for _, leaf := range leaves(model.Node) {
		path := leaf.Name
		for up := leaf.Parent; up != nil && up.Parent != nil; up = up.Parent {
			path = up.Name + " " + path
		}
		if !slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "json" }) || slices.Contains(local, path) {
			continue
		}
		if !tested[path] {
			t.Errorf("giro %s takes --json and is not tested here", path)
		}
	}
}

func TestLiveMoneyIsAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.env["GIRO_API_KEY"] = s.Keys["live"].SecretKey
	c.must(2, "balances") // a live key without --live
	c.must(0, "balances", "--live")
	charge := []string{"charges", "create", "--live", "--amount", "10", "--currency", "brl", "--method", "pix", "--reference", "a"}
	c.must(2, charge...)
	c.tty, c.in = true, "no\n"
	c.must(2, charge...)
	if !strings.Contains(c.err.String(), "LIVE: charge R$ 10.00. Type yes to continue: ") {
		t.Error(c.err.String())
	}
	c.must(2, append(charge, "--no-input")...)
	if out := c.must(0, "charges", "list", "--live", "--json"); strings.TrimSpace(out) != "[]" {
		t.Error(out)
	}
	c.in = "yes\n"
	c.must(0, charge...)
	c.tty = false
	c.must(0, append(charge, "--yes")...) // the same reference: the same charge
	if out := c.must(0, "charges", "list", "--live", "-o", "id"); strings.Count(out, "\n") != 1 {
		t.Error(out)
	}
	id := strings.TrimSpace(c.out.String())
	c.must(2, "charges", "confirm", id, "--live")
	c.must(0, "charges", "confirm", id, "--live", "-y")
	c.env["GIRO_API_KEY"] = s.Keys["test"].SecretKey
	c.must(2, "balances", "--live")
}

// TestWaitingEnds: what ends is the waiting, and it says so once.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.must(0, "fund", "--amount", "50", "--currency", "brl")
	id := strings.TrimSpace(c.must(0, "payouts", "create", "--amount", "5", "--currency", "brl", "--pix-key", "maria@example.com", "--simulate", "pending", "-o", "id"))
	want := "giro: " + id + " is not final yet and goes on by itself; wait again with: giro payouts wait " + id + "\n"
	c.must(exitUnreachable, "payouts", "wait", id, "--timeout", "2s")
	if c.err.String() != want || c.out.Len() > 0 {
		t.Errorf("%q %q", c.out.String(), c.err.String())
	}
	c.must(exitUnreachable, "payouts", "wait", id, "--timeout", "2s", "--json")
	if !strings.HasPrefix(c.err.String(), `{"error":{"detail":"`+id) || strings.Count(c.err.String(), "\n") != 1 {
		t.Errorf("%q", c.err.String())
	}
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context()) // as Ctrl-C ends it
	defer interrupt()
	asked := 0
	between := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ModifyResponse: func(*http.Response) error {
		if asked++; asked == 2 { // it is there, and not final
			interrupt()
		}
		return nil
	}})
	defer between.Close()
	c.env["GIRO_URL"], c.ctx = between.URL, ctx
	c.must(exitInterrupted, "payouts", "wait", id)
	if c.err.String() != want {
		t.Errorf("%q", c.err.String())
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, nil)
	c.must(3, "balances", "--server", s.URL)
	c.in = "sk_test_nobody\n"
	c.must(3, "login", s.URL)
	if _, err := os.Stat(c.env["GIRO_CONFIG"]); err == nil {
		t.Error("a key that does not work was kept")
	}
	for _, key := range []string{s.Keys["test"].SecretKey, s.Keys["live"].SecretKey, s.AdminToken} {
		c.in = key + "\n"
		c.must(0, "login", s.URL)
		if strings.Contains(c.out.String()+c.err.String(), key) {
			t.Error("login shows the key")
		}
	}
	info, err := os.Stat(c.env["GIRO_CONFIG"])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	c.must(0, "balances")
	c.must(0, "balances", "--live")
	if out := c.must(0, "merchants", "create", "--name", "Second", "--json"); !strings.Contains(out, "sk_live_") {
		t.Error(out)
	}
	c.in = s.Keys["test"].SecretKey + "\n"
	c.must(0, "login", s.URL, "-p", "other")
	if out := c.must(0, "profiles", "list", "--json"); !strings.Contains(out, `"id":"other","in_use":"yes"`) {
		t.Error(out)
	}
	c.must(2, "balances", "-p", "none")
	c.must(0, "profiles", "use", "default")
	c.must(0, "logout")
	c.must(3, "balances")
	c.must(0, "balances", "--profile", "other")
	c.must(0, "profiles", "rm", "other")
	c.must(4, "profiles", "rm", "other")
	c.must(4, "profiles", "use", "other")
}

func TestExitCodesOfTheWire(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.env["GIRO_API_KEY"] = "sk_test_x"
	status := 0
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":"some_code","detail":"a\u001b[31m\nfake line","status":%d,"request_id":"r-1"}`, status)
	}))
	defer h.Close()
	c.env["GIRO_URL"] = h.URL
	for s, exit := range map[int]int{400: 6, 401: 3, 403: 3, 404: 4, 409: 5, 412: 5, 422: 6, 429: 8, 500: 1, 502: 8, 503: 8, 504: 8, 302: 1} {
		status = s
		if code := c.giro("balances", "--retries", "0"); code != exit || c.out.Len() > 0 {
			t.Errorf("status %d: exit %d instead of %d", s, code, exit)
		}
		if strings.ContainsAny(strings.ReplaceAll(c.err.String(), "\n", ""), "\x1b") || strings.Count(c.err.String(), "\n") != 2 {
			t.Errorf("the server's text moves the cursor: %q", c.err.String())
		}
	}
	h.Close()
	c.must(9, "balances", "--retries", "0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.ctx = ctx
	c.must(130, "balances")
}

// TestDataMovesNoCursor: what a server sends is data, also where it looks like
// what giro paints.
func TestDataMovesNoCursor(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	c.env["GIRO_API_KEY"] = "sk_test_x"
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := `{"id":"\u001b[2Jx","reference":"\u001b[31mred\u001b[0m","status":"\u001b[1A\u001b[0m","recipient":{"name":"\u001b[31m\u001b[2J\u001b[0m"},"a\u001b[2J":1,"description":"a\u009b2Jb"}`
		if strings.HasSuffix(r.URL.Path, "/payouts") {
			one = "[" + one + "]"
		}
		io.WriteString(w, one)
	}))
	defer h.Close()
	c.env["GIRO_URL"], c.tty = h.URL, true
	colour := regexp.MustCompile("\x1b\\[[0-9]+m")
	for _, width := range []int{200, 60, 20} {
		c.width = width
		for _, args := range [][]string{{"payouts", "list", "--wide"}, {"payouts", "list"}, {"payouts", "get", "po_x"}} {
			out := colour.ReplaceAllString(c.must(0, args...), "")
			if strings.ContainsAny(out, "\x1b\u009b") {
				t.Errorf("%d characters, %q: %q", width, args, out)
			}
		}
	}
}

func TestDebugHidesSecrets(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	out := c.must(0, "keys", "create", "--debug", "--json")
	var k struct{ Secret string }
	if err := json.Unmarshal([]byte(out), &k); err != nil || k.Secret == "" {
		t.Fatal(out, err)
	}
	if told := c.err.String(); strings.Contains(told, k.Secret) || strings.Contains(told, s.Keys["test"].SecretKey) || !strings.Contains(told, "POST /v1/api_keys") {
		t.Error(told)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := c.must(0, "completion", shell); !strings.Contains(out, "giro complete -- ") {
			t.Error(out)
		}
	}
	for line, want := range map[string]string{
		"pay": "payouts", "payouts cr": "create\ncredit-back", "payments cap": "capture", "completion z": "zsh", "payouts list --sta": "--status",
	} {
		if out := c.must(0, append([]string{"complete", "--"}, strings.Fields(line)...)...); strings.TrimSpace(out) != want {
			t.Errorf("%q completes to %q", line, out)
		}
	}
}

// TestExport: an export is whole or not there.
func TestExport(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data)
	c := newConsole(t, s)
	for n := range 3 {
		c.must(0, "charges", "create", "--amount-minor", strconv.Itoa(100+n), "--currency", "usd", "--card-token", "tok_ok", "--description", "=1+1")
	}
	out := c.must(0, "export", "charges", "--columns", "amount,description", "--status", "succeeded")
	if out != "amount,description\n102,'=1+1\n101,'=1+1\n100,'=1+1\n" {
		t.Errorf("%q", out)
	}
	file := filepath.Join(t.TempDir(), "charges.csv.gz")
	c.must(0, "export", "charges", "--to", file, "--gzip")
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := io.ReadAll(z); err != nil || bytes.Count(rows, []byte("\n")) != 4 {
		t.Error(string(rows), err)
	}
	c.must(5, "export", "charges", "--to", file)
	c.must(6, "export", "entries")
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("amount\n1\n"))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	half := filepath.Join(t.TempDir(), "half.csv")
	if code := c.giro("export", "charges", "--to", half, "--server", broken.URL); code == 0 {
		t.Error("an export that broke off was taken for a whole one")
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("half an export is left")
	}
	c.must(0, "migrate", "status", "--data", data)
	if out := c.must(0, "doctor", "--data", data); strings.Contains(out, "wrong") {
		t.Error(out)
	}
	if err := os.Chmod(filepath.Join(data, "secret.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.env["GIRO_API_KEY"] = "sk_test_nobody"
	if out := c.must(11, "doctor", "--data", data); strings.Count(out, "wrong") != 2 {
		t.Error(out)
	}
}

// TestLogsTail shows what comes while it looks, and nothing of its own looking.
func TestLogsTail(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.must(0, "fund", "--amount", "1", "--currency", "usd") // before
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	tail := newConsole(t, s)
	code := make(chan int, 1)
	go func() {
		term := &terminal{ctx: ctx, in: strings.NewReader(""), out: writer, err: io.Discard, getenv: func(name string) string { return tail.env[name] }, now: time.Now, zone: time.UTC}
		code <- runLine(term, []string{"logs", "tail", "--json", "--every", "100ms"})
		writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	got := make(chan string)
	go func() {
		for lines.Scan() {
			got <- lines.Text()
		}
		close(got)
	}()
	// Whether it looks already is not told: something new is made until it is shown.
	for shown := false; !shown; {
		c.must(0, "balances")
		select {
		case line := <-got:
			var v struct{ Operation string }
			if err := json.Unmarshal([]byte(line), &v); err != nil || v.Operation != "balances" {
				t.Errorf("%s %v", line, err)
			}
			shown = true
		case <-time.After(200 * time.Millisecond):
		}
	}
	stop()
	for range got {
	}
	if exit := <-code; exit != 0 && exit != exitInterrupted {
		t.Errorf("it ended with %d", exit)
	}
}

// TestSettings: what a merchant sets up by the command line holds, and its
// secrets are shown once.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.must(0, "settings", "set", "--hold-on-missing-funds", "--name", "Padaria")
	if out := c.must(0, "settings", "--fields", "name,hold_on_missing_funds"); out != "name\tPadaria\nhold_on_missing_funds\ttrue\n" {
		t.Error(out)
	}
	held := strings.TrimSpace(c.must(0, "payouts", "create", "--amount", "1", "--currency", "eur", "--iban", "DE89370400440532013000", "-o", "id", "--idempotency-key", "k-1"))
	if out := c.must(0, held, "--fields", "status"); out != "status\tonhold\n" {
		t.Error(out)
	}
	if out := c.must(0, "idempotency", "k-1", "--fields", "state,status,source"); out != "state\tanswered\nstatus\t201\nsource\t"+held+"\n" {
		t.Error(out)
	}
	c.must(0, "settings", "set", "--no-hold-on-missing-funds")
	if out := c.must(0, "settings", "get", "--fields", "name,hold_on_missing_funds"); out != "name\tPadaria\nhold_on_missing_funds\tfalse\n" {
		t.Error(out)
	}
	c.must(0, "providers", "set", "bank/pix=manual", "card=")
	if out := c.must(0, "providers", "-o", "csv", "--no-headers"); !strings.Contains(out, "\nbank/pix,manual,true\n") || !strings.HasPrefix(out, "card,") {
		t.Error(out)
	}
	view := strings.TrimSpace(c.must(0, "views", "create", "--name", "Failed", "--page", "payouts", "--query", "status=failed", "-o", "id"))
	c.must(0, "views", "update", view, "--name", "Broken")
	if out := c.must(0, "views", "list", "--page", "payouts", "--fields", "id,name,query"); out != view+"\tBroken\tstatus=failed\n" {
		t.Error(out)
	}
	c.must(0, "views", "delete", view)
	if out := c.must(0, "views", "list"); out != "" {
		t.Error(out)
	}
	made := strings.Split(strings.TrimSpace(c.must(0, "clients", "create", "jumppag", "-o", "csv", "--no-headers")), ",")
	if len(made) != 5 || made[0] == "" || made[3] != "jumppag" {
		t.Fatal(made)
	}
	if out := c.must(0, "clients", "list"); strings.Contains(out, made[0]) || !strings.Contains(out, made[2]) {
		t.Error(out)
	}
	c.must(0, "clients", "revoke", made[1])
	if out := c.must(0, "clients", "list", "-o", "id"); strings.Contains(out, made[1]) {
		t.Error(out)
	}
	if out := c.must(0, "search", "padaria", "nobody"); out != "" {
		t.Error(out)
	}
	for page, want := range map[string]string{"payments": "/app/payments", held: "/app/payouts/" + held, "docs": "/docs"} {
		if out := c.must(0, "open", page); out != s.URL+want+"\n" {
			t.Error(page, out)
		}
	}
	c.must(2, "open", "nowhere")
	if out := c.must(0, "api", "get", "search?q="+held, "--fields", "id"); out != `[{"id":"`+held+`"}]`+"\n" {
		t.Error(out)
	}
}

// TestFixtures: a request uses what earlier ones answered, and the first refusal
// ends it.
func TestFixtures(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.env["WHO"] = "Ana"
	file := c.file("shop.json", `{"fixtures":[
		{"name":"ana","path":"customers","body":{"name":"${env:WHO}","email":"${env:MAIL|ana@example.com}","metadata":{"a":"b"}}},
		{"name":"paid","method":"post","path":"/v1/charges","body":{"amount":1500,"currency":"usd","provider":"card","card":{"token":"tok_ok"},"customer":"${ana:id}","description":"of ${ana:name}"}},
		{"name":"back","path":"refunds","simulate":"failed","params":{"charge":"${paid:id}","amount":"${paid:amount_captured}"}},
		{"method":"get","path":"charges/${paid:id}?x="},
		{"method":"get","path":"charges/${paid:id}"}]}`)
	if out := c.must(exitInvalid, "fixtures", "run", file, "--fields", "name,method,status"); out != "ana\tPOST\t201\npaid\tPOST\t201\nback\tPOST\t201\n" || !strings.Contains(c.err.String(), "giro: 4: ") {
		t.Error(out, c.err.String())
	}
	if out := c.must(0, "customers", "list", "--fields", "name,email"); out != "Ana\tana@example.com\n" {
		t.Error(out)
	}
	charge := strings.TrimSpace(c.must(0, "charges", "list", "-o", "id"))
	if out := c.must(0, "charges", "get", charge, "--fields", "description,amount"); out != "description\tof Ana\namount\t1500\n" {
		t.Error(out)
	}
	if out := c.must(0, "refunds", "list", "--fields", "amount,charge"); out != "1500\t"+charge+"\n" {
		t.Error(out)
	}
	c.in = `{"fixtures":[{"name":"x","path":"customers","body":{"name":"Ana"}}]}`
	out := c.must(0, "fixtures", "run", "-", "--override", "x:name=Bia", "--override", "x:metadata.n=\"1\"", "--json")
	if !strings.Contains(out, `"name":"Bia"`) || !strings.Contains(out, `"metadata":{"n":"1"}`) {
		t.Error(out)
	}
	for _, bad := range []string{"", "{}", `{"fixtures":[]}`, `{"fixtures":[{}]}`, `{"fixtures":[{"path":"x","method":"brew"}]}`, `{"fixtures":[{"name":"a","path":"customers"},{"name":"a","path":"customers"}]}`, `{"fixtures":[{"path":"customers","body":{"name":"${nobody:id}"}}]}`} {
		c.in = bad
		c.must(exitUsage, "fixtures", "run", "-")
	}
	c.must(exitUsage, "fixtures", "run", file, "--override", "nobody:a=b")
	if out := c.must(0, "customers", "list", "-o", "id"); strings.Count(out, "\n") != 2 {
		t.Error(out)
	}
}

func TestSignVerify(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	// The published vector of the SmartFastPay pages; it is years old.
	c.env["GIRO_WEBHOOK_SECRET"], c.in = "my-secret", `{"callback":true,"value":"value-field"}`
	args := []string{"sign", "verify", "--tolerance", "1000000h", "--signature", "t=1681235417000,v1=b9ffafcd16416bd11e36f877c2d7ccc71633d174f8245abc49fc2aef7e6633c8"}
	c.must(0, args...)
	c.in = `{"callback":true,"value":"another"}`
	c.must(11, args...)
	delete(c.env, "GIRO_WEBHOOK_SECRET")
	c.must(2, args...)
}

func TestTreeKeepsWhatItRead(t *testing.T) {
	t.Parallel()
	const text = `{"b":1,"a":[{"x":null},true,12345678901234567890,"é <&> \u2028"],"c":{}}`
	v, err := parseTree([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.appendJSON(nil, "", "")); got != text {
		t.Error(got)
	}
	if v.at("a.0.x") == nil || v.at("a.3").string() != "é <&> \u2028" || v.at("z") != nil || v.at("b.c") != nil {
		t.Error("paths")
	}
	if got := string(v.appendYAML(nil, "")); got != "b: 1\na:\n- x: null\n- true\n- 12345678901234567890\n- \"é <&> \\u2028\"\nc: {}\n" && !strings.Contains(got, "x: null") {
		t.Error(got)
	}
	for _, bad := range []string{"", "{", "{}{}", "nope"} {
		if _, err := parseTree([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
