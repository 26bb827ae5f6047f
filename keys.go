package giro

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Secret is the installation's key: 32 bytes under which credentials are hashed
// and cursors and tokens authenticated. Processes that share a database share
// it.
type Secret [32]byte

// MAC returns HMAC-SHA256 of the parts for one purpose; parts cannot run into
// each other.
func (s Secret) MAC(purpose string, parts ...string) [32]byte {
	h := hmac.New(sha256.New, s[:])
	for _, p := range append([]string{purpose}, parts...) {
		var n [4]byte
		n[0], n[1], n[2], n[3] = byte(len(p)>>24), byte(len(p)>>16), byte(len(p)>>8), byte(len(p))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}

func (s Secret) hashKey(secret string) string {
	h := s.MAC("api key", secret)
	return hex.EncodeToString(h[:])
}

// random returns so many characters of Crockford base32, 5 random bits each.
func random(chars int) string {
	raw := make([]byte, chars)
	rand.Read(raw)
	for i := range raw {
		raw[i] = crockford[raw[i]&31]
	}
	return string(raw)
}

// OAuthClient is a credential of the SmartFastPay dialect.
type OAuthClient struct {
	ID       UUID   `json:"id"`
	ClientID string `json:"client_id"`
	Merchant int64  `json:"merchant"` // number
	Live     bool   `json:"live"`
	Hash     string `json:"hash"`    // of the client's secret
	Profile  string `json:"profile"` // smartfastpay or jumppag
	Created  int64  `json:"created"`
}

// storedKey is an API key as it is kept, with its books.
type storedKey struct {
	APIKey
	Number int64 `json:"number"` // of the merchant
}

// CreateKey makes an API key and returns its secret, which is shown this once.
func (e *Engine) CreateKey(ctx context.Context, call *Call, m *Merchant, k APIKey) (*APIKey, string, error) {
	prefix := "sk"
	if k.Publishable {
		prefix = "pk"
	}
	secret := prefix + "_" + mode(k.Live) + "_" + random(40) // 200 bits
	now := e.Now()
	k.ID, k.Merchant, k.Created = e.NewID(now), m.ID, Micros(now)
	k.Hint = secret[:8] + "…" + secret[len(secret)-4:]
	data, err := json.Marshal(&storedKey{APIKey: k, Number: m.Number})
	if err != nil {
		return nil, "", err
	}
	d := &StoredDocument{Kind: DocKey, ID: k.ID, Book: BookOf(m.Number, k.Live), Lookup: e.Secret.hashKey(secret), Data: data}
	if _, err := e.Put(ctx, call, Refuse(CodeConflict, "", "the key exists"), d); err != nil {
		return nil, "", err
	}
	return &k, secret, nil
}

// RevokeKey ends an API key at an instant (µs): now, or after a grace period.
func (e *Engine) RevokeKey(ctx context.Context, call *Call, book Book, id UUID, at int64) (*APIKey, error) {
	d, err := e.Store.Document(ctx, DocKey, id)
	if err != nil {
		return nil, err
	}
	if d == nil || d.Book != book {
		return nil, Refuse(CodeNotFound, "", "there is no such key")
	}
	var k storedKey
	if err := json.Unmarshal(d.Data, &k); err != nil {
		return nil, err
	}
	if k.Revoked == 0 || k.Revoked > at {
		k.Revoked = at
	}
	if d.Data, err = json.Marshal(&k); err != nil {
		return nil, err
	}
	if _, err := e.Put(ctx, call, Refuse(CodeConflict, "", "the key exists"), d); err != nil {
		return nil, err
	}
	e.forgetKeys()
	return &k.APIKey, nil
}

// CreateClient makes an OAuth client for the SmartFastPay dialect and returns
// its secret, which is shown this once.
func (e *Engine) CreateClient(ctx context.Context, call *Call, m *Merchant, live bool, profile string) (*OAuthClient, string, error) {
	now := e.Now()
	secret := random(40)
	c := OAuthClient{ID: e.NewID(now), ClientID: mode(live) + "_" + random(24), Merchant: m.Number, Live: live, Profile: profile, Created: Micros(now)}
	c.Hash = e.Secret.hashKey(secret)
	data, err := json.Marshal(&c)
	if err != nil {
		return nil, "", err
	}
	d := &StoredDocument{Kind: DocClient, ID: c.ID, Book: BookOf(m.Number, live), Lookup: c.ClientID, Data: data}
	if _, err := e.Put(ctx, call, Refuse(CodeConflict, "", "the client exists"), d); err != nil {
		return nil, "", err
	}
	return &c, secret, nil
}

// KeySet is what a new merchant is given for one mode.
type KeySet struct {
	SecretKey      string `json:"secret_key"`
	PublishableKey string `json:"publishable_key"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
}

// CreateKeySet makes a merchant's first credentials of one mode.
func (e *Engine) CreateKeySet(ctx context.Context, m *Merchant, live bool) (KeySet, error) {
	var set KeySet
	call := &Call{Merchant: m, Live: live}
	var err error
	if _, set.SecretKey, err = e.CreateKey(ctx, call, m, APIKey{Live: live, Name: "first secret key"}); err != nil {
		return set, err
	}
	if _, set.PublishableKey, err = e.CreateKey(ctx, call, m, APIKey{Live: live, Publishable: true, Name: "first publishable key"}); err != nil {
		return set, err
	}
	client, secret, err := e.CreateClient(ctx, call, m, live, "smartfastpay")
	if err != nil {
		return set, err
	}
	set.ClientID, set.ClientSecret = client.ClientID, secret
	return set, nil
}

// keyCache spares a database read per request. An entry is trusted for a
// second, so a key revoked by another process ends within it.
type keyCache struct {
	mu sync.RWMutex
	m  map[string]cachedKey
}

type cachedKey struct {
	key   *storedKey
	until time.Time
}

const keyCacheMax = 10_000

// Authenticate returns the key behind a secret. Unknown: CodeUnauthenticated;
// revoked or expired: CodeKeyRevoked.
func (e *Engine) Authenticate(ctx context.Context, secret string) (*APIKey, *Merchant, error) {
	unknown := Refuse(CodeUnauthenticated, "Authorization", "the key is not known here")
	if len(secret) > 200 || !strings.HasPrefix(secret, "sk_") && !strings.HasPrefix(secret, "pk_") {
		return nil, nil, unknown
	}
	hash := e.Secret.hashKey(secret)
	now := e.Now()
	e.keys.mu.RLock()
	c, ok := e.keys.m[hash]
	e.keys.mu.RUnlock()
	if !ok || !now.Before(c.until) {
		d, err := e.Store.DocumentByLookup(ctx, DocKey, hash)
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			return nil, nil, unknown
		}
		k := &storedKey{}
		if err := json.Unmarshal(d.Data, k); err != nil {
			return nil, nil, err
		}
		c = cachedKey{k, now.Add(time.Second)}
		e.keys.mu.Lock()
		if e.keys.m == nil || len(e.keys.m) >= keyCacheMax {
			e.keys.m = map[string]cachedKey{}
		}
		e.keys.m[hash] = c
		e.keys.mu.Unlock()
	}
	at := Micros(now)
	if c.key.Revoked != 0 && c.key.Revoked <= at || c.key.Expires != 0 && c.key.Expires <= at {
		return nil, nil, Refuse(CodeKeyRevoked, "Authorization", "the key was revoked or has expired; use another")
	}
	m, err := e.Merchant(ctx, c.key.Number)
	if err != nil {
		return nil, nil, err
	}
	return &c.key.APIKey, m, nil
}

func (e *Engine) forgetKeys() {
	e.keys.mu.Lock()
	e.keys.m = nil
	e.keys.mu.Unlock()
}
