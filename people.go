package giro

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"giro/money"
)

type cachedMerchant struct {
	merchant *Merchant
	until    time.Time
}

// merchantLookup finds a merchant's document by the number of its books.
func merchantLookup(number int64) string { return "number/" + itoa(int(number)) }

// Merchant returns the merchant with this number. Settings changed by another
// process are seen within a second.
func (e *Engine) Merchant(ctx context.Context, number int64) (*Merchant, error) {
	now := e.Now()
	if c, ok := e.merchants.Load(number); ok && now.Before(c.(*cachedMerchant).until) {
		return c.(*cachedMerchant).merchant, nil
	}
	d, err := e.Store.DocumentByLookup(ctx, DocMerchant, merchantLookup(number))
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, Refuse(CodeNotFound, "", "there is no such merchant")
	}
	m, err := DecodeMerchant(d)
	if err != nil {
		return nil, err
	}
	e.merchants.Store(number, &cachedMerchant{m, now.Add(time.Second)})
	return m, nil
}

// DecodeMerchant reads a merchant's document.
func DecodeMerchant(d *StoredDocument) (*Merchant, error) {
	m := &Merchant{}
	if err := json.Unmarshal(d.Data, m); err != nil {
		return nil, err
	}
	m.Version, m.Updated = d.Version, d.Updated
	return m, nil
}

// MerchantByID returns a merchant that is not closed, or CodeNotFound.
func (e *Engine) MerchantByID(ctx context.Context, id UUID) (*Merchant, error) {
	d, err := e.Store.Document(ctx, DocMerchant, id)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, Refuse(CodeNotFound, "", "there is no such merchant")
	}
	m, err := DecodeMerchant(d)
	if err == nil && m.Status == MerchantClosed {
		return nil, Refuse(CodeNotFound, "", "there is no such merchant")
	}
	return m, err
}

// Put writes documents of one book in one commit, each under its own id and
// lookup; a document whose Version is not the stored one is refused with
// CodePreconditionFailed, an existing lookup with taken.
func (e *Engine) Put(ctx context.Context, call *Call, taken *Error, docs ...*StoredDocument) (any, error) {
	return e.put(ctx, call, taken, nil, docs...)
}

// put is Put with a result of its own, made of the documents as they were
// written; nil: the first of them.
func (e *Engine) put(ctx context.Context, call *Call, taken *Error, result func(written []StoredDocument) (any, error), docs ...*StoredDocument) (any, error) {
	keys := Keys{Books: []Book{Installation}}
	for _, d := range docs {
		keys.Books = append(keys.Books, d.Book)
		keys.Documents = append(keys.Documents, DocumentKey{Kind: d.Kind, ID: d.ID})
		if d.Lookup != "" {
			keys.Documents = append(keys.Documents, DocumentKey{Kind: d.Kind, Lookup: d.Lookup})
		}
	}
	written := make([]StoredDocument, len(docs)) // decide may run again, on docs as they came
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		for i, d := range docs {
			w := *d
			old := b.document(DocumentKey{Kind: d.Kind, ID: d.ID})
			if old != nil && old.Version != d.Version || old == nil && d.Version > 0 {
				return nil, Refuse(CodePreconditionFailed, "If-Match", "the object has changed since it was read")
			}
			if d.Lookup != "" {
				if other := b.document(DocumentKey{Kind: d.Kind, Lookup: d.Lookup}); other != nil && other.ID != d.ID {
					return nil, taken
				}
			}
			w.Updated = b.now(d.Book)
			if w.Created == 0 {
				w.Created = w.Updated
			}
			b.head(d.Book, UUID{})
			b.write(&w)
			written[i] = w
		}
		if result != nil {
			return result(written)
		}
		return &written[0], nil
	}})
	if err == nil && v != nil { // nil: a replay
		for i, d := range docs {
			d.Version, d.Updated, d.Created = written[i].Version, written[i].Updated, written[i].Created
		}
	}
	return v, err
}

// Tenant is a new merchant with its first credentials, which are shown this
// once.
type Tenant struct {
	Merchant   *Merchant
	Test, Live KeySet
}

// CreateMerchant makes a tenant with the books of both modes and its main
// account in its currency, without credentials.
func (e *Engine) CreateMerchant(ctx context.Context, call *Call, m Merchant) (*Merchant, error) {
	t, err := e.createTenant(ctx, call, m, false, nil)
	if err != nil {
		return nil, err
	}
	return t.Merchant, nil
}

// CreateTenant makes a merchant and its first credentials of both modes in one
// commit. The result is nil where the call's Idempotency-Key was used before:
// its Answer has it. with are documents of the installation that are written with
// it; where one's lookup is taken, nothing is: CodeConflict.
func (e *Engine) CreateTenant(ctx context.Context, call *Call, m Merchant, with ...*StoredDocument) (*Tenant, error) {
	return e.createTenant(ctx, call, m, true, with)
}

