package dash

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"giro"
)

// formMax bounds a sign-in form; a password has at most 200 characters.
const formMax = 16 << 10

// next returns where to go after signing in: a page of the dashboard, whatever
// was asked for. Nothing that a browser could read as another host passes.
func next(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/app/") || strings.ContainsAny(raw, "\\\r\n\t") || strings.Contains(u.Path, "/.") ||
		strings.HasPrefix(raw, "//") || strings.HasPrefix(u.Path, "/app/login") || strings.HasPrefix(u.Path, "/app/logout") {
		return "/app/"
	}
	return raw
}

func nextQuery(uri string) string {
	if to := next(uri); to != "/app/" {
		return "?next=" + url.QueryEscape(to)
	}
	return ""
}

// page is what the sign-in template shows.
type page struct {
	T       texts
	Lang    string
	Theme   string // "light" or "dark"; "": as the system
	Error   string
	Token   string
	Next    string
	Purpose string // "": sign in; else the invitation's
	Known   bool   // the invitation's person has a password already
	Email   string
	Name    string
	Role    string
	Where   string // the merchant
	Min     int
	Max     int
}

func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Vary", "Accept-Language, Cookie")
	lang, t := language(chosen(r, "giro_language"), r.Header.Get("Accept-Language"))
	p := &page{T: t, Lang: lang, Theme: theme(chosen(r, "giro_theme")), Next: next(r.URL.Query().Get("next")), Token: r.URL.Query().Get("token"), Min: giro.PasswordMin, Max: giro.PasswordMax}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if _, ok := h.signedIn(r); ok && p.Token == "" {
			http.Redirect(w, r, p.Next, http.StatusSeeOther)
			return
		}
		status := http.StatusOK
		if !h.confidential(r) {
			p.Error, status = t.NeedsTLS, http.StatusForbidden
		} else if p.Token != "" {
			status = h.invited(r, p)
		}
		show(w, r, status, p)
	case http.MethodPost:
		h.submit(w, r, p)
	default:
		head.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) confidential(r *http.Request) bool { return h.secure(r) || giro.Loopback(r.Host) }

// invited fills the page with what the link is for.
func (h *Handler) invited(r *http.Request, p *page) int {
	i, known, err := h.config.Engine.InvitationByToken(r.Context(), p.Token)
	if err != nil {
		p.Error, p.Token = p.T.failure(err), ""
		return status(err)
	}
	p.Purpose, p.Known, p.Role = i.Purpose, known != nil, p.T.role(i.Duty)
	if p.Email == "" || i.Email != "" {
		p.Email = i.Email
	}
	if m, err := h.config.Engine.Merchant(r.Context(), i.Number); err == nil {
		p.Where = m.Name
	}
	return http.StatusOK
}

func (h *Handler) submit(w http.ResponseWriter, r *http.Request, p *page) {
	fail := func(err error) {
		if e := giro.AsError(err); e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
		}
		token := p.Token
		if token != "" {
			h.invited(r, p)
		}
		p.Error = p.T.failure(err)
		show(w, r, status(err), p)
	}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if (origin != "" || site != "") && !giro.SameOrigin(r.Host, origin, site) {
		fail(giro.Refuse(giro.CodeCSRF, "Origin", "the form was not sent by this page"))
		return
	}
	if !h.confidential(r) {
		fail(giro.Refuse(giro.CodeForbidden, "Host", "people sign in over https, or on the machine itself"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, formMax)
	if err := r.ParseForm(); err != nil {
		fail(giro.Refuse(giro.CodeTooLong, "/password", "the form is too large or malformed"))
		return
	}
	form := r.PostForm
	p.Next, p.Token, p.Email, p.Name = next(form.Get("next")), form.Get("token"), form.Get("email"), form.Get("name")
	e := h.config.Engine
	ctx := r.Context()
	var token string
	var err error
	if p.Token != "" {
		var person *giro.Person
		if len([]rune(p.Name)) > 255 || len(p.Email) > 254 {
			fail(giro.Refuse(giro.CodeTooLong, "/name", "the name or the address is too long"))
			return
		}
		if p.Email != "" && !looksLikeEmail(p.Email) {
			fail(giro.Refuse(giro.CodeEmailInvalid, "/email", "must be a plain address"))
			return
		}
		person, err = e.Accept(ctx, giro.Acceptance{Token: p.Token, Email: p.Email, Name: p.Name, Password: form.Get("password")}, from(r))
		if err == nil {
			_, token, err = e.Begin(ctx, person, from(r))
		}
	} else {
		_, token, err = e.SignIn(ctx, p.Email, form.Get("password"), from(r))
	}
	if err != nil {
		fail(err)
		return
	}
	if old, ok := h.signedIn(r); ok {
		// The browser's old session ends: nobody shares the one that begins.
		if err := e.SignOut(ctx, nil, old.Person.ID, old.Session.ID); err != nil && !giro.Is(err, giro.CodeNotFound) {
			slog.Error("end the session before", "error", err)
		}
	}
	h.setCookie(w, r, token)
	http.Redirect(w, r, p.Next, http.StatusSeeOther)
}

func looksLikeEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t\r\n<>\"(),;:\\")
}

// logout ends the session; a form of the page sends it.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		head.Set("Allow", "POST")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if !giro.SameOrigin(r.Host, r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")) {
		http.Error(w, "The form was not sent by this page", http.StatusForbidden)
		return
	}
	if in, ok := h.signedIn(r); ok {
		if err := h.config.Engine.SignOut(r.Context(), nil, in.Person.ID, in.Session.ID); err != nil && !giro.Is(err, giro.CodeNotFound) {
			http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			return
		}
	}
	h.setCookie(w, r, "")
	http.Redirect(w, r, "/app/login", http.StatusSeeOther)
}

