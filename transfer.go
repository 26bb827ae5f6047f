package giro

import (
	"context"
	"sync"
	"time"
)

const transferExpiry = 7 * 24 * time.Hour

// CreateTransfer moves money between two accounts at once, or reserves it until
// it is posted or voided (two-phase). Between two merchants both books change
// in the same commit.
func (e *Engine) CreateTransfer(ctx context.Context, call *Call, req Request) (*Result, error) {
	found, err := e.destinations(ctx, req)
	if err != nil {
		return nil, err
	}
	c, err := e.transferCommand(ctx, call, req, found[req.Destination])
	if err != nil {
		return nil, err
	}
	return result(e.do(ctx, c))
}

// destinations finds the accounts that transfers go to, whoever's they are: book,
// role and currency alone, which never change and so are read once.
func (e *Engine) destinations(ctx context.Context, reqs ...Request) (map[UUID]*Account, error) {
	found := make(map[UUID]*Account, len(reqs))
	var unseen []UUID
	for i := range reqs {
		id := reqs[i].Destination
		if a := e.targets.of(id); a != nil {
			found[id] = a
		} else {
			unseen = append(unseen, id)
		}
	}
	if len(unseen) == 0 {
		return found, nil
	}
	list, _, err := e.Store.Accounts(ctx, AccountQuery{Book: AllBooks, IDs: unseen})
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		found[a.ID] = &Account{ID: a.ID, Book: a.Book, Role: a.Role, Currency: a.Currency}
		e.targets.put(found[a.ID])
	}
	return found, nil
}

// targetCache holds what of accounts never changes.
type targetCache struct {
	mu sync.RWMutex
	m  map[UUID]*Account
}

const targetCacheMax = 50_000

func (c *targetCache) of(id UUID) *Account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[id]
}

func (c *targetCache) put(a *Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= targetCacheMax {
		c.m = map[UUID]*Account{}
	}
	c.m[a.ID] = a
}

// transferCommand makes the command of a transfer to an account as it was read;
// nil: there is none.
func (e *Engine) transferCommand(ctx context.Context, call *Call, req Request, target *Account) (*command, error) {
	book := call.Book()
	if req.Account.IsZero() {
		req.Account = accountID(call.Merchant.ID, book, req.Currency, RoleAvailable, "")
	}
	if req.Destination == req.Account {
		return nil, Refuse(CodeSameAccount, "/destination", "a transfer needs two different accounts")
	}
	unknown := Refuse(CodeAccountUnknown, "/destination", "there is no such account")
	if target == nil || target.Book.Live() != call.Live || target.Role != RoleAvailable && target.Role != RoleSub {
		return nil, unknown
	}
	if target.Currency != req.Currency { // before the balance is looked at: no state makes it acceptable
		return nil, Refuse(CodeCurrencyMismatch, "/currency", "the destination is kept in another currency")
	}
	peer := target.Book
	var receiver *Merchant
	keys := createKeys(call, KindTransfer, &req, "")
	if peer != book {
		var err error
		if receiver, err = e.Merchant(ctx, peer.Merchant()); err != nil {
			return nil, err
		}
		if receiver.Status == MerchantClosed {
			return nil, Refuse(CodeAccountClosed, "/destination", "the account is closed")
		}
		keys.Books = append(keys.Books, peer)
		keys.Accounts = append(keys.Accounts, intermerchant(call.Merchant, book, req).ID, intermerchant(receiver, peer, req).ID)
	}
	return &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		if old, err := b.repeated(book, KindTransfer, &req); old != nil || err != nil {
			return old, err
		}
		from, err := b.ownAccount(call, req.Account, req.Currency, "/from_account")
		if from == nil && req.Account == accountID(call.Merchant.ID, book, req.Currency, RoleAvailable, "") {
			return nil, Refuse(CodeInsufficientFunds, "/amount", "the main account holds nothing in this currency")
		}
		if err != nil {
			return nil, err
		}
		to := b.accounts[req.Destination]
		switch {
		case to == nil:
			return nil, unknown
		case to.Closed:
			return nil, Refuse(CodeAccountClosed, "/destination", "the account is closed")
		}
		m := e.draft(b, call, KindTransfer, &req)
		m.Detail.Fingerprint = req.fingerprint()
		m.Detail.Rail, m.Detail.Destination, m.Detail.TwoPhase = "", req.Destination, req.Pending
		if peer != book {
			m.Peer = peer
			b.head(peer, receiver.ID)
		}
		b.head(book, call.Merchant.ID)
		var shown []byte
		if req.Pending {
			m.Detail.ExpiresAt = req.ExpiresAt
			if m.Detail.ExpiresAt == 0 {
				m.Detail.ExpiresAt = m.Created + transferExpiry.Microseconds()
			}
			if m.Detail.ExpiresAt <= m.Created {
				return nil, Refuse(CodeInvalidValue, "/expires_at", "must be in the future")
			}
			if err := b.reserve(call.Merchant, m, nil, m.Amount); err != nil {
				return nil, err
			}
			b.schedule(Job{JobKey: JobKey{m.ID, JobExpire}, Book: book, MovementKind: m.Kind}, m.Detail.ExpiresAt)
			b.insert(m)
			shown = b.emit(m, "created")
		} else {
			b.insert(m)
			b.emit(m, "created")
			if err := b.arrive(call.Merchant, receiver, m, b.side(call.Merchant, m, RoleAvailable)); err != nil {
				return nil, err
			}
			m.Status = StatusSucceeded
			shown = b.emit(m, "succeeded")
		}
		c := m.clone()
		return &Result{Movement: &c, shown: shown}, nil
	}}, nil
}

