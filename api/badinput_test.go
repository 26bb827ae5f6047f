package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"giro"
	"giro/api"
	"giro/bank"
	"giro/internal/storetest"
	"giro/internal/webscript"
	"giro/rail"
	"giro/store"
	"giro/webhook"
)

// The table of bad input is testdata/bad_input.jsonl, one row per line; the
// rows that need a state of their own are scripts in testdata/bad_input. Both
// run over real connections, on both databases. Whatever is refused leaves the
// books and the number of objects as they were, and nothing is answered with a
// 5xx.
//
// In the texts of a row «name» stands for a prepared object or for the base
// body, «repeat 3 x» for xxx, «base64 …» for bytes, «keys 3» for an object of
// three members, «chunks 2 5» for a chunked body of two chunks of five blanks.
type badRow struct {
	Row     string            `json:"row"`     // the number of the case
	What    string            `json:"what"`    // to tell the rows of a number apart
	On      string            `json:"on"`      // C, R, P, X: create a charge, refund, payout, transfer
	Request string            `json:"request"` // or METHOD /target
	Wire    string            `json:"wire"`    // or everything that is sent
	Body    *string           `json:"body"`    // nil: the base body of On
	Set     map[string]string `json:"set"`     // members of the base body, as raw JSON; empty: taken out
	Headers []string          `json:"headers"` // added; "-Name" takes one away that every request has

	Status       int               `json:"status"`
	Statuses     []int             `json:"statuses"` // of all answers to Wire
	Once         bool              `json:"once"`     // no answer beyond those
	Code         string            `json:"code"`
	Param        string            `json:"param"`
	Answer       json.RawMessage   `json:"answer"`         // members that the answer has
	AnswerHeader map[string]string `json:"answer_headers"` // and headers
	LacksHeaders []string          `json:"lacks_headers"`
	List         *int              `json:"list"`   // so many elements
	Empty        bool              `json:"empty"`  // no body
	Closes       bool              `json:"closes"` // the connection ends
	Never        string            `json:"never"`  // in no answer, no log line and no file of the store
}

// baseBodies are the requests that On names: each is accepted as it stands.
var baseBodies = map[rune]struct {
	path    string
	members [][2]string
}{
	'C': {"/v1/charges", [][2]string{{"amount", "1000"}, {"currency", `"usd"`}, {"provider", `"card"`}, {"card", `{"token":"card_token"}`}}},
	'R': {"/v1/refunds", [][2]string{{"charge", `"«charge»"`}, {"amount", "100"}}},
	'P': {"/v1/payouts", [][2]string{{"amount", "1000"}, {"currency", `"usd"`}, {"provider", `"bank"`}, {"bank", `{"method":"pix","key":"ana@example.com"}`}, {"recipient", `{"name":"Ana"}`}}},
	'X': {"/v1/transfers", [][2]string{{"amount", "100"}, {"currency", `"usd"`}, {"destination", `"«account»"`}}},
}

