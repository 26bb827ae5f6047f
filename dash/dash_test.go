package dash_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"giro"
	"giro/dash"
	"giro/internal/storetest"
	"giro/store"
)

// house is a dashboard on a real engine, and a browser that keeps cookies and
// follows no redirects.
type house struct {
	t       *testing.T
	engine  *giro.Engine
	server  *httptest.Server
	browser *http.Client
	link    string                 // of the first owner
	stopped atomic.Int64           // Unix ns at which the clock stands; 0: it goes
	session atomic.Pointer[string] // what the API says of who is signed in; nil: nothing it knows
}

// api stands in for the API.
func (h *house) api(w http.ResponseWriter, r *http.Request) {
	said := h.session.Load()
	if r.Method != "GET" || r.RequestURI != "/v1/session" || said == nil {
		io.WriteString(w, "api "+r.URL.Path)
		return
	}
	if _, err := r.Cookie("giro_session"); err != nil || len(r.Header["Range"]) > 0 {
		http.Error(w, "not the one who is signed in, or not only that", 401)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, *said)
}

func onBothHouses(t *testing.T, test func(t *testing.T, h *house)) {
	t.Parallel()
	storetest.OnBoth(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t, store.Options{})
		h := &house{t: t}
		now := func() time.Time {
			if n := h.stopped.Load(); n != 0 {
				return time.Unix(0, n)
			}
			return time.Now()
		}
		e := &giro.Engine{Store: s, Now: now, NewID: giro.UUIDs(), Secret: giro.Secret{4}}
		e.Start()
		t.Cleanup(func() {
			e.Stop()
			s.Close()
		})
		m, err := e.CreateMerchant(t.Context(), nil, giro.Merchant{Name: "<First> & Sons"})
		if err != nil {
			t.Fatal(err)
		}
		made, err := e.Invite(t.Context(), nil, giro.Invitation{Purpose: giro.InviteFirst, Merchant: m.ID, Number: m.Number, Duty: giro.DutyOwner})
		if err != nil {
			t.Fatal(err)
		}
		pages, err := dash.New(dash.Config{Engine: e})
		if err != nil {
			t.Fatal(err)
		}
		if pages == nil {
			t.Skip("built without the dashboard")
		}
		server := httptest.NewServer(pages.Mount(http.HandlerFunc(h.api)))
		t.Cleanup(server.Close)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		h.engine, h.server, h.browser, h.link = e, server, browser, "/app/login?token="+made.Token
		test(t, h)
	})
}

// get asks for a path; headers are "Name: value".
func (h *house) get(path string, headers ...string) (*http.Response, string) {
	h.t.Helper()
	return h.send("GET", path, nil, headers...)
}

func (h *house) post(path string, form url.Values, headers ...string) (*http.Response, string) {
	h.t.Helper()
	return h.send("POST", path, strings.NewReader(form.Encode()), append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)...)
}

