package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"giro"
	"giro/webhook"
)

// receiver is a real server on loopback with a certificate for receiver.example.
type receiver struct {
	*httptest.Server
	connections atomic.Int64
	port        uint16
	roots       *x509.CertPool
}

func newReceiver(t testing.TB, handle http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{Server: httptest.NewUnstartedServer(handle), roots: x509.NewCertPool()}
	r.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.connections.Add(1)
		}
	}
	r.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests want
	r.StartTLS()
	t.Cleanup(r.Close)
	r.roots.AddCert(r.Certificate())
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	r.port = uint16(port)
	return r
}

// resolving answers every name with these addresses.
func resolving(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) (list []netip.Addr, err error) {
		for _, addr := range addrs {
			list = append(list, netip.MustParseAddr(addr))
		}
		return list, nil
	}
}

// named is the receiver's URL under the name in its certificate.
func (r *receiver) named() string {
	return "https://example.com:" + strconv.Itoa(int(r.port)) + "/hooks"
}

func newClient(t testing.TB, config webhook.Config) *webhook.Client {
	t.Helper()
	c := webhook.NewClient(config)
	t.Cleanup(c.Close)
	return c
}

func TestPost(t *testing.T) {
	t.Parallel()
	body := []byte(`{"id":"evt_1"}`)
	var got *http.Request
	var read []byte
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		got = req
		read, _ = io.ReadAll(req.Body)
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "thanks \xff<b>")
	})
	c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots, Resolve: resolving("127.0.0.1")})
	s := webhook.NewSecret()
	now := time.Now()
	for range 2 {
		answer, err := c.Post(t.Context(), r.named(), webhook.Sign("evt_1", now, body, s), body)
		if err != nil {
			t.Fatal(err)
		}
		if want := (webhook.Answer{Status: 202, RetryAfter: 2 * time.Minute, Excerpt: "thanks \uFFFD<b>"}); answer != want {
			t.Errorf("answer %+v, want %+v", answer, want)
		}
		if !answer.Accepted() || answer.Gone() {
			t.Error("202 is not taken for success")
		}
		if err := webhook.Verify(got.Header, read, []webhook.Secret{s}, time.Minute, now); err != nil {
			t.Error(err)
		}
		if got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Cookie") != "" || got.Header.Get("Accept-Encoding") != "" {
			t.Errorf("headers %v", got.Header)
		}
		if got.ContentLength != int64(len(body)) || got.Method != "POST" || got.URL.Path != "/hooks" {
			t.Errorf("%s %s, %d bytes", got.Method, got.URL, got.ContentLength)
		}
	}
	if n := r.connections.Load(); n != 1 {
		t.Errorf("%d connections for two posts", n)
	}
}

