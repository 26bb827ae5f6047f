package giro

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// The cookies of a session: the first over TLS, where the browser sends it to
// no other host and over no plain connection, the second on loopback http.
const (
	SecureSessionCookie = "__Host-giro_session"
	SessionCookie       = "giro_session"
)

// sessionsMax bounds the sessions of one person; the oldest gives way.
const sessionsMax = 50

// Session is a person's sign-in on one browser. Its token is stored as a keyed
// hash alone.
type Session struct {
	ID      UUID   `json:"id"`
	Person  UUID   `json:"person"`
	Created int64  `json:"created"` // µs
	Seen    int64  `json:"seen"`    // µs, to some minutes
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"` // the browser, as it calls itself
}

// SignedIn is who a session's cookie speaks for.
type SignedIn struct {
	Session *Session
	Person  *Person
	Members []*Member // their places, the oldest first
}

// From says where a sign-in comes from.
type From struct {
	Address string // of the peer, without its port
	Agent   string
}

const (
	sessionIdle  = 12 * time.Hour     // unused for so long, a session ends
	sessionLife  = 7 * 24 * time.Hour // and after this in any case
	sessionTouch = 5 * time.Minute    // how exact Seen is
)

func (s Secret) hashSession(token string) string {
	h := s.MAC("session", token)
	return hex.EncodeToString(h[:])
}

// SameOrigin reports whether a browser's request came from a page of this very
// host: by Sec-Fetch-Site where it is sent, else by Origin. A request with
// neither did not come from a browser that protects its user's cookies.
func SameOrigin(host, origin, fetchSite string) bool {
	if fetchSite != "" {
		return fetchSite == "same-origin"
	}
	_, from, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(from, host)
}

// argon2id with the parameters that OWASP names first: 19 MiB, two passes, one
// lane. A stored hash carries its own, so they can be raised.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
)

// argonTurns bounds the memory that sign-ins take at once.
var argonTurns = make(chan struct{}, 4)

func argon(ctx context.Context, password string, salt []byte, passes, memory uint32, lanes uint8) ([]byte, error) {
	select {
	case argonTurns <- struct{}{}:
	case <-ctx.Done():
		return nil, &Error{Code: CodeUnavailable, Message: "too many people sign in at once", RetryAfter: time.Second, Err: ctx.Err()}
	}
	defer func() { <-argonTurns }()
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, 32), nil
}

func (e *Engine) hashPassword(ctx context.Context, password string) (string, error) {
	var salt [16]byte
	rand.Read(salt[:])
	key, err := argon(ctx, password, salt[:], argonPasses, argonMemory, argonLanes)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt[:]), base64.RawStdEncoding.EncodeToString(key)), nil
}

// passwordFits compares in constant time. A person without a password costs
// the same time, so that nobody learns who has one.
func passwordFits(ctx context.Context, stored, password string) (bool, error) {
	memory, passes, lanes := uint32(argonMemory), uint32(argonPasses), uint8(argonLanes)
	salt, want := make([]byte, 16), []byte(nil)
	if parts := strings.Split(stored, "$"); len(parts) == 6 {
		var err error
		if _, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
			return false, err
		}
		if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
			return false, err
		}
		if want, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
			return false, err
		}
	}
	key, err := argon(ctx, password, salt, passes, memory, lanes)
	if err != nil {
		return false, err
	}
	return len(want) > 0 && subtle.ConstantTimeCompare(key, want) == 1, nil
}

// throttle slows whoever guesses: after a few failures each further one must
// wait, twice as long each time, up to a quarter of an hour.
type throttle struct {
	mu sync.Mutex
	m  map[string]*strikes
}

type strikes struct {
	count       int
	last, until int64 // µs
}

const (
	strikesMax    = 10_000 // names that are remembered
	strikesForget = time.Hour
	strikesWait   = 15 * time.Minute

	freePair    = 5  // failures of one address at one e-mail
	freeEmail   = 30 // at one e-mail from anywhere
	freeAddress = 60 // of one address at any e-mail
)