func intermerchant(mer *Merchant, book Book, req Request) Account {
	return chartAccount(mer, book, req.Currency, RoleIntermerchant, "")
}

// arrive moves a transfer's amount from an account of the sender to its
// destination, through the two intermerchant accounts where the books differ.
func (b *Batch) arrive(sender, receiver *Merchant, m *Movement, from *Account) error {
	to := b.touch(b.accounts[m.Detail.Destination])
	m.Captured = m.Amount
	if m.Peer == 0 {
		return b.post(m.Book, m, "transferred", entry{from, to, m.Amount})
	}
	ours := b.account(chartAccount(sender, m.Book, m.Currency, RoleIntermerchant, ""))
	theirs := b.account(chartAccount(receiver, m.Peer, m.Currency, RoleIntermerchant, ""))
	if err := b.post(m.Book, m, "transferred", entry{from, ours, m.Amount}); err != nil {
		return err
	}
	return b.post(m.Peer, m, "received", entry{theirs, to, m.Amount})
}

// TransferOf finds the books that made a transfer, whoever's it is: for the
// installation's administrator, who has an id and no books.
func (e *Engine) TransferOf(ctx context.Context, id UUID) (*Merchant, Book, error) {
	all, err := e.Store.Documents(ctx, DocumentQuery{Kind: DocMerchant, Book: AllBooks, Limit: 1 << 20})
	if err != nil {
		return nil, 0, err
	}
	for _, d := range all {
		mer, err := DecodeMerchant(d)
		if err != nil {
			return nil, 0, err
		}
		for _, book := range []Book{BookOf(mer.Number, true), BookOf(mer.Number, false)} {
			m, err := e.Store.Movement(ctx, book, KindTransfer, id)
			if err != nil {
				return nil, 0, err
			}
			if m != nil && m.Book == book {
				return mer, book, nil
			}
		}
	}
	return nil, 0, notFound(KindTransfer)
}

// ReverseTransfer gives back amount of a transfer; 0: all that is left. Between
// merchants only the receiver or the installation's administrator may.
func (e *Engine) ReverseTransfer(ctx context.Context, call *Call, id UUID, amount int64) (*Result, error) {
	return e.actTransfer(ctx, call, id, func(b *Batch, sender, receiver *Merchant, m *Movement) error {
		if m.Peer != 0 && call.Book() != m.Peer && !call.Admin {
			return Refuse(CodeForbidden, "", "a transfer to another merchant is reversed by its receiver")
		}
		if _, err := m.Next(CauseReverse); err != nil {
			return err
		}
		left := m.Captured - m.Refunded
		if amount == 0 {
			amount = left
		}
		if amount > left {
			return Refuse(CodeReversalExceeds, "/amount", "more than what is left of the transfer")
		}
		from, back := b.touch(b.accounts[m.Detail.Destination]), b.side(sender, m, RoleAvailable)
		if from.Closed || b.accountClosed(m) {
			return Refuse(CodeAccountClosed, "", "one of the transfer's accounts is closed")
		}
		var err error
		if m.Peer == 0 {
			err = b.post(m.Book, m, "reversed", entry{from, back, amount})
		} else {
			theirs := b.account(chartAccount(receiver, m.Peer, m.Currency, RoleIntermerchant, ""))
			ours := b.account(chartAccount(sender, m.Book, m.Currency, RoleIntermerchant, ""))
			if err = b.post(m.Peer, m, "reversed", entry{from, theirs, amount}); err == nil {
				err = b.post(m.Book, m, "reversed", entry{ours, back, amount})
			}
		}
		if err != nil {
			return err
		}
		m.Refunded += amount
		event := "updated"
		if m.Refunded == m.Captured {
			m.Status, event = StatusRefunded, "refunded"
		}
		m.stamp(b.now(m.Book))
		b.emit(m, event)
		return nil
	})
}