// Every form of "inside": nothing connects, whatever the name resolved to.
func TestBlockedWithoutAConnection(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	port := []uint16{r.port}
	for _, row := range []struct {
		name   string
		url    string
		policy webhook.Policy
		addrs  []string
	}{
		{"literal", r.URL, webhook.Policy{Ports: port}, nil},
		{"name to loopback", r.named(), webhook.Policy{Ports: port}, []string{"127.0.0.1"}},
		{"name to loopback, IPv6", r.named(), webhook.Policy{Ports: port}, []string{"::1"}},
		{"name to loopback, mapped", r.named(), webhook.Policy{Ports: port}, []string{"::ffff:127.0.0.1"}},
		{"name to loopback, NAT64", r.named(), webhook.Policy{Ports: port}, []string{"64:ff9b::7f00:1"}},
		{"name to 10/8", r.named(), webhook.Policy{Ports: port}, []string{"10.0.0.1"}},
		{"private first", r.named(), webhook.Policy{Ports: port}, []string{"127.0.0.1", "192.0.2.1"}},
		{"private second", r.named(), webhook.Policy{Ports: port}, []string{"8.8.8.8", "127.0.0.1"}},
		{"metadata, private allowed", r.named(), webhook.Policy{AllowPrivate: true}, []string{"169.254.169.254"}},
		{"metadata mapped, private allowed", r.named(), webhook.Policy{AllowPrivate: true}, []string{"::ffff:169.254.169.254"}},
		{"metadata second, private allowed", r.named(), webhook.Policy{AllowPrivate: true}, []string{"127.0.0.1", "100.100.100.200"}},
		{"link-local with a zone", r.named(), webhook.Policy{AllowPrivate: true}, []string{"fe80::1%lo"}},
		{"own address by name", r.named(), webhook.Policy{AllowPrivate: true, Own: []string{r.Listener.Addr().String()}}, []string{"127.0.0.1"}},
		{"port not allowed", r.named(), webhook.Policy{}, []string{"127.0.0.1"}},
		{"plain http", "http://example.com/", webhook.Policy{}, []string{"127.0.0.1"}},
	} {
		c := newClient(t, webhook.Config{Policy: row.policy, RootCAs: r.roots, Resolve: resolving(row.addrs...)})
		_, err := c.Post(t.Context(), row.url, nil, nil)
		if !errors.Is(err, webhook.ErrBlocked) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if n := r.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// TestLookUp: a name that leads inside is refused when an endpoint is made, one
// that leads nowhere yet is not.
func TestLookUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		url     string
		policy  webhook.Policy
		addrs   []string
		refused bool
	}{
		{"public", "https://receiver.example/", webhook.Policy{}, []string{"8.8.8.8", "2001:4860:4860::8888"}, false},
		{"private", "https://receiver.example/", webhook.Policy{}, []string{"10.0.0.1"}, true},
		{"public and private", "https://receiver.example/", webhook.Policy{}, []string{"8.8.8.8", "::1"}, true},
		{"mapped", "https://receiver.example/", webhook.Policy{}, []string{"::ffff:10.0.0.1"}, true},
		{"nowhere", "https://receiver.example/", webhook.Policy{}, []string{}, false},
		{"private, allowed", "http://receiver.example/", webhook.Policy{AllowPrivate: true}, []string{"10.0.0.1"}, false},
		{"metadata, private allowed", "http://receiver.example/", webhook.Policy{AllowPrivate: true}, []string{"169.254.169.254"}, true},
		{"giro itself", "http://receiver.example:8080/", webhook.Policy{AllowPrivate: true, Own: []string{"127.0.0.1:8080"}}, []string{"127.0.0.1"}, true},
		{"another port of its machine", "http://receiver.example:8081/", webhook.Policy{AllowPrivate: true, Own: []string{"127.0.0.1:8080"}}, []string{"127.0.0.1"}, false},
		{"a listener", "", webhook.Policy{}, []string{"127.0.0.1"}, false},
	} {
		err := newClient(t, webhook.Config{Policy: row.policy, Resolve: resolving(row.addrs...)}).LookUp(t.Context(), row.url)
		if err != nil != row.refused || err != nil && !giro.Is(err, giro.CodeURLForbidden) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	c := newClient(t, webhook.Config{Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no resolver") }})
	if err := c.LookUp(t.Context(), "https://receiver.example/"); err != nil {
		t.Error(err)
	}
}

func TestRefusedURLKeepsItsCode(t *testing.T) {
	t.Parallel()
	c := newClient(t, webhook.Config{})
	if _, err := c.Post(t.Context(), "https://receiver.example:22/", nil, nil); !giro.Is(err, giro.CodePortForbidden) {
		t.Error(err)
	}
}

// A name that is public when looked at and private a moment later: each dial
// looks again, and connects to what it looked at.
func TestRebinding(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	var asked atomic.Int64
	c := newClient(t, webhook.Config{
		Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots,
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			if asked.Add(1) == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		},
	})
	if _, err := c.Post(t.Context(), r.named(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the name was looked up %d times for one dial", n)
	}
	if _, err := c.Post(t.Context(), r.named(), nil, nil); !errors.Is(err, webhook.ErrBlocked) {
		t.Errorf("after the name moved: %v", err)
	}
}

// A dead address does not hide a live one.
func TestNextAddressIsTried(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, webhook.Config{
		Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots,
		Resolve: resolving("127.0.0.2", "127.0.0.1"), // the receiver listens on the second only
	})
	if answer, err := c.Post(t.Context(), r.named(), nil, nil); err != nil || !answer.Accepted() {
		t.Errorf("%+v %v", answer, err)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var inside atomic.Int64
		target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
		defer target.Close()
		r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Location", target.URL)
			w.WriteHeader(status)
		})
		c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots})
		answer, err := c.Post(t.Context(), r.URL, nil, []byte("x"))
		if err != nil || answer.Status != status || answer.Accepted() {
			t.Errorf("%d: %+v %v", status, answer, err)
		}
		if inside.Load() != 0 {
			t.Errorf("%d was followed", status)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	if !(webhook.Answer{Status: 410}).Gone() || (webhook.Answer{Status: 404}).Gone() {
		t.Error("only 410 is gone")
	}
	for status, want := range map[int]bool{199: false, 200: true, 204: true, 299: true, 300: false, 304: false, 500: false} {
		if (webhook.Answer{Status: status}).Accepted() != want {
			t.Errorf("%d accepted: %v", status, !want)
		}
	}
}

