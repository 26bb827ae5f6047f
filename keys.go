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

// NewKey is an API key beside its secret, which is shown this once.
type NewKey struct {
	Key    *APIKey
	Secret string
}

// hint is what people tell a secret by: what it begins with, as all of its kind do,
// and its end.
func hint(secret string, prefix int) string {
	return secret[:prefix] + "…" + secret[max(len(secret)-4, prefix):]
}

// newKey makes an API key and the document that keeps it.
func (e *Engine) newKey(m *Merchant, k APIKey) (*NewKey, *StoredDocument, error) {
	prefix := "sk"
	if k.Publishable {
		prefix = "pk"
	}
	secret := prefix + "_" + mode(k.Live) + "_" + random(40) // 200 bits
	now := e.Now()
	k.ID, k.Merchant, k.Created = e.NewID(now), m.ID, Micros(now)
	k.Hint = hint(secret, len("sk_live_"))
	data, err := json.Marshal(&storedKey{APIKey: k, Number: m.Number})
	d := &StoredDocument{Kind: DocKey, ID: k.ID, Book: BookOf(m.Number, k.Live), Lookup: e.Secret.hashKey(secret), Data: data}
	return &NewKey{&k, secret}, d, err
}

// CreateKey makes an API key; its secret is shown this once. The result is nil
// where the call's Idempotency-Key was used before: its Answer has it.
func (e *Engine) CreateKey(ctx context.Context, call *Call, m *Merchant, k APIKey) (*NewKey, error) {
	made, d, err := e.newKey(m, k)
	if err != nil {
		return nil, err
	}
	v, err := e.put(ctx, call, Refuse(CodeConflict, "", "the key exists"), func([]StoredDocument) (any, error) { return made, nil }, d)
	result, _ := v.(*NewKey)
	return result, err
}

// RollKey replaces an API key of the caller's book by a new one that may do the
// same; the old one ends at an instant (µs). Both happen, or neither. allowed
// may refuse by what the old key may do.
func (e *Engine) RollKey(ctx context.Context, call *Call, id UUID, until int64, allowed func(*APIKey) error) (*NewKey, error) {
	old, d, err := e.storedKey(ctx, call.Book(), id)
	if err != nil {
		return nil, err
	}
	if err := allowed(&old.APIKey); err != nil {
		return nil, err
	}
	if now := Micros(e.Now()); old.Revoked != 0 || old.Expires != 0 && old.Expires <= now {
		return nil, Refuse(CodeInvalidState, "", "a key that is revoked or has expired is not rolled; make another")
	}
	made, fresh, err := e.newKey(call.Merchant, APIKey{Live: old.Live, Publishable: old.Publishable, Name: old.Name, Scopes: old.Scopes, Expires: old.Expires})
	if err != nil {
		return nil, err
	}
	old.Revoked = until
	if d.Data, err = json.Marshal(old); err != nil {
		return nil, err
	}
	v, err := e.put(ctx, call, Refuse(CodeConflict, "", "the key exists"), func([]StoredDocument) (any, error) { return made, nil }, fresh, d)
	e.forgetKeys()
	result, _ := v.(*NewKey)
	return result, err
}

// storedKey reads an API key of a book, with its document.
func (e *Engine) storedKey(ctx context.Context, book Book, id UUID) (*storedKey, *StoredDocument, error) {
	d, err := e.Store.Document(ctx, DocKey, id)
	if err != nil {
		return nil, nil, err
	}
	if d == nil || d.Book != book {
		return nil, nil, Refuse(CodeNotFound, "", "there is no such key")
	}
	k := &storedKey{}
	return k, d, json.Unmarshal(d.Data, k)
}

// Key reads an API key of a book, or CodeNotFound.
func (e *Engine) Key(ctx context.Context, book Book, id UUID) (*APIKey, error) {
	k, _, err := e.storedKey(ctx, book, id)
	if err != nil {
		return nil, err
	}
	return &k.APIKey, nil
}

