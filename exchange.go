package giro

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"giro/money"
)

// exchangeClearing names the clearing accounts through which an exchange posts:
// one in each currency. What one owes in its currency the other is owed in its
// own, so their balances are the merchant's position in exchanges.
const exchangeClearing = "exchange"

// Rate is a rate of exchange in units of 10^-8.
type Rate int64

// The form of a Rate.
const (
	rateOne    Rate = 100_000_000
	rateDigits      = 8
	rateMax    Rate = 1_000_000_000 * rateOne
)

// ParseRate reads a decimal rate above 0 with at most 8 places.
func ParseRate(s string) (Rate, error) {
	whole, fraction, point := strings.Cut(s, ".")
	refuse := Refuse(CodeInvalidFormat, "/rate", "a rate is a decimal number above 0 with at most 8 places, such as 5.06")
	if whole == "" || point && fraction == "" || len(whole) > 9 || len(fraction) > rateDigits {
		return 0, refuse
	}
	var r Rate
	for _, c := range []byte(whole + fraction + strings.Repeat("0", rateDigits-len(fraction))) {
		if c < '0' || c > '9' {
			return 0, refuse
		}
		r = r*10 + Rate(c-'0')
	}
	if r == 0 || r > rateMax {
		return 0, refuse
	}
	return r, nil
}

// String writes the rate exactly, with at least two places.
func (r Rate) String() string {
	whole, fraction := itoa(int(r/rateOne)), itoa(int(r%rateOne))
	fraction = strings.Repeat("0", rateDigits-len(fraction)) + fraction
	for len(fraction) > 2 && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	return whole + "." + fraction
}

// MarshalText and UnmarshalText keep rates as decimals.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the form of MarshalText.
func (r *Rate) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRate(string(b))
	return err
}

// Exchange returns what an amount (minor units of from) is in another currency,
// to the nearest minor unit.
func (r Rate) Exchange(amount int64, from, to money.Currency) (*Exchange, error) {
	num, den := int64(r), int64(rateOne)
	for d := to.Exponent() - from.Exponent(); d != 0; {
		if d > 0 {
			den, d = den/10, d-1
		} else {
			den, d = den*10, d+1
		}
	}
	v, err := money.MulDiv(amount, num, den)
	switch {
	case err != nil || v > money.Max:
		return nil, Refuse(CodeAmountTooLarge, "/amount", "the amount is too large to be exchanged")
	case v == 0:
		return nil, Refuse(CodeAmountTooSmall, "/amount", "the amount is too small to be exchanged")
	}
	return &Exchange{Currency: to, Amount: v, Rate: r}, nil
}

// share returns the part of an exchange that belongs to a part of its movement.
func (x *Exchange) share(part, whole int64) (*Exchange, error) {
	if x == nil {
		return nil, nil
	}
	v, err := money.MulDiv(x.Amount, part, whole)
	if err != nil {
		return nil, err
	}
	return &Exchange{Currency: x.Currency, Amount: max(v, 1), Rate: x.Rate}, nil
}

// exchange posts the other currency of a movement whose money has entered or
// left at the rail.
func (b *Batch) exchange(mer *Merchant, m *Movement, cause string, entered bool) error {
	x := m.Detail.Exchange
	if x == nil {
		return nil
	}
	within := b.account(chartAccount(mer, m.Book, x.Currency, RoleClearing, exchangeClearing))
	rail := b.account(chartAccount(mer, m.Book, x.Currency, RoleClearing, m.Detail.Rail))
	if entered {
		return b.postIn(m.Book, m, x.Currency, cause, entry{rail, within, x.Amount})
	}
	return b.postIn(m.Book, m, x.Currency, cause, entry{within, rail, x.Amount})
}

// RatePair is what a merchant has set for one exchange.
type RatePair struct {
	From money.Currency
	To   money.Currency
	Rate Rate
}

// sandboxRate is USD in BRL in test mode where nothing else was set.
const sandboxRate = 5 * rateOne

func ratesLookup(book Book) string { return "rates/" + itoa(int(book)) }

// rates returns the rates that were set for a book.
func (e *Engine) rates(ctx context.Context, book Book) (map[string]Rate, error) {
	rates := map[string]Rate{}
	d, err := e.Store.DocumentByLookup(ctx, DocSetting, ratesLookup(book))
	if d == nil || err != nil {
		return rates, err
	}
	return rates, json.Unmarshal(d.Data, &rates)
}

// Rates lists the rates of a book by their currencies; test books have one for
// USD to BRL from the beginning.
func (e *Engine) Rates(ctx context.Context, book Book) ([]RatePair, error) {
	rates, err := e.rates(ctx, book)
	if err != nil {
		return nil, err
	}
	if _, set := rates["USD/BRL"]; !set && !book.Live() {
		rates["USD/BRL"] = sandboxRate
	}
	var list []RatePair
	for _, from := range money.Currencies() {
		for _, to := range money.Currencies() {
			if r, ok := rates[string(from.Code)+"/"+string(to.Code)]; ok {
				list = append(list, RatePair{from.Code, to.Code, r})
			}
		}
	}
	return list, nil
}

