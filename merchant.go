package giro

// Merchant is a tenant: everything it owns is apart from all others'.
type Merchant struct {
	ID       UUID   `json:"id"`
	Number   int64  `json:"number"` // of its books
	Name     string `json:"name"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Currency string `json:"currency,omitempty"` // ISO 4217, upper case
	Status   string `json:"status"`             // active or closed
	Created  int64  `json:"created"`            // µs
	Updated  int64  `json:"updated"`            // µs
	Version  int64  `json:"-"`

	SettlementDelaySeconds int64 `json:"settlement_delay,omitempty"` // captured money waits so long in pending
	NegativeBalanceAllowed bool  `json:"negative_balance_allowed,omitempty"`
	HoldOnMissingFunds     bool  `json:"hold_on_missing_funds,omitempty"`
	RequireIdempotencyKey  bool  `json:"require_idempotency_key,omitempty"`

	// Rails names the live rail of a provider or of "provider/method".
	Rails map[string]string `json:"rails,omitempty"`

	// Faults names the outcome that the sandbox gives to all movements of a kind,
	// in test mode, unless their request names one.
	Faults map[Kind]string `json:"faults,omitempty"`
}

// fault returns the sandbox outcome of a movement whose request names one, or
// none.
func (m *Merchant) fault(call *Call, kind Kind) string {
	if call.Simulate != "" || call.Live {
		return call.Simulate
	}
	return m.Faults[kind]
}

// The statuses of a merchant.
const (
	MerchantActive = "active"
	MerchantClosed = "closed" // shown no more; the books stay
)

// APIKey is a credential of one merchant and mode. Its secret is stored as a
// keyed hash alone.
type APIKey struct {
	ID          UUID     `json:"id"`
	Merchant    UUID     `json:"merchant"`
	Live        bool     `json:"live"`
	Publishable bool     `json:"publishable,omitempty"`
	Name        string   `json:"name,omitempty"`
	Hint        string   `json:"hint"`              // prefix and last four characters
	Scopes      []string `json:"scopes,omitempty"`  // empty: all
	Created     int64    `json:"created"`           // µs
	Expires     int64    `json:"expires,omitempty"` // µs; 0: never
	Revoked     int64    `json:"revoked,omitempty"` // µs; 0: not
	LastUsed    int64    `json:"-"`
}

// Customer is a person or company that a merchant deals with.
type Customer struct {
	ID          UUID              `json:"id"`
	Reference   string            `json:"reference,omitempty"` // the merchant's own id
	Party                         // name, email, phone, document
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Created     int64             `json:"created"` // µs
	Updated     int64             `json:"updated"` // µs
	Version     int64             `json:"-"`
}

// Source is a saved card token, PIX key, bank account or phone of a customer.
type Source struct {
	ID       UUID              `json:"id"`
	Customer UUID              `json:"customer"`
	Provider string            `json:"provider"`
	Card     *Card             `json:"card,omitempty"`
	Mobile   *Mobile           `json:"mobile,omitempty"`
	Bank     *Bank             `json:"bank,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Created  int64             `json:"created"` // µs
	Updated  int64             `json:"updated"` // µs
	Version  int64             `json:"-"`
}

// Rail returns the name of the rail that carries a provider and method; "" where
// there is none: live card charges without a card rail.
func (m *Merchant) Rail(live bool, provider, method string) string {
	return m.rail(live, provider, method)
}