// strike counts an attempt as failed before it is made, so that attempts at
// the same time do not share one chance; forgive takes it back.
func (t *throttle) strike(now time.Time, name string, free int) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := Micros(now)
	if t.m == nil {
		t.m = map[string]*strikes{}
	}
	s := t.m[name]
	if s == nil || at-s.last > strikesForget.Microseconds() {
		if len(t.m) >= strikesMax {
			for k, old := range t.m {
				if at-old.last > strikesForget.Microseconds() || len(t.m) >= strikesMax {
					delete(t.m, k)
				}
			}
		}
		s = &strikes{}
		t.m[name] = s
	}
	if s.until > at {
		return time.Duration(s.until-at) * time.Microsecond
	}
	s.count++
	s.last = at
	if over := s.count - free; over >= 0 {
		s.until = at + min(strikesWait, time.Second<<min(over, 20)).Microseconds()
	}
	return 0
}

func (t *throttle) forgive(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.m, name)
}

// guess lets one attempt at an e-mail address through, or says when the next
// may be made.
func (e *Engine) guess(email string, from From) (forgive func(), err error) {
	pair, mail, address := "p "+from.Address+" "+email, "e "+email, "a "+from.Address
	now := e.Now()
	for _, s := range []struct {
		name string
		free int
	}{{pair, freePair}, {mail, freeEmail}, {address, freeAddress}} {
		if wait := e.guesses.strike(now, s.name, s.free); wait > 0 {
			return nil, &Error{Code: CodeRateLimited, Message: "too many failed sign-ins; wait before the next", RetryAfter: wait}
		}
	}
	return func() { e.guesses.forgive(pair); e.guesses.forgive(mail); e.guesses.forgive(address) }, nil
}

var errSignIn = Refuse(CodeUnauthenticated, "/password", "the e-mail address or the password is wrong")

// prove refuses a password that is not the person's (nil: nobody's).
func (e *Engine) prove(ctx context.Context, p *Person, password string, from From) error {
	email, stored := "", ""
	if p != nil {
		email, stored = p.Email, p.Password
	}
	forgive, err := e.guess(email, from)
	if err != nil {
		return err
	}
	fits, err := passwordFits(ctx, stored, password)
	if err != nil {
		return err
	}
	if !fits {
		return errSignIn
	}
	forgive()
	return nil
}

// SignIn begins a session for who knows the password, and returns its token.
// An unknown address and a wrong password get the same answer in the same time.
func (e *Engine) SignIn(ctx context.Context, email, password string, from From) (*SignedIn, string, error) {
	email = NormalEmail(email)
	if len(email) > 254 || len(password) > 4*PasswordMax {
		return nil, "", errSignIn
	}
	forgive, err := e.guess(email, from)
	if err != nil {
		return nil, "", err
	}
	p, err := e.PersonByEmail(ctx, email)
	if err != nil {
		return nil, "", err
	}
	stored := ""
	if p != nil {
		stored = p.Password
	}
	fits, err := passwordFits(ctx, stored, password)
	if err != nil {
		return nil, "", err
	}
	if !fits {
		return nil, "", errSignIn
	}
	forgive()
	return e.Begin(ctx, p, from)
}

