package giro

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// AccessTokenPrefix begins every access token of the SmartFastPay dialect.
const AccessTokenPrefix = "oat_"

// AccessTokenLife is how long an access token works.
const AccessTokenLife = time.Hour

// An access token is stateless: client, expiry and profile under a MAC of the
// installation's key. So issuing one, which clients in use do before every
// call, writes nothing.
const (
	tokenBody = 16 + 8 + 1
	tokenMAC  = 16
)

// profiles are the ones of the dialect, by their byte in an access token.
var profiles = []string{"smartfastpay", "jumppag"}

// clientCache spares a database read per request. An entry is trusted for a
// second, so a client revoked by another process ends within it.
type clientCache struct {
	mu sync.RWMutex
	m  map[string]cachedClient
}

type cachedClient struct {
	client *OAuthClient
	until  time.Time
}

// client finds an OAuth client by its client id or by the bytes of its ID; nil:
// there is none.
func (e *Engine) client(ctx context.Context, id UUID, clientID string) (*OAuthClient, error) {
	key := clientID
	if key == "" {
		key = string(id[:])
	}
	now := e.Now()
	e.clients.mu.RLock()
	c, ok := e.clients.m[key]
	e.clients.mu.RUnlock()
	if ok && now.Before(c.until) {
		return c.client, nil
	}
	var d *StoredDocument
	var err error
	if clientID != "" {
		d, err = e.Store.DocumentByLookup(ctx, DocClient, clientID)
	} else {
		d, err = e.Store.Document(ctx, DocClient, id)
	}
	if d == nil || err != nil {
		return nil, err
	}
	c = cachedClient{&OAuthClient{}, now.Add(time.Second)}
	if err := json.Unmarshal(d.Data, c.client); err != nil {
		return nil, err
	}
	e.clients.mu.Lock()
	if e.clients.m == nil || len(e.clients.m) >= keyCacheMax {
		e.clients.m = map[string]cachedClient{}
	}
	e.clients.m[key] = c
	e.clients.mu.Unlock()
	return c.client, nil
}

// RevokeClient ends an OAuth client of the caller's book, and its tokens: here at
// once, in other processes within a second.
func (e *Engine) RevokeClient(ctx context.Context, call *Call, id UUID) error {
	err := e.DeleteDocument(ctx, call, DocClient, id)
	e.clients.mu.Lock()
	e.clients.m = nil
	e.clients.mu.Unlock()
	return err
}

// IssueToken returns an access token for a client's id and secret. It speaks
// profile, or where that is empty the client's own. A pair that does not fit:
// CodeUnauthenticated.
func (e *Engine) IssueToken(ctx context.Context, clientID, secret, profile string) (string, *OAuthClient, error) {
	unknown := Refuse(CodeUnauthenticated, "Authorization", "the client id and secret are not known here")
	if clientID == "" || len(clientID) > 100 || len(secret) > 200 {
		return "", nil, unknown
	}
	c, err := e.client(ctx, UUID{}, clientID)
	if err != nil {
		return "", nil, err
	}
	if c == nil || subtle.ConstantTimeCompare([]byte(c.Hash), []byte(e.Secret.hashKey(secret))) != 1 {
		return "", nil, unknown
	}
	if profile == "" {
		profile = c.Profile
	}
	b := make([]byte, tokenBody, tokenBody+tokenMAC)
	copy(b, c.ID[:])
	binary.BigEndian.PutUint64(b[16:], uint64(Micros(e.Now().Add(AccessTokenLife))))
	for i, p := range profiles {
		if p == profile {
			b[24] = byte(i)
		}
	}
	mac := e.Secret.MAC("access token", string(b))
	return AccessTokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, mac[:tokenMAC]...)), c, nil
}

// AccessToken returns whom an access token speaks for, and in which profile.
// Made up, expired or of a client that is gone: CodeUnauthenticated.
func (e *Engine) AccessToken(ctx context.Context, token string) (*OAuthClient, *Merchant, string, error) {
	unknown := Refuse(CodeUnauthenticated, "Authorization", "the access token is not known here or has expired; ask for a new one")
	raw, ok := strings.CutPrefix(token, AccessTokenPrefix)
	if !ok || len(raw) > 100 {
		return nil, nil, "", unknown
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(raw)
	if err != nil || len(b) != tokenBody+tokenMAC {
		return nil, nil, "", unknown
	}
	mac := e.Secret.MAC("access token", string(b[:tokenBody]))
	if !hmac.Equal(mac[:tokenMAC], b[tokenBody:]) || int(b[24]) >= len(profiles) {
		return nil, nil, "", unknown
	}
	if int64(binary.BigEndian.Uint64(b[16:])) <= Micros(e.Now()) {
		return nil, nil, "", unknown
	}
	c, err := e.client(ctx, UUID(b[:16]), "")
	if err != nil {
		return nil, nil, "", err
	}
	if c == nil {
		return nil, nil, "", unknown
	}
	m, err := e.Merchant(ctx, c.Merchant)
	if err != nil {
		return nil, nil, "", err
	}
	return c, m, profiles[b[24]], nil
}

// NotifySecret is what signs the notifications of the dialect for one merchant
// and mode, in the form of a UUID: both sides know it, and nothing else is
// derived from it.
func (s Secret) NotifySecret(book Book) string {
	h := s.MAC("notification secret", itoa(int(book)))
	u := UUID(h[:16])
	u[6], u[8] = 0x40|u[6]&0x0f, 0x80|u[8]&0x3f
	return u.String()
}