func (h *house) send(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	h.t.Helper()
	r, err := http.NewRequest(method, h.server.URL+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, one := range headers {
		name, value, _ := strings.Cut(one, ": ")
		r.Header.Set(name, value)
	}
	resp, err := h.browser.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp, string(b)
}

func (h *house) want(resp *http.Response, status int, location string) {
	h.t.Helper()
	if resp.StatusCode != status || resp.Header.Get("Location") != location {
		h.t.Fatalf("%s %s: %s to %q instead of %d to %q", resp.Request.Method, resp.Request.URL, resp.Status, resp.Header.Get("Location"), status, location)
	}
}

// TestSignInWithoutScript walks the pages as a browser without JavaScript does.
func TestSignInWithoutScript(t *testing.T) {
	onBothHouses(t, func(t *testing.T, h *house) {
		h.t = t
		// A browser is sent to the dashboard and from there to the sign-in.
		resp, _ := h.get("/", "Accept: text/html,*/*")
		h.want(resp, 302, "/app/")
		if _, body := h.get("/", "Accept: application/json"); body != "api /" {
			t.Errorf("a program gets %q", body)
		}
		if _, body := h.get("/v1/charges"); body != "api /v1/charges" {
			t.Errorf("the API answers %q", body)
		}
		resp, _ = h.get("/app")
		h.want(resp, 308, "/app/")
		resp, _ = h.get("/app/payments?status=failed")
		h.want(resp, 303, "/app/login?next=%2Fapp%2Fpayments%3Fstatus%3Dfailed")
		if resp, _ := h.get("/app/nothing.js"); resp.StatusCode != 404 {
			t.Errorf("a missing file is %s", resp.Status)
		}

		resp, body := h.get(h.link)
		h.want(resp, 200, "")
		if !strings.Contains(body, `name="email"`) || !strings.Contains(body, `minlength="8"`) || strings.Contains(body, "<script") || strings.Contains(body, " style=") {
			t.Errorf("the page is %s", body)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy lacks %s", part)
			}
		}
		token := strings.TrimPrefix(h.link, "/app/login?token=")
		form := url.Values{"token": {token}, "email": {"ana@example.com"}, "name": {`Ana "<b>`}, "password": {"short"}, "next": {"/app/payments"}}
		resp, body = h.post("/app/login", form)
		if h.want(resp, 422, ""); !strings.Contains(body, `role="alert"`) || strings.Contains(body, "<b>") || !strings.Contains(body, "ana@example.com") {
			t.Errorf("the refused form is %s", body)
		}
		form.Set("password", "correct horse battery")
		if resp, _ = h.post("/app/login", form, "Origin: https://evil.example"); resp.StatusCode != 403 {
			t.Errorf("a form of another page is %s", resp.Status)
		}
		resp, _ = h.post("/app/login", form, "Origin: "+h.server.URL)
		h.want(resp, 303, "/app/payments")
		cookies := resp.Cookies()
		if len(cookies) != 1 || cookies[0].Name != "giro_session" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Secure {
			t.Errorf("the cookie is %v", cookies)
		}
		resp, body = h.get("/app/payments/ch_1")
		if h.want(resp, 200, ""); !strings.Contains(body, "<html") || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(body, `<script type="application/json" id="session"></script>`) {
			t.Errorf("the page is %v %s", resp.Header, body)
		}
		// Who is signed in stands in the page as the API says it, and ends no element.
		said := `{"person":{"name":"</script><b>"}}`
		h.session.Store(&said)
		resp, body = h.get("/app/payments?mode=live", "Range: bytes=0-9", "If-None-Match: *")
		if h.want(resp, 200, ""); !strings.Contains(body, `<script type="application/json" id="session">{"person":{"name":"\u003c/script>\u003cb>"}}</script>`) || !strings.HasSuffix(body, "</html>\n") {
			t.Errorf("the page is %s", body)
		}
		resp, _ = h.get("/app/login")
		h.want(resp, 303, "/app/")
		if resp, body := h.get(h.link); resp.StatusCode != 400 || !strings.Contains(body, "used") {
			t.Errorf("the used link is %s", resp.Status)
		}

		// Signing out needs this page, and ends the session.
		if resp, _ = h.post("/app/logout", nil); resp.StatusCode != 403 {
			t.Errorf("signed out by a stranger: %s", resp.Status)
		}
		resp, _ = h.post("/app/logout", nil, "Sec-Fetch-Site: same-origin")
		h.want(resp, 303, "/app/login")
		resp, _ = h.get("/app/payments")
		h.want(resp, 303, "/app/login?next=%2Fapp%2Fpayments")
		old, err := url.Parse(h.server.URL)
		if err != nil {
			t.Fatal(err)
		}
		h.browser.Jar.SetCookies(old, []*http.Cookie{{Name: "giro_session", Value: cookies[0].Value, Path: "/"}})
		resp, _ = h.get("/app/")
		h.want(resp, 303, "/app/login")

		// And in again; wherever next leads, it is a page of the dashboard.
		for next, to := range map[string]string{
			"/app/payouts?status=pending": "/app/payouts?status=pending", "//evil.example": "/app/", "https://evil.example/app/": "/app/", "/\\evil.example": "/app/",
			"/app/../v1/charges": "/app/", "javascript:alert(1)": "/app/", "/app/login": "/app/", "/app/\r\nSet-Cookie: a=b": "/app/", "": "/app/",
		} {
			resp, _ = h.post("/app/login", url.Values{"email": {"ANA@example.com"}, "password": {"correct horse battery"}, "next": {next}})
			h.want(resp, 303, to)
		}
		h.stopped.Store(time.Now().UnixNano()) // however long a guess takes here
		resp, body = h.post("/app/login", url.Values{"email": {"ana@example.com"}, "password": {"wrong"}}, "Accept-Language: pt-BR,en;q=0.5")
		if h.want(resp, 401, ""); !strings.Contains(body, `lang="pt-BR"`) || !strings.Contains(body, "não confere") {
			t.Errorf("in Portuguese: %s", body)
		}
		for range 4 {
			h.post("/app/login", url.Values{"email": {"ana@example.com"}, "password": {"wrong"}})
		}
		if resp, _ = h.post("/app/login", url.Values{"email": {"ana@example.com"}, "password": {"correct horse battery"}}); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("after five guesses: %s", resp.Status)
		}
		if resp, _ = h.post("/app/login", url.Values{"email": {"ana@example.com"}, "password": {strings.Repeat("x", 1<<20)}}); resp.StatusCode != 422 {
			t.Errorf("an endless password: %s", resp.Status)
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH"} {
			if resp, _ := h.send(method, "/app/login", nil); resp.StatusCode != 405 {
				t.Errorf("%s: %s", method, resp.Status)
			}
		}
	})
}