// PostTransfer moves what a two-phase transfer has reserved.
func (e *Engine) PostTransfer(ctx context.Context, call *Call, id UUID) (*Result, error) {
	return e.actTransfer(ctx, call, id, func(b *Batch, sender, receiver *Merchant, m *Movement) error {
		if call.Book() != m.Book && !call.Admin {
			return Refuse(CodeForbidden, "", "a pending transfer is posted by its sender")
		}
		return b.postReserved(sender, receiver, m)
	})
}

// postReserved ends a two-phase transfer: what it reserved arrives.
func (b *Batch) postReserved(sender, receiver *Merchant, m *Movement) error {
	r, err := m.Next(CausePost)
	if err != nil {
		return err
	}
	to := b.accounts[m.Detail.Destination]
	if to == nil || to.Closed {
		return Refuse(CodeAccountClosed, "", "the destination is closed")
	}
	m.Reserved = 0
	if err := b.arrive(sender, receiver, m, b.side(sender, m, RoleReserved)); err != nil {
		return err
	}
	m.enter(r)
	m.stamp(b.now(m.Book))
	b.drop(JobKey{m.ID, JobExpire})
	b.emit(m, r.Event)
	return nil
}

// VoidTransfer gives up what a two-phase transfer has reserved.
func (e *Engine) VoidTransfer(ctx context.Context, call *Call, id UUID) (*Result, error) {
	return e.actTransfer(ctx, call, id, func(b *Batch, sender, _ *Merchant, m *Movement) error {
		if call.Book() != m.Book && !call.Admin {
			return Refuse(CodeForbidden, "", "a pending transfer is voided by its sender")
		}
		return b.change(sender, m, nil, CauseCancel)
	})
}

// actTransfer runs a decision on a transfer with both its books held.
func (e *Engine) actTransfer(ctx context.Context, call *Call, id UUID, decide func(b *Batch, sender, receiver *Merchant, m *Movement) error) (*Result, error) {
	seen, err := e.Store.Movement(ctx, call.Book(), KindTransfer, id)
	if err != nil {
		return nil, err
	}
	if seen == nil || seen.Deleted {
		return e.refuse(ctx, call, notFound(KindTransfer))
	}
	sender, err := e.Merchant(ctx, seen.Book.Merchant())
	if err != nil {
		return nil, err
	}
	receiver := sender
	keys := Keys{Books: []Book{seen.Book}, Accounts: sideKeys(sender, seen), Movements: []MovementKey{{seen.Book, KindTransfer, id}}}
	if seen.Peer != 0 {
		if receiver, err = e.Merchant(ctx, seen.Peer.Merchant()); err != nil {
			return nil, err
		}
		keys.Books = append(keys.Books, seen.Peer)
		req := Request{Currency: seen.Currency}
		keys.Accounts = append(keys.Accounts, intermerchant(sender, seen.Book, req).ID, intermerchant(receiver, seen.Peer, req).ID)
	}
	return result(e.do(ctx, &command{call: call, keys: keys, decide: func(b *Batch) (any, error) {
		m := b.movement(id)
		if m == nil || m.Deleted {
			return nil, notFound(KindTransfer)
		}
		if err := decide(b, sender, receiver, m); err != nil {
			return nil, err
		}
		c := m.clone()
		return &Result{Movement: &c}, nil
	}}))
}

func notFound(k Kind) *Error {
	return Refuse(CodeNotFound, "", "there is no such "+string(k))
}
