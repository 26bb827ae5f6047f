package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func (c *console) file(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// TestBulk makes the payouts and transfers of files, and makes none twice.
func TestBulk(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.must(0, "fund", "--amount", "5000", "--currency", "brl")
	states := func(args ...string) string {
		t.Helper()
		args = append(args, "-o", "csv", "--no-headers", "--fields", "line,state,amount,reference,error.code")
		c.giro(args...)
		return c.out.String()
	}
	head := "Valor;Moeda;pix_key;Nome;reference;metadata;x\n"
	sheet := c.file("folha.csv", "\ufeff"+head+
		"1.234,56;BRL;maria@example.com;Maria S.;n-1;shop=1;y\n"+
		"10,00;;j@example.com;\"J; Souza\";;;\n"+
		"10,00;;j@example.com;\"J; Souza\";;;\n"+
		"5,00;;nobody;;n-4;;\n")
	how := []string{"--map", "Valor=amount", "--map", "Moeda=currency", "--map", "Nome=name", "--map", "x=", "--currency", "brl", "--decimal-comma"}
	bulk := append([]string{"payouts", "bulk", sheet}, how...)

	c.must(2, "payouts", "bulk", sheet) // its columns are not known
	if out := c.must(0, append(bulk, "--dry-run", "-o", "csv", "--no-headers", "--fields", "state,amount")...); out != "unsent,123456\nunsent,1000\nunsent,1000\nunsent,500\n" {
		t.Error(out)
	}
	if out := c.must(0, "payouts", "list"); out != "" {
		t.Errorf("reading made %q", out)
	}
	first := states(bulk...)
	lines := strings.Split(strings.TrimSpace(first), "\n")
	if len(lines) != 4 || lines[0] != "2,made,123456,n-1," || lines[3] != "5,refused,500,n-4,key_invalid" {
		t.Fatal(first)
	}
	// Two lines that say the same are two payouts.
	if reference, ok := strings.CutPrefix(lines[1], "3,made,1000,bulk-"); !ok || lines[2] != "4,made,1000,bulk-"+strings.TrimSuffix(reference, ",")+"-2," {
		t.Error(first)
	}
	c.must(exitPartial, bulk...)
	if again := states(bulk...); again != strings.ReplaceAll(first, ",made,", ",existed,") {
		t.Error(again)
	}
	// A line that is mended changes nothing of the others.
	text, _ := os.ReadFile(sheet)
	if err := os.WriteFile(sheet, []byte(strings.Replace(string(text), "nobody", "ana@example.com", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	mended := strings.Replace(strings.ReplaceAll(first, ",made,", ",existed,"), "5,refused,500,n-4,key_invalid", "5,made,500,n-4,", 1)
	if out := states(bulk...); out != mended {
		t.Error(out)
	}
	c.must(0, append(bulk, "--wait")...)
	// Another run makes anew what has no reference of its own.
	if out := states(append(bulk, "--run", "dez")...); strings.Count(out, ",made,1000,dez-") != 2 || strings.Count(out, ",existed,") != 2 {
		t.Error(out)
	}
	if out := c.must(0, "payouts", "list", "--all", "-o", "id"); strings.Count(out, "\n") != 6 {
		t.Error(out)
	}

	// A file with a line that cannot be read is not sent, unless that is said.
	bad := c.file("bad.csv", "amount,currency,pix_key,reference\n1.00,brl,a@example.com,b-1\n1.001,brl,a@example.com,b-2\n,brl,a@example.com,b-3\n1.00,brl,,b-4\n2.00,brl,a@example.com,b-1\n3.00,,a@example.com,b-6\n3.00,brl,a@example.com,b-7,more\n")
	c.must(exitInvalid, "payouts", "bulk", bad)
	for _, want := range []string{"6 lines cannot be read", "line 3: amount: more decimal places", "line 4: say how much", "line 5: say one way", "line 6: the reference \"b-1\" is that of line 2 too", "line 7: amount needs a currency", "line 8: it has 5 fields"} {
		if !strings.Contains(c.err.String(), want) {
			t.Errorf("%q is not in %s", want, c.err.String())
		}
	}
	if out := states("payouts", "bulk", bad, "--skip-invalid"); strings.Count(out, ",invalid,") != 6 || strings.Count(out, ",made,") != 1 {
		t.Error(out)
	}
	for _, file := range []string{"", "[1", "amount\n\xff\n", "wrong\n1\n"} {
		c.must(exitUsage, "payouts", "bulk", c.file("x", file))
	}
	c.must(exitUsage, "payouts", "bulk", filepath.Join(t.TempDir(), "absent"))

	// JSON lines and arrays say what the API takes.
	account := strings.TrimSpace(c.must(0, "accounts", "create", "--name", "seller", "--currency", "brl", "-o", "id"))
	for i, form := range []string{`{"amount":100,"destination":%q,"reference":"j%d-1"}` + "\n\n" + `{"amount":200,"currency":"brl","destination":%q,"metadata":{"a":"b"}}` + "\n", `[{"amount":100,"destination":%q,"reference":"j%d-1"},{"amount":250,"currency":"brl","destination":%q}]`} {
		c.in = fmt.Sprintf(form, account, i, account)
		if out := states("transfers", "bulk", "-", "--currency", "brl"); strings.Count(out, ",made,") != 2 {
			t.Error(out, c.err.String())
		}
	}
	if out := c.must(0, "transfers", "bulk", c.file("t.csv", "amount\tcurrency\tto\n1.00\tbrl\t"+account+"\n"), "--fields", "state,status"); out != "made\tsucceeded\n" {
		t.Error(out)
	}
	c.in = `{"amount":1.5,"currency":"brl"}` + "\nnope\n[]\n" + `{"amount":0,"currency":"brl"}`
	if out := states("transfers", "bulk", "-", "--skip-invalid"); strings.Count(out, ",invalid,") != 4 {
		t.Error(out)
	}

	// All or none.
	c.in = fmt.Sprintf(`[{"amount":1,"currency":"brl","destination":%q},{"amount":2,"currency":"brl","destination":"acct_01h455vb4pex5vsknk084sn02q"}]`, account)
	if out := states("transfers", "bulk", "-", "--atomic"); !strings.HasPrefix(out, "1,unsent,1,") || !strings.Contains(out, "\n2,refused,2,") || !strings.Contains(c.err.String(), "line 2, and so nothing was made") {
		t.Error(out, c.err.String())
	}
	var rows []struct {
		ID    *string
		Error *struct{ Code, Param string }
	}
	if out := c.must(exitPartial, "transfers", "bulk", "-", "--json"); json.Unmarshal([]byte(out), &rows) != nil || len(rows) != 2 || rows[0].ID == nil || rows[0].Error != nil || rows[1].ID != nil || rows[1].Error.Code != "account_unknown" || rows[1].Error.Param != "/destination" {
		t.Error(out)
	}
}

// TestBulkGoesOn loses the answer to a part of a file, whose work was done or was
// not; the same command makes the rest, and nothing twice.
func TestBulkGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, done := range []bool{false, true} {
		t.Run(fmt.Sprint("done ", done), func(t *testing.T) {
			c := newConsole(t, s)
			c.must(0, "fund", "--amount", "5000", "--currency", "brl")
			var asked atomic.Int64 // from the second request on answers are lost, until it is mended
			var mended atomic.Bool
			proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ModifyResponse: func(*http.Response) error {
				if asked.Load() > 1 && !mended.Load() {
					return errors.New("lost")
				}
				return nil
			}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
			door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 && !done && !mended.Load() {
					io.Copy(io.Discard, r.Body)
					panic(http.ErrAbortHandler)
				}
				proxy.ServeHTTP(w, r)
			}))
			defer door.Close()
			var b strings.Builder
			b.WriteString("amount,currency,pix_key,name\n")
			const many = 2*bulkRows + 20
			for i := range many {
				fmt.Fprintf(&b, "1.00,brl,m%d@example.com,%v\n", i, done)
			}
			args := []string{"payouts", "bulk", c.file("many.csv", b.String()), "--server", door.URL, "--retries", "0", "-o", "csv", "--no-headers", "--fields", "state"}
			out := c.must(exitUnreachable, args...)
			if strings.Count(out, "made\n") != bulkRows || strings.Count(out, "unknown\n") != bulkRows || strings.Count(out, "unsent\n") != 20 || !strings.Contains(c.err.String(), "run the same command again") {
				t.Errorf("%d made, %d unknown, %d unsent; %s", strings.Count(out, "made\n"), strings.Count(out, "unknown\n"), strings.Count(out, "unsent\n"), c.err.String())
			}
			mended.Store(true)
			existed := bulkRows
			if done {
				existed = 2 * bulkRows
			}
			out = c.must(0, args...)
			if strings.Count(out, "existed\n") != existed || strings.Count(out, "made\n") != many-existed {
				t.Errorf("%d existed, %d made", strings.Count(out, "existed\n"), strings.Count(out, "made\n"))
			}
			if out := c.must(0, args...); strings.Count(out, "existed\n") != many {
				t.Error("it is made again")
			}
		})
	}
	c := newConsole(t, s)
	if out := c.must(0, "payouts", "list", "--all", "-o", "id"); strings.Count(out, "\n") != 2*(2*bulkRows+20) {
		t.Errorf("there are %d payouts", strings.Count(out, "\n"))
	}
}

// TestBulkLive: how many are paid is what has to be typed.
func TestBulkLive(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	c := newConsole(t, s)
	c.env["GIRO_API_KEY"] = s.Keys["live"].SecretKey
	file := c.file("live.csv", "amount,currency,pix_key\n1000.00,brl,a@example.com\n200.50,brl,b@example.com\n7,usd,c@example.com\n")
	bulk := []string{"payouts", "bulk", file, "--live"}
	c.must(exitUsage, bulk...) // nobody can be asked
	c.must(0, append(bulk, "--dry-run")...)
	c.tty, c.in = true, "yes\n"
	c.must(exitUsage, bulk...)
	if !strings.Contains(c.err.String(), "LIVE: pay R$ 1,200.50 and US$ 7.00 to 3 recipients. Type 3 to continue: ") {
		t.Error(c.err.String())
	}
	c.in = "3\n"
	if out := c.must(exitConflict, bulk...); strings.Count(out, "insufficient_funds") != 3 { // there is no money
		t.Error(out)
	}
	c.tty = false
	c.must(exitConflict, append(bulk, "--yes")...)
}