// RevokeKey ends an API key at an instant (µs): now, or after a grace period.
func (e *Engine) RevokeKey(ctx context.Context, call *Call, book Book, id UUID, at int64) (*APIKey, error) {
	k, d, err := e.storedKey(ctx, book, id)
	if err != nil {
		return nil, err
	}
	if k.Revoked == 0 || k.Revoked > at {
		k.Revoked = at
	}
	if d.Data, err = json.Marshal(k); err != nil {
		return nil, err
	}
	if _, err := e.Put(ctx, call, Refuse(CodeConflict, "", "the key exists"), d); err != nil {
		return nil, err
	}
	e.forgetKeys()
	return &k.APIKey, nil
}

// newClient makes an OAuth client of the SmartFastPay dialect, its secret and
// the document that keeps it.
func (e *Engine) newClient(m *Merchant, live bool, profile string) (*OAuthClient, string, *StoredDocument, error) {
	now := e.Now()
	secret := random(40)
	c := &OAuthClient{ID: e.NewID(now), ClientID: mode(live) + "_" + random(24), Merchant: m.Number, Live: live, Profile: profile, Created: Micros(now)}
	c.Hash = e.Secret.hashKey(secret)
	data, err := json.Marshal(c)
	return c, secret, &StoredDocument{Kind: DocClient, ID: c.ID, Book: BookOf(m.Number, live), Lookup: c.ClientID, Data: data}, err
}

// NewClient is an OAuth client beside its secret, which is shown this once.
type NewClient struct {
	Client *OAuthClient
	Secret string
}

// CreateClient makes an OAuth client for the SmartFastPay dialect. The result is
// nil where the call's Idempotency-Key was used before: its Answer has it.
func (e *Engine) CreateClient(ctx context.Context, call *Call, m *Merchant, live bool, profile string) (*NewClient, error) {
	c, secret, d, err := e.newClient(m, live, profile)
	if err != nil {
		return nil, err
	}
	made := &NewClient{c, secret}
	v, err := e.put(ctx, call, Refuse(CodeConflict, "", "the client exists"), func([]StoredDocument) (any, error) { return made, nil }, d)
	result, _ := v.(*NewClient)
	return result, err
}

// KeySet is what a new merchant is given for one mode.
type KeySet struct {
	SecretKey      string `json:"secret_key"`
	PublishableKey string `json:"publishable_key"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
}

// newKeySet makes a merchant's first credentials of one mode, with the
// documents that keep them.
func (e *Engine) newKeySet(m *Merchant, live bool) (KeySet, []*StoredDocument, error) {
	secret, a, err := e.newKey(m, APIKey{Live: live, Name: "first secret key"})
	if err != nil {
		return KeySet{}, nil, err
	}
	publishable, b, err := e.newKey(m, APIKey{Live: live, Publishable: true, Name: "first publishable key"})
	if err != nil {
		return KeySet{}, nil, err
	}
	client, clientSecret, c, err := e.newClient(m, live, "smartfastpay")
	return KeySet{secret.Secret, publishable.Secret, client.ClientID, clientSecret}, []*StoredDocument{a, b, c}, err
}

// CreateKeySet makes a merchant's first credentials of one mode.
func (e *Engine) CreateKeySet(ctx context.Context, m *Merchant, live bool) (KeySet, error) {
	set, docs, err := e.newKeySet(m, live)
	if err != nil {
		return KeySet{}, err
	}
	_, err = e.Put(ctx, &Call{Merchant: m, Live: live}, Refuse(CodeConflict, "", "the key exists"), docs...)
	return set, err
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
	if m.Status == MerchantClosed {
		return nil, nil, Refuse(CodeKeyRevoked, "Authorization", "the merchant is closed")
	}
	return &c.key.APIKey, m, nil
}

func (e *Engine) forgetKeys() {
	e.keys.mu.Lock()
	e.keys.m = nil
	e.keys.mu.Unlock()
}