// Begin starts a session of a person who has just proved who they are. Its
// token is new: whatever cookie the browser had before is nobody's.
func (e *Engine) Begin(ctx context.Context, p *Person, from From) (*SignedIn, string, error) {
	token := random(40) // 200 bits
	now := e.Now()
	s := &Session{ID: e.NewID(now), Person: p.ID, Created: Micros(now), Seen: Micros(now), Address: from.Address, Agent: from.Agent}
	if len(s.Agent) > 200 {
		s.Agent = strings.ToValidUTF8(s.Agent[:200], "")
	}
	members, err := e.Members(ctx, p.ID)
	if err != nil {
		return nil, "", err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, "", err
	}
	old, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSession, Book: AllBooks, Parent: p.ID})
	if err != nil {
		return nil, "", err
	}
	person := DocumentKey{Kind: DocPerson, ID: p.ID}
	keys := Keys{Documents: []DocumentKey{person}}
	for n, d := range old {
		var was Session
		if err := json.Unmarshal(d.Data, &was); err != nil {
			return nil, "", err
		}
		if n >= sessionsMax-1 || was.ended(now) {
			keys.Documents = append(keys.Documents, DocumentKey{Kind: DocSession, ID: d.ID})
		}
	}
	_, err = e.do(ctx, &command{keys: keys, decide: func(b *Batch) (any, error) {
		d := b.document(person)
		if d == nil || d.Version != p.Version {
			return nil, Refuse(CodeConflict, "", "this person was changed at the same moment; sign in again")
		}
		for _, k := range keys.Documents[1:] {
			b.remove(k)
		}
		b.write(&StoredDocument{Kind: DocSession, ID: s.ID, Lookup: e.Secret.hashSession(token), Parent: p.ID, Created: s.Created, Updated: s.Created, Data: data})
		signed := *p
		signed.SignedIn = b.At
		// What the merchants see of it.
		for _, m := range members {
			if err := b.act(&Act{Person: p.ID, Name: p.Name, Email: p.Email, Action: "signIn", Address: from.Address}, BookOf(m.Number, false), p.ID); err != nil {
				return nil, err
			}
		}
		return nil, b.writePerson(&signed, d)
	}})
	if err != nil {
		return nil, "", err
	}
	if p, err = e.PersonByID(ctx, p.ID); err != nil {
		return nil, "", err
	}
	return &SignedIn{s, p, members}, token, nil
}

func (s *Session) ended(now time.Time) bool {
	at := Micros(now)
	return at-s.Seen > sessionIdle.Microseconds() || at-s.Created > sessionLife.Microseconds()
}

// sessionCache spares the database reads of a page that asks for ten things. An
// entry is trusted for a second, so a session that another process ends, and a
// duty that it takes away, end within it.
type sessionCache struct {
	mu sync.Mutex
	m  map[string]cachedSession
}

type cachedSession struct {
	in    *SignedIn
	until time.Time
}

func (e *Engine) forgetSessions() {
	e.sessions.mu.Lock()
	e.sessions.m = nil
	e.sessions.mu.Unlock()
}

var errSession = Refuse(CodeUnauthenticated, "Cookie", "the session has ended; sign in again")

// SessionOf returns who a session's token speaks for, and notes that the session
// is in use. CodeUnauthenticated: the session has ended or never was.
func (e *Engine) SessionOf(ctx context.Context, token string) (*SignedIn, error) {
	return e.sessionOf(ctx, token, true)
}

// SessionStill is SessionOf for what goes on without anybody doing anything, and
// so does not count as a use of the session.
func (e *Engine) SessionStill(ctx context.Context, token string) (*SignedIn, error) {
	return e.sessionOf(ctx, token, false)
}

func (e *Engine) sessionOf(ctx context.Context, token string, used bool) (*SignedIn, error) {
	if len(token) != 40 {
		return nil, errSession
	}
	now := e.Now()
	hash := e.Secret.hashSession(token)
	e.sessions.mu.Lock()
	c, ok := e.sessions.m[hash]
	e.sessions.mu.Unlock()
	if ok && now.Before(c.until) {
		if c.in.Session.ended(now) {
			return nil, errSession
		}
		return c.in, nil
	}
	d, err := e.Store.DocumentByLookup(ctx, DocSession, hash)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, errSession
	}
	s := &Session{}
	if err := json.Unmarshal(d.Data, s); err != nil {
		return nil, err
	}
	if s.ended(now) {
		return nil, errSession
	}
	p, err := e.PersonByID(ctx, s.Person)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errSession
	}
	members, err := e.Members(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if used && Micros(now)-s.Seen > sessionTouch.Microseconds() {
		if err := e.touch(ctx, d, s, now); err != nil {
			return nil, err
		}
	}
	in := &SignedIn{s, p, members}
	e.sessions.mu.Lock()
	if e.sessions.m == nil || len(e.sessions.m) >= keyCacheMax {
		e.sessions.m = map[string]cachedSession{}
	}
	e.sessions.m[hash] = cachedSession{in, now.Add(time.Second)}
	e.sessions.mu.Unlock()
	return in, nil
}