// statuses of what can go wrong on the sign-in page.
var statuses = map[giro.Code]int{
	giro.CodeUnauthenticated: 401, giro.CodeCSRF: 403, giro.CodeForbidden: 403, giro.CodeRateLimited: 429, giro.CodeLinkInvalid: 400,
	giro.CodeMissingField: 422, giro.CodeInvalidLength: 422, giro.CodeTooLong: 422, giro.CodeInvalidValue: 422, giro.CodeEmailInvalid: 422, giro.CodeConflict: 409, giro.CodeUnavailable: 503,
}

func status(err error) int {
	if s := statuses[giro.AsError(err).Code]; s != 0 {
		return s
	}
	return http.StatusInternalServerError
}

func show(w http.ResponseWriter, r *http.Request, status int, p *page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if err := loginPage.Execute(w, p); err != nil && !errors.Is(err, http.ErrHandlerTimeout) {
		slog.Debug("write the sign-in page", "error", err)
	}
}

var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="{{.Lang}}"{{if .Theme}} data-theme="{{.Theme}}"{{end}}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{if .Purpose}}{{.T.Welcome}}{{else}}{{.T.SignIn}}{{end}} · giro</title>
<link rel="stylesheet" href="/app/login.css">
<link rel="icon" href="/app/icon.svg">
</head>
<body>
<main>
<p class="mark" aria-hidden="true"><img src="/app/icon.svg" width="28" height="28" alt="">giro</p>
<h1>{{if eq .Purpose "reset"}}{{.T.NewPassword}}{{else if .Purpose}}{{.T.Welcome}}{{else}}{{.T.SignIn}}{{end}}</h1>
{{if .Purpose}}<p>{{if eq .Purpose "first"}}{{.T.First}}{{else if eq .Purpose "join"}}{{.T.Join}} <strong>{{.Where}}</strong> · {{.Role}}{{else}}{{.Email}}{{end}}</p>{{end}}
{{if .Error}}<p class="error" role="alert">{{.Error}}</p>{{end}}
<form method="post" action="/app/login">
<input type="hidden" name="next" value="{{.Next}}">
{{if .Purpose}}<input type="hidden" name="token" value="{{.Token}}">
{{if eq .Purpose "first"}}<label for="email">{{.T.Email}}</label>
<input id="email" name="email" type="email" autocomplete="username" required maxlength="254" value="{{.Email}}" autofocus>{{else}}<input type="hidden" name="email" value="{{.Email}}" autocomplete="username">{{end}}
{{if not .Known}}<label for="name">{{.T.Name}}</label>
<input id="name" name="name" autocomplete="name" required maxlength="255" value="{{.Name}}">{{end}}
<label for="password">{{if and .Known (ne .Purpose "reset")}}{{.T.Password}}{{else}}{{.T.NewPassword}}{{end}}</label>
<input id="password" name="password" type="password" required maxlength="{{.Max}}" {{if and .Known (ne .Purpose "reset")}}autocomplete="current-password"{{else}}autocomplete="new-password" minlength="{{.Min}}" aria-describedby="rule"{{end}}>
{{if not (and .Known (ne .Purpose "reset"))}}<p id="rule" class="hint">{{.T.Rule}}</p>{{end}}
{{else}}<label for="email">{{.T.Email}}</label>
<input id="email" name="email" type="email" autocomplete="username" required maxlength="254" value="{{.Email}}"{{if not .Email}} autofocus{{end}}>
<label for="password">{{.T.Password}}</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="{{.Max}}"{{if .Email}} autofocus{{end}}>
{{end}}<button type="submit">{{if .Purpose}}{{.T.Continue}}{{else}}{{.T.SignIn}}{{end}}</button>
</form>
{{if not .Purpose}}<p class="hint">{{.T.Forgot}}</p>{{end}}
</main>
</body>
</html>
`))

const loginStyle = `:root{color-scheme:light dark;--page:light-dark(#f6f7f9,#0e1319);--card:light-dark(#fff,#161c24);--edge:light-dark(#dfe4ea,#2a3441);--text:light-dark(#17212b,#e6ebf1);--soft:light-dark(#56626f,#9ba8b7);--line:light-dark(#8a97a5,#62707f);--accent:light-dark(#0b6a62,#5cc8bc);--on:light-dark(#fff,#06211e);--bad:light-dark(#b42318,#ff9087)}
:root[data-theme=light]{color-scheme:light}
:root[data-theme=dark]{color-scheme:dark}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;padding:16px}
main{width:100%;max-width:380px;background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:28px}
.mark{margin:0 0 18px;display:flex;gap:9px;align-items:center;font-size:17px;font-weight:700;letter-spacing:.01em}
h1{font-size:20px;margin:0 0 12px}
p{margin:0 0 12px;overflow-wrap:anywhere}
label{display:block;margin:14px 0 4px;font-weight:600}
input{width:100%;min-height:40px;padding:8px 10px;border:1px solid var(--line);border-radius:6px;background:transparent;color:inherit;font:inherit}
button{width:100%;min-height:42px;margin-top:20px;border:0;border-radius:6px;background:var(--accent);color:var(--on);font:inherit;font-weight:600;cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.error{color:var(--bad);font-weight:600}
.hint{color:var(--soft);margin:6px 0 0;font-size:13px}
form+.hint{margin-top:16px}
`
