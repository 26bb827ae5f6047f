// Package dash serves the dashboard: the built pages of web/, embedded, and the
// sign-in pages, which are written on the server and work without JavaScript.
// What the pages show they read from v1 alone, like everybody else.
package dash

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"giro"
)

// Config is what the dashboard needs; Engine is required.
type Config struct {
	Engine *giro.Engine
	// Secure says that browsers reach this server over TLS though it does not
	// see that itself.
	Secure bool
}

// Handler answers /app and everything under it. It is safe for concurrent use.
type Handler struct {
	config Config
	files  map[string]*file   // by path under /app/
	build  string             // the folder under /app/ in which the same files never change
	pages  map[string]opening // index.html by theme
	api    http.Handler       // what the pages ask; nil until Mount
}

// opening is index.html around what it says of who asks for it.
type opening struct{ head, tail []byte }

// file is one embedded file, compressed once.
type file struct {
	etag    string
	kind    string
	plain   []byte
	gzipped []byte // nil: it would not be smaller
}

// New returns the handler of the embedded dashboard; nil: this binary was built
// without it (-tags noui).
func New(config Config) (*Handler, error) {
	built, err := embedded()
	if built == nil || err != nil {
		return nil, err
	}
	h := &Handler{config: config, files: map[string]*file{}}
	err = fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		h.files[name] = newFile(name, content)
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.index()
	h.files["login.css"] = newFile("login.css", []byte(loginStyle))
	return h, nil
}

// themes are what a person may choose; the first is for who has chosen none.
var themes = []string{"auto", "light", "dark"}

// index makes the pages of index.html: one per theme, so that none is shown in
// the wrong one first, and with the files of this build under a name that no
// other build has, so that browsers need not ask whether they still hold.
func (h *Handler) index() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		sum.Write([]byte(name + h.files[name].etag))
	}
	h.build = "~" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9]) + "/"
	index := h.files["index.html"]
	if index == nil {
		return
	}
	own := bytes.ReplaceAll(index.plain, []byte(`="/app/`), []byte(`="/app/`+h.build))
	h.pages = map[string]opening{}
	for _, theme := range themes {
		head, tail, _ := bytes.Cut(bytes.Replace(own, []byte(`data-theme="auto"`), []byte(`data-theme="`+theme+`"`), 1), []byte(sessionPlace))
		h.pages[theme] = opening{append(head[:len(head):len(head)], sessionPlace...), tail}
	}
}

// sessionPlace is where index.html says who is signed in.
const sessionPlace = `<script type="application/json" id="session">`

// servePage answers with index.html in the theme of who asks. What its script
// would ask for before anything else, who is signed in, stands in it already, in
// the API's own words.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request) {
	p, ok := h.pages[themes[0]]
	if cookie, err := r.Cookie("giro_theme"); err == nil {
		if own, known := h.pages[cookie.Value]; known {
			p = own
		}
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	head := w.Header()
	head.Set("Content-Type", kinds[".html"])
	head.Set("Cache-Control", "no-store")
	w.Write(slices.Concat(p.head, h.session(r), p.tail)) // a reader that is gone needs no page
}

// session is what GET /v1/session answers to who sent r, for a page: nothing in
// it ends the element that it stands in. Nothing where that is refused: then the
// page's script asks for itself.
func (h *Handler) session(r *http.Request) []byte {
	if h.api == nil {
		return nil
	}
	ask := r.Clone(r.Context())
	ask.Method, ask.URL, ask.RequestURI = http.MethodGet, &url.URL{Path: "/v1/session"}, "/v1/session"
	ask.Header = http.Header{"Cookie": r.Header["Cookie"], "User-Agent": r.Header["User-Agent"], "Accept": {"application/json"}}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	h.api.ServeHTTP(a, ask)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		return nil
	}
	return bytes.ReplaceAll(a.body.Bytes(), []byte("<"), []byte(`\u003c`))
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// kinds are the media types of what a build can hold: the machine's own table is
// not asked.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

func newFile(name string, content []byte) *file {
	sum := sha256.Sum256(content)
	f := &file{plain: content, kind: kinds[path.Ext(name)], etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
	w.Write(content)                                      // into memory: neither fails
	w.Close()
	if b.Len() < len(content) {
		f.gzipped = b.Bytes()
	}
	return f
}

// policy is the content security policy of every page: nothing from elsewhere,
// nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "same-origin") // with no-referrer a form's Origin would be null
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	if r.TLS != nil {
		head.Set("Strict-Transport-Security", "max-age=31536000")
	}
	name, below := strings.CutPrefix(r.URL.Path, "/app/")
	switch {
	case r.URL.Path == "/app":
		http.Redirect(w, r, "/app/", http.StatusPermanentRedirect)
		return
	case !below:
		http.NotFound(w, r)
		return
	case name == "login":
		h.login(w, r)
		return
	case name == "logout":
		h.logout(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	own, kept := strings.CutPrefix(name, h.build)
	f := h.files[own]
	if f == nil || own == "index.html" {
		// What looks like a file and is none stays missing; every other path is a
		// page that the script finds by itself.
		if path.Ext(name) != "" && name != "index.html" || strings.HasPrefix(name, "~") {
			http.NotFound(w, r)
			return
		}
		if _, ok := h.signedIn(r); !ok {
			http.Redirect(w, r, "/app/login"+nextQuery(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		h.servePage(w, r)
		return
	}
	f.serve(w, r, kept)
}

// serve answers with the file. Where it is kept, its address has this content
// for ever; elsewhere the ETag tells whether it is still this one.
func (f *file) serve(w http.ResponseWriter, r *http.Request, kept bool) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("Cache-Control", "no-cache")
	if kept {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	head.Add("Vary", "Accept-Encoding")
	body, etag := f.plain, f.etag
	if f.gzipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		head.Set("Content-Encoding", "gzip")
		body, etag = f.gzipped, strings.TrimSuffix(f.etag, `"`)+`-gz"`
	}
	head.Set("Etag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding; q=0 refuses.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding = strings.TrimSpace(coding); strings.EqualFold(coding, "gzip") || coding == "*" {
			q, given := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return !given || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

func (h *Handler) secure(r *http.Request) bool { return r.TLS != nil || h.config.Secure }

func (h *Handler) cookieName(r *http.Request) string {
	if h.secure(r) {
		return giro.SecureSessionCookie
	}
	return giro.SessionCookie
}

func (h *Handler) signedIn(r *http.Request) (*giro.SignedIn, bool) {
	cookie, err := r.Cookie(h.cookieName(r))
	if err != nil {
		return nil, false
	}
	in, err := h.config.Engine.SessionOf(r.Context(), cookie.Value)
	return in, err == nil
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, token string) {
	cookie := &http.Cookie{Name: h.cookieName(r), Value: token, Path: "/", HttpOnly: true, Secure: h.secure(r), SameSite: http.SameSiteLaxMode, MaxAge: 7 * 24 * 3600}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

func from(r *http.Request) giro.From {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return giro.From{Address: host, Agent: r.UserAgent()}
}

// Mount answers /app with the dashboard, sends browsers that ask for / there,
// and leaves everything else to the API. Where there is no dashboard (nil)
// everything is the API's. It is called once, before anything is asked.
func (h *Handler) Mount(api http.Handler) http.Handler {
	if h == nil {
		return api
	}
	h.api = api
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		switch {
		case p == "/app" || strings.HasPrefix(p, "/app/"):
			h.ServeHTTP(w, r)
		case p == "/" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			w.Header().Set("Vary", "Accept")
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, "/app/", http.StatusFound)
		default:
			api.ServeHTTP(w, r)
		}
	})
}