// Not parallel: it sets the environment.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots, Resolve: resolving("127.0.0.1")})
	if _, err := c.Post(t.Context(), r.named(), nil, nil); err != nil {
		t.Error(err)
	}
	if proxied.Load() != 0 {
		t.Error("the proxy was used")
	}
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	private := webhook.Policy{AllowPrivate: true}
	for _, row := range []struct {
		name, url string
		config    webhook.Config
	}{
		{"self-signed", r.URL, webhook.Config{Policy: private}},
		{"another name", "https://other.example:" + strconv.Itoa(int(r.port)), webhook.Config{Policy: private, RootCAs: r.roots, Resolve: resolving("127.0.0.1")}},
		{"TLS 1.1", old.URL, webhook.Config{Policy: private, RootCAs: r.roots}},
	} {
		c := newClient(t, row.config)
		answer, err := c.Post(t.Context(), row.url, nil, nil)
		if err == nil || errors.Is(err, webhook.ErrBlocked) {
			t.Errorf("%s: %+v %v", row.name, answer, err)
		}
	}
}

// A receiver that answers without end is read for 64 KiB and left.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	stopped := make(chan int, 1)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		n := 0
		for n < 1<<30 {
			m, err := w.Write(chunk)
			n += m
			if err != nil {
				break
			}
		}
		stopped <- n
	})
	c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots})
	answer, err := c.Post(t.Context(), r.URL, nil, nil)
	if err != nil || answer.Status != 200 || answer.Excerpt != strings.Repeat("x", 4<<10) {
		t.Errorf("%d, %d bytes kept, %v", answer.Status, len(answer.Excerpt), err)
	}
	// What the sockets buffer is not ours; a gigabyte would be.
	if n := <-stopped; n > 64<<20 {
		t.Errorf("the receiver could send %d bytes", n)
	}
}

func TestHugeHeadersAreAFailure(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{8 << 10: true, 32 << 10: false} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Big", strings.Repeat("x", size))
		})
		c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots})
		if _, err := c.Post(t.Context(), r.URL, nil, nil); (err == nil) != ok {
			t.Errorf("%d bytes of headers: %v", size, err)
		}
	}
}

// One byte a second never ends in time: the post does.
func TestDrippingAnswer(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-req.Context().Done() // the client hung up
		close(left)
	})
	c := newClient(t, webhook.Config{Policy: webhook.Policy{AllowPrivate: true}, RootCAs: r.roots, Timeout: 100 * time.Millisecond})
	answer, err := c.Post(t.Context(), r.URL, nil, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v %v", answer, err)
	}
	<-left
}

// The limits themselves, on a clock that is not the wall's.
func TestTimeLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := webhook.NewClient(webhook.Config{
			Policy: webhook.Policy{AllowPrivate: true},
			Resolve: func(ctx context.Context, _ string) ([]netip.Addr, error) {
				<-ctx.Done() // a name server that never answers
				return nil, ctx.Err()
			},
		})
		defer c.Close()
		start := time.Now()
		_, err := c.Post(t.Context(), "https://receiver.example/", nil, nil)
		if took := time.Since(start); err == nil || took != 5*time.Second {
			t.Errorf("gave up connecting after %v: %v", took, err)
		}
	})
}

// TestHeaderNamesAreSpeltAsGiven: receivers in use look headers up by their
// exact spelling, so it goes over the wire as it is.
func TestHeaderNamesAreSpeltAsGiven(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	head := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			head <- err.Error()
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		n, _ := io.ReadAtLeast(c, b, 1)
		head <- string(b[:n])
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}()
	client := webhook.NewClient(webhook.Config{Policy: webhook.Policy{AllowPrivate: true}})
	defer client.Close()
	if _, err := client.Post(t.Context(), "http://"+l.Addr().String()+"/", http.Header{"SmartFastPay-Signature": {"t=1,v1=a"}}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if got := <-head; !strings.Contains(got, "\r\nSmartFastPay-Signature: t=1,v1=a\r\n") {
		t.Errorf("sent\n%s", got)
	}
}
