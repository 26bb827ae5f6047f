package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"giro"
	"giro/bank"
	"giro/internal/need"
	"giro/webhook"
)

// notified is one notification as it arrived.
type notified struct {
	header http.Header
	body   []byte
}

// listener collects notifications.
type listener struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]notified // by data[0].id
	new chan struct{}
}

func listen(t *testing.T) *listener {
	l := &listener{got: map[string]notified{}, new: make(chan struct{}, 100)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m struct{ Data []struct{ ID string } }
		if err != nil || json.Unmarshal(body, &m) != nil || len(m.Data) != 1 {
			t.Errorf("a notification that is none: %s", body)
			return
		}
		l.mu.Lock()
		l.got[m.Data[0].ID] = notified{r.Header.Clone(), body}
		l.mu.Unlock()
		l.new <- struct{}{}
	}))
	t.Cleanup(l.Close)
	return l
}

// wait returns the notification of an object.
func (l *listener) wait(t *testing.T, id string) notified {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		l.mu.Lock()
		n, ok := l.got[id]
		l.mu.Unlock()
		if ok {
			return n
		}
		select {
		case <-l.new:
		case <-deadline:
			t.Fatalf("nothing was told of %s", id)
		}
	}
}

// TestSmartFastPayClient: a client in another language, written from the public
// pages, goes the whole way in both profiles, through a gateway that loses the
// answers of the first posts: it posts blindly again, and one payout is made.
func TestSmartFastPayClient(t *testing.T) {
	t.Parallel()
	python := need.Program(t, "python3")
	s := serveWith(t, "--data", t.TempDir(), "--webhook-allow-private")
	key := s.Keys["test"]
	if status, body, err := s.do("POST", "/v1/test/fund", key.SecretKey, `{"currency":"brl","amount":1000000}`); err != nil || status != 201 {
		t.Fatal(status, string(body), err)
	}
	for i, profile := range []string{"smartfastpay", "jumppag"} {
		target, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		l := listen(t)
		proxy := httputil.NewSingleHostReverseProxy(target)
		lost := 0
		proxy.ModifyResponse = func(r *http.Response) error {
			if r.Request.Method == "POST" && strings.HasSuffix(r.Request.URL.Path, "/payout") && lost < 2 {
				lost++ // giro has made it; its client is told 503
				r.StatusCode, r.Status = 503, "503 Service Unavailable"
			}
			return nil
		}
		gateway := httptest.NewServer(proxy)
		defer gateway.Close()
		cpf := bank.Sample("cpf", uint64(40+i))
		client := exec.Command(python, "testdata/smartfastpay_client.py", gateway.URL+"/"+profile, key.ClientID, key.ClientSecret, l.URL+"/"+profile, cpf)
		var stderr bytes.Buffer
		client.Stderr = &stderr
		out, err := client.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", profile, err, stderr.String())
		}
		var saw struct {
			Secret, Payout, Amount, Payment, QRCode, Status, Transaction string
		}
		if err := json.Unmarshal(out, &saw); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"smartfastpay": "980.00", "jumppag": "980"}[profile]; saw.Amount != want || saw.Status != "success" || saw.Transaction != "paid" || lost != 2 {
			t.Errorf("%s: the client saw %+v after %d lost answers; want %s", profile, saw, lost, want)
		}
		if code, err := bank.DecodeBRCode(saw.QRCode); err != nil || code.Amount != 21321 {
			t.Errorf("%s: the code to pay is %+v, %v", profile, code, err)
		}
		// The payment is paid, and told.
		if status, body, err := s.do("POST", "/v1/test/charges/"+idOf(t, s, key.SecretKey, "charges", "cobrança-1")+"/succeeded", key.SecretKey, ""); err != nil || status != 200 {
			t.Fatal(status, string(body), err)
		}
		for id, want := range map[string]string{
			saw.Payout:  `{"requestId":"` + saw.Payout + `","data":[{"id":"` + saw.Payout + `","customer_id":"cliente-ã/1","transaction_id":"saque/ã&<1>\u2028x","amount":"980.00","status":"paid","type":"payout","payout_status":"success","exchange":"1.00"}]}`,
			saw.Payment: `{"requestId":"` + saw.Payment + `","data":[{"id":"` + saw.Payment + `","customer_id":"cliente-ã/1","transaction_id":"cobrança-1","amount":"213.21","status":"paid","type":"payment","payment_status":"paid","exchange":"1.00"}]}`,
		} {
			n := l.wait(t, id)
			if string(n.body) != want {
				t.Errorf("%s: told\n%s\nwant\n%s", profile, n.body, want)
			}
			name := map[string]string{"smartfastpay": "SmartFastPay-Signature", "jumppag": "Jump-Signature"}[profile]
			signature := n.header.Get(name)
			if err := webhook.VerifySmartFastPay(signature, n.body, saw.Secret, time.Minute, time.Now()); err != nil {
				t.Errorf("%s: %s %q: %v", profile, name, signature, err)
			}
			if again, ok := encodedByPHP(t, n.body); ok {
				if err := webhook.VerifySmartFastPay(signature, again, saw.Secret, time.Minute, time.Now()); err != nil {
					t.Errorf("%s: re-encoded by PHP: %v\n%s", profile, err, again)
				}
			}
		}
		if made := listed(t, s, key.SecretKey, "payouts"); made != 1 {
			t.Errorf("%s: %d payouts were made", profile, made)
		}
		key = merchantKeys(t, s) // the other profile begins anew
	}
}

// merchantKeys makes another merchant with money of its own.
func merchantKeys(t *testing.T, s *server) (k giro.KeySet) {
	t.Helper()
	status, body, err := s.do("POST", "/v1/merchants", s.AdminToken, `{"name":"Other"}`)
	if err != nil || status != 201 {
		t.Fatal(status, string(body), err)
	}
	var m struct {
		Keys struct{ Test giro.KeySet }
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	if status, body, err := s.do("POST", "/v1/test/fund", m.Keys.Test.SecretKey, `{"currency":"brl","amount":1000000}`); err != nil || status != 201 {
		t.Fatal(status, string(body), err)
	}
	return m.Keys.Test
}

// encodedByPHP decodes and encodes JSON the way that receivers in PHP do.
func encodedByPHP(t *testing.T, body []byte) ([]byte, bool) {
	t.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		t.Log("php is not installed: bodies were not encoded again")
		return nil, false
	}
	c := exec.Command(php, "-r", `echo json_encode(json_decode(file_get_contents("php://stdin"), true), JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);`)
	c.Stdin = bytes.NewReader(body)
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out, true
}

func idOf(t *testing.T, s *server, key, kind, reference string) string {
	t.Helper()
	_, body, err := s.do("GET", "/v1/"+kind+"?reference="+url.QueryEscape(reference), key, "")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ ID string }
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err, string(body))
	}
	if len(list) == 0 {
		return ""
	}
	return list[0].ID
}

func listed(t *testing.T, s *server, key, kind string) int {
	t.Helper()
	_, body, err := s.do("GET", "/v1/"+kind, key, "")
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, body))
	}
	return len(list)
}