// Rate returns the rate of one exchange, or currency_mismatch where there is
// none.
func (e *Engine) Rate(ctx context.Context, book Book, from, to money.Currency) (Rate, error) {
	rates, err := e.rates(ctx, book)
	if err != nil {
		return 0, err
	}
	r, ok := rates[string(from)+"/"+string(to)]
	switch {
	case ok:
		return r, nil
	case !book.Live() && from == "USD" && to == "BRL":
		return sandboxRate, nil
	}
	return 0, Refuse(CodeCurrencyMismatch, "/currency", "there is no rate for this exchange; set one at /v1/rates")
}

// SetRate sets the rate of one exchange of the caller's book.
func (e *Engine) SetRate(ctx context.Context, call *Call, p RatePair) error {
	if p.From == p.To {
		return Refuse(CodeInvalidValue, "/to", "an exchange has two currencies")
	}
	book := call.Book()
	lookup := DocumentKey{Kind: DocSetting, Lookup: ratesLookup(book)}
	id := e.NewID(e.Now())
	_, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}, Documents: []DocumentKey{lookup}}, decide: func(b *Batch) (any, error) {
		rates := map[string]Rate{}
		d := StoredDocument{Kind: DocSetting, ID: id, Book: book, Lookup: lookup.Lookup, Created: b.now(book)}
		if old := b.document(lookup); old != nil {
			if err := json.Unmarshal(old.Data, &rates); err != nil {
				return nil, err
			}
			d = *old
		}
		rates[string(p.From)+"/"+string(p.To)] = p.Rate
		var err error
		if d.Data, err = json.Marshal(rates); err != nil {
			return nil, err
		}
		d.Updated = b.now(book)
		b.head(book, call.Merchant.ID)
		b.write(&d)
		return nil, nil
	}})
	return err
}

// Quote fixes an exchange for a while: what is debited and what arrives. A
// payout uses it at most once.
type Quote struct {
	ID       UUID           `json:"id"`
	Currency money.Currency `json:"currency"` // that is debited
	Amount   int64          `json:"amount"`   // minor units of it
	To       money.Currency `json:"to"`
	Arrives  int64          `json:"arrives"` // minor units of To
	Rate     Rate           `json:"rate"`
	Created  int64          `json:"created"`       // µs, of the book's clock
	Expires  int64          `json:"expires"`       // µs, of the book's clock
	Used     UUID           `json:"used,omitzero"` // by this payout
}

// QuoteLife is how long a quote holds.
const QuoteLife = 5 * time.Minute

// CreateQuote fixes the exchange of an amount at the present rate.
func (e *Engine) CreateQuote(ctx context.Context, call *Call, amount int64, from, to money.Currency) (*Quote, error) {
	q := Quote{ID: e.NewID(e.Now()), Currency: from, Amount: amount, To: to, Arrives: amount, Rate: rateOne}
	if from != to {
		rate, err := e.Rate(ctx, call.Book(), from, to)
		if err != nil {
			return nil, err
		}
		x, err := rate.Exchange(amount, from, to)
		if err != nil {
			return nil, err
		}
		q.Rate, q.Arrives = rate, x.Amount
	}
	_, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{call.Book()}}, decide: func(b *Batch) (any, error) {
		q.Created = b.now(call.Book())
		q.Expires = q.Created + QuoteLife.Microseconds()
		data, err := json.Marshal(&q)
		if err != nil {
			return nil, err
		}
		b.head(call.Book(), call.Merchant.ID)
		b.write(&StoredDocument{Kind: DocQuote, ID: q.ID, Book: call.Book(), Created: q.Created, Updated: q.Created, Data: data})
		return nil, nil
	}})
	return &q, err
}

// Quote returns a quote of a book, or not_found.
func (e *Engine) Quote(ctx context.Context, book Book, id UUID) (*Quote, error) {
	d, err := e.Store.Document(ctx, DocQuote, id)
	if err != nil {
		return nil, err
	}
	if d == nil || d.Book != book {
		return nil, Refuse(CodeNotFound, "", "there is no such quote")
	}
	q := &Quote{}
	return q, json.Unmarshal(d.Data, q)
}

// Exchange returns the exchange that the quote fixes; nil where it fixes none.
func (q *Quote) Exchange() *Exchange {
	if q.Currency == q.To {
		return nil
	}
	return &Exchange{Currency: q.To, Amount: q.Arrives, Rate: q.Rate}
}

// useQuote takes the quote that a new payout names: decided here, so that of
// two payouts at once one is refused.
func (b *Batch) useQuote(m *Movement) error {
	if m.Detail.Quote.IsZero() {
		return nil
	}
	d := b.document(DocumentKey{Kind: DocQuote, ID: m.Detail.Quote})
	if d == nil || d.Book != m.Book {
		return Refuse(CodeNotFound, "/quote_id", "there is no such quote")
	}
	var q Quote
	if err := json.Unmarshal(d.Data, &q); err != nil {
		return err
	}
	switch {
	case !q.Used.IsZero():
		return Refuse(CodeQuoteUsed, "/quote_id", "the quote was used by another payout; ask for a new one")
	case q.Expires <= b.now(m.Book):
		return Refuse(CodeQuoteExpired, "/quote_id", "the quote has expired; ask for a new one")
	}
	q.Used = m.ID
	data, err := json.Marshal(&q)
	if err != nil {
		return err
	}
	w := *d
	w.Data, w.Updated = data, b.now(m.Book)
	b.write(&w)
	return nil
}