// members writes base's members with those of set put in their place or behind.
func members(base [][2]string, set map[string]string) string {
	var parts []string
	done := map[string]bool{}
	for _, m := range base {
		v := m[1]
		if own, ok := set[m[0]]; ok {
			v, done[m[0]] = own, true
		}
		if v != "" {
			parts = append(parts, `"`+m[0]+`":`+v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !done[name] && set[name] != "" {
			parts = append(parts, `"`+name+`":`+set[name])
		}
	}
	return strings.Join(parts, ",")
}

var placeholder = regexp.MustCompile(`(?s)«([^»]*)»`)

// fill replaces the placeholders of a text.
func fill(t *testing.T, s string, vars map[string]string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(s, func(m string) string {
		inside := strings.TrimSuffix(strings.TrimPrefix(m, "«"), "»")
		word, rest, _ := strings.Cut(inside, " ")
		number := func() (int, string) {
			n, rest, _ := strings.Cut(rest, " ")
			v, err := strconv.Atoi(n)
			if err != nil {
				t.Fatalf("%s: %v", m, err)
			}
			return v, rest
		}
		switch word {
		case "repeat":
			n, rest := number()
			return strings.Repeat(fill(t, rest, vars), n)
		case "base64":
			b, err := base64.StdEncoding.DecodeString(rest)
			if err != nil {
				t.Fatal(m, err)
			}
			return string(b)
		case "keys":
			n, _ := number()
			parts := make([]string, n)
			for i := range parts {
				parts[i] = `"k` + strconv.Itoa(i) + `":"v"`
			}
			return "{" + strings.Join(parts, ",") + "}"
		case "chunks":
			n, size := number()
			bytes, _ := strconv.Atoi(size)
			return strings.Repeat(fmt.Sprintf("%x\r\n%s\r\n", bytes, strings.Repeat(" ", bytes)), n)
		}
		v, ok := vars[inside]
		if !ok {
			t.Fatalf("%s is not prepared", m)
		}
		return fill(t, v, vars)
	})
}

// hostile is an installation that listens, whose jobs stand still, so that
// nothing moves but by a request.
type hostile struct {
	engine  *giro.Engine
	store   giro.Store
	server  *api.Server
	address string
	vars    map[string]string
	books   []giro.Book
	log     *lockedBuffer
	folder  string // of the embedded store
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// onBothStores runs a test on each database.
func onBothStores(t *testing.T, run func(t *testing.T, s giro.Store, folder string)) {
	onBothKinds(t, func(t *testing.T, open func() (s giro.Store, folder string)) {
		s, folder := open()
		run(t, s, folder)
	})
}

// onBothKinds runs a test for each kind of database, of which it may open
// several.
func onBothKinds(t *testing.T, run func(t *testing.T, open func() (s giro.Store, folder string))) {
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		run(t, func() (s giro.Store, folder string) {
			d := d.Fresh(t)
			return d.Open(t, store.Options{}), d.Folder
		})
	})
}

// prepare makes three merchants, and of the first what the rows name; change may
// set up the engine and the server before they start.
func prepare(t *testing.T, s giro.Store, folder string, change ...func(e *giro.Engine, c *api.Config)) *hostile {
	t.Helper()
	h := &hostile{store: s, folder: folder, log: &lockedBuffer{}, vars: map[string]string{}}
	e := &giro.Engine{Store: s, Now: time.Now, NewID: giro.UUIDs(), Secret: giro.Secret{1, 2, 3}, Paused: func() bool { return true }}
	e.Rails = map[string]giro.Rail{"sandbox": &rail.Sandbox{Memory: e}, "manual": rail.Manual{}, "smartfastpay": provider(e)}
	config := api.Config{Engine: e, Now: e.Now, NewID: e.NewID, Secret: bytes.Repeat([]byte{9}, 32),
		Log: slog.New(slog.NewTextHandler(h.log, nil)), Admin: func(token string) bool { return token == adminToken }, Webhooks: hooks(e, webhook.Policy{})}
	for _, change := range change {
		change(e, &config)
	}
	e.Start()
	h.engine = e
	t.Cleanup(func() {
		e.Stop()
		s.Close()
	})
	server, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	h.server = server
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := server.HTTP()
	go listener.Serve(l)
	t.Cleanup(func() { listener.Close() })
	h.address = l.Addr().String()

	ctx := context.Background()
	must := func(v any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	merchant := func(m giro.Merchant) (*giro.Merchant, giro.KeySet, giro.KeySet) {
		made := must(e.CreateMerchant(ctx, &giro.Call{Admin: true}, m)).(*giro.Merchant)
		h.books = append(h.books, giro.BookOf(made.Number, false), giro.BookOf(made.Number, true))
		return made, must(e.CreateKeySet(ctx, made, false)).(giro.KeySet), must(e.CreateKeySet(ctx, made, true)).(giro.KeySet)
	}
	first, test, live := merchant(giro.Merchant{Name: "First", Currency: "USD"})
	second, secondTest, secondLive := merchant(giro.Merchant{Name: "Second", Currency: "USD"})
	_, strict, _ := merchant(giro.Merchant{Name: "Strict", Currency: "USD", RequireIdempotencyKey: true})
	h.vars = map[string]string{
		"secret_key": test.SecretKey, "publishable_key": test.PublishableKey, "live_key": live.SecretKey, "admin_token": adminToken,
		"second_key": secondTest.SecretKey, "second_live_key": secondLive.SecretKey, "second_merchant": second.ID.ID("mer"), "merchant": first.ID.ID("mer"),
		"strict_key": strict.SecretKey, "cnpj": bank.Sample("cnpj", 7), "cpf": bank.Sample("cpf", 7), "C": "{" + members(baseBodies['C'].members, nil) + "}",
	}
	mine, theirs, real := &giro.Call{Merchant: first}, &giro.Call{Merchant: second}, &giro.Call{Merchant: first, Live: true}
	charge := func(call *giro.Call, amount int64, reference string) string {
		req := giro.Request{Amount: amount, Currency: "USD", Provider: "card", Card: &giro.Card{Token: "tok_ok"}, Capture: true, Reference: reference}
		if call.Live {
			req.Provider, req.Card, req.Mobile = "mobile", nil, &giro.Mobile{Phone: "+5511987654321"}
		}
		return must(e.CreateCharge(ctx, call, req)).(*giro.Result).Movement.ID.ID("ch")
	}
	h.vars["charge"] = charge(mine, 1_000_000, "order-1")
	h.vars["foreign_charge"] = charge(theirs, 1000, "")
	h.vars["live_charge"] = charge(real, 1000, "")
	must(e.Fund(ctx, mine, "USD", 1_000_000))
	account := func(call *giro.Call, name string) giro.UUID {
		return must(e.CreateAccount(ctx, call, name, "USD", false, nil)).(*giro.Account).ID
	}
	h.vars["account"] = account(mine, "a").ID("acct")
	h.vars["foreign_account"] = account(theirs, "b").ID("acct")
	h.vars["live_account"] = account(real, "c").ID("acct")
	closed := account(mine, "d")
	must(e.CloseAccount(ctx, mine, closed))
	h.vars["closed_account"] = closed.ID("acct")
	payout := func() giro.UUID {
		return must(e.CreatePayout(ctx, mine, giro.Request{Amount: 500, Currency: "USD", Provider: "bank", Bank: &giro.Bank{Method: "pix", Key: "ana@example.com"}})).(*giro.Result).Movement.ID
	}
	h.vars["payout"] = payout().ID("po")
	paid := payout()
	must(e.TestOutcome(ctx, mine, giro.KindPayout, paid, "succeeded", ""))
	h.vars["paid_payout"] = paid.ID("po")
	k := must(e.CreateKey(ctx, mine, first, giro.APIKey{})).(*giro.NewKey)
	must(e.RevokeKey(ctx, mine, mine.Book(), k.Key.ID, giro.Micros(e.Now())))
	h.vars["revoked_key"] = k.Secret
	bea := &giro.StoredDocument{Kind: giro.DocCustomer, ID: e.NewID(e.Now()), Book: theirs.Book(), Data: []byte(`{"name":"Bea"}`)}
	must(e.CreateDocument(ctx, theirs, bea, nil, nil))
	h.vars["foreign_customer"] = bea.ID.ID("cus")
	slip, err := bank.Boleto{Bank: "999", Due: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Amount: 1000, Free: strings.Repeat("4", 25)}.Line()
	must(slip, err)
	h.vars["boleto"] = slip
	return h
}

// wire is one answer as it came over a connection.
type wireAnswer struct {
	status int
	header http.Header
	body   []byte
	closes bool
}

// exchange sends bytes and reads n answers; with more, it reports whether
// another one came.
func (h *hostile) exchange(t *testing.T, request string, n int, method string, more bool) (list []wireAnswer, another bool) {
	t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	go io.WriteString(conn, request) // the server may answer before all was sent
	in := bufio.NewReader(conn)
	for range n {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d: %v", len(list)+1, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("body of answer %d: %v", len(list)+1, err)
		}
		list = append(list, wireAnswer{resp.StatusCode, resp.Header, body, resp.Close})
	}
	if more {
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := in.ReadByte()
		another = err == nil
	}
	return list, another
}

// code returns the code of a refusal, or "".
func (a wireAnswer) code() string {
	var p problem
	if json.Unmarshal(a.body, &p) != nil {
		return ""
	}
	return p.Code
}

// text returns a member of the answer.
func (a wireAnswer) text(name string) string {
	var v map[string]any
	if json.Unmarshal(a.body, &v) != nil {
		return ""
	}
	return fmt.Sprint(v[name])
}

// send makes a request of its parts.
func (h *hostile) send(t *testing.T, request string, headers []string, body string) wireAnswer {
	t.Helper()
	method, target, _ := strings.Cut(fill(t, request, h.vars), " ")
	body = fill(t, body, h.vars)
	lines := []string{method + " " + target + " HTTP/1.1", "Host: giro.test", "Authorization: Bearer " + h.vars["secret_key"], "Connection: close"}
	if method == "POST" || method == "PUT" {
		lines = append(lines, "Content-Type: application/json")
	}
	lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)))
	for _, header := range headers {
		header = fill(t, header, h.vars)
		if name, ok := strings.CutPrefix(header, "-"); ok {
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
			continue
		}
		if strings.HasPrefix(header, "Content-Length:") {
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Content-Length:") })
		}
		lines = append(lines, header)
	}
	list, _ := h.exchange(t, strings.Join(lines, "\r\n")+"\r\n\r\n"+body, 1, method, false)
	return list[0]
}