// touch notes that a session is in use.
func (e *Engine) touch(ctx context.Context, d *StoredDocument, s *Session, now time.Time) error {
	s.Seen = Micros(now)
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	k := DocumentKey{Kind: DocSession, ID: d.ID}
	_, err = e.do(ctx, &command{keys: Keys{Documents: []DocumentKey{k}}, decide: func(b *Batch) (any, error) {
		old := b.document(k)
		if old == nil {
			return nil, errSession
		}
		w := *old
		w.Data, w.Updated = data, b.At
		b.write(&w)
		return nil, nil
	}})
	return err
}

// Sessions returns a person's open sessions, the newest first.
func (e *Engine) Sessions(ctx context.Context, person UUID) ([]*Session, error) {
	docs, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSession, Book: AllBooks, Parent: person, Limit: sessionsMax})
	if err != nil {
		return nil, err
	}
	var list []*Session
	for _, d := range docs {
		s := &Session{}
		if err := json.Unmarshal(d.Data, s); err != nil {
			return nil, err
		}
		if !s.ended(e.Now()) {
			list = append(list, s)
		}
	}
	return list, nil
}

// SignOut ends one of a person's sessions.
func (e *Engine) SignOut(ctx context.Context, call *Call, person, session UUID) error {
	k := DocumentKey{Kind: DocSession, ID: session}
	_, err := e.do(ctx, &command{call: call, keys: Keys{Documents: []DocumentKey{k}}, decide: func(b *Batch) (any, error) {
		d := b.document(k)
		if d == nil || d.Parent != person {
			return nil, Refuse(CodeNotFound, "", "there is no such session")
		}
		b.remove(k)
		return nil, nil
	}})
	e.forgetSessions()
	return err
}

// ChangePassword sets a new password for who knows the old one, and ends every
// other session.
func (e *Engine) ChangePassword(ctx context.Context, call *Call, in *SignedIn, old, password string, from From) error {
	p, err := e.PersonByID(ctx, in.Person.ID)
	if err != nil {
		return err
	}
	if p == nil {
		return errSession
	}
	if err := e.prove(ctx, p, old, from); err != nil {
		if Is(err, CodeUnauthenticated) {
			return Refuse(CodeInvalidValue, "/old_password", "this is not the present password")
		}
		return err
	}
	if err := checkPassword(password, p); err != nil {
		return err
	}
	hash, err := e.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	sessions, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocSession, Book: AllBooks, Parent: p.ID})
	if err != nil {
		return err
	}
	var gone []DocumentKey
	for _, d := range sessions {
		if d.ID != in.Session.ID {
			gone = append(gone, DocumentKey{Kind: DocSession, ID: d.ID})
		}
	}
	_, err = e.changePerson(ctx, call, p.ID, func(q *Person) error {
		if q.Password != p.Password {
			return Refuse(CodeConflict, "", "the password was changed at the same moment")
		}
		q.Password = hash
		return nil
	}, gone...)
	return err
}

// Expires returns when the session ends however much it is used (µs).
func (s *Session) Expires() int64 { return s.Created + sessionLife.Microseconds() }

// Loopback reports whether a request's Host is this machine itself: localhost,
// 127.0.0.0/8 or ::1.
func Loopback(host string) bool {
	if h, _, ok := strings.Cut(host, "]"); ok {
		return h == "[::1"
	}
	host, _, _ = strings.Cut(host, ":")
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	parts := strings.Split(host, ".")
	for _, p := range parts {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return len(parts) == 4 && parts[0] == "127"
}
