package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Customer is a person or company that a merchant deals with.
type Customer struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Email       string            `json:"email"`
	Phone       string            `json:"phone"`
	Document    *Document         `json:"document"`
	Reference   string            `json:"reference"`
	Description string            `json:"description"`
	Metadata    map[string]string `json:"metadata"`
	Livemode    bool              `json:"livemode"`
	Created     int64             `json:"created"`
	CreatedAt   string            `json:"created_at"`
	UpdatedAt   string            `json:"updated_at"`
	Version     int64             `json:"version"`
}

// CustomerCreate asks for a customer.
type CustomerCreate struct {
	Name        string            `json:"name"`
	Email       string            `json:"email,omitempty"`
	Phone       string            `json:"phone,omitempty"`
	Document    *Document         `json:"document,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// CustomerUpdate changes a customer; what is empty stays.
type CustomerUpdate struct {
	Name        string            `json:"name,omitempty"`
	Email       string            `json:"email,omitempty"`
	Phone       string            `json:"phone,omitempty"`
	Document    *Document         `json:"document,omitempty"`
	Reference   string            `json:"reference,omitempty"`
	Description *string           `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// Source is a saved card token, PIX key, bank account or phone of a customer.
type Source struct {
	ID        string            `json:"id"`
	Customer  string            `json:"customer"`
	Provider  string            `json:"provider"`
	Card      *Card             `json:"card"`
	Mobile    *Mobile           `json:"mobile"`
	Bank      *Bank             `json:"bank"`
	Metadata  map[string]string `json:"metadata"`
	Livemode  bool              `json:"livemode"`
	Created   int64             `json:"created"`
	CreatedAt string            `json:"created_at"`
	UpdatedAt string            `json:"updated_at"`
	Version   int64             `json:"version"`
}

// SourceCreate asks for a source.
type SourceCreate struct {
	Customer string            `json:"customer"`
	Provider string            `json:"provider"`
	Card     *Card             `json:"card,omitempty"`
	Mobile   *Mobile           `json:"mobile,omitempty"`
	Bank     *Bank             `json:"bank,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// SourceUpdate changes a source.
type SourceUpdate struct {
	Metadata map[string]string `json:"metadata"`
}

// APIKey is a credential of one merchant and mode.
type APIKey struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Hint         string   `json:"hint"` // its first and last characters
	Publishable  bool     `json:"publishable"`
	Livemode     bool     `json:"livemode"`
	Scopes       []string `json:"scopes"` // empty: all
	Created      int64    `json:"created"`
	CreatedAt    string   `json:"created_at"`
	ExpiresAt    string   `json:"expires_at"`
	RevokedAt    string   `json:"revoked_at"`
	LastUsedAt   string   `json:"last_used_at"` // empty: never, or not asked for
	LastUsedFrom string   `json:"last_used_address"`
	Secret       string   `json:"secret"` // once, when it is made
}

// APIKeyCreate asks for a key of the caller's merchant and mode.
type APIKeyCreate struct {
	Name        string   `json:"name,omitempty"`
	Publishable bool     `json:"publishable,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	ExpiresAt   string   `json:"expires_at,omitempty"` // RFC 3339
}

// Keys are the routes of API keys.
type Keys struct{ c *Client }

// Create makes a key; its secret is answered this once.
func (r Keys) Create(ctx context.Context, n *APIKeyCreate, o ...Option) (*APIKey, error) {
	return send[APIKey](ctx, r.c, Request{Method: http.MethodPost, Path: "/v1/api_keys", Body: n}, o)
}

// List reads all keys, newest first.
func (r Keys) List(ctx context.Context) iter.Seq2[*APIKey, error] {
	return list[APIKey](ctx, r.c, "/v1/api_keys", url.Values{"limit": {"100"}})
}

// Roll replaces a key, which still works for grace seconds.
func (r Keys) Roll(ctx context.Context, id string, grace int64, o ...Option) (*APIKey, error) {
	return send[APIKey](ctx, r.c, Request{Method: http.MethodPost, Path: one("/v1/api_keys", id, "roll"), Body: struct {
		Grace int64 `json:"grace_seconds,omitempty"`
	}{grace}}, o)
}

// Revoke ends a key at once.
func (r Keys) Revoke(ctx context.Context, id string) (*APIKey, error) {
	return send[APIKey](ctx, r.c, Request{Method: http.MethodDelete, Path: one("/v1/api_keys", id)}, nil)
}

// Merchant is a tenant.
type Merchant struct {
	ID                     string            `json:"id"`
	Name                   string            `json:"name"`
	Email                  string            `json:"email"`
	Phone                  string            `json:"phone"`
	Currency               string            `json:"currency"`
	Status                 string            `json:"status"`
	SettlementDelay        int64             `json:"settlement_delay"` // seconds
	NegativeBalanceAllowed bool              `json:"negative_balance_allowed"`
	HoldOnMissingFunds     bool              `json:"hold_on_missing_funds"`
	RequireIdempotencyKey  bool              `json:"require_idempotency_key"`
	Rails                  map[string]string `json:"rails"`
	Created                int64             `json:"created"`
	CreatedAt              string            `json:"created_at"`
	UpdatedAt              string            `json:"updated_at"`
	Version                int64             `json:"version"`

	// Keys has the first credentials of "test" and "live", once.
	Keys map[string]KeySet `json:"keys"`
}

// KeySet is what a new merchant is given for one mode.
type KeySet struct {
	SecretKey      string `json:"secret_key"`
	PublishableKey string `json:"publishable_key"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
}

// MerchantCreate asks for a merchant.
type MerchantCreate struct {
	Name     string `json:"name"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// MerchantUpdate changes a merchant; what is nil or empty stays.
type MerchantUpdate struct {
	Name                   string            `json:"name,omitempty"`
	Email                  string            `json:"email,omitempty"`
	Phone                  string            `json:"phone,omitempty"`
	SettlementDelay        *int64            `json:"settlement_delay,omitempty"` // seconds
	NegativeBalanceAllowed *bool             `json:"negative_balance_allowed,omitempty"`
	HoldOnMissingFunds     *bool             `json:"hold_on_missing_funds,omitempty"`
	RequireIdempotencyKey  *bool             `json:"require_idempotency_key,omitempty"`
	Rails                  map[string]string `json:"rails,omitzero"` // means to rail, with the admin token, in place of what was set; empty: all as by default
}

// Merchants are the routes of merchants. With an API key they show its own. With
// the admin token Create makes one, whose keys are answered this once.
type Merchants struct {
	objects[Merchant, MerchantCreate]
}

// Update changes a merchant.
func (r Merchants) Update(ctx context.Context, id string, u *MerchantUpdate, o ...Option) (*Merchant, error) {
	return send[Merchant](ctx, r.c, Request{Method: http.MethodPut, Path: one(r.path, id), Body: u}, o)
}