// state is everything that a refusal must leave as it was.
func (h *hostile) state(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	trial, err := h.store.TrialBalance(ctx, giro.Installation)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%+v\n", *trial)
	for _, book := range h.books {
		head, err := h.store.Head(ctx, book)
		if err != nil {
			t.Fatal(err)
		}
		accounts, sequence, err := h.store.Accounts(ctx, giro.AccountQuery{Book: book, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%+v %d", *head, sequence)
		for _, a := range accounts {
			fmt.Fprintf(&b, " %s=%d", a.ID, a.Balance)
		}
		b.WriteByte('\n')
	}
	for _, kind := range []giro.DocumentKind{giro.DocMerchant, giro.DocKey, giro.DocClient, giro.DocCustomer, giro.DocSource} {
		docs, err := h.store.Documents(ctx, giro.DocumentQuery{Kind: kind, Book: giro.AllBooks, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d\n", kind, len(docs))
	}
	return b.String()
}

// TestBadInput runs the table.
func TestBadInput(t *testing.T) {
	t.Parallel()
	var rows []badRow
	file, err := os.ReadFile("testdata/bad_input.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var row badRow
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, row)
	}
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		state := h.state(t)
		for _, row := range rows {
			kinds := row.On
			if kinds == "" {
				kinds = " "
			}
			for _, kind := range kinds {
				t.Run(strings.TrimSpace(row.Row+" "+row.What+" "+string(kind)), func(t *testing.T) {
					before := state
					defer func() { state = h.state(t) }()
					if h.run(t, row, kind) {
						if after := h.state(t); after != before {
							t.Errorf("a refusal changed something: before\n%safter\n%s", before, after)
						}
					}
				})
			}
		}
		// What must not be kept is in no log line and in no file.
		log := h.log.String()
		for _, row := range rows {
			never := fill(t, row.Never, h.vars)
			if never == "" {
				continue
			}
			if strings.Contains(log, never) {
				t.Errorf("row %s %s: logged", row.Row, row.What)
			}
			files, err := filepath.Glob(filepath.Join(folder, "*"))
			if err != nil || folder != "" && len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, name := range files {
				if folder == "" {
					break
				}
				content, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(content, []byte(never)) {
					t.Errorf("row %s %s: kept in %s", row.Row, row.What, filepath.Base(name))
				}
			}
		}
		report, err := s.Verify(context.Background())
		if err != nil || !report.OK {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// run sends a row and holds its answer to it; refused: it was no 2xx.
func (h *hostile) run(t *testing.T, row badRow, kind rune) (refused bool) {
	t.Helper()
	if row.Wire != "" {
		list, another := h.exchange(t, fill(t, row.Wire, h.vars), len(row.Statuses), "GET", row.Once)
		if another {
			t.Error("an answer too many")
		}
		for i, a := range list {
			if a.status != row.Statuses[i] {
				t.Errorf("answer %d: status %d, want %d: %s", i+1, a.status, row.Statuses[i], a.body)
			}
			if row.Never != "" && bytes.Contains(a.body, []byte(row.Never)) {
				t.Errorf("answer %d holds %s", i+1, row.Never)
			}
		}
		return true
	}
	request, body := row.Request, ""
	if base, ok := baseBodies[kind]; ok {
		request = "POST " + base.path
		vars := maps.Clone(h.vars)
		vars["members"] = members(base.members[1:], nil)
		vars["base"] = "{" + members(base.members, row.Set) + "}"
		text := "«base»"
		if row.Body != nil {
			text = *row.Body
		}
		if text == "«utf16»" {
			text = string(utf16Of(fill(t, "«base»", vars)))
		}
		body = fill(t, text, vars)
	} else if row.Body != nil {
		body = *row.Body
	}
	a := h.send(t, request, row.Headers, body)
	if a.status != row.Status {
		t.Fatalf("status %d, want %d: %.500s", a.status, row.Status, a.body)
	}
	if row.Closes && !a.closes {
		t.Error("the connection stays open")
	}
	if row.Empty != (len(a.body) == 0) {
		t.Errorf("a body of %d bytes", len(a.body))
	}
	if row.Code != "" {
		var p problem
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		if p.Code != row.Code || row.Param != "" && p.Param != row.Param {
			t.Errorf("%s at %q (%s), want %s at %q", p.Code, p.Param, p.Detail, row.Code, row.Param)
		}
		if p.Status != a.status || p.Type != "/docs/errors/"+p.Code || p.Title == "" || p.Detail == "" || p.RequestID == "" || p.RequestID != a.header.Get("Request-Id") {
			t.Errorf("incomplete: %s", a.body)
		}
		if got := a.header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("Content-Type %s", got)
		}
	}
	for name, want := range row.AnswerHeader {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range row.LacksHeaders {
		if a.header.Get(name) != "" {
			t.Errorf("%s is there", name)
		}
	}
	if row.Answer != nil {
		var got, want any
		if err := json.Unmarshal(a.body, &got); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		if err := json.Unmarshal([]byte(fill(t, string(row.Answer), h.vars)), &want); err != nil {
			t.Fatal(err)
		}
		for name, v := range want.(map[string]any) {
			if g := got.(map[string]any)[name]; !reflect.DeepEqual(g, v) {
				t.Errorf("%s is %v, want %v", name, g, v)
			}
		}
	}
	if row.List != nil {
		var list []json.RawMessage
		if err := json.Unmarshal(a.body, &list); err != nil || len(list) != *row.List {
			t.Errorf("%d elements, %v: %s", len(list), err, a.body)
		}
	}
	if never := fill(t, row.Never, h.vars); never != "" && bytes.Contains(a.body, []byte(never)) {
		t.Errorf("the answer repeats it: %s", a.body)
	}
	return a.status >= 400
}

type problem struct {
	Type, Title, Detail, Code, Param string
	Status                           int
	RequestID                        string `json:"request_id"`
}

func utf16Of(s string) []byte {
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

// TestBadInputScripts runs the rows that need a state of their own.
func TestBadInputScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad_input/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	onBothStores(t, func(t *testing.T, s giro.Store, folder string) {
		h := prepare(t, s, folder)
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				script, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r := webscript.Server("http://" + h.address)
				maps.Copy(r.Vars, h.vars)
				r.Do = func(req *http.Request) (*http.Response, error) {
					before := h.state(t)
					resp, err := http.DefaultClient.Do(req)
					if err == nil && resp.StatusCode >= 400 {
						if after := h.state(t); after != before {
							t.Errorf("%s %s: a refusal changed something: before\n%safter\n%s", req.Method, req.URL, before, after)
						}
					}
					if err == nil && resp.StatusCode >= 500 {
						t.Errorf("%s %s: %s", req.Method, req.URL, resp.Status)
					}
					return resp, err
				}
				if err := r.Run(file, string(script)); err != nil {
					t.Error(err)
				}
			})
		}
		report, err := s.Verify(context.Background())
		if err != nil || !report.OK {
			t.Errorf("%+v, %v", report, err)
		}
	})
}