func (e *Engine) createTenant(ctx context.Context, call *Call, m Merchant, keyed bool, with []*StoredDocument) (*Tenant, error) {
	all, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocMerchant, Book: AllBooks, Limit: 1 << 20})
	if err != nil {
		return nil, err
	}
	m.Number = int64(len(all)) + 1
	for _, d := range all {
		old, err := DecodeMerchant(d)
		if err != nil {
			return nil, err
		}
		m.Number = max(m.Number, old.Number+1)
	}
	m.ID = e.NewID(e.Now())
	m.Status = MerchantActive
	tenant := Tenant{}
	var secrets []*StoredDocument
	if keyed {
		var more []*StoredDocument
		if tenant.Test, secrets, err = e.newKeySet(&m, false); err != nil {
			return nil, err
		}
		if tenant.Live, more, err = e.newKeySet(&m, true); err != nil {
			return nil, err
		}
		secrets = append(secrets, more...)
	}
	test, live := BookOf(m.Number, false), BookOf(m.Number, true)
	keys := Keys{
		Books:     []Book{Installation, test, live},
		Documents: []DocumentKey{{Kind: DocMerchant, Lookup: merchantLookup(m.Number)}},
	}
	for _, d := range with {
		keys.Documents = append(keys.Documents, DocumentKey{Kind: d.Kind, Lookup: d.Lookup})
	}
	v, err := e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		if b.document(DocumentKey{Kind: DocMerchant, Lookup: merchantLookup(m.Number)}) != nil {
			return nil, &Error{Code: CodeUnavailable, Message: "another merchant was created at the same moment; send the request again", RetryAfter: time.Second}
		}
		for _, d := range with {
			if b.document(DocumentKey{Kind: d.Kind, Lookup: d.Lookup}) != nil {
				return nil, Refuse(CodeConflict, "", "another process has written this already")
			}
		}
		m := m
		m.Created, m.Updated = b.At, b.At
		data, err := json.Marshal(&m)
		if err != nil {
			return nil, err
		}
		b.head(Installation, UUID{})
		b.write(&StoredDocument{Kind: DocMerchant, ID: m.ID, Lookup: merchantLookup(m.Number), Created: b.At, Updated: b.At, Data: data})
		for _, book := range []Book{test, live} {
			b.head(book, m.ID).Merchant = m.ID
			if m.Currency != "" {
				b.account(chartAccount(&m, book, money.Currency(m.Currency), RoleAvailable, ""))
			}
		}
		for _, d := range slices.Concat(with, secrets) {
			w := *d
			w.Created, w.Updated = b.At, b.At
			b.write(&w)
		}
		m.Version = 1
		made := tenant
		made.Merchant = &m
		return &made, nil
	}})
	t, _ := v.(*Tenant)
	return t, err
}

// UpdateMerchant stores changed settings; m.Version must be the present one. The
// result is nil where the call's Idempotency-Key was used before.
func (e *Engine) UpdateMerchant(ctx context.Context, call *Call, m *Merchant) (*Merchant, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	d := &StoredDocument{Kind: DocMerchant, ID: m.ID, Lookup: merchantLookup(m.Number), Version: m.Version, Created: m.Created, Data: data}
	v, err := e.put(ctx, call, Refuse(CodeConflict, "", "the merchant's number is taken"), func(w []StoredDocument) (any, error) {
		return DecodeMerchant(&w[0])
	}, d)
	e.merchants.Delete(m.Number)
	m, _ = v.(*Merchant)
	return m, err
}

// CloseMerchant ends a merchant for good: its keys work no more, and it is shown
// no more. Its books stay, for the ledger's sake. Refused with account_not_empty
// while an account of it holds or owes money, in_flight while a movement is open.
func (e *Engine) CloseMerchant(ctx context.Context, call *Call, id UUID) error {
	var err error
	for range 5 { // until nothing moves between the look and the decision
		if err = e.closeMerchant(ctx, call, id); !Is(err, CodeConflict) {
			return err
		}
	}
	return err
}

