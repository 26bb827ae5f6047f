package giro

import (
	"context"
	"errors"
	"time"

	"giro/money"
)

// A test book is wiped in place. One commit closes it: whatever names it is
// refused from then on, in every process. Then its rows go, step by step beside
// the other merchants' commits, and a last commit opens it again with an empty
// ledger, its clock at the real time. Its events go on counting: what anybody
// knows of an old one is not taken for a new one's.

const (
	wipeStep  = 1000 // rows at once, so that no commit waits for long
	wipeTries = 5    // looks at a book in which others make transfers meanwhile
)

// ErrWiping is what gets whoever names a book that is being wiped.
var ErrWiping = &Error{Code: CodeUnavailable, Message: "the test data of this merchant is being wiped; send the request again in a moment", RetryAfter: time.Second}

// wiping returns ErrWiping where a command names a book that is being wiped.
func (b *Batch) wiping(books []Book) error {
	for _, book := range books {
		if h := b.heads[book]; h != nil && h.Wiping != 0 {
			return ErrWiping
		}
	}
	return nil
}

// TestData is what a test book holds, and how it stands with its wiping.
type TestData struct {
	Charges, Refunds, Payouts, Transfers int64
	LedgerTransactions                   int64
	Wiping                               int64 // µs, real time since when it is being wiped; 0: it is not
	Wiped                                int64 // µs, real time when it was wiped last; 0: never
}

func (h *BookHead) testData() TestData {
	return TestData{h.Charges, h.Refunds, h.Payouts, h.Transfers, h.Sequence, h.Wiping, h.Wiped}
}

// TestData returns what a book holds.
func (e *Engine) TestData(ctx context.Context, book Book) (TestData, error) {
	h, err := e.Store.Head(ctx, book)
	if err != nil || h == nil {
		return TestData{}, err
	}
	return h.testData(), nil
}

// Wipe begins to remove all movements, the ledger, customers, events, deliveries
// and the request log of the caller's test book, and returns what it held. Keys,
// endpoints, people, settings and the audit log stay. It goes on by itself, also
// in another process and after a crash; see TestData. CodeInvalidState: the book
// has transfers with another merchant's, whose half of them would stay alone.
func (e *Engine) Wipe(ctx context.Context, call *Call) (TestData, error) {
	var err error
	for range wipeTries { // until no transfer comes between the look and the decision
		var was TestData
		if was, err = e.wipe(ctx, call); !errors.Is(err, errTransferred) {
			return was, err
		}
	}
	return TestData{}, err
}

var errTransferred = &Error{Code: CodeUnavailable, Message: "transfers were made while the test data was being closed; stop what makes them and send the request again", RetryAfter: time.Second}

func (e *Engine) wipe(ctx context.Context, call *Call) (TestData, error) {
	book := call.Book()
	if book.Live() || book == Installation {
		return TestData{}, Refuse(CodeTestModeOnly, "", "only test data is wiped")
	}
	head, err := e.Store.Head(ctx, book)
	if err != nil {
		return TestData{}, err
	}
	var transfers int64 // of others with this one too
	if head != nil {
		transfers = head.Transfers
	}
	entangled, err := e.Store.Entangled(ctx, book)
	if err != nil {
		return TestData{}, err
	}
	v, err := e.do(ctx, &command{call: call, wipes: true, keys: Keys{Books: []Book{book}}, decide: func(b *Batch) (any, error) {
		h := b.head(book, call.Merchant.ID)
		switch {
		case h.Wiping != 0:
			return nil, Refuse(CodeInFlight, "", "the test data is being wiped already")
		case entangled:
			return nil, Refuse(CodeInvalidState, "", "test data with transfers between merchants is not wiped: the other merchant's half of them would stay alone")
		case h.Transfers != transfers:
			return nil, errTransferred
		}
		h.Wiping = b.At
		return h.testData(), nil
	}})
	if err == nil {
		select {
		case e.wipes <- struct{}{}:
		default:
		}
	}
	was, _ := v.(TestData)
	return was, err
}

// wipeLoop carries on what was begun, here or in a process that is gone.
func (e *Engine) wipeLoop() {
	for {
		e.wipeAll()
		timer := time.NewTimer(sweepEvery)
		select {
		case <-e.stopped:
			timer.Stop()
			return
		case <-e.wipes:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (e *Engine) wipeAll() {
	ctx := context.Background()
	books, err := e.Store.WipingBooks(ctx)
	for _, h := range books { // one that fails is no reason to leave the others closed
		err = errors.Join(err, e.empty(ctx, h))
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		e.Logf("wipe test data: %v", err)
	}
}

// empty removes the rows of a book that is being wiped, and opens it again.
func (e *Engine) empty(ctx context.Context, wiping *BookHead) error {
	for stage := 0; stage != WipeDone; {
		began := e.Now()
		var err error
		if stage, err = e.Store.Wipe(ctx, wiping, stage, wipeStep); err != nil {
			return err
		}
		// As long as that took nobody else could write.
		pause := time.NewTimer(e.Now().Sub(began))
		select {
		case <-e.stopped:
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
	mer, err := e.Merchant(ctx, wiping.Book.Merchant())
	if err != nil {
		return err
	}
	_, err = e.do(ctx, &command{owed: true, wipes: true, keys: Keys{Books: []Book{wiping.Book}}, decide: func(b *Batch) (any, error) {
		h := b.head(wiping.Book, mer.ID)
		if h.Wiping != wiping.Wiping {
			return nil, nil // another process was quicker
		}
		*h = BookHead{Book: h.Book, Merchant: h.Merchant, Events: h.Events, Wiped: b.At, Dirty: true, span: h.span}
		if mer.Currency != "" {
			b.account(chartAccount(mer, h.Book, money.Currency(mer.Currency), RoleAvailable, ""))
		}
		b.tell(h.Book, mer.ID, EventTestDataWiped, TestDataWiped(mer.ID, b.At))
		return nil, nil
	}})
	return err
}

// TestDataWiped is what the event of a wipe tells.
func TestDataWiped(merchant UUID, at int64) []byte {
	w := writer{}
	w.raw('{')
	w.own("id", "mer", merchant)
	w.str("object", "test_data")
	w.num("wiped", at/1_000_000)
	w.raw('}')
	return w.b
}