// TestFiles: compressed, with a tag by which a browser asks whether it is still
// this one, and of their own media type.
func TestFiles(t *testing.T) {
	onBothHouses(t, func(t *testing.T, h *house) {
		h.t = t
		resp, plain := h.get("/app/login.css", "Accept-Encoding: identity")
		if h.want(resp, 200, ""); resp.Header.Get("Content-Type") != "text/css; charset=utf-8" || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("the file is %v", resp.Header)
		}
		tag := resp.Header.Get("Etag")
		resp, _ = h.get("/app/login.css", "Accept-Encoding: identity", "If-None-Match: "+tag)
		h.want(resp, 304, "")
		resp, packed := h.get("/app/login.css", "Accept-Encoding: br;q=1.0, gzip;q=0.8")
		if h.want(resp, 200, ""); resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Etag") == tag || len(packed) >= len(plain) {
			t.Errorf("compressed: %v", resp.Header)
		}
		r, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != plain {
			t.Error("it is another file when it is unpacked", err)
		}
		if resp, _ = h.get("/app/login.css", "Accept-Encoding: gzip;q=0"); resp.Header.Get("Content-Encoding") != "" {
			t.Error("compressed against the reader's will")
		}
		if resp, body := h.send("HEAD", "/app/login.css", nil); resp.StatusCode != 200 || body != "" {
			t.Errorf("HEAD: %s %q", resp.Status, body)
		}
		if cache := resp.Header.Get("Cache-Control"); cache != "no-cache" {
			t.Errorf("a name that another build has too is kept: %s", cache)
		}
		for _, path := range []string{"/app/../go.mod", "/app/%2e%2e/dash.go", "/app//etc/passwd.txt", "/app/.git/config.txt"} {
			if resp, _ := h.get(path); resp.StatusCode == 200 {
				t.Errorf("%s is answered", path)
			}
		}
	})
}

// TestBuildFolder: the page names its files in a folder of their own build, where
// they may be kept for ever, and comes in the theme that was chosen.
func TestBuildFolder(t *testing.T) {
	onBothHouses(t, func(t *testing.T, h *house) {
		h.t = t
		resp, _ := h.post("/app/login", url.Values{"token": {strings.TrimPrefix(h.link, "/app/login?token=")}, "name": {"Ana"}, "email": {"ana@example.com"}, "password": {"a sentence that is long"}}, "Origin: "+h.server.URL)
		h.want(resp, 303, "/app/")
		resp, page := h.get("/app/")
		if h.want(resp, 200, ""); resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the page is %v", resp.Header)
		}
		files := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
		if len(files) < 3 {
			t.Fatalf("the page names %d files: %s", len(files), page)
		}
		for _, f := range files {
			resp, kept := h.get(f[1])
			if h.want(resp, 200, ""); !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %s", f[1], resp.Header.Get("Cache-Control"))
			}
			parts := strings.SplitN(f[1], "/", 4)
			if _, plain := h.get("/app/" + parts[3]); plain != kept {
				t.Errorf("%s is not %s", f[1], parts[3])
			}
			// Of another build nothing is known, so nothing is said.
			for _, other := range []string{"/app/~0/" + parts[3], "/app/" + parts[2] + "/nothing.js", "/app/" + parts[2] + "/index.html", "/app/" + parts[2] + "/payments"} {
				if resp, _ := h.get(other); resp.StatusCode != 404 {
					t.Errorf("%s: %s", other, resp.Status)
				}
			}
		}
		for cookie, want := range map[string]string{"dark": "dark", "light": "light", "auto": "auto", "purple": "auto", "": "auto"} {
			_, page := h.get("/app/payments", "Cookie: giro_theme="+cookie)
			if !strings.Contains(page, `<html lang="en" data-theme="`+want+`">`) {
				t.Errorf("theme %q: %s", cookie, page)
			}
		}
	})
}