func (e *Engine) closeMerchant(ctx context.Context, call *Call, id UUID) error {
	m, err := e.MerchantByID(ctx, id)
	if err != nil {
		return err
	}
	books := []Book{BookOf(m.Number, false), BookOf(m.Number, true)}
	seen := map[Book]BookHead{}
	for _, book := range books {
		h, err := e.Store.Head(ctx, book)
		if err != nil {
			return err
		}
		if h != nil {
			seen[book] = *h
		}
		accounts, _, err := e.Store.Accounts(ctx, AccountQuery{Book: book, Limit: 1 << 20})
		if err != nil {
			return err
		}
		for _, a := range accounts {
			if a.Balance != 0 && !a.Role.Outside() && a.Role != RoleFees {
				return Refuse(CodeAccountNotEmpty, "", "an account of the merchant is not empty in "+mode(book.Live())+" mode; pay out what is left, or settle what it owes")
			}
		}
		for _, kind := range Kinds {
			open, _, err := e.Store.Movements(ctx, MovementQuery{Book: book, Kind: kind, Statuses: []Status{StatusPending, StatusOnHold}, Limit: 1})
			if err != nil {
				return err
			}
			if len(open) > 0 {
				return Refuse(CodeInFlight, "", "a "+string(kind)+" of the merchant is open in "+mode(book.Live())+" mode; cancel it, or wait for its outcome")
			}
		}
	}
	key := DocumentKey{Kind: DocMerchant, ID: id}
	_, err = e.do(ctx, &command{call: call, keys: Keys{Books: append([]Book{Installation}, books...), Documents: []DocumentKey{key}}, decide: func(b *Batch) (any, error) {
		d := b.document(key)
		if d == nil {
			return nil, Refuse(CodeNotFound, "", "there is no such merchant")
		}
		for _, book := range books {
			if h := b.heads[book]; h != nil && (h.Sequence != seen[book].Sequence || h.Events != seen[book].Events) {
				return nil, Refuse(CodeConflict, "", "the merchant's books changed while it was closed")
			}
		}
		now, err := DecodeMerchant(d)
		if err != nil {
			return nil, err
		}
		if now.Status == MerchantClosed {
			return nil, Refuse(CodeNotFound, "", "there is no such merchant")
		}
		now.Status = MerchantClosed
		w := *d
		w.Updated = b.At
		if w.Data, err = json.Marshal(now); err != nil {
			return nil, err
		}
		b.head(Installation, UUID{})
		b.write(&w)
		return nil, nil
	}})
	e.merchants.Delete(m.Number)
	return err
}

// CustomerLookup finds a customer by the merchant's own id of it.
func CustomerLookup(book Book, reference string) string { return itoa(int(book)) + "/" + reference }

// newCustomer adds a customer inside a decision.
func (b *Batch) newCustomer(call *Call, c *Customer) (UUID, error) {
	c.ID = b.newID(b.now(call.Book()))
	c.Created = b.now(call.Book())
	c.Updated = c.Created
	data, err := json.Marshal(c)
	if err != nil {
		return UUID{}, err
	}
	d := &StoredDocument{Kind: DocCustomer, ID: c.ID, Book: call.Book(), Created: c.Created, Updated: c.Created, Data: data}
	if c.Reference != "" {
		d.Lookup = CustomerLookup(d.Book, c.Reference)
	}
	b.write(d)
	return c.ID, nil
}

// CreateAccount opens a sub-account.
func (e *Engine) CreateAccount(ctx context.Context, call *Call, name string, currency money.Currency, negative bool, metadata map[string]string) (*Account, error) {
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{call.Book()}}, decide: func(b *Batch) (any, error) {
		book := call.Book()
		b.head(book, call.Merchant.ID)
		a := b.account(Account{ID: b.subAccountID(book), Book: book, Currency: currency, Role: RoleSub, Name: name, Negative: negative, Metadata: metadata})
		c := *a
		return &c, nil
	}})
	a, _ := v.(*Account)
	return a, err
}

// CloseAccount closes a sub-account whose sides are both empty. A closed
// account takes and gives nothing.
func (e *Engine) CloseAccount(ctx context.Context, call *Call, id UUID) (*Account, error) {
	book := call.Book()
	seen, _, err := e.Store.Accounts(ctx, AccountQuery{Book: book, IDs: []UUID{id}})
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 || seen[0].Role != RoleSub && seen[0].Role != RoleAvailable {
		return nil, Refuse(CodeNotFound, "", "there is no such account")
	}
	if seen[0].Role != RoleSub {
		return nil, Refuse(CodeInvalidState, "", "a main account is not closed")
	}
	held := reservedSideID(seen[0].ID)
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}, Accounts: []UUID{id, held}}, decide: func(b *Batch) (any, error) {
		a := b.accounts[id]
		if a == nil {
			return nil, Refuse(CodeNotFound, "", "there is no such account")
		}
		if b.touch(a).Closed {
			return nil, Refuse(CodeAccountClosed, "", "the account is closed already")
		}
		if r := b.accounts[held]; a.Balance != 0 || r != nil && r.Balance != 0 {
			return nil, Refuse(CodeAccountNotEmpty, "", "the account still holds money, available or reserved; move it first")
		}
		a.Closed, a.Dirty = true, true
		a.Version++
		c := *a
		return &c, nil
	}})
	a, _ := v.(*Account)
	return a, err
}

// Fund puts money into a test balance, as if it had come over the sandbox.
func (e *Engine) Fund(ctx context.Context, call *Call, currency money.Currency, amount int64) (*Account, error) {
	book := call.Book()
	m := &Movement{Book: book, Kind: KindCharge, Currency: currency, Detail: Detail{Rail: "sandbox"}}
	v, err := e.do(ctx, &command{call: call, keys: Keys{Books: []Book{book}, Accounts: sideKeys(call.Merchant, m)}, decide: func(b *Batch) (any, error) {
		b.head(book, call.Merchant.ID)
		to := b.side(call.Merchant, m, RoleAvailable)
		if err := b.post(book, m, "funded", entry{b.side(call.Merchant, m, RoleClearing), to, amount}); err != nil {
			return nil, err
		}
		c := *to
		return &c, nil
	}})
	a, _ := v.(*Account)
	return a, err
}
